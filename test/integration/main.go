//go:build integration

package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// insideEnv marks the process that runs the tests and carries the folder that
// everything of this run is made in.
const insideEnv = "SECCOMP_HOOK_TEST_DIR"

// idPrefix begins the name of every container made here.
const idPrefix = "sht-"

// graceful is how long what a test started may take to notice that its
// container is gone.
var graceful = time.Duration(10*patience) * time.Second

// Main is TestMain. It runs the tests in a child of its own and stays behind
// as the subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) of whatever detaches
// itself: the supervisor reaps those that end, and those that do not end are
// the leaked ones. The test process itself cannot be the reaper, as it would
// take exit statuses from its own os/exec.
func Main(m *testing.M) {
	if os.Getenv(insideEnv) != "" {
		os.Exit(m.Run())
	}
	code, err := supervise()
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = 1
	}
	os.Exit(code)
}

func supervise() (code int, err error) {
	if os.Getuid() != 0 {
		return 1, errors.New("these tests make containers and need root")
	}
	dir, err := os.MkdirTemp("", "sht-") // short: sockets below it have 108 bytes
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return 1, err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 1, fmt.Errorf("become subreaper: %w", err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"="+dir, "TMPDIR="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // it may be gone
		}
	}()
	status, err := reapUntil(cmd.Process.Pid)
	if err != nil {
		return 1, err
	}
	code = status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	return code, leftover(dir)
}

// reapUntil waits for every child that ends until the one with this pid does.
func reapUntil(pid int) (unix.WaitStatus, error) {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, fmt.Errorf("wait for the tests: %w", err)
		case got == pid && (status.Exited() || status.Signaled()):
			return status, nil
		}
	}
}

// leftover reports, and ends, the processes and mounts that outlive the tests.
func leftover(dir string) error {
	var errs []error
	for _, p := range orphans(os.Getpid()) {
		if waitExit(p.pid, graceful) {
			continue
		}
		errs = append(errs, fmt.Errorf("leaked process %s", p))
		_ = unix.Kill(p.pid, unix.SIGKILL) // reported already
	}
	for _, mount := range mountsBelow(dir) {
		errs = append(errs, fmt.Errorf("leaked mount %s", mount))
		_ = unix.Unmount(mount, unix.MNT_DETACH) // reported already
	}
	return errors.Join(errs...)
}

// mountsBelow returns the mount points of this mount namespace at or below
// dir, the deepest first.
func mountsBelow(dir string) []string {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	var found []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 && (fields[4] == dir || strings.HasPrefix(fields[4], dir+"/")) {
			found = append([]string{fields[4]}, found...)
		}
	}
	return found
}
