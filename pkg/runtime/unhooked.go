package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/deadline"
)

// A runtime that makes a container and never calls the hook has made one without
// the filter: it was handed another config.json, or does not know such hooks.
// The runtime's own record says that there is a container; it is written when all
// hooks have been called (runc, process_linux.go, procReady; crun, container.c,
// libcrun_container_run_internal).

// lookEvery is how often an attendant looks for such a record while it waits for
// the hook, which comes some milliseconds after the runtime has begun.
const lookEvery = 20 * time.Millisecond

// errUnhooked says why a container was deleted.
var errUnhooked = errors.New("the runtime has made the container without calling the hook, so it has not the filter; it is killed and deleted")

// made is what the runtime keeps of the container that it is to make.
type made struct {
	kind   Kind
	dir    string    // of the container, in the runtime's folder
	before hook.Init // of the container that there was before
	own    string    // the bundle
	report reporter
	// remove is the command that deletes it, and cwd where it is run.
	remove []string
	cwd    string
}

// newMade notes what there is before the runtime is started: it refuses to make
// a container under an id that is taken.
func (w *wrapper) newMade() (*made, error) {
	r := &made{kind: w.kind, report: w.reporter()}
	var err error
	if r.dir, err = filepath.Abs(filepath.Join(w.stateRoot(), w.ID)); err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	if r.own, err = filepath.Abs(w.bundle()); err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	if c := r.read(); c != nil {
		r.before = c.init
	}
	g := grammars[w.kind]
	rest, _ := g.read(g.global, w.Args, func(string, string) {}) // it has been read before
	global := w.Args[:len(w.Args)-len(rest)]
	r.remove = slices.Concat([]string{w.real}, global, []string{"delete", "--force", w.ID})
	if r.cwd, err = os.Getwd(); err != nil { // what they name may be relative
		return nil, fmt.Errorf("runtime: %w", err)
	}
	return r, nil
}

// read returns the container; nil where there is none.
func (r *made) read() *container {
	read := readRuncState
	if r.kind == Crun {
		read = readCrunState
	}
	c, err := read(r.dir)
	if err != nil || c.init.PID <= 0 {
		return nil
	}
	return c
}

// unhooked returns the container that the runtime has made without the hook; nil
// where there is none. Under one id another bundle's container can be made at the
// same time: that one has its own filter.
func (r *made) unhooked() *container {
	c := r.read()
	if c == nil || c.init == r.before || !c.init.Alive() {
		return nil
	}
	if c.bundle != r.own && filtered(c.init.PID) {
		return nil
	}
	return c
}

// filtered reports whether the kernel has a filter on a process, suspended or not.
func filtered(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && strings.Contains(string(text), "\nSeccomp:\t2\n")
}

// unhooked destroys a container that the runtime has made without the hook: it kills
// the container's init, ends the runtime, where it is still there, with a failure,
// and deletes the container.
func (a *attendant) unhooked() error {
	if a.made == nil {
		return nil
	}
	c := a.made.unhooked()
	if c == nil {
		return nil
	}
	deadline.Set(deadline.Limit)
	pidfd, err := unix.PidfdOpen(c.init.PID, 0)
	if err == nil {
		if c.init.Alive() { // and the pidfd is its own
			err = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		}
		unix.Close(pidfd)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		err = fmt.Errorf("kill process %d: %w", c.init.PID, err)
	} else {
		err = nil
	}
	// The engine reads it when the runtime has ended. crun, too, has begun the file
	// anew by now.
	a.made.report.log("error", "seccomp-hook: "+errUnhooked.Error())
	if pid, gone := processOf(callerFD); gone == nil {
		err = errors.Join(err, install.End(callerFD, pid, exitFailure, func() error { return nil }))
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline.Limit/2)
	defer cancel()
	remove := exec.CommandContext(ctx, a.made.remove[0], a.made.remove[1:]...)
	remove.Dir, remove.WaitDelay = a.made.cwd, deadline.Limit/10
	if removeErr := remove.Run(); removeErr != nil {
		err = errors.Join(err, fmt.Errorf("delete the container: %w", removeErr))
	}
	if err != nil {
		a.made.report.log("error", "seccomp-hook: "+err.Error())
	}
	return errors.Join(errUnhooked, err)
}
