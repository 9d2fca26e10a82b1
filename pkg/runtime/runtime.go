package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"seccomp-hook/pkg/install"
)

// Name is the name by which the executable is this runtime.
const Name = "seccomp-runc"

// announceArg0 is the argument 0 of the hook. See attendant.go and escort.go for
// the other parts that the executable takes under a name of its own.
const announceArg0 = "seccomp-hook-announce"

// Main runs the process if it is this package's: the runtime, started as
// seccomp-runc or with the first argument "runtime", or one of the processes
// that stand by it. It comes before everything else in main, because most of
// what it does is to become another program at once.
func Main(argv []string) (code int, ours bool) {
	switch {
	case len(argv) == 0:
		return 0, false
	case argv[0] == attendantArg0:
		return attend(argv[1:], false), true
	case argv[0] == aheadArg0:
		return attend(argv[1:], true), true
	case argv[0] == readyArg0:
		return ready(argv[1:]), true
	case argv[0] == escortArg0:
		return escort(), true
	case argv[0] == announceArg0:
		return announce(argv[1:]), true
	case filepath.Base(argv[0]) == Name:
		return front(argv[1:]), true
	case len(argv) > 1 && argv[1] == "runtime":
		return front(argv[2:]), true
	}
	return 0, false
}

// wrapper is the process that the engine starts, until it is the real runtime,
// or its attendant, as long as that one prepares.
type wrapper struct {
	*Invocation
	pid    int // of the process that is going to be the runtime
	stderr *os.File
	config Config
	real   string // the real runtime's path
	kind   Kind   // its family
	self   string // this executable's
	// then are what the real runtime is executed with: Args, edited where the
	// command asks for it.
	then     []string
	follower *install.Follower // of an exec, until it follows
}

// front does what the command asks for and then becomes the real runtime. It
// returns only where it could not, or must not.
func front(args []string) (code int) {
	w := &wrapper{Invocation: &Invocation{}, pid: os.Getpid(), stderr: os.Stderr}
	err := w.prepare(args)
	if err == nil {
		switch w.Command {
		case "create", "run":
			at(StepAttend)
			var config string
			if w.real, config, code, err = startAttendant(args); err != nil {
				err = fmt.Errorf("runtime: the attendant: %w", err)
			} else if code != 0 {
				return code
			}
			if config != "" {
				w.then = w.withConfig(config)
			}
		case "exec":
			err = w.exec()
		case "delete":
			w.delete()
		case "features":
			if done, code := w.features(); done {
				return code
			}
		}
	}
	if err == nil {
		at(StepBecome)
		err = syscall.Exec(w.real, append([]string{w.real}, w.then...), os.Environ())
		err = fmt.Errorf("runtime: execute %s: %w", w.real, err)
	}
	return w.fail(err)
}

// prepare reads the command line and the configuration.
func (w *wrapper) prepare(args []string) error {
	at(StepPrepare)
	realRuntime, args, err := cutRealRuntime(args)
	if err != nil {
		return err
	}
	w.then = args
	err = w.find(realRuntime)
	// The command line says where an error is to be told, too.
	inv, usage := ParseArgs(w.kind, args)
	w.Invocation = inv
	if err != nil {
		return err
	}
	return usage
}

// find reads the configuration and finds the real runtime.
func (w *wrapper) find(realRuntime string) (err error) {
	if w.config, err = LoadConfig(os.Getenv); err != nil {
		return err
	}
	if realRuntime != "" {
		w.config.RealRuntime = realRuntime
	}
	if w.self, err = os.Executable(); err != nil {
		return fmt.Errorf("runtime: %w", err)
	}
	if w.real, err = findRuntime(w.config.RealRuntime, os.Getenv("PATH"), w.self); err != nil {
		return err
	}
	w.kind = KindOf(w.real)
	return nil
}

// Kind is the family of a runtime: how it reads its command line, where it keeps
// its state, and how it reports.
type Kind uint8

// The families; the zero value is any other one.
const (
	unknownKind Kind = iota
	Runc
	Crun
)

// KindOf tells the family of a runtime by its file's name, as packages and
// engines name them: runc, docker-runc, crun, crun-1.20. Under a name with the
// handler of a library, krun or crun-wasm, crun starts no program by execve
// (crun.c, fill_handler_from_argv0); that is none of the families.
func KindOf(path string) Kind {
	name := filepath.Base(path)
	if handler, is := strings.CutPrefix(name, "crun-"); name == "krun" || is && strings.Trim(handler, "0123456789.") != "" {
		return unknownKind
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		name = filepath.Base(resolved)
	}
	switch {
	case strings.Contains(name, "crun"):
		return Crun
	case strings.Contains(name, "runc"):
		return Runc
	default:
		return unknownKind
	}
}

// checkKind refuses a runtime that may not start a container's program with
// execve: its containers' filters would stay suspended for ever.
func (w *wrapper) checkKind() error {
	if w.kind == unknownKind {
		return fmt.Errorf("runtime: real runtime %s is neither runc nor crun, and may start the container's program in another way than execve; its containers would not be filtered", w.real)
	}
	return nil
}

// runtimes are the names of the files that a container's init may run.
func (w *wrapper) runtimes() []string {
	return []string{"runc", "crun", filepath.Base(w.real)}
}
