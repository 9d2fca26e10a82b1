//go:build linux

package install

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// Filter is a program and how it is to be attached.
type Filter struct {
	Program bpf.Program
	// Flags are those of the profile, and NewListener where the program
	// returns RetUserNotif. TSYNC is always added (and TSYNC_ESRCH, which it
	// needs beside NewListener); WaitKillableRecv is left out without
	// NewListener, as libseccomp does, because the kernel refuses it alone.
	Flags Flags
}

// Listens reports whether attaching the filter makes a listener.
func (f *Filter) Listens() bool { return f.Flags&NewListener != 0 }

// kernelFlags are the flags handed to seccomp(2).
func (f *Filter) kernelFlags() Flags {
	flags := f.Flags | TSync
	if flags&NewListener != 0 {
		return flags | TSyncESRCH
	}
	return flags &^ (WaitKillableRecv | TSyncESRCH)
}

// Self attaches the filter to every thread of this process and returns the
// listener's descriptor, close-on-exec, or -1 where the filter makes none.
// Nothing else of the process is changed: without CAP_SYS_ADMIN in its user
// namespace the caller must have set no_new_privs itself. The error is a
// *bpf.LengthError, a *bpf.InstructionError or a *SeccompError; then no thread
// has the filter.
func Self(f Filter) (listener int, err error) {
	if err := f.Program.Validate(); err != nil {
		return -1, err
	}
	prog := unix.SockFprog{
		Len:    uint16(len(f.Program)),
		Filter: (*unix.SockFilter)(unsafe.Pointer(&f.Program[0])),
	}
	// Instruction has the layout of struct sock_filter.
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		uintptr(f.kernelFlags()), uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(f.Program)
	return f.outcome(int64(r), errno)
}

// outcome reads what seccomp(2) returned: a listener, 0, or the id of the
// thread that could not be synchronised (without TSYNC_ESRCH).
func (f *Filter) outcome(r int64, errno unix.Errno) (listener int, err error) {
	switch {
	case errno != 0:
		return -1, &SeccompError{Length: len(f.Program), Flags: f.kernelFlags(), Errno: errno}
	case f.Listens():
		return int(r), nil
	case r != 0:
		return -1, &SeccompError{Length: len(f.Program), Flags: f.kernelFlags(), Errno: unix.ESRCH, Thread: int(r)}
	default:
		return -1, nil
	}
}

func actionAvailable(action uint32) bool {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return errno == 0
}
