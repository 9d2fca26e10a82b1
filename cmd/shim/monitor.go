//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"

	runc "github.com/containerd/go-runc"

	"seccomp-hook/pkg/runtime"
)

// frontName is the OCI runtime that puts the filter step in front of another.
const frontName = "seccomp-runc"

// The commands of a runtime that the front has a part in.
var (
	// starting are those that start processes in a container.
	starting = []string{"create", "run", "exec"}
	// deleting is the one that ends it, where the service is not there to forget it.
	deleting = []string{"delete"}
)

// monitor starts the runtime's commands for the runc shim, and puts the front
// before those that it has a part in. All others go to the runtime itself,
// without the front's cost.
//
// This is the one place where all of them come by. The runtime's name in the
// task's options stays the caller's, so the bundle has what the runc shim would
// have written, and every container of a shim can have a runtime of its own.
type monitor struct {
	runc.ProcessMonitor
	front   string   // its path
	fronted []string // commands that it has a part in

	mu sync.Mutex
	// plain are the containers that got no filter: the front has no part in
	// them any more.
	plain map[string]bool
	// homes say where the runtime of a container keeps it.
	homes map[string]home
}

// home is where a runtime keeps its containers.
type home struct {
	kind runtime.Kind
	root string
}

func newMonitor(inner runc.ProcessMonitor, front string, fronted []string) *monitor {
	return &monitor{ProcessMonitor: inner, front: front, fronted: fronted, plain: map[string]bool{}, homes: map[string]home{}}
}

// setPlain notes that a container got no filter, or that it is gone.
func (m *monitor) setPlain(id string, plain bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.homes, id)
	if plain {
		m.plain[id] = true
	} else {
		delete(m.plain, id)
	}
}

func (m *monitor) isPlain(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.plain[id]
}

// homeOf returns where the runtime keeps a container that was created last.
func (m *monitor) homeOf(id string) home {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.homes[id]
}

// Start starts a command.
func (m *monitor) Start(c *exec.Cmd) (chan runc.Exit, error) {
	if err := m.putFront(c); err != nil {
		return nil, err
	}
	return m.ProcessMonitor.Start(c)
}

// StartLocked starts a command from a thread of its own.
func (m *monitor) StartLocked(c *exec.Cmd) (chan runc.Exit, error) {
	if err := m.putFront(c); err != nil {
		return nil, err
	}
	return m.ProcessMonitor.StartLocked(c)
}

// putFront turns "runc … create …" to "seccomp-runc --real-runtime /…/runc …
// create …".
func (m *monitor) putFront(c *exec.Cmd) error {
	invocation, err := runtime.ParseArgs(runtime.KindOf(c.Path), c.Args[1:])
	if err != nil || !slices.Contains(m.fronted, invocation.Command) || m.isPlain(invocation.ID) {
		return err // of a command line that the runtime could not read either
	}
	if c.Err != nil {
		return c.Err // the runtime was not found; as exec.Cmd would have said
	}
	real, err := filepath.Abs(c.Path)
	if err != nil {
		return fmt.Errorf("runtime %s: %w", c.Path, err)
	}
	if kind := runtime.KindOf(real); invocation.Command == "create" {
		m.mu.Lock()
		m.homes[invocation.ID] = home{kind, runtime.StateRoot(kind, invocation.Root)}
		m.mu.Unlock()
	}
	c.Args = append([]string{m.front, "--real-runtime", real}, c.Args[1:]...)
	c.Path = m.front
	return nil
}

// findFront returns the path of the front: beside this binary, where packages
// put it, else on PATH.
func findFront() (string, error) {
	self, err := os.Executable()
	if err == nil {
		if beside := filepath.Join(filepath.Dir(self), frontName); executable(beside) {
			return beside, nil
		}
	}
	path, err := exec.LookPath(frontName)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("%s: neither beside %s nor on PATH: %w", frontName, self, err)
	}
	return path, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
