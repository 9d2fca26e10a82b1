//go:build linux

package install

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Modes returns the modes that the running kernel lets this process install
// in, the preferred one first, and where ModeSuspend is not among them, why. It
// tries them on a child of its own, which does not get to run.
//
// ModeExec on the list is not enough for every container: see Mode.
func Modes() ([]Mode, error) {
	runtime.LockOSThread() // a tracee belongs to a thread
	defer runtime.UnlockOSThread()
	child, err := os.StartProcess("/proc/self/exe", []string{Arg0}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Ptrace: true}})
	if err != nil {
		return nil, fmt.Errorf("install: trace a process: %w", err)
	}
	defer func() {
		_ = child.Kill() // it is stopped at its exec
		_, _ = child.Wait()
	}()
	var status unix.WaitStatus
	if _, err := unix.Wait4(child.Pid, &status, 0, nil); err != nil {
		return nil, fmt.Errorf("install: trace a process: %w", err)
	}
	if err := setOptions(child.Pid, guarded); err != nil {
		return nil, fmt.Errorf("install: trace a process: %w", err)
	}
	if err := setOptions(child.Pid, suspended|guarded); err != nil {
		return []Mode{ModeExec}, refusal(err, &Filter{})
	}
	return []Mode{ModeSuspend, ModeExec}, nil
}
