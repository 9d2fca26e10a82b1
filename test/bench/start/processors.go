//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups is where control groups are mounted, in the scene cgroup2 at first.
const cgroups = "/sys/fs/cgroup"

// A control group counts the processors' time of everything that was ever in it
// or below it (cgroup-v2.rst, cpu.stat). This process and all that it starts are
// in one below; the containers' are beside that one.

// join makes the scene's group, and goes there.
func (s *scene) join() error {
	s.group = fmt.Sprintf("/bench-start-%d", os.Getpid())
	self := filepath.Join(s.cgroup2, s.group, "self")
	if err := os.MkdirAll(self, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(self, "cgroup.procs"), []byte("0"), 0o644)
}

// quit leaves the group and removes it.
func (s *scene) quit() error {
	if s.group == "" {
		return nil
	}
	err := os.WriteFile(filepath.Join(s.cgroup2, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0o644)
	for _, name := range []string{"self", ""} {
		err = errors.Join(err, os.Remove(filepath.Join(s.cgroup2, s.group, name)))
	}
	// Those of containers, with the controllers of version 1.
	left, _ := filepath.Glob(filepath.Join(cgroups, "*", s.group)) // there is nothing wrong with the pattern
	for _, dir := range left {
		err = errors.Join(err, os.Remove(dir))
	}
	return err
}

// processes returns who is in the group, the containers left out.
func (s *scene) processes() ([]int, error) {
	text, err := os.ReadFile(filepath.Join(s.cgroup2, s.group, "self/cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// patience is how long processes may take to end that a start has left.
const patience = 10 * time.Second

// spent returns the processors' time of all that was started here, once nobody is
// left of it but those that are to stay.
func (s *scene) spent() (time.Duration, error) {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		pids, err := s.processes()
		if err != nil {
			return 0, err
		}
		if len(pids) <= 1+s.staying {
			break
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("%d processes are left", len(pids)-1-s.staying)
		}
	}
	text, err := os.ReadFile(filepath.Join(s.cgroup2, s.group, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	var own unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &own); err != nil {
		return 0, os.NewSyscallError("getrusage", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if value, is := strings.CutPrefix(lines.Text(), "usage_usec "); is {
			n, err := strconv.ParseInt(value, 10, 64)
			return time.Duration(n)*time.Microsecond - time.Duration(unix.TimevalToNsec(own.Utime)+unix.TimevalToNsec(own.Stime)), err
		}
	}
	return 0, errors.New("cpu.stat has no usage_usec")
}

var selfPID = os.Getpid()

// private returns how many KiB of memory are a process's alone (proc(5), smaps_rollup).
func private(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	sum := 0
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && strings.HasPrefix(fields[0], "Private_") {
			n, err := strconv.Atoi(fields[1])
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// running waits until a container runs.
func (s *scene) running(r ociRuntime, id string) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		argv := append(append([]string{}, r...), "--root", filepath.Join(s.dir, "state"), "state", id)
		text, err := exec.Command(argv[0], argv[1:]...).Output()
		if err == nil && bytes.Contains(text, []byte(`"running"`)) {
			time.Sleep(100 * time.Millisecond) // whoever is about to end does
			return nil
		}
	}
	return fmt.Errorf("container %s does not run", id)
}
