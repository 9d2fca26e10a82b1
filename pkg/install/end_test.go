//go:build linux

package install

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEnd ends processes that wait for something, compute, or have ended, and
// looks at what their parent learns, and when.
func TestEnd(t *testing.T) {
	for _, tc := range []struct {
		name, script string
	}{
		{"waiting", "echo; read x"},
		{"computing", "echo; while :; do :; done"},
		{"with the signal ignored", "trap '' TERM INT; echo; read x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd, pidfd := startShell(t, tc.script)
			mark := filepath.Join(t.TempDir(), "last")
			err := <-onThread(func() error {
				return End(pidfd, cmd.Process.Pid, 7, func() error {
					// The parent does not know yet.
					var info unix.Siginfo
					err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
					if err != nil || info.Signo != 0 {
						t.Errorf("the process can be waited for already: %v", err)
					}
					return os.WriteFile(mark, nil, 0o600)
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
				t.Errorf("ended with %v", err)
			}
			if _, err := os.Stat(mark); err != nil {
				t.Error(err)
			}
		})
	}
}

// A process that cannot be made to exit is killed, and one that has ended is no
// error.
func TestEndKills(t *testing.T) {
	cmd, pidfd := startShell(t, "echo; read x")
	called := 0
	last := func() error { called++; return nil }
	err := <-onThread(func() error {
		// A tracer of its own, so that there can be no other.
		done, release := make(chan error), make(chan struct{})
		go func() {
			runtime.LockOSThread()
			done <- seize(cmd.Process.Pid, 0)
			<-release
		}()
		if err := <-done; err != nil {
			return err
		}
		defer close(release)
		return End(pidfd, cmd.Process.Pid, 7, last)
	})
	if !errors.Is(err, unix.EPERM) || called != 1 {
		t.Errorf("%v, last called %d times", err, called)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
		t.Errorf("ended with %v", err)
	}
	if err := <-onThread(func() error { return End(pidfd, cmd.Process.Pid, 7, last) }); err != nil || called != 2 {
		t.Errorf("of an ended process: %v, last called %d times", err, called)
	}
}

// startShell starts a script that says a line when it has begun.
func startShell(t *testing.T, script string) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pidfd) })
	return cmd, pidfd
}
