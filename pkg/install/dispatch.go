//go:build linux

package install

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoDispatch says why there is no Dispatch: the running kernel has no
// Syscall User Dispatch (Linux 5.11, on architectures with the generic entry
// code), or cannot set that of another process (6.4).
var ErrNoDispatch = errors.New("the kernel does not have Syscall User Dispatch")

// Dispatch is the configuration of Syscall User Dispatch for one thread
// (Documentation/admin-guide/syscall-user-dispatch.rst): a system call that is
// made from outside the area raises SIGSYS instead of being made, before any
// seccomp filter sees it. New threads and children have none, and execve(2)
// takes it away.
type Dispatch struct {
	// On says whether there is one at all.
	On bool
	// Area are the addresses from which calls pass.
	Area Area
	// Selector is the address of a byte that the thread can set to let calls
	// pass from anywhere (SYSCALL_DISPATCH_FILTER_ALLOW), 0 for none.
	Selector uint64
}

// prSetDispatch is PR_SET_SYSCALL_USER_DISPATCH.
const prSetDispatch = 59

// Its modes.
const (
	dispatchOff = 0
	dispatchOn  = 1 // PR_SYS_DISPATCH_EXCLUSIVE_ON: all but the area
)

func (d *Dispatch) mode() uint64 {
	if d.On {
		return dispatchOn
	}
	return dispatchOff
}

// check refuses what the kernel would refuse with EINVAL, so that EINVAL means
// a kernel without it.
func (d *Dispatch) check() error {
	if !d.On {
		if *d != (Dispatch{}) {
			return errors.New("dispatch off, but with an area or a selector")
		}
		return nil
	}
	return d.Area.check()
}

// Arm sets the dispatch of the calling thread; the goroutine must be locked to
// it.
func (d Dispatch) Arm() error {
	if err := d.set(); err != nil {
		return fmt.Errorf("install: dispatch: %w", err)
	}
	return nil
}

func (d *Dispatch) set() error {
	if err := d.check(); err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, prSetDispatch, uintptr(d.mode()),
		uintptr(d.Area.Start), uintptr(d.Area.End-d.Area.Start), uintptr(d.Selector), 0)
	return dispatchError("PR_SET_SYSCALL_USER_DISPATCH", errno)
}

func dispatchError(request string, errno unix.Errno) error {
	switch errno {
	case 0:
		return nil
	case unix.EINVAL, unix.EIO: // an unknown prctl, an unknown ptrace request
		return fmt.Errorf("%s: %w (%w)", request, ErrNoDispatch, errno)
	case unix.EPERM: // task_set_syscall_user_dispatch in kernels that have the sysctl
		return fmt.Errorf("%s: %w: is the sysctl kernel.syscall_user_dispatch 0?", request, errno)
	default:
		return fmt.Errorf("%s: %w", request, errno)
	}
}

// sudConfig is struct ptrace_sud_config.
type sudConfig struct {
	mode, selector, offset, length uint64
}

// arm sets the dispatch of a stopped tracee, and reads it back.
func (d *Dispatch) arm(tid int) error {
	if err := d.check(); err != nil {
		return err
	}
	c := sudConfig{mode: d.mode(), selector: d.Selector, offset: d.Area.Start, length: d.Area.End - d.Area.Start}
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG, uintptr(tid),
		unsafe.Sizeof(c), uintptr(unsafe.Pointer(&c)), 0, 0)
	if err := dispatchError("PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG", errno); err != nil {
		return err
	}
	got, err := dispatchOf(tid)
	if err == nil && got != *d {
		err = fmt.Errorf("dispatch: the kernel has %+v instead of %+v", got, *d)
	}
	return err
}

// DispatchOf reads the dispatch of a thread that the calling thread traces and has
// stopped. An Area that ends before it starts is all addresses but those between:
// kernels with PR_SYS_DISPATCH_INCLUSIVE_ON turn what they are given round.
func DispatchOf(tid int) (Dispatch, error) {
	d, err := dispatchOf(tid)
	if err != nil {
		return d, fmt.Errorf("install: dispatch: %w", err)
	}
	return d, nil
}

func dispatchOf(tid int) (Dispatch, error) {
	var c sudConfig
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, uintptr(tid),
		unsafe.Sizeof(c), uintptr(unsafe.Pointer(&c)), 0, 0)
	if err := dispatchError("PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG", errno); err != nil {
		return Dispatch{}, err
	}
	return Dispatch{On: c.mode != dispatchOff, Area: Area{c.offset, c.offset + c.length}, Selector: c.selector}, nil
}
