//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Container is a container of a bundle under a runtime, in a state folder
// (--root) of its own. It is deleted when the test ends.
type Container struct {
	ID      string
	Bundle  *Bundle
	Runtime Runtime
	State   string // the runtime's --root
	t       testing.TB
}

// serial numbers the containers of this process.
var serial atomic.Uint32

// NewContainer names a container, without asking the runtime for anything.
func (b *Bundle) NewContainer(rt Runtime) *Container {
	b.t.Helper()
	c := &Container{
		ID:      fmt.Sprintf("%s%d-%d", idPrefix, os.Getpid(), serial.Add(1)),
		Bundle:  b,
		Runtime: rt,
		State:   filepath.Join(b.Dir, "state"),
		t:       b.t,
	}
	must(b.t, os.MkdirAll(c.State, 0o711))
	b.ids = append(b.ids, c.ID)
	b.t.Cleanup(func() {
		// A failure is not reported here: what matters is what is left, and
		// the leak check sees that.
		_ = c.command("delete", "--force", c.ID).Run()
	})
	return c
}

// Run runs the bundle in the foreground to its end, as `runc run` does.
func (b *Bundle) Run(rt Runtime) Result {
	b.t.Helper()
	b.Save()
	c := b.NewContainer(rt)
	return run(b.t, c.command("run", "--bundle", b.Dir, c.ID))
}

// Create creates a container, and fails the test if the runtime does not.
func (b *Bundle) Create(rt Runtime) *Container {
	b.t.Helper()
	c, r := b.TryCreate(rt)
	if r.Code != 0 {
		b.t.Fatalf("%s create: %s\n%s", rt.Name, r, c.Output())
	}
	return c
}

// TryCreate creates a container and returns how that went.
func (b *Bundle) TryCreate(rt Runtime) (*Container, Result) {
	b.t.Helper()
	b.Save()
	c := b.NewContainer(rt)
	// The container's first process keeps these open: they are its output.
	out, err := os.OpenFile(c.outputPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(b.t, err)
	defer out.Close()
	cmd := c.command("--log", filepath.Join(b.Dir, "log"), "create", "--bundle", b.Dir, "--pid-file", c.pidPath(), c.ID)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	if cmd.ProcessState == nil {
		b.t.Fatalf("%s create: %v", rt.Name, err)
	}
	log, _ := os.ReadFile(filepath.Join(b.Dir, "log"))
	return c, Result{Stderr: string(log), Code: exitCode(cmd.ProcessState)}
}

// Output returns what the container's processes have written so far.
func (c *Container) Output() string {
	c.t.Helper()
	b, err := os.ReadFile(c.outputPath())
	must(c.t, err)
	return string(b)
}

// Command runs one command of the runtime: c.Command("kill", c.ID, "TERM").
func (c *Container) Command(args ...string) Result {
	c.t.Helper()
	return run(c.t, c.command(args...))
}

// Start starts a created container.
func (c *Container) Start() {
	c.t.Helper()
	if r := c.Command("start", c.ID); r.Code != 0 {
		c.t.Fatalf("%s start: %s\n%s", c.Runtime.Name, r, c.Output())
	}
}

// Exec runs a command in the container to its end.
func (c *Container) Exec(args ...string) Result {
	c.t.Helper()
	return c.Command(append([]string{"exec", c.ID}, args...)...)
}

// Kill sends a signal to the first process.
func (c *Container) Kill(signal string) {
	c.t.Helper()
	if r := c.Command("kill", c.ID, signal); r.Code != 0 {
		c.t.Fatalf("%s kill: %s", c.Runtime.Name, r)
	}
}

// Delete deletes the container; force as in `delete --force`.
func (c *Container) Delete(force bool) Result {
	c.t.Helper()
	if force {
		return c.Command("delete", "--force", c.ID)
	}
	return c.Command("delete", c.ID)
}

// StateJSON returns the runtime's `state`.
func (c *Container) StateJSON() specs.State {
	c.t.Helper()
	r := c.Command("state", c.ID)
	if r.Code != 0 {
		c.t.Fatalf("%s state: %s", c.Runtime.Name, r)
	}
	var state specs.State
	if err := json.Unmarshal([]byte(r.Stdout), &state); err != nil {
		c.t.Fatalf("%s state: %v\n%s", c.Runtime.Name, err, r.Stdout)
	}
	return state
}

// PID returns the first process of a created container, in the host's numbers.
func (c *Container) PID() int {
	c.t.Helper()
	text, err := os.ReadFile(c.pidPath())
	must(c.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(c.t, err)
	return pid
}

// Wait waits for the first process of a created and started container to end.
func (c *Container) Wait() {
	c.t.Helper()
	WaitExit(c.t, c.PID())
}

// WaitExit waits for a process that is not our child to end. One that is gone
// already is fine.
func WaitExit(t testing.TB, pid int) {
	t.Helper()
	if !waitExit(pid, commandTimeout) {
		t.Fatalf("process %d does not end", pid)
	}
}

// waitExit reports whether the process ends within a time; a zombie has ended
// (pidfd_open(2): readable when the process terminates).
func waitExit(pid int, timeout time.Duration) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err == unix.ESRCH
	}
	defer unix.Close(fd)
	deadline := time.Now().Add(timeout)
	for {
		left := max(time.Until(deadline).Milliseconds(), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left))
		if err == unix.EINTR {
			continue
		}
		return err == nil && n == 1
	}
}

func (c *Container) outputPath() string { return filepath.Join(c.Bundle.Dir, c.ID+".output") }
func (c *Container) pidPath() string    { return filepath.Join(c.Bundle.Dir, c.ID+".pid") }

func (c *Container) command(args ...string) *exec.Cmd {
	argv := c.Runtime.Command(append([]string{"--root", c.State}, args...)...)
	return command(c.t, argv[0], argv[1:]...)
}

func exitCode(state *os.ProcessState) int {
	if state == nil {
		return -1
	}
	if ws := state.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}

// commandOutput is for what is prepared once for all tests.
func commandOutput(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, errs.String())
	}
	return string(out), nil
}
