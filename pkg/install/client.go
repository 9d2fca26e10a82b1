//go:build linux

package install

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// client is the caller's side of an installer process.
type client struct {
	target int // the process to install into
	socket int
}

// dial makes what a client and its installer need: the socket's two ends, and
// a pidfd of the target. remote and pidfd are for the installer.
func dial(target int) (c client, remote, pidfd int, err error) {
	pidfd, err = unix.PidfdOpen(target, 0)
	if err == unix.ESRCH {
		return c, -1, -1, ErrGone
	}
	if err != nil {
		return c, -1, -1, os.NewSyscallError("pidfd_open", err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		unix.Close(pidfd)
		return c, -1, -1, os.NewSyscallError("socketpair", err)
	}
	return client{target, pair[0]}, pair[1], pidfd, nil
}

// ask sends an order and waits for the answer. The error is an *Error of the
// installer's, or wraps ErrLost. wantListener says whether the answer must
// bring a listener.
func (c *client) ask(o *order, wantListener bool) (*Result, error) {
	outcome := -1
	if o.Outcome != nil {
		outcome = int(o.Outcome.Fd())
	}
	if err := send(c.socket, o.encode(), outcome); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLost, err)
	}
	message, listener, err := receive(c.socket)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLost, err)
	}
	if len(message) == 0 {
		return nil, ErrLost
	}
	a, err := decodeAnswer(message)
	if err == nil && a.failure != nil {
		return nil, a.failure
	}
	if err == nil && wantListener != (listener >= 0) {
		err = errors.New("no listener, or one too many")
	}
	if err != nil {
		if listener >= 0 {
			unix.Close(listener)
		}
		return nil, fmt.Errorf("the installer's answer: %w", err)
	}
	if listener >= 0 {
		a.result.Listener = listenerFile(listener)
	}
	return &a.result, nil
}

// listenerFile makes a file of a listener's descriptor.
func listenerFile(fd int) *os.File { return os.NewFile(uintptr(fd), "seccomp listener") }

// failure makes an *Error of what went wrong, where it is none yet.
func (c *client) failure(err error, detail string) *Error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	return &Error{Step: StepReport, PID: c.target, Err: err, Detail: detail}
}
