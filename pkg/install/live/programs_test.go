//go:build linux

package live

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// replacedEnv is how often the test's program is to execute itself again, each
// time by another thread than the first.
const replacedEnv = "SECCOMP_HOOK_TEST_REPLACED"

func TestMain(m *testing.M) {
	if left, err := strconv.Atoi(os.Getenv(replacedEnv)); err == nil {
		replace(left)
	}
	os.Exit(m.Run())
}

func replace(left int) {
	if left == 0 {
		os.Exit(0)
	}
	runtime.LockOSThread() // the first thread, which waits
	go func() {
		runtime.LockOSThread()
		_ = unix.Exec("/proc/self/exe", os.Args, []string{replacedEnv + "=" + strconv.Itoa(left-1)})
		os.Exit(1)
	}()
	select {}
}

// A reader does not wait for a thread that a program has replaced.
func TestProgramsWhileReplaced(t *testing.T) {
	// A process that waits for a child takes the stops of a tracee from its own
	// threads (wait4(2)), so the parent is another one.
	cmd := exec.Command("/bin/sh", "-c", `"$0" & echo $!; wait`, "/proc/"+strconv.Itoa(os.Getpid())+"/exe")
	cmd.Env = []string{replacedEnv + "=20"}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscanln(output, &pid); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = Programs(pid)
		if errors.Is(err, ErrPermission) { // it is ending
			err = nil
		}
	}
	if !errors.Is(err, ErrNoThread) {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Readers of one process come one after the other.
func TestProgramsAtOnce(t *testing.T) {
	cmd := exec.Command("/bin/cat")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	results := make(chan error)
	for range 4 {
		go func() {
			var err error
			for range 50 {
				if _, e := Programs(cmd.Process.Pid); !errors.Is(e, ErrPermission) { // without root
					err = errors.Join(err, e)
				}
			}
			results <- err
		}()
	}
	for range 4 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(input.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
}
