//go:build linux

package install

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// End ends a process as if it had called exit_group(2) itself, with the given
// status, wherever it is: a signal would have another exit status. last is
// called when the process can do nothing any more, and its parent does not know
// yet. Where a process cannot be made to exit it is killed. pidfd refers to it.
//
// The calling process must not wait for children meanwhile, and has locked its
// goroutine to the thread (runtime.LockOSThread).
func End(pidfd, pid, status int, last func() error) error {
	stopped, err := toExit(pidfd, pid, status)
	if err != nil {
		if killErr := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); killErr != nil && killErr != unix.ESRCH {
			err = errors.Join(err, fmt.Errorf("kill process %d: %w", pid, killErr))
		}
		if errors.Is(err, ErrGone) {
			err = nil
		}
	}
	err = errors.Join(err, last())
	if stopped {
		err = errors.Join(err, resume(unix.PTRACE_DETACH, pid, 0))
	}
	return err
}

// toExit takes a process to where it has exited, and its parent is not told yet
// (PTRACE_EVENT_EXIT).
func toExit(pidfd, pid, status int) (stopped bool, err error) {
	p, err := openProcess(pid, pidfd)
	if err != nil {
		return false, err
	}
	defer unix.Close(p.dir)
	if err := seize(pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACEEXIT); err != nil {
		return false, fmt.Errorf("seize process %d: %w", pid, err)
	}
	if !p.alive() { // the number may be another's, which is let go of when this thread ends
		return false, ErrGone
	}
	t := new(tracer)
	if err := t.interrupt(pid); err != nil {
		return false, err
	}
	in, err := t.inject(p, pid)
	if err != nil {
		return false, err
	}
	regs := in.saved
	in.abi.prepare(&regs, in.at, in.abi.numbers.exitGroup, &[6]uint64{uint64(status)})
	if err := setRegisters(pid, &regs); err != nil {
		return false, err
	}
	for {
		if err := resume(unix.PTRACE_CONT, pid, 0); err != nil {
			return false, err
		}
		s, err := t.await(pid)
		switch {
		case err != nil:
			return false, err
		case s.ended():
			return false, ErrGone
		case s.event() == unix.PTRACE_EVENT_EXIT:
			return true, nil
		}
	}
}
