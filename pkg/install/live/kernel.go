//go:build linux

package live

import (
	"fmt"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/precompute"
)

// Kernel returns what is known of the running kernel's cache, by its release.
// It takes no privilege. The error is precompute.ErrNoCache where the kernel
// has none.
func Kernel() (precompute.Kernel, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return precompute.Kernel{}, fmt.Errorf("live: uname: %w", err)
	}
	native := arch.Native()
	if native == nil {
		return precompute.Kernel{}, fmt.Errorf("live: %w", precompute.ErrNoCache)
	}
	return precompute.KernelFor(unix.ByteSliceToString(u.Release[:]), native.Audit)
}
