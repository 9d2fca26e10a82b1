//go:build linux

package install

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// SeccompError is seccomp(2)'s refusal of a filter. It wraps the errno.
type SeccompError struct {
	Length int   // instructions of the program
	Flags  Flags // as handed to the kernel
	Thread int   // ESRCH: the thread that could not be synchronised, 0 where the kernel does not say
	Errno  unix.Errno
}

func (e *SeccompError) Error() string {
	return fmt.Sprintf("seccomp(SECCOMP_SET_MODE_FILTER, %s, %d instructions): %s", e.Flags, e.Length, e.reason())
}

func (e *SeccompError) Unwrap() error { return e.Errno }

// reason says what each errno of seccomp(2) means for this call (man page, and
// kernel/seccomp.c where it is silent).
func (e *SeccompError) reason() string {
	switch e.Errno {
	case unix.EACCES:
		return "the process has neither no_new_privs nor CAP_SYS_ADMIN in its user namespace (EACCES)"
	case unix.ESRCH:
		if e.Thread != 0 {
			return fmt.Sprintf("thread %d has a filter that this thread does not have, so TSYNC cannot reach it (ESRCH)", e.Thread)
		}
		return "a thread has a filter that this thread does not have, so TSYNC cannot reach it (ESRCH)"
	case unix.EINVAL:
		return "the kernel does not take this program or these flags (EINVAL)"
	case unix.ENOMEM:
		return "no memory, or the filters of the process would pass 32768 instructions as the kernel counts them, converted and with 4 more for each filter (ENOMEM)"
	case unix.EBUSY:
		return "an older filter of the process has a listener already, and there can be only one (EBUSY)"
	case unix.EFAULT:
		return "the program cannot be read (EFAULT)"
	case unix.ENOSYS:
		return "the kernel has no seccomp(2) (ENOSYS)"
	case unix.EPERM:
		return "refused, most likely by a seccomp filter that is already there (EPERM)"
	default:
		return e.Errno.Error()
	}
}

// The reasons why nothing was installed into a container's init. An *Error
// wraps one of them, a *SeccompError or an errno.
var (
	// ErrGone: the process ended before the filter was attached.
	ErrGone = errors.New("the process has ended")
	// ErrTraced: another process, a debugger say, traces init already, and
	// there can be only one tracer.
	ErrTraced = errors.New("the process is traced already")
	// ErrNotRuntime: init does not run a runtime that is known to execute the
	// container's program with execve. One that never does (a WebAssembly
	// handler, runsc, kata) would keep the filter suspended for ever.
	ErrNotRuntime = errors.New("the process does not run a known runtime")
	// ErrSuspend: the kernel does not let this installer suspend seccomp, and
	// without no_new_privs there is no other way.
	ErrSuspend = errors.New("seccomp cannot be suspended")
	// ErrUnfiltered: what the kernel says of init after the installation is
	// not what was installed. Init is killed.
	ErrUnfiltered = errors.New("the filter is not on every thread")
	// ErrEarlyExec: init executed a program before the filter was attached.
	// Init has been killed.
	ErrEarlyExec = errors.New("the process executed a program too early")
	// ErrUnsupported: this build cannot inject calls into a process of this
	// architecture.
	ErrUnsupported = errors.New("not supported for this architecture")
	// ErrLost: the installer process ended without an answer; it was killed,
	// or could not be started.
	ErrLost = errors.New("the installer ended without an answer")
)

// Error says at which step installing into another process failed.
type Error struct {
	Step   Step
	PID    int    // the process, in the caller's PID namespace
	Detail string // what an administrator can do, or "" where Err says it all
	Err    error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("install: %s, process %d: %v", e.Step, e.PID, e.Err)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
