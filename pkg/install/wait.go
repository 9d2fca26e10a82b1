//go:build linux

package install

import (
	"fmt"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/deadline"
	"seccomp-hook/pkg/install/internal/attached"
)

// policy says what becomes of a traced process that has executed a program: it
// is let go of, and its filter is live, or it stays as it is.
type policy interface {
	// executed is called at the PTRACE_EVENT_EXEC stop of the process.
	executed(pid int) (letGo bool)
}

// run lets all tracees run until the last has ended or was let go of. It keeps
// no books: what a stop asks for is in the stop.
func (t *tracer) run(p policy) error {
	for {
		s, err := t.next()
		switch {
		case err == unix.ECHILD:
			return nil // no tracee is left
		case err != nil:
			return fmt.Errorf("wait4: %w", err)
		case s.ended():
			continue
		}
		if s.event() == unix.PTRACE_EVENT_EXEC && p.executed(s.tid) {
			err = resume(unix.PTRACE_DETACH, s.tid, 0)
		} else {
			err = s.pass()
		}
		// ESRCH: it was killed while it was stopped; its end is reported next.
		if err != nil && err != unix.ESRCH {
			return fmt.Errorf("resume thread %d: %w", s.tid, err)
		}
	}
}

// wait lets the tracees run until each has executed a program of the container
// or ended.
func (s *session) wait() error {
	s.at(StepWait)
	deadline.Stay()
	return s.run(s)
}

func (s *session) executed(pid int) (letGo bool) {
	if s.stays(pid) {
		return false
	}
	s.at(StepExec)
	outcome := Outcome{PID: pid}
	area, err := s.complete(pid)
	if err == nil {
		outcome.Area = area
	} else {
		outcome.Err = &Error{Step: s.step, PID: pid, Err: err}
		_ = unix.Kill(pid, unix.SIGKILL) // it is stopped, so the number is its own
	}
	if pid == s.order.pid && s.outcome != nil {
		// Nobody is left who could be told that this cannot be written.
		_, _ = fmt.Fprintln(s.outcome, &outcome)
	}
	if err != nil {
		return false
	}
	s.at(StepRelease)
	return true
}

// complete gives a process that has executed a program of the container what
// it does not have yet.
func (s *session) complete(pid int) (*Area, error) {
	if s.mode == ModeExec {
		if err := s.attachAtExec(pid); err != nil {
			return nil, err
		}
	} else if _, err := attached.Length(pid, 0); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrUnfiltered, err)
	}
	var area *Area
	if pid == s.order.pid && s.order.Dispatch != nil {
		s.at(StepDispatch)
		var err error
		if area, err = armAtExec(pid, s.order.Dispatch); err != nil {
			return nil, err
		}
	}
	if s.entered != nil {
		return area, s.entered(pid)
	}
	return area, nil
}

// attachAtExec attaches the filter to a process that has just executed a
// program, before the program's first instruction.
func (s *session) attachAtExec(pid int) error {
	// The event is reported inside execve: what the kernel still writes to
	// the registers comes before the exit stop.
	if err := s.toCallStop(pid); err != nil {
		return err
	}
	p, err := openTracee(pid)
	if err != nil {
		return err
	}
	defer unix.Close(p.dir)
	in, err := s.inject(p, pid)
	if err != nil {
		return err
	}
	f := &s.order.Filter
	done, err := in.attach(p, f, func(Step) {})
	if err != nil {
		return err
	}
	if _, err := f.outcome(done.result, done.errno); err != nil {
		return err
	}
	return in.end()
}
