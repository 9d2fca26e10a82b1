//go:build linux

package install

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// follow are the options of every traced thread: its new threads and its
// children are traced from their birth, with the same options, and an exec is
// reported.
const follow = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEEXEC |
	unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK

// suspended are the options under which a thread's seccomp filters do not run.
// If the tracer ends, the kernel takes the option away with the tracer: the
// filters are live (kernel/seccomp.c, __secure_computing).
const suspended = follow | unix.PTRACE_O_SUSPEND_SECCOMP

// guarded are the options under which the kernel kills the process if the
// tracer ends.
const guarded = follow | unix.PTRACE_O_EXITKILL

// seizeAll attaches to every thread of a process and returns how many there
// are. With only the first thread seized, an exec by another one would go unseen.
//
// The new threads and children of a seized thread are seized by the kernel, but for
// one that it is about to make: clone(2) asks whether the caller is traced when it
// begins, long before there is a child (kernel/fork.c, kernel_clone). So each thread
// that was seized must have been outside of clone(2) since. If then a listing of all
// threads has none that had to be seized here, there is none.
func (t *tracer) seizeAll(p *process, options uintptr) (int, error) {
	var seized []int
	for {
		tids, complete, err := p.threads()
		if err != nil {
			return 0, err
		}
		settled := complete
		for _, tid := range tids {
			fresh, err := p.seizeThread(tid, options)
			if err != nil {
				return 0, err
			}
			if !fresh {
				continue
			}
			settled = false
			seized = append(seized, tid)
			if err := t.leaveClone(p, tid); err != nil {
				return 0, err
			}
		}
		if settled {
			return len(tids), strangers(seized, tids)
		}
	}
}

// leaveClone waits until a thread that has been seized is for certain not in a
// clone(2) that had begun before. Whoever sleeps as a signal could wake it is not:
// what clone(2) waits for on its way, it waits for without that. The thread is
// stopped for a moment otherwise, which it cannot be before it returns from its call.
func (t *tracer) leaveClone(p *process, tid int) error {
	st, err := p.status(tid)
	if err != nil {
		return nil //nolint:nilerr // it has ended
	}
	if state := st.field("State"); state != "R" && state != "D" {
		return nil
	}
	err = control(unix.PTRACE_INTERRUPT, tid, 0)
	var stopped stop
	if err == nil {
		stopped, err = t.interrupted(tid)
	}
	if err == nil {
		err = stopped.pass()
	}
	if err == unix.ESRCH || errors.Is(err, ErrGone) {
		return nil // it has ended
	}
	return err
}

// strangers returns an error where a seized thread is not one of the process:
// it ended after it was listed and its number was given away before it was
// seized. Returning makes the installer end, and so let go of it.
func strangers(seized, tids []int) error {
	for _, tid := range seized {
		if !slices.Contains(tids, tid) && control(unix.PTRACE_INTERRUPT, tid, 0) == nil {
			return fmt.Errorf("thread %d was seized, which is another process's by now", tid)
		}
	}
	return nil
}

// seizeThread attaches to one thread and reports whether that had to be done, and
// the threads are to be listed anew: not where it is a zombie or seized already.
func (p *process) seizeThread(tid int, options uintptr) (fresh bool, err error) {
	err = p.seizeReaping(tid, options)
	switch err {
	case nil:
		return true, nil
	case unix.ESRCH:
		return true, nil // it has ended, or executed a program; look again
	case unix.EPERM:
	default:
		return false, fmt.Errorf("PTRACE_SEIZE of thread %d: %w", tid, err)
	}
	// EPERM has many causes: traced already, by this process or another; a
	// zombie; the options; no permission.
	st, statusErr := p.status(tid)
	if statusErr != nil {
		if !p.alive() {
			return false, ErrGone
		}
		return true, nil // it has ended since; look again
	}
	switch tracer := st.number("TracerPid"); {
	case tracer == unix.Gettid(), st.ended():
		return false, nil
	case tracer > 0:
		return false, &detailed{ErrTraced, fmt.Sprintf("thread %d by process %d, which must let go of it first", tid, tracer)}
	}
	return false, fmt.Errorf("PTRACE_SEIZE of thread %d: %w", tid, err)
}

// stuck is after what time, and how often, a PTRACE_SEIZE has its dead taken. It takes
// some microseconds.
const stuck = 10 * time.Millisecond

// seizeReaping is seize for a process whose other threads are seized already. The
// kernel holds the request up while a thread of the process is in execve(2)
// (kernel/ptrace.c, ptrace_attach: cred_guard_mutex). That one waits until the
// other threads have ended and whoever traces them has taken their ends
// (fs/exec.c, de_thread): for this very process, so another thread of it does that.
func (p *process) seizeReaping(tid int, options uintptr) error {
	var reaping sync.Mutex
	returned := false
	reaping.Lock()
	var timer *time.Timer
	timer = time.AfterFunc(stuck, func() {
		reaping.Lock()
		defer reaping.Unlock()
		if !returned { // from here on the tracer waits for them itself
			p.reap()
			timer.Reset(stuck)
		}
	})
	reaping.Unlock()
	err := seize(tid, options)
	reaping.Lock()
	defer reaping.Unlock()
	returned = true
	timer.Stop()
	return err
}

// reap takes the ends of the process's threads that the caller's process traces.
func (p *process) reap() {
	tids, _, err := p.threads()
	if err != nil {
		return // it has ended
	}
	for _, tid := range tids {
		// Of a thread that has not ended a stop would be taken.
		if st, err := p.status(tid); err == nil && st.ended() {
			_, _ = unix.Wait4(tid, nil, unix.WALL|unix.WNOHANG, nil) // it need not be one that is traced
		}
	}
}

// refusal says in an administrator's words why the kernel does not let this
// process suspend seccomp (kernel/ptrace.c, check_ptrace_options).
func refusal(err error, f *Filter) error {
	var why string
	self, statusErr := ownStatus()
	switch {
	case errors.Is(err, unix.EINVAL):
		why = "the kernel is built without CONFIG_CHECKPOINT_RESTORE"
	case statusErr == nil && self.number("Seccomp") > 0:
		why = "the installer is under a seccomp filter itself; if the engine is a systemd service, take SystemCallFilter= and the options that imply it out of its unit"
	default:
		why = "the installer lacks CAP_SYS_ADMIN in the initial user namespace; the engine must run as root of the host"
	}
	if !f.Listens() { // ModeExec would be possible
		why += "; or set noNewPrivileges for the container"
	}
	return &detailed{ErrSuspend, why}
}
