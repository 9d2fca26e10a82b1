//go:build linux

package install

import (
	"context"
	"os"
	"time"
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

// Installer is an installer process that has been started for one process.
type Installer struct{}

// Start starts an installer for the container's init with this process id. It
// returns at once, so that the installer gets ready while the caller makes the
// filter. The caller must call Install or Close.
func Start(command Command, pid int) (*Installer, error) { return nil, nil }

// Install attaches the filter. When it returns without an error, the kernel
// has said that every thread of init has the filter (in ModeExec: that init
// cannot execute a program without getting it), and the installer process will
// outlive the caller. On an error, a *Error, the container must not be started;
// init may have been killed already. When the context ends first, the
// installer is killed.
func (i *Installer) Install(ctx context.Context, r Request) (*Result, error) { return nil, nil }

// Close ends an installer to which nothing was given to install. It does
// nothing after Install.
func (i *Installer) Close() error { return nil }

// Serve is the installer process. It returns its exit status.
func Serve() int { return 0 }
