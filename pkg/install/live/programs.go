//go:build linux

package live

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/install/internal/attached"
)

// Program is a filter program that a thread has.
type Program struct {
	bpf.Program
	// Log is SECCOMP_FILTER_FLAG_LOG, the only flag that the kernel tells
	// (PTRACE_SECCOMP_GET_METADATA, Linux 4.16).
	Log bool
}

// Programs reads the filters of a thread, the oldest first, as they were given
// to the kernel. It attaches to the thread with ptrace and stops it for that
// long. The error wraps ErrNoThread, ErrTraced or ErrPermission where they are
// the reason; the caller's own threads cannot be read. A tracer that lets go
// within a second, as another reader does, is waited for.
func Programs(tid int) ([]Program, error) {
	var programs []Program
	err := stopped(tid, func() (err error) {
		programs, err = readPrograms(tid)
		return err
	})
	return programs, err
}

// stopped calls read while the thread is stopped and traced by the thread that
// read runs on.
func stopped(tid int, read func() error) error {
	done := make(chan error)
	go func() {
		// Only the thread that attaches may ask. It is not unlocked, and so
		// ends with the goroutine, and with it whatever it may still trace.
		runtime.LockOSThread()
		err := whileStopped(tid, read)
		for begin := time.Now(); errors.Is(err, errReplaced) || errors.Is(err, ErrTraced) && time.Since(begin) < time.Second; {
			if errors.Is(err, ErrTraced) {
				time.Sleep(time.Millisecond) //nolint:forbidigo // nobody is told when a tracer lets go
			}
			err = whileStopped(tid, read)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		return fmt.Errorf("live: thread %d: %w", tid, err)
	}
	return nil
}

func whileStopped(tid int, read func() error) (err error) {
	if err := seize(tid); err != nil {
		return err
	}
	signal, err := interrupt(tid)
	if err != nil {
		return err
	}
	defer func() {
		if e := ptrace(unix.PTRACE_DETACH, tid, uintptr(signal)); e != nil && !errors.Is(e, unix.ESRCH) {
			err = errors.Join(err, fmt.Errorf("detach: %w", e))
		}
	}()
	err = read()
	if errors.Is(err, unix.ESRCH) { // its stop has ended meanwhile: it was killed, or replaced
		return errReplaced
	}
	return err
}

func readPrograms(tid int) (programs []Program, err error) {
	for i := 0; ; i++ {
		p, err := readProgram(tid, i)
		switch {
		case errors.Is(err, unix.ENOENT) || i == 0 && errors.Is(err, unix.EINVAL): // no more; none at all
			return programs, nil
		case err != nil:
			return nil, fmt.Errorf("filter %d: %w", i, permission(err, "CAP_SYS_ADMIN and no filter of the reader's own"))
		}
		programs = append(programs, p)
	}
}

// seize attaches to the thread without stopping it.
func seize(tid int) error {
	err := ptrace(unix.PTRACE_SEIZE, tid, 0)
	// A tracer may have let go since, and then nobody tells that there was one.
	for tries := 0; errors.Is(err, unix.EPERM) && tries < mostTries; tries++ {
		if s, statusErr := ReadStatus(tid); statusErr == nil && s.tracer != 0 {
			return fmt.Errorf("%w, by process %d", ErrTraced, s.tracer)
		}
		err = ptrace(unix.PTRACE_SEIZE, tid, 0)
	}
	switch {
	case errors.Is(err, unix.ESRCH):
		return ErrNoThread
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("attach: %w", permission(err, "root, or CAP_SYS_PTRACE"))
	case err != nil:
		return fmt.Errorf("attach: %w", err)
	}
	return nil
}

// mostTries is how often a thread that no tracer is seen of is seized, before that
// is said not to be permitted.
const mostTries = 10

// errReplaced says that another thread of the process has executed a program:
// the number is that thread's now, and nobody traces it (ptrace(2), "execve(2)
// under ptrace").
var errReplaced = errors.New("another thread of the process has executed a program")

// interrupt stops the thread. It returns the signal that was about to be
// delivered, which the thread is owed, or 0.
//
// It looks, and does not sleep in wait4(2): nobody wakes who waits for the number
// of a thread that a program has replaced (seen on Linux 6.18; fs/exec.c,
// de_thread, wakes the tracer when the number is the other thread's already, and
// kernel/exit.c, child_wait_callback, asks for the number).
func interrupt(tid int) (unix.Signal, error) {
	if err := askToStop(tid); err != nil {
		return 0, err
	}
	var status unix.WaitStatus
	for looks := 0; ; looks++ {
		stopped, err := unix.Wait4(tid, &status, unix.WALL|unix.WNOTHREAD|unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return 0, errReplaced
		case err != nil:
			return 0, fmt.Errorf("stop: %w", err)
		case stopped == 0:
			// It stops within microseconds, or when its system call lets it.
			if looks > 100 {
				if err := askToStop(tid); err != nil {
					return 0, err
				}
				time.Sleep(time.Millisecond) //nolint:forbidigo // of a thread that is replaced no event comes
			}
			runtime.Gosched()
			continue
		case !status.Stopped():
			return 0, ErrNoThread
		case status>>16 != 0: // PTRACE_EVENT_STOP, for the interrupt or a stopped group
			return 0, nil
		}
		return status.StopSignal(), nil
	}
}

func askToStop(tid int) error {
	err := ptrace(unix.PTRACE_INTERRUPT, tid, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return errReplaced // or it has ended, which the next attempt finds
	case err != nil:
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// readProgram reads filter number i of a stopped thread.
func readProgram(tid, i int) (Program, error) {
	program, err := attached.Program(tid, i)
	if err != nil {
		return Program{}, err
	}
	p := Program{Program: program}
	metadata := struct{ index, flags uint64 }{index: uint64(i)} // struct seccomp_metadata
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SECCOMP_GET_METADATA, uintptr(tid), unsafe.Sizeof(metadata), uintptr(unsafe.Pointer(&metadata)), 0, 0); errno == 0 {
		p.Log = metadata.flags&unix.SECCOMP_FILTER_FLAG_LOG != 0
	}
	return p, nil
}

// ptrace makes a request whose only argument is a number.
func ptrace(request, tid int, data uintptr) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
