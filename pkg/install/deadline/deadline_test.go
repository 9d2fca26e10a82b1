//go:build linux

package deadline_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/deadline"
)

// limit is what the processes of the tests have, and patience what a test waits
// where nothing is to happen within it.
const (
	limit    = 200 * time.Millisecond
	patience = 30 * time.Second
)

// As argument 0 the name of a way has the test binary go it.
var ways = map[string]func(){
	"stuck":   func() { deadline.Set(limit); time.Sleep(patience) },
	"stopped": func() { deadline.Stay(); _ = unix.Kill(os.Getpid(), unix.SIGSTOP); time.Sleep(patience) },
	"stuck again": func() {
		deadline.Stay()
		deadline.Set(limit)
		time.Sleep(patience)
	},
	// Longer than the limit, which only a process that comes on can be.
	"stays": func() { deadline.Set(limit); deadline.Stay(); time.Sleep(4 * limit) },
}

func TestMain(m *testing.M) {
	if way, found := ways[os.Args[0]]; found {
		deadline.Limit = limit
		way()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestDeadline: the kernel kills a process that does not come on, stopped or not,
// and no other.
func TestDeadline(t *testing.T) {
	for name, killed := range map[string]bool{"stuck": true, "stopped": true, "stuck again": true, "stays": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("/proc/self/exe")
			cmd.Args[0], cmd.Stderr = name, os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// The test's own end of a process that nobody else ends.
			timer := time.AfterFunc(patience, func() { _ = cmd.Process.Signal(unix.SIGTERM) })
			_ = cmd.Wait()
			status := cmd.ProcessState.Sys().(interface{ Signaled() bool })
			if status.Signaled() != killed || !timer.Stop() {
				t.Errorf("%s", cmd.ProcessState)
			}
		})
	}
}
