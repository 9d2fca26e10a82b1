package precompute

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"seccomp-hook/pkg/arch"
)

// Kernel is what differs between kernels in how they cache constant actions.
type Kernel struct {
	// Release is "6.12".
	Release string
	// Tables are the kernel's tables, the native one first. There are none
	// where the kernel has no cache.
	Tables []KernelTable
}

// KernelTable describes one of the tables of a kernel (SECCOMP_ARCH_NATIVE and
// SECCOMP_ARCH_COMPAT in arch/*/include/asm/seccomp.h).
type KernelTable struct {
	// Name is what /proc/PID/seccomp_cache calls it: "x86_64", "ia32".
	Name string
	// Token is its AUDIT_ARCH_* token.
	Token uint32
	// Size is how many call numbers it has, from 0. No other number is ever
	// cached.
	Size int
	// Always are the numbers that the kernel allows before it looks at any
	// filter (seccomp_uprobe_exception in kernel/seccomp.c). It does so by
	// setting their bits.
	Always []uint32
}

// table returns the kernel's table for the token, nil where it has none.
func (k *Kernel) table(token uint32) *KernelTable {
	for i := range k.Tables {
		if k.Tables[i].Token == token {
			return &k.Tables[i]
		}
	}
	return nil
}

// Serves reports whether the kernel lets call nr of the architecture pass
// without running a filter; cached says that it would find so of every filter.
func (k *Kernel) Serves(token, nr uint32, cached bool) bool {
	t := k.table(token)
	return t != nil && nr < uint32(t.Size) && (cached || slices.Contains(t.Always, nr))
}

// ErrNoCache says that a kernel does not cache constant actions.
var ErrNoCache = errors.New("this kernel has no cache of constant actions (Linux 5.11 and newer have it, on some architectures)")

// sizes has the number of system calls since a kernel version. Since 5.11 all
// architectures add a new call at the same number, and each new call takes the
// next one (the 4xx part of arch/*/kernel/syscalls/*.tbl and scripts/syscall.tbl), so that
// one column serves all of them.
var sizes = []struct{ major, minor, size int }{
	{7, 3, 473},  // fchroot
	{7, 0, 472},  // rseq_slice_yield
	{6, 19, 471}, // listns
	{6, 17, 470}, // file_getattr, file_setattr
	{6, 15, 468}, // open_tree_attr
	{6, 13, 467}, // setxattrat … removexattrat
	{6, 10, 463}, // mseal
	{6, 8, 462},  // statmount … lsm_list_modules
	{6, 7, 457},  // futex_wake, futex_wait, futex_requeue
	{6, 6, 454},  // fchmodat2, map_shadow_stack
	{6, 5, 452},  // cachestat
	{5, 17, 451}, // set_mempolicy_home_node
	{5, 16, 450}, // futex_waitv
	{5, 15, 449}, // process_mrelease
	{5, 14, 448}, // memfd_secret
	{5, 13, 447}, // quotactl_fd, landlock_…
	{5, 12, 443}, // mount_setattr
	{5, 11, 442}, // epoll_pwait2
}

// kernelTables has the tables of each native architecture, by its AUDIT_ARCH_*
// token; mips has none.
var kernelTables = map[uint32][]KernelTable{
	tokenX86_64: {{Name: "x86_64", Token: tokenX86_64}, {Name: "ia32", Token: tokenI386}},
	tokenI386:   {{Name: "ia32", Token: tokenI386}},
	0xc00000b7:  {{Name: "aarch64", Token: 0xc00000b7}, {Name: "arm", Token: tokenArm}},
	tokenArm:    {{Name: "arm", Token: tokenArm}},
	0xc0000015:  {{Name: "ppc64le", Token: 0xc0000015}, {Name: "ppcle", Token: 0x40000014}},
	0x80000015:  {{Name: "ppc64", Token: 0x80000015}, {Name: "ppc", Token: 0x00000014}},
	0x00000014:  {{Name: "ppc", Token: 0x00000014}},
	0x80000016:  {{Name: "s390x", Token: 0x80000016}, {Name: "s390", Token: 0x00000016}},
	0xc00000f3:  {{Name: "riscv64", Token: 0xc00000f3}},
	0xc0000102:  {{Name: "loongarch64", Token: 0xc0000102}},
	0x8000000f:  {{Name: "parisc64", Token: 0x8000000f}, {Name: "parisc", Token: 0x0000000f}},
	0x0000000f:  {{Name: "parisc", Token: 0x0000000f}},
	0x4000002a:  {{Name: "sh", Token: 0x4000002a}},
	0x0000002a:  {{Name: "sh", Token: 0x0000002a}},
	0x00000004:  {{Name: "m68k", Token: 0x00000004}},
}

const (
	tokenX86_64 = 0xc000003e
	tokenI386   = 0x40000003
	tokenArm    = 0x40000028
)

// KernelFor returns what is known of the kernel of that release, "6.12" or as
// uname(2) has it, with native as its AUDIT_ARCH_* token. The tables of x86
// and of arm64 were compared with the kernels of docs/kernels.md; those of other
// architectures are read from the kernel's source. A kernel that is newer than the newest
// known one is taken to be that one. The error is ErrNoCache where there is no
// cache.
func KernelFor(release string, native uint32) (Kernel, error) {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return Kernel{}, fmt.Errorf("precompute: kernel release %q is not like 6.12", release)
	}
	k := Kernel{Release: fmt.Sprintf("%d.%d", major, minor)}
	since := func(a, b int) bool { return major > a || major == a && minor >= b }
	size := 0
	for _, s := range sizes {
		if since(s.major, s.minor) {
			size = s.size
			break
		}
	}
	tables, known := kernelTables[native]
	if size == 0 || !known {
		name := fmt.Sprintf("%#x", native)
		if a, ok := arch.ByAudit(native); ok {
			name = a.Name
		}
		return k, fmt.Errorf("precompute: kernel %s on %s: %w", k.Release, name, ErrNoCache)
	}
	k.Tables = slices.Clone(tables)
	for i := range k.Tables {
		k.Tables[i].Size = size
	}
	if native == tokenArm {
		// It must fit an instruction's immediate (arch/arm/tools/syscallnr.sh).
		k.Tables[0].Size = (size + 3) &^ 3
	}
	if native == tokenX86_64 {
		// uretprobe came with 6.11, its place before the filters with 6.14 and
		// the stable releases of 6.12 and 6.13.
		if since(6, 11) {
			k.Tables[0].Always = append(k.Tables[0].Always, 335)
		}
		if since(6, 18) { // uprobe
			k.Tables[0].Always = append(k.Tables[0].Always, 336)
		}
	}
	return k, nil
}

// String returns the kernel's release and tables: "6.12 (x86_64 463, ia32 463)".
func (k Kernel) String() string {
	var names []string
	for _, t := range k.Tables {
		names = append(names, fmt.Sprintf("%s %d", t.Name, t.Size))
	}
	return fmt.Sprintf("%s (%s)", k.Release, strings.Join(names, ", "))
}
