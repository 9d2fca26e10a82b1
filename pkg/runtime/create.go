package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/spec"
)

// create prepares a container for create and run: it decides on its filter,
// starts the attendant that is going to install it, and edits what the runtime
// reads. A container that gets no filter is the real runtime's alone.
func (w *wrapper) create() error {
	if w.ID == "" {
		return nil // the real runtime says what is missing, or prints its help
	}
	at(StepLock)
	dir, err := lockBundle(w.bundle())
	if err != nil {
		return err
	}
	defer dir.Close() // where this process stays; the attendant has the lock, too
	text, err := readConfig(dir, spec.MaxSize)
	if err != nil {
		return fmt.Errorf("runtime: %w", err)
	}
	config, err := bundle.Parse(text)
	if err != nil {
		return fmt.Errorf("runtime: %w", err)
	}
	at(StepDecide)
	decision, err := w.decide(config)
	if err != nil {
		return err
	}
	dispatch, err := dispatchOf(config, decision)
	if err != nil || decision == nil {
		return err
	}
	at(StepAttend)
	o := &order{
		Bundle:          dir.Name(),
		Filter:          decision.Filter,
		Annotations:     decision.Annotations,
		NoNewPrivileges: config.NoNewPrivileges(),
		Runtimes:        w.runtimes(),
		Foreground:      w.Command == "run" && !w.Keep,
		Dispatch:        dispatch,
	}
	if w.kind() == crunKind {
		o.Report = w.reporter()
	}
	o.StandIn = config.Apply(bundle.Edit{
		RemoveSeccomp: true,
		Hooks:         []bundle.Hook{{Stage: bundle.CreateRuntime, Hook: w.announcement()}},
		Annotations:   decision.Annotations,
	})
	if err := startAttendant(o, dir); err != nil {
		return fmt.Errorf("runtime: start the attendant: %w", err)
	}
	at(StepReplace)
	_, err = place(dir, o.StandIn)
	return err
}

// bundle is the path of the container's bundle.
func (w *wrapper) bundle() string {
	if w.Bundle == "" {
		return "."
	}
	return w.Bundle
}

// decide chooses the container's profile and gets its filter, nil where it gets
// none from here.
func (w *wrapper) decide(config *bundle.Config) (*hook.Result, error) {
	if !hostRoot() {
		// Only root of the host can suspend a filter. The runtime's own one
		// says the same; but it knows nothing of annotations.
		if name, named := config.Annotation(filterAnnotation); named {
			return nil, fmt.Errorf("runtime: annotation %s: %s: only root of the host can install it", filterAnnotation, name)
		}
		return nil, nil
	}
	decision, err := hook.Decide(config, hook.Options{DefaultProfile: w.config.DefaultProfile, ProfileDirs: w.config.ProfileDirs})
	if err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	w.warn(decision)
	if decision.Filter == nil {
		return nil, nil
	}
	if err := w.checkKind(); err != nil {
		return nil, err
	}
	// What the kernel does not have is refused before the runtime does
	// anything.
	installable, err := hook.Installable(decision.Filter)
	if err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	if w.Debug {
		// runc's words (libcontainer/seccomp, patchbpf), and its value: TSYNC,
		// which is always there, is not in it.
		w.reporter().tell(os.Stderr, "debug", fmt.Sprintf("seccomp filter flags: %d", installable.Flags&^install.TSync))
	}
	return decision, nil
}

// warn logs what the profile's author should know; once, not at every start.
func (w *wrapper) warn(decision *hook.Result) {
	for _, text := range decision.Warnings {
		w.reporter().log("warning", "seccomp-hook: "+text)
	}
	if decision.Filter == nil || decision.Annotations[storeAnnotation] == storeHit {
		return
	}
	for _, text := range decision.Filter.Warnings {
		w.reporter().log("warning", "seccomp-hook: "+text)
	}
}

// hostRoot reports whether this process is root of the host, in its initial
// user namespace: the one that maps every id to itself.
func hostRoot() bool {
	if os.Geteuid() != 0 {
		return false
	}
	text, err := os.ReadFile("/proc/self/uid_map")
	if errors.Is(err, os.ErrNotExist) {
		return true // a kernel without user namespaces
	}
	return err == nil && strings.Join(strings.Fields(string(text)), " ") == "0 0 4294967295"
}

// socketPath is where the attendant of this process listens. It is named after
// the process, so that what a killed attendant has left can be told.
func socketPath() string {
	return filepath.Join(attendantDir, fmt.Sprintf("%d", os.Getpid()))
}
