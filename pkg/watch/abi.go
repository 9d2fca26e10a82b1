//go:build linux

package watch

import (
	"errors"

	"github.com/cilium/ebpf/asm"
)

// ErrArch says that this package does not know the registers of this machine.
var ErrArch = errors.New("calls can be watched on x86_64 alone, not on this architecture")

// abi is where a machine has a system call in its registers, and how it tells
// the two kinds of calls apart that a 64-bit kernel takes.
type abi struct {
	native, compat uint32 // AUDIT_ARCH_* tokens, 0 where there is no compat
	// Members of pt_regs: the call's number, what it returns, the address after
	// it, and its arguments.
	number, result, pointer []string
	args, compatArgs        [6][]string
	// x32 says that numbers with arch.X32Bit are calls of their own.
	x32 bool
	// clobbering are the calls after which the registers are not those of the
	// call any more, by name.
	clobbering []string
	// ending are the calls that end the task, and so never end.
	ending []string
	// returning are the kernel's functions for those of the clobbering calls
	// that are not execve: they leave not even a number behind.
	returning []string
	// forking are the calls that end twice, in the child too.
	forking []string
	// isCompat is code that leaves 1 in R8 for a compat call and else 0, with
	// pt_regs in R6 and task_struct in R7.
	isCompat func(l *layout) asm.Instructions
}
