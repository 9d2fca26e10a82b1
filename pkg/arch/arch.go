package arch

import (
	"runtime"

	"seccomp-hook/pkg/bpf"
)

// Arch is one architecture, which is to libseccomp and OCI one system call
// ABI: x86_64, x86 and x32 are three. There is one value of each; compare
// pointers.
type Arch struct {
	// Name is libseccomp's name and the one of the command line: "x86_64",
	// "x86", "x32", "arm", "aarch64", "mipsel64n32", "ppc64le", "s390x", …
	Name string
	// OCI is the name in a profile: "SCMP_ARCH_X86_64".
	OCI string
	// Audit is the AUDIT_ARCH_* token (<linux/audit.h>) that calls carry.
	Audit uint32
	// Endian is the byte order.
	Endian bpf.Endian
	// Bits is the size of an argument as filters compare it: 64, or 32, which
	// is also libseccomp's choice for x32 (whose token is x86_64's).
	Bits int
	// NumberBase is the number that the ABI's calls begin at: 0x40000000
	// (__X32_SYSCALL_BIT) for x32, 4000, 5000 and 6000 for mips o32, n64 and
	// n32, else 0. All numbers in this package include it.
	NumberBase uint32
	// Multiplexed says that socket and IPC calls can also be made through
	// socketcall(2) and ipc(2): see Companions.
	Multiplexed bool

	table *table
}

// The parts of an AUDIT_ARCH_* token, <linux/audit.h>; the rest is the ELF
// machine, <linux/elf-em.h>.
const (
	audit64  = 0x80000000 // __AUDIT_ARCH_64BIT
	auditLE  = 0x40000000 // __AUDIT_ARCH_LE
	auditN32 = 0x20000000 // __AUDIT_ARCH_CONVENTION_MIPS64_N32
)

// Alias the byte orders, so that the table of architectures reads as one.
const (
	little = bpf.Little
	big    = bpf.Big
)

// X32Bit is set in the number of every x32 call (__X32_SYSCALL_BIT).
const X32Bit = 0x40000000

// all lists every architecture that the OCI runtime-spec 1.3 names, and its
// system call ABI as libseccomp defines it (src/arch-*.c).
var all = [...]Arch{
	{"x86_64", "SCMP_ARCH_X86_64", 62 | audit64 | auditLE, little, 64, 0, false, &tableX86_64},
	{"x86", "SCMP_ARCH_X86", 3 | auditLE, little, 32, 0, true, &tableX86},
	{"x32", "SCMP_ARCH_X32", 62 | audit64 | auditLE, little, 32, X32Bit, false, &tableX32},
	{"arm", "SCMP_ARCH_ARM", 40 | auditLE, little, 32, 0, false, &tableArm},
	{"aarch64", "SCMP_ARCH_AARCH64", 183 | audit64 | auditLE, little, 64, 0, false, &tableAarch64},
	{"loongarch64", "SCMP_ARCH_LOONGARCH64", 258 | audit64 | auditLE, little, 64, 0, false, &tableLoongarch64},
	{"m68k", "SCMP_ARCH_M68K", 4, big, 32, 0, true, &tableM68k},
	{"mips", "SCMP_ARCH_MIPS", 8, big, 32, 4000, true, &tableMips},
	{"mipsel", "SCMP_ARCH_MIPSEL", 8 | auditLE, little, 32, 4000, true, &tableMips},
	{"mips64", "SCMP_ARCH_MIPS64", 8 | audit64, big, 64, 5000, false, &tableMips64},
	{"mipsel64", "SCMP_ARCH_MIPSEL64", 8 | audit64 | auditLE, little, 64, 5000, false, &tableMips64},
	{"mips64n32", "SCMP_ARCH_MIPS64N32", 8 | audit64 | auditN32, big, 32, 6000, false, &tableMips64n32},
	{"mipsel64n32", "SCMP_ARCH_MIPSEL64N32", 8 | audit64 | auditLE | auditN32, little, 32, 6000, false, &tableMips64n32},
	{"parisc", "SCMP_ARCH_PARISC", 15, big, 32, 0, false, &tableParisc},
	{"parisc64", "SCMP_ARCH_PARISC64", 15 | audit64, big, 64, 0, false, &tableParisc64},
	{"ppc", "SCMP_ARCH_PPC", 20, big, 32, 0, true, &tablePpc},
	{"ppc64", "SCMP_ARCH_PPC64", 21 | audit64, big, 64, 0, true, &tablePpc64},
	{"ppc64le", "SCMP_ARCH_PPC64LE", 21 | audit64 | auditLE, little, 64, 0, true, &tablePpc64},
	{"riscv64", "SCMP_ARCH_RISCV64", 243 | audit64 | auditLE, little, 64, 0, false, &tableRiscv64},
	{"s390", "SCMP_ARCH_S390", 22, big, 32, 0, true, &tableS390},
	{"s390x", "SCMP_ARCH_S390X", 22 | audit64, big, 64, 0, true, &tableS390x},
	{"sh", "SCMP_ARCH_SH", 42 | auditLE, little, 32, 0, true, &tableSh},
	{"sheb", "SCMP_ARCH_SHEB", 42, big, 32, 0, true, &tableSh},
}

// goarch has libseccomp's name of every Linux GOARCH that is called
// differently there.
var goarch = [...][2]string{
	{"386", "x86"},
	{"amd64", "x86_64"},
	{"arm64", "aarch64"},
	{"loong64", "loongarch64"},
	{"mipsle", "mipsel"},
	{"mips64le", "mipsel64"},
}

// All returns every architecture, always in the same order.
func All() []*Arch {
	list := make([]*Arch, len(all))
	for i := range all {
		list[i] = &all[i]
	}
	return list
}

// ByName returns the architecture that libseccomp calls name.
func ByName(name string) (*Arch, bool) {
	for i := range all {
		if all[i].Name == name {
			return &all[i], true
		}
	}
	return nil, false
}

// ByOCI returns the architecture that a profile calls name.
func ByOCI(name string) (*Arch, bool) {
	for i := range all {
		if all[i].OCI == name {
			return &all[i], true
		}
	}
	return nil, false
}

// ByAudit returns the architecture with that AUDIT_ARCH_* token: for the one
// that x86_64 and x32 share it is x86_64, and the numbers tell them apart.
func ByAudit(token uint32) (*Arch, bool) {
	for i := range all {
		if all[i].Audit == token {
			return &all[i], true
		}
	}
	return nil, false
}

// Native returns the architecture that this program was built for; nil where
// it is none that a profile can name, such as wasm.
func Native() *Arch {
	a, _ := byGOARCH(runtime.GOARCH)
	return a
}

func byGOARCH(name string) (*Arch, bool) {
	for _, pair := range goarch {
		if pair[0] == name {
			name = pair[1]
		}
	}
	return ByName(name)
}

// String returns a's name.
func (a *Arch) String() string { return a.Name }
