//go:build linux

package install

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Arg0 is the name (argument 0) under which an executable is to call Serve
// instead of its own main.
const Arg0 = "seccomp-hook-installer"

// Command says how to start the installer process: an executable whose main
// begins with
//
//	if install.Requested() {
//		os.Exit(install.Serve())
//	}
//
// The zero value is this very executable.
type Command struct {
	Path string   // default /proc/self/exe
	Env  []string // default none
}

// Requested reports whether this process was started to be an installer.
func Requested() bool { return len(os.Args) > 0 && os.Args[0] == Arg0 }

// Mode is how a filter is kept from the runtime's own calls.
type Mode string

// The modes.
const (
	// ModeSuspend: attached to every thread, suspended until init's exec.
	ModeSuspend Mode = "suspend"
	// ModeExec: attached by injection at init's exec, before the first
	// instruction of the program, because the kernel refuses to suspend. Init
	// is killed if the installer dies or the kernel refuses the filter.
	ModeExec Mode = "exec"
)

// Request is what to install into a container's init.
type Request struct {
	Filter Filter
	// NoNewPrivileges is the configuration's process.noNewPrivileges: whether
	// init will have no_new_privs when it executes the container's program.
	// Only then is ModeExec possible, where ModeSuspend is refused.
	NoNewPrivileges bool
	// Parent, where not 0, is the process whose child init must be: the
	// runtime that called the hook.
	Parent int
	// Runtimes are the file names of the runtimes that init may run; default
	// runc and crun.
	Runtimes []string
	// Dispatch, where not nil, are the areas from which the container's
	// program may make system calls (Dispatch, the type). They are resolved
	// and armed when it has been executed; if that fails, it is killed.
	Dispatch *Areas
	// Outcome, where not nil, is where the installer writes an Outcome when
	// init has executed the container's program. The caller keeps it.
	Outcome *os.File
}

// Result is what the kernel and the installer say of an installation.
type Result struct {
	Mode Mode
	// Listener is the filter's listener, nil where the filter makes none. It
	// is the only descriptor of it.
	Listener *os.File
	Threads  int           // threads of init that have the filter
	Seize    time.Duration // time to identify init and seize its threads
	Attach   time.Duration // time to attach the filter and verify it
}

// path returns the executable.
func (c *Command) path() string {
	if c.Path == "" {
		return "/proc/self/exe"
	}
	return c.Path
}

// environment returns what the installer has of an environment.
func (c *Command) environment() []string { return append(inherited(), c.Env...) }

// Installer is an installer process that has been started for one process.
type Installer struct {
	client
	pid   int // of the installer
	pidfd int
}

// Start starts an installer for the container's init with this process id. It
// returns at once, so that the installer gets ready while the caller makes the
// filter. The caller must call Install or Close. The error is an *Error.
//
// The installer is in a session of its own, has none of the caller's
// descriptors, and outlives the caller: once that has ended it is no child of
// the runtime, which may wait for its children.
func Start(command Command, pid int) (*Installer, error) {
	i, err := start(command, pid)
	if err != nil {
		return nil, &Error{Step: StepStart, PID: pid, Err: err}
	}
	return i, nil
}

func start(command Command, pid int) (*Installer, error) {
	c, remote, target, err := dial(pid)
	if err != nil {
		return nil, err
	}
	defer unix.Close(remote)
	defer unix.Close(target)
	const closed = ^uintptr(0)
	i := &Installer{client: c}
	i.pid, err = syscall.ForkExec(command.path(), []string{Arg0}, &syscall.ProcAttr{
		Env:   command.environment(),
		Files: []uintptr{closed, closed, closed, socketFD: uintptr(remote), pidfdFD: uintptr(target)},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &i.pidfd},
	})
	if err != nil {
		unix.Close(c.socket)
		return nil, fmt.Errorf("execute %s: %w", command.path(), err)
	}
	return i, nil
}

// PID returns the installer's process id.
func (i *Installer) PID() int { return i.pid }

// Install attaches the filter. When it returns without an error, the kernel
// has said that every thread of init has the filter (in ModeExec: that init
// cannot execute a program without getting it), and the installer process will
// outlive the caller. On an error, a *Error, the container must not be started;
// init may have been killed already. When the context ends first, the
// installer is killed.
func (i *Installer) Install(ctx context.Context, r Request) (*Result, error) {
	if err := r.Filter.Program.Validate(); err != nil {
		_ = i.Close() // the program is what is wrong
		return nil, &Error{Step: StepRequest, PID: i.target, Err: err}
	}
	// Killing ends the wait for the answer: its socket closes.
	stop := context.AfterFunc(ctx, i.kill)
	result, err := i.ask(&order{pid: i.target, Request: r}, r.Filter.Listens())
	if !stop() && err != nil {
		err = fmt.Errorf("%w (%w)", err, context.Cause(ctx))
	}
	unix.Close(i.socket)
	if err != nil {
		i.kill()
		status := i.reap()
		unix.Close(i.pidfd)
		return nil, i.failure(err, status)
	}
	go func() { // for a caller that stays
		i.reap()
		unix.Close(i.pidfd)
	}()
	return result, nil
}

// Close ends an installer to which nothing was given to install.
func (i *Installer) Close() error {
	unix.Close(i.socket)
	i.kill()
	i.reap()
	return os.NewSyscallError("close", unix.Close(i.pidfd))
}

func (i *Installer) kill() { _ = unix.PidfdSendSignal(i.pidfd, unix.SIGKILL, nil, 0) }

// reap waits for the installer's end and says what it was. Where the caller
// has a reaper of its own, that may have been faster.
func (i *Installer) reap() string {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(i.pid, &status, 0, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return ""
		case status.Signaled():
			return "signal: " + status.Signal().String()
		default:
			return fmt.Sprintf("exit status %d", status.ExitStatus())
		}
	}
}
