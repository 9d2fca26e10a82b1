//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Floors: what a start or an exec cannot be faster than.

// processesName is the name of the table that programs prints.
const processesName = "the start of a process"

// programs prints what starting a process costs, from fork to its end.
func (s *scene) programs(out io.Writer, rounds int, runtimes ...ociRuntime) error {
	c := &comparison{name: processesName, spent: s.spent}
	add := func(name string, argv ...string) {
		c.ways = append(c.ways, way{name: name, once: func() (time.Duration, error) {
			begin := time.Now()
			err := exec.Command(argv[0], argv[1:]...).Run()
			took := time.Since(begin)
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				err = nil // it says that it got no arguments
			}
			return took, err
		}})
	}
	for _, p := range []struct{ name, file string }{
		{"static, without a C library: seccomp-hook-announce", "seccomp-hook-announce"},
		{"static, with one: busybox", ""},
		{"Go: seccomp-hook-runtime", "seccomp-hook-runtime"},
		{"Go, all commands: seccomp-hook", "seccomp-hook"},
	} {
		if p.file == "" {
			add(p.name, busybox, "true")
			continue
		}
		path, err := s.tool(p.file)
		if err != nil {
			return err
		}
		add(p.name, path, "version")
	}
	for _, r := range runtimes {
		add(filepath.Base(r[0])+" --version", r[0], "--version")
	}
	times, err := c.measure(rounds)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### %s\n\n| program | ms |\n| --- | ---: |\n", c.name)
	for i, w := range c.ways {
		fmt.Fprintf(out, "| %s | %s |\n", w.name, estimateOf(rounds, times[i].wall.median))
	}
	return nil
}

// execTraced is a way: `exec` in a container by a runtime that a tracer follows
// which does nothing else. Whoever suspends a filter must.
func (s *scene) execTraced(r ociRuntime, id string) func() (time.Duration, error) {
	argv := append(append([]string{}, r...), "--root", filepath.Join(s.dir, "state"), "exec", id, "/bin/true")
	return func() (time.Duration, error) {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return 0, err
		}
		defer null.Close()
		begin := time.Now()
		pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
			Env:   os.Environ(),
			Files: []uintptr{null.Fd(), null.Fd(), null.Fd()},
			Sys:   &syscall.SysProcAttr{Ptrace: true},
		})
		if err != nil {
			return 0, fmt.Errorf("%s: %w", argv[0], err)
		}
		if err := follow(pid); err != nil {
			return 0, err
		}
		return time.Since(begin), nil
	}
}

// follow traces a process that waits to be, and what comes of it, until it has
// ended or has executed a program in another mount namespace.
func follow(pid int) error {
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		return os.NewSyscallError("wait4", err)
	}
	const options = unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		return os.NewSyscallError("ptrace", err)
	}
	host, err := os.Readlink("/proc/thread-self/ns/mnt")
	if err != nil {
		return err
	}
	for tid := pid; ; {
		signal := 0
		if event := int(status >> 16); event == 0 && status.StopSignal() != unix.SIGTRAP && status.StopSignal() != unix.SIGSTOP {
			signal = int(status.StopSignal())
		}
		mounts, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", tid)) // it may be gone
		if int(status>>16) == unix.PTRACE_EVENT_EXEC && mounts != host {
			err = unix.PtraceDetach(tid)
		} else {
			err = unix.PtraceCont(tid, signal)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return os.NewSyscallError("ptrace", err)
		}
		for {
			tid, err = unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return os.NewSyscallError("wait4", err)
			}
			if status.Stopped() {
				break
			}
			if tid == pid {
				if status.ExitStatus() != 0 {
					return fmt.Errorf("a traced exec: exit status %d", status.ExitStatus())
				}
				return nil
			}
		}
	}
}
