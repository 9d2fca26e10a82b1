// Command into runs a runtime's exec with a filter for what it executes in the
// container: into PID RUNTIME [ARG...]. PID is the container's init. The
// filter makes unshare(2) fail with errno 77 and lets everything else pass.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/install"
)

func main() {
	if install.Requested() {
		os.Exit(install.Serve())
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
}

func run(pid string, command []string) error {
	container, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	follower, err := install.StartFollower(install.Command{})
	if err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	program := bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, unix.SYS_UNSHARE, 0, 1),
		bpf.Ret(bpf.Errno(77)),
		bpf.Ret(bpf.RetAllow),
	}
	_, err = follower.Exec(context.Background(), install.ExecRequest{
		Filter:    install.Filter{Program: program},
		Container: container,
	})
	if err != nil {
		return err
	}
	return unix.Exec(path, command, os.Environ())
}
