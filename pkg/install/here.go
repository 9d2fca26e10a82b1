//go:build linux

package install

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/deadline"
)

// Here installs into a container's init as Installer.Install does, with the
// calling process as the installer. It returns when init has executed the
// container's program, or has ended: the process must be one that can stay
// that long, a child of nobody who waits for it, and it must not wait for
// children itself meanwhile. From here on it has a deadline (package deadline). The caller has locked its goroutine to the thread
// (runtime.LockOSThread).
//
// attached is called once the kernel has said that every thread of init has
// the filter, while init is stopped; an error kills init. It gets the
// listener with the result. The error is an *Error; if it comes before
// attached was called, the container must not be started.
//
// entered, where it is not nil, is called with each process that is about to
// be let go of: init, and the hooks that it runs in the container. An error
// kills it.
func Here(pid int, r Request, attached func(*Result) error, entered func(pid int) error) error {
	return here(&order{pid: pid, Request: r}, attached, entered)
}

// FollowHere follows a process into a container as a Follower does, with the
// calling process as the follower, under the conditions of Here. Once attached
// has returned without an error, the followed process is to attach the filter
// (Self; not in ModeExec) and to execute the runtime. entered is called with
// each process that has executed a program in the container.
func FollowHere(pid int, r ExecRequest, attached func(*Result) error, entered func(pid int) error) error {
	return here(&order{
		pid:       pid,
		container: r.Container,
		Request:   Request{Filter: r.Filter, NoNewPrivileges: r.NoNewPrivileges},
	}, attached, entered)
}

func here(o *order, attached func(*Result) error, entered func(pid int) error) error {
	defer deadline.Stay() // the caller's own affairs
	s := &session{order: o, begin: time.Now(), entered: entered, outcome: o.Outcome}
	s.deliver = func(r *Result, listener int) error {
		if listener >= 0 {
			r.Listener = listenerFile(listener)
		}
		return attached(r)
	}
	s.at(StepRequest)
	err := o.Filter.Program.Validate()
	if err == nil {
		var target int
		target, err = unix.PidfdOpen(o.pid, 0)
		switch {
		case err == unix.ESRCH:
			err = ErrGone
		case err != nil:
			err = os.NewSyscallError("pidfd_open", err)
		default:
			defer unix.Close(target)
			err = s.install(target)
		}
	}
	if err != nil {
		return s.fail(err)
	}
	return nil
}
