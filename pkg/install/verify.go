//go:build linux

package install

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/internal/attached"
)

// verify asks the kernel what is attached, and returns the number of threads:
// every thread of the process is traced by this one and has filters
// (/proc/PID/task/TID/status), and the newest filter of the stopped thread tid
// is this very program (PTRACE_SECCOMP_GET_FILTER). Threads that begin
// meanwhile have what their creators have.
func (p *process) verify(tid int, f *Filter) (int, error) {
	if err := verifyProgram(tid, f); err != nil {
		return 0, err
	}
	for {
		tids, complete, err := p.threads()
		if err != nil {
			return 0, err
		}
		if !complete {
			continue // threads ended while they were listed
		}
		for _, tid := range tids {
			st, err := p.status(tid)
			switch {
			case err != nil && !p.alive():
				return 0, ErrGone
			case err != nil || st.ended():
				continue
			}
			if tracer := st.number("TracerPid"); tracer != unix.Gettid() {
				return 0, &detailed{ErrUnfiltered, fmt.Sprintf("thread %d is traced by %d", tid, tracer)}
			}
			if mode := st.number("Seccomp"); mode != unix.SECCOMP_MODE_FILTER {
				return 0, &detailed{ErrUnfiltered, fmt.Sprintf("thread %d has seccomp mode %d", tid, mode)}
			}
		}
		return len(tids), nil
	}
}

// verifyProgram compares the newest filter of a stopped thread with f.
func verifyProgram(tid int, f *Filter) error {
	newest, length := -1, 0
	for {
		n, err := attached.Length(tid, newest+1)
		if err == unix.ENOENT {
			break
		}
		if err != nil {
			return fmt.Errorf("PTRACE_SECCOMP_GET_FILTER of thread %d: %w", tid, err)
		}
		newest, length = newest+1, n
	}
	if length != len(f.Program) {
		return &detailed{ErrUnfiltered, fmt.Sprintf("the newest filter of thread %d has %d instructions instead of %d", tid, length, len(f.Program))}
	}
	program, err := attached.Program(tid, newest)
	if err != nil {
		return fmt.Errorf("PTRACE_SECCOMP_GET_FILTER of thread %d: %w", tid, err)
	}
	if !slices.Equal(program, f.Program) {
		return &detailed{ErrUnfiltered, fmt.Sprintf("the newest filter of thread %d is another program", tid)}
	}
	return nil
}
