//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Places.
const (
	stateDir = "/run/seccomp-hook" // the product's
	busybox  = "/bin/busybox"
)

// scene is where everything is measured: a folder, and a thread with a mount
// namespace of its own, which commands inherit.
type scene struct {
	dir, rootfs string
	repository  string
	serial      int
	cgroup2     string // where it is mounted
	group       string // the control group of all that is measured
	staying     int    // how many processes stay there
}

// enter makes the scene. The calling goroutine must run all that is measured,
// and must not unlock its thread.
func enter(repository string) (*scene, error) {
	runtime.LockOSThread()
	dir, err := os.MkdirTemp("", "bench-start-")
	if err != nil {
		return nil, err
	}
	s := &scene{dir: dir, rootfs: filepath.Join(dir, "rootfs"), repository: repository, cgroup2: cgroups}
	err = s.isolate()
	if err == nil {
		err = s.join()
	}
	if err == nil {
		err = s.populate()
	}
	if err != nil {
		return nil, errors.Join(err, s.leave())
	}
	return s, nil
}

func (s *scene) leave() error {
	quitErr := s.quit()
	err := unix.Unmount(s.dir, unix.MNT_DETACH)
	if err == unix.EINVAL { // not mounted yet
		err = nil
	}
	return errors.Join(quitErr, os.NewSyscallError("umount", err), os.Remove(s.dir))
}

// isolate gives the thread a mount namespace of its own.
func (s *scene) isolate() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := os.MkdirAll(stateDir, 0o711); err != nil {
		return err
	}
	for _, m := range []struct {
		target, kind string
		flags        uintptr
		data         string
	}{
		{"/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{stateDir, "tmpfs", 0, "mode=0711"}, // the product uses none that others can write to
		{s.dir, "tmpfs", 0, ""},             // as /run, where engines keep bundles and runtimes their state
		{s.cgroup2, "cgroup2", 0, ""},
	} {
		if err := unix.Mount("none", m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.kind, m.target, err)
		}
	}
	return nil
}

// populate makes a root filesystem of busybox alone.
func (s *scene) populate() error {
	for _, name := range []string{"bin", "dev", "proc", "sys"} {
		if err := os.MkdirAll(filepath.Join(s.rootfs, name), 0o755); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	for _, name := range []string{"true", "sleep"} {
		if err := os.WriteFile(filepath.Join(s.rootfs, "bin", name), text, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// id returns a container's id that has not been used.
func (s *scene) id() string {
	s.serial++
	return fmt.Sprintf("bench-start-%d-%d", os.Getpid(), s.serial)
}

// ociRuntime is a runtime's command: a program and global arguments.
type ociRuntime []string

// time runs a command of the runtime and returns how long that took. Its output
// is in a file: what is left behind in the background must not be waited for.
func (s *scene) time(r ociRuntime, args ...string) (time.Duration, error) {
	output, err := os.CreateTemp(s.dir, "output-")
	if err != nil {
		return 0, err
	}
	defer output.Close()
	if err := os.Remove(output.Name()); err != nil {
		return 0, err
	}
	argv := append(append(append([]string{}, r...), "--root", filepath.Join(s.dir, "state")), args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = output, output
	begin := time.Now()
	err = cmd.Run()
	took := time.Since(begin)
	if err != nil {
		text, readErr := io.ReadAll(io.NewSectionReader(output, 0, 1<<16))
		return 0, errors.Join(fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(text)), readErr)
	}
	return took, nil
}

// run is a way: `run` of a bundle, after prepare, if that is not nil.
func (s *scene) run(r ociRuntime, b *bundle, prepare func() error) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		if prepare != nil {
			if err := prepare(); err != nil {
				return 0, err
			}
		}
		return s.time(r, "run", "--bundle", b.dir, s.id())
	}
}

// exec is a way: `exec` in a container.
func (s *scene) exec(r ociRuntime, id string) func() (time.Duration, error) {
	return func() (time.Duration, error) { return s.time(r, "exec", id, "/bin/true") }
}

// start starts a container; end deletes it.
func (s *scene) start(r ociRuntime, b *bundle) (id string, end func() error, err error) {
	id = s.id()
	end = func() error {
		_, err := s.time(r, "delete", "--force", id)
		return err
	}
	if _, err := s.time(r, "run", "--detach", "--bundle", b.dir, id); err != nil {
		return "", nil, errors.Join(err, end())
	}
	return id, end, nil
}

// tool returns the path of a binary below the repository's bin.
func (s *scene) tool(name string) (string, error) {
	path := filepath.Join(s.repository, "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w (run `make tools build` first)", err)
	}
	return path, nil
}

// machine describes what a run was made on, so that its figures can be judged.
func machine() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%s, Linux %s, %s, %s CPUs, load %s before", time.Now().UTC().Format(time.DateOnly),
		unix.ByteSliceToString(name.Release[:]), runtime.GOARCH, strconv.Itoa(runtime.NumCPU()), first), nil
}

// oneCore has all that is measured share one processor with this process.
func oneCore() error {
	var set unix.CPUSet
	set.Set(0)
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &set))
}
