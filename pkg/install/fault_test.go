//go:build linux

package install

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// faultModes are the ways to install that the tests below go through.
var faultModes = []struct {
	mode   Mode
	env    []string // of the installer
	victim []string // environment of the victim
}{
	{ModeSuspend, nil, nil},
	{ModeExec, []string{confinedVariable + "=1"}, []string{noNewPrivsVariable + "=1"}},
}

// forEachStep runs a test with a signal at every step: to the installer, or to
// the victim.
func forEachStep(t *testing.T, signal unix.Signal, toVictim bool, test func(*testing.T, *victim, *Installer, Request)) {
	for _, m := range faultModes {
		t.Run(string(m.mode), func(t *testing.T) {
			if m.mode == ModeSuspend {
				needSuspend(t)
			}
			for step := StepStart; step <= LastStep; step++ {
				t.Run(fmt.Sprintf("%d %s", step, step), func(t *testing.T) {
					v := newVictim(t, "init", m.victim...)
					pid := 0
					if toVictim {
						pid = v.pid()
					}
					i, err := Start(Command{Env: append([]string{
						fmt.Sprintf("%s=%d %d %d", faultVariable, step, signal, pid),
					}, m.env...)}, v.pid())
					if err != nil {
						t.Fatal(err)
					}
					r := request(denying(denied))
					r.NoNewPrivileges = m.mode == ModeExec
					test(t, v, i, r)
				})
			}
		})
	}
}

// An installer that is killed at any step leaves a container that is not
// created, because Install fails, or one whose program is filtered.
func TestInstallerKilled(t *testing.T) {
	outcomes := map[string]int{}
	forEachStep(t, unix.SIGKILL, false, func(t *testing.T, v *victim, i *Installer, r Request) {
		_, err := i.Install(t.Context(), r)
		if err != nil {
			if !errors.Is(err, ErrLost) {
				t.Errorf("error %v", err)
			}
			outcomes["not created"]++
			return
		}
		_, _ = v.in.Write([]byte("\n")) // the kernel may have killed it by now (PTRACE_O_EXITKILL)
		said, status := v.ends()
		if ranUnfiltered(said) {
			t.Errorf("unfiltered: status %d, %q", status, said)
		}
		outcomes[fmt.Sprint("created: ", said)]++
	})
	t.Log(outcomes)
}

// An installer that is stopped at any step and goes on later does its work.
func TestInstallerStopped(t *testing.T) {
	forEachStep(t, unix.SIGSTOP, false, func(t *testing.T, v *victim, i *Installer, r Request) {
		go func() {
			// Not at every step before Install returns, or at all: a step may
			// not be part of the mode.
			for range 2 * LastStep {
				_ = unix.Kill(i.PID(), unix.SIGCONT)
			}
			waitStoppedOrEnded(i.PID())
			_ = unix.Kill(i.PID(), unix.SIGCONT)
		}()
		if _, err := i.Install(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		v.proceed()
		v.expect("init 0", "program 99 2 1 0")
	})
}

// waitStoppedOrEnded waits until a child is stopped, or has been waited for.
func waitStoppedOrEnded(pid int) {
	var info unix.Siginfo
	for unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// An init that is killed at any step ends the installer, with an error where
// it is not too late for one.
func TestInitKilled(t *testing.T) {
	forEachStep(t, unix.SIGKILL, true, func(t *testing.T, v *victim, i *Installer, r Request) {
		_, err := i.Install(t.Context(), r)
		if err != nil && !errors.Is(err, ErrGone) {
			t.Errorf("error %v", err)
		}
		if err == nil {
			_, _ = v.in.Write([]byte("\n")) // it may be gone by now
		}
		if said, _ := v.ends(); ranUnfiltered(said) {
			t.Errorf("unfiltered: %q", said)
		}
		installerEnds(t, i)
	})
}

// An init that is stopped at any step is installed into all the same, and is
// stopped afterwards.
func TestInitStopped(t *testing.T) {
	forEachStep(t, unix.SIGSTOP, true, func(t *testing.T, v *victim, i *Installer, r Request) {
		if _, err := i.Install(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		v.proceed()
		go func() {
			waitStoppedOrEnded(v.pid())
			_ = unix.Kill(v.pid(), unix.SIGCONT)
		}()
		v.expect("init 0", "program 99 2 1 0")
	})
}

// An init that executes a program too early, which a runtime never does, gets
// the filter in time or is killed.
func TestEarlyExec(t *testing.T) {
	needSuspend(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the program is x86 machine code")
	}
	path := executable(t, elf64(firstDenied64), 0o755)
	outcomes := map[string]int{}
	for step := StepConfirm; step <= StepReport; step++ {
		for range 5 {
			v := newVictim(t, "thread", executeVariable+"="+path)
			_, err := install(t, v, request(denying(0)), fmt.Sprintf("%s=%d 0 %d", faultVariable, step, -v.pid()))
			_, _ = v.in.Write([]byte("\n")) // not every installation has every step
			said, status := v.ends()
			if err == nil && status != verdict || err != nil && status != -int(unix.SIGKILL) {
				t.Errorf("step %s: %v, status %d, %q", step, err, status, said)
			}
			outcomes[fmt.Sprint("early: ", errors.Is(err, ErrEarlyExec), ", status ", status)]++
		}
	}
	t.Log(outcomes)
}

// installerEnds waits for the installer's end.
func installerEnds(t *testing.T, i *Installer) {
	t.Helper()
	pidfd, err := unix.PidfdOpen(i.PID(), 0)
	if err == unix.ESRCH {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		switch n, err := unix.Poll(poll, 30_000); {
		case err == unix.EINTR:
		case n != 1 || err != nil:
			t.Fatal("the installer does not end")
		default:
			return
		}
	}
}
