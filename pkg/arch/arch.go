package arch

import "seccomp-hook/pkg/bpf"

// Arch is one architecture, which is to libseccomp and OCI one system call
// ABI: x86_64, x86 and x32 are three.
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
	// NumberBase is what is added to the table's numbers in a system call:
	// 0x40000000 (__X32_SYSCALL_BIT) for x32, where Numbers include it
	// already, else 0.
	NumberBase uint32
	// Multiplexed says that the socket and IPC calls can also be made through
	// socketcall(2) and ipc(2).
	Multiplexed bool

	table *table // generated
}

// table is the system calls of one architecture.
type table struct {
	numbers map[string]uint32
}
