//go:build linux

package install

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// defaultRuntimes are the runtimes that always execute the container's program
// with execve, as the first program after the hooks.
var defaultRuntimes = []string{"runc", "crun"}

// identify checks that the process is the init that the request means: alive,
// traced by nobody but tracer (0: nobody), a child of the runtime that called
// the hook, and running a known runtime.
func (p *process) identify(r *Request, tracer int) error {
	st, err := p.status(p.pid)
	if err != nil {
		return err
	}
	if st.ended() {
		return ErrGone
	}
	if t := st.number("TracerPid"); t > 0 && t != tracer {
		return &detailed{ErrTraced, fmt.Sprintf("by process %d, which must let go of it first", t)}
	}
	if parent := st.number("PPid"); r.Parent != 0 && parent != r.Parent {
		return &detailed{ErrNotRuntime, fmt.Sprintf("its parent is process %d, not %d", parent, r.Parent)}
	}
	exe, err := p.link("exe")
	if err != nil {
		return err
	}
	cmdline, err := p.read("cmdline")
	if err != nil {
		return err
	}
	argument0, _, _ := bytes.Cut(cmdline, []byte{0})
	known := r.Runtimes
	if known == nil {
		known = defaultRuntimes
	}
	if name := runtimeName(exe, string(argument0), st.field("Name")); !slices.Contains(known, name) {
		return &detailed{ErrNotRuntime, fmt.Sprintf("it runs %q (%s), not one of %s", name, exe, strings.Join(known, ", "))}
	}
	return nil
}

// runtimeName returns the file name of the runtime that a process runs, from
// its /proc/PID/exe, its argument 0 and its thread name. Runtimes protect
// their own file from the container by running a copy or another mount of it
// (CVE-2019-5736), which has no name of its own:
//
//	/usr/sbin/runc                                  the file itself
//	/runc                                           runc >= 1.2: a private overlay mount of the file's directory
//	/                                               runc 1.1, crun: a private bind mount of the file
//	/memfd:runc_cloned:/proc/self/exe (deleted)     a sealed copy in memory
//	/run/runc/runc.x8Hs9Z (deleted), /run/#8 (deleted)  a copy in the state directory (O_TMPFILE or mkostemp)
//
// For those that have none, runc's init is known by its thread name, which
// nsexec.c sets; otherwise argument 0 counts, which is the runtime's own.
func runtimeName(exe, argument0, comm string) string {
	file, deleted := strings.CutSuffix(exe, " (deleted)")
	if memfd, is := strings.CutPrefix(file, "/memfd:"); is {
		name, _, _ := strings.Cut(memfd, "_cloned:")
		return name
	}
	if file != "/" && !deleted {
		return path.Base(file)
	}
	if comm == "runc:[2:INIT]" {
		return "runc"
	}
	return path.Base(argument0)
}

// detailed is a reason with what belongs to the case at hand.
type detailed struct {
	reason error
	detail string
}

func (d *detailed) Error() string { return d.reason.Error() + ": " + d.detail }
func (d *detailed) Unwrap() error { return d.reason }
