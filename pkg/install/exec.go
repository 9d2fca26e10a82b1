//go:build linux

package install

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/orphan"
)

// ErrHostMounts is why a Follower refuses a container that shares the caller's
// mount namespace: a process that enters it cannot be told from the runtime
// that starts it, so its filter would stay suspended.
var ErrHostMounts = errors.New("the container shares the host's mount namespace")

// ExecRequest is what to install into the process that a runtime's exec is
// about to start in a running container.
type ExecRequest struct {
	Filter Filter
	// NoNewPrivileges is the process's noNewPrivileges, as in Request.
	NoNewPrivileges bool
	// Container is the process id of the container's init. The caller makes
	// sure that it is.
	Container int
}

// Follower is an installer process that follows the calling process, and what
// comes of it, into a container.
type Follower struct{ client }

// StartFollower starts a follower. It returns at once; the caller must call
// Exec or Close. The error is an *Error.
//
// The follower is no child of the caller, which is going to be a runtime: crun
// waits for all of its children. It ends with the last process that it
// follows.
func StartFollower(command Command) (*Follower, error) {
	c, remote, self, err := dial(os.Getpid())
	if err == nil {
		// As socketFD and pidfdFD.
		err = orphan.Start(command.path(), []string{Arg0}, command.environment(), remote, self)
		unix.Close(remote)
		unix.Close(self)
		if err != nil {
			unix.Close(c.socket)
		}
	}
	if err != nil {
		return nil, &Error{Step: StepStart, PID: os.Getpid(), Err: err}
	}
	return &Follower{c}, nil
}

// Exec gives the calling process the filter, suspended until a descendant
// executes a program in another mount namespace than the caller's: that one is
// let go of, and its filter is live. When Exec has returned without an error,
// the caller must execute the runtime (execve) that enters the container; its
// own calls, and the runtime's outside the container, do not feel the filter.
// If the follower dies, at any time, all of them do, and what is executed in
// the container does. On an error, an *Error, nothing may be executed.
//
// In ModeExec, where the kernel does not let the follower suspend, the filter
// is attached at the exec in the container, and the kernel kills the caller
// and all descendants if the follower dies before.
func (f *Follower) Exec(ctx context.Context, r ExecRequest) (*Result, error) {
	defer unix.Close(f.socket)
	if err := r.Filter.Program.Validate(); err != nil {
		return nil, &Error{Step: StepRequest, PID: f.target, Err: err}
	}
	// Shutting the socket down ends the wait for the answer, and the follower.
	stop := context.AfterFunc(ctx, func() { _ = unix.Shutdown(f.socket, unix.SHUT_RDWR) })
	result, err := f.ask(&order{
		pid:       f.target,
		container: r.Container,
		Request:   Request{Filter: r.Filter, NoNewPrivileges: r.NoNewPrivileges},
	}, false)
	if !stop() && err != nil {
		err = fmt.Errorf("%w (%w)", err, context.Cause(ctx))
	}
	if err != nil {
		return nil, f.failure(err, "")
	}
	if result.Mode == ModeExec {
		return result, nil
	}
	listener, err := Self(r.Filter)
	if err != nil {
		return nil, &Error{Step: StepAttach, PID: f.target, Err: err}
	}
	if listener >= 0 {
		result.Listener = listenerFile(listener)
	}
	return result, nil
}

// Close ends a follower to which nothing was given to install.
func (f *Follower) Close() error { return os.NewSyscallError("close", unix.Close(f.socket)) }
