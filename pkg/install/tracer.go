//go:build linux

package install

import (
	"slices"

	"golang.org/x/sys/unix"
)

// stop is one answer of wait4(2) about a tracee.
type stop struct {
	tid    int
	status unix.WaitStatus
}

// ended reports whether the thread is no more.
func (s stop) ended() bool { return s.status.Exited() || s.status.Signaled() }

// event returns the PTRACE_EVENT_* of the stop, or 0.
func (s stop) event() int { return int(s.status >> 16) }

// signal returns the signal that the thread was stopped with.
func (s stop) signal() unix.Signal { return s.status.StopSignal() }

// groupStop reports whether the whole process was stopped by SIGSTOP, SIGTSTP,
// SIGTTIN or SIGTTOU.
func (s stop) groupStop() bool {
	return s.event() == unix.PTRACE_EVENT_STOP && s.signal() != unix.SIGTRAP
}

// call reports whether the stop is one at the entry or the exit of a system
// call (PTRACE_O_TRACESYSGOOD).
func (s stop) call() bool { return s.event() == 0 && s.signal() == unix.SIGTRAP|0x80 }

// delivery returns the signal that is about to be delivered to the thread, or
// 0 where the stop has another cause.
func (s stop) delivery() unix.Signal {
	if s.event() != 0 || s.call() {
		return 0
	}
	return s.signal()
}

// pass lets a thread go on from a stop that is none of the tracer's business,
// as if nobody traced it: signals are delivered, a process that was stopped
// stays so (PTRACE_LISTEN) until SIGCONT.
func (s stop) pass() error {
	if s.groupStop() {
		return resume(unix.PTRACE_LISTEN, s.tid, 0)
	}
	return resume(unix.PTRACE_CONT, s.tid, s.delivery())
}

// tracer waits for the tracees of the calling thread.
type tracer struct {
	// pending are the execs that came while another thread was waited for. Those
	// threads stay stopped until next returns them.
	pending []stop
}

// next waits for the next stop or end of any tracee. The error is ECHILD when
// there is none left.
func (t *tracer) next() (stop, error) {
	if len(t.pending) > 0 {
		s := t.pending[0]
		t.pending = t.pending[1:]
		return s, nil
	}
	return wait()
}

// await waits for the next stop or end of one thread. It waits for all of
// them: when a process is killed, the kernel holds the end of its first thread
// back until the ends of the others were taken (delay_group_leader), so that a
// wait for the first alone would last for ever. The others go on: the thread may be
// waiting for one, as a parent does for its child (vfork(2)).
//
// A thread that executes a program gets the number of its process's first one, and no
// end is reported (ptrace(2), execve(2) under ptrace). Then it is ErrEarlyExec; or
// ErrGone, where the process was killed since.
func (t *tracer) await(tid int) (stop, error) {
	for {
		s, err := waitActively()
		if err != nil || s.tid == tid {
			return s, err
		}
		t.pending = slices.DeleteFunc(t.pending, func(p stop) bool { return p.tid == s.tid })
		switch {
		case s.ended():
			if unix.Kill(tid, 0) == unix.ESRCH {
				return s, ErrGone
			}
		case s.event() == unix.PTRACE_EVENT_EXEC:
			if former, err := unix.PtraceGetEventMsg(s.tid); err == nil && int(former) == tid {
				return s, ErrEarlyExec
			}
			t.pending = append(t.pending, s)
		default:
			if err := s.pass(); err != nil && err != unix.ESRCH {
				return s, err
			}
		}
	}
}

// attempts is how often waitActively looks before it sleeps, about a microsecond
// apart.
const attempts = 200

// waitActively is wait for a stop that comes at once. On an idle processor a
// process is woken some tens of microseconds late, which is longer than a
// tracee takes for an injected call.
func waitActively() (stop, error) {
	for range attempts {
		var s stop
		var err error
		s.tid, err = unix.Wait4(-1, &s.status, unix.WALL|unix.WNOTHREAD|unix.WNOHANG, nil)
		if s.tid != 0 || err != nil && err != unix.EINTR {
			return s, err
		}
		// The tracee may be waiting for this very processor.
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	return wait()
}

func wait() (stop, error) {
	for {
		var s stop
		var err error
		// __WNOTHREAD: another thread's tracees and children are its own.
		s.tid, err = unix.Wait4(-1, &s.status, unix.WALL|unix.WNOTHREAD, nil)
		if err != unix.EINTR {
			return s, err
		}
	}
}

// interrupt stops a running thread at a PTRACE_EVENT_STOP.
func (t *tracer) interrupt(tid int) error {
	if err := control(unix.PTRACE_INTERRUPT, tid, 0); err != nil {
		return err
	}
	_, err := t.interrupted(tid)
	return err
}

// interrupted waits for the stop that PTRACE_INTERRUPT has asked for. Any other stop
// takes the request with it (kernel/signal.c, ptrace_stop), so it is made anew.
func (t *tracer) interrupted(tid int) (stop, error) {
	for {
		s, err := t.await(tid)
		switch {
		case err == unix.ECHILD: // replaced by another thread, which nobody traces
			return s, ErrGone
		case err != nil:
			return s, err
		case s.ended():
			return s, ErrGone
		case s.event() == unix.PTRACE_EVENT_STOP:
			return s, nil
		case s.event() == unix.PTRACE_EVENT_EXEC:
			return s, ErrEarlyExec
		}
		if err := control(unix.PTRACE_INTERRUPT, tid, 0); err != nil {
			return s, err
		}
		if err := s.pass(); err != nil {
			return s, err
		}
	}
}

// settle takes a thread whose registers were put back from the stop behind an
// injected call to where it was interrupted: a PTRACE_EVENT_STOP on the way
// from the kernel to the program. When it goes on from there, the kernel
// itself delivers what signals have come and restarts the call that was
// interrupted, by its ERESTART* rules, as if it had been interrupted only now;
// and if the process was stopped as a whole, the stop says so.
func (t *tracer) settle(tid int) (stop, error) {
	if err := control(unix.PTRACE_INTERRUPT, tid, 0); err != nil {
		return stop{}, err
	}
	if err := resume(unix.PTRACE_CONT, tid, 0); err != nil {
		return stop{}, err
	}
	return t.interrupted(tid)
}

// toCallStop lets a stopped thread run to the next entry or exit of a system
// call. On the way SIGSTOP, which cannot be blocked, may stop the process as a
// whole: the thread goes on all the same, and settle finds the process
// stopped afterwards.
func (t *tracer) toCallStop(tid int) error {
	var signal unix.Signal
	for {
		if err := resume(unix.PTRACE_SYSCALL, tid, signal); err != nil {
			return err
		}
		s, err := t.await(tid)
		switch {
		case err != nil:
			return err
		case s.ended():
			return ErrGone
		case s.call():
			return nil
		case s.event() == unix.PTRACE_EVENT_EXEC:
			return ErrEarlyExec
		}
		signal = s.delivery()
	}
}
