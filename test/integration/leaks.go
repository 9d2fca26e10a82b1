//go:build integration

package integration

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stateDir is where the product keeps a folder for each container.
const stateDir = "/run/seccomp-hook/containers"

// watchLeaks has the test fail, when it ends and after everything it
// registered for its clean-up, if something of the bundle's containers is
// still there: a process, a mount, a cgroup, a file in /run.
//
// Whose something is, it tells by name: the bundle's folder or a container's
// ID. An anonymous process that outlives its test is found by Main.
func watchLeaks(b *Bundle) {
	b.t.Helper()
	b.t.Cleanup(func() {
		b.t.Helper()
		for _, p := range processesOf(append([]string{b.Dir}, b.ids...)) {
			if !waitExit(p.pid, graceful) {
				b.t.Errorf("leaked process %s", p)
			}
		}
		for _, mount := range mountsBelow(b.Dir) {
			b.t.Errorf("leaked mount %s", mount)
		}
		for _, id := range b.ids {
			for _, path := range append(cgroupsOf(id), runFiles(id)...) {
				b.t.Errorf("leaked %s", path)
			}
		}
	})
}

// process is one process as it was when it was looked at.
type process struct {
	pid, parent int
	state       byte // as in /proc/PID/stat: 'Z' is a zombie
	command     string
}

func (p process) String() string {
	return fmt.Sprintf("%d (parent %d, state %c): %s", p.pid, p.parent, p.state, p.command)
}

// processes returns all processes that have not ended.
func processes() []process {
	entries, _ := os.ReadDir("/proc")
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended meanwhile
		}
		// The name in parentheses may hold anything, so from the last one on.
		text := string(stat)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
			continue
		}
		parent, _ := strconv.Atoi(fields[1])
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		command := strings.TrimRight(strings.ReplaceAll(string(cmdline), "\x00", " "), " ")
		list = append(list, process{pid: pid, parent: parent, state: fields[0][0], command: command})
	}
	return list
}

// orphans returns the living descendants of a process.
func orphans(ancestor int) []process {
	family := map[int]bool{ancestor: true}
	var found []process
	// Parents may have higher numbers than their children, so until nothing
	// is added.
	for grown := true; grown; {
		grown = false
		for _, p := range processes() {
			if family[p.parent] && !family[p.pid] {
				family[p.pid], grown = true, true
				found = append(found, p)
			}
		}
	}
	return found
}

// processesOf returns the living processes that have one of the names in their
// command line, environment, working directory or cgroup.
func processesOf(names []string) []process {
	var found []process
	self := os.Getpid()
	for _, p := range processes() {
		if p.pid == self || p.pid == os.Getppid() {
			continue
		}
		dir := filepath.Join("/proc", strconv.Itoa(p.pid))
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		cgroup, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		text := strings.Join([]string{p.command, string(environ), string(cgroup), cwd}, "\n")
		for _, name := range names {
			if strings.Contains(text, name) {
				found = append(found, p)
				break
			}
		}
	}
	return found
}

// cgroupsOf returns the cgroups named after a container.
func cgroupsOf(id string) []string {
	var found []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a cgroup that went away meanwhile
		}
		if d.IsDir() && strings.Contains(d.Name(), id) {
			found = append(found, path)
			return fs.SkipDir
		}
		return nil
	})
	return found
}

// runFiles returns what the product keeps of a container.
func runFiles(id string) []string {
	path := filepath.Join(stateDir, id)
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	return []string{path}
}

// Eventually waits until a condition holds that no file descriptor tells of,
// and fails the test if it does not within the time that nothing here takes.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(graceful); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, graceful)
		}
	}
}
