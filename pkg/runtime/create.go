package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/record"
	"seccomp-hook/pkg/spec"
)

// order decides on a container's filter, and on what the runtime reads in the
// place of its config.json, which is the file name of a locked bundle. A
// container that gets no filter is the real runtime's alone: it has no order.
func (w *wrapper) order(dir *os.File, name string) (*order, error) {
	text, err := readConfig(dir, name, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	return w.orderOf(text, dir)
}

// orderOf is order for the text of a configuration. It has the bundle where another
// file is to stand in for it there.
func (w *wrapper) orderOf(text []byte, dir *os.File) (*order, error) {
	config, err := bundle.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	at(StepDecide)
	claims := filter.Claims(config.Annotations())
	if len(claims) > 0 {
		w.reporter().log("warning", fmt.Sprintf("seccomp-hook: annotations that only seccomp-hook may write are taken out: %q", claims))
	}
	o, err := w.filterOrder(config, dir)
	if err != nil || o != nil || !hostRoot() {
		return o, err
	}
	if _, asked := config.Annotation(record.Annotation); len(claims) == 0 && !asked {
		return nil, nil
	}
	// The container gets no filter from here, and must not say that it has.
	if !config.MountNamespace() { // as in filterOrder
		if len(claims) == 0 {
			return nil, fmt.Errorf("runtime: annotation %s: the container has not a mount namespace of its own", record.Annotation)
		}
		return nil, fmt.Errorf("runtime: annotations %q: only seccomp-hook may write them", claims)
	}
	o = &order{config: config}
	hooks, err := w.announcements(config)
	if err != nil {
		return nil, err
	}
	o.StandIn = config.Apply(bundle.Edit{Hooks: hooks, RemoveAnnotations: claims, MountSources: w.ownSources(config, dir)})
	return o, nil
}

// announcements are the hooks that the container gets.
func (w *wrapper) announcements(config *bundle.Config) ([]bundle.Hook, error) {
	hooks := []bundle.Hook{{Stage: bundle.CreateRuntime, Hook: w.announcement()}}
	recording, err := w.recording(config)
	return append(hooks, recording...), err
}

// hookName is the program that is the plain hook.
const hookName = "seccomp-hook"

// hookPath is where it is, beside this executable.
func (w *wrapper) hookPath() string { return filepath.Join(filepath.Dir(w.self), hookName) }

// isHook reports whether a hook is the plain one, with nothing more on its command
// line, as its package gives it to Podman and CRI-O. It would install what
// seccomp-runc installs, and neither could trace an init that the other one traces.
// A flag of its can name another filter: that hook stays, and the start is refused.
func (w *wrapper) isHook(stage bundle.Stage, path string, args []string) bool {
	if stage != bundle.Prestart && stage != bundle.CreateRuntime || len(args) != 2 {
		return false
	}
	plain := args[1] == bundle.Prestart.String() || args[1] == bundle.CreateRuntime.String()
	return plain && sameFile(path, w.hookPath())
}

// filterOrder is the order for a container that gets a filter.
func (w *wrapper) filterOrder(config *bundle.Config, dir *os.File) (*order, error) {
	if !config.MountNamespace() {
		// runc 1.1 calls createRuntime hooks twice there, and once before it has
		// made the container's init what it is (runc, rootfs_linux.go and
		// process_linux.go).
		if native, err := w.native(config, errHostMounts); native || err != nil {
			return nil, err
		}
	}
	decision, err := w.decide(config)
	if err != nil {
		// A profile with which nothing is wrong but that it has no proved program.
		var none *filter.NoProgramError
		if errors.As(err, &none) || errors.Is(err, spec.ErrTooLarge) {
			if native, nativeErr := w.native(config, err); native || nativeErr != nil {
				return nil, nativeErr
			}
		}
		return nil, err
	}
	if decision != nil && w.listens(config, decision.Filter) {
		if native, err := w.native(config, errListens); native || err != nil {
			return nil, err
		}
	}
	dispatch, err := dispatchOf(config, decision)
	if err != nil || decision == nil {
		return nil, err
	}
	o := &order{
		config:          config,
		Filter:          decision.Filter,
		Annotations:     decision.Annotations,
		NoNewPrivileges: config.NoNewPrivileges(),
		Runtimes:        w.runtimes(),
		StateRoot:       w.stateRoot(),
		Foreground:      w.Command == "run" && !w.Keep,
		Dispatch:        dispatch,
	}
	if w.kind == Crun {
		o.Report = w.reporter()
	}
	hooks, err := w.announcements(config)
	if err != nil {
		return nil, err
	}
	o.StandIn = config.Apply(bundle.Edit{
		RemoveSeccomp:     true,
		RemoveHook:        w.isHook,
		Hooks:             hooks,
		RemoveAnnotations: filter.Claims(config.Annotations()),
		Annotations:       decision.Annotations,
		MountSources:      w.ownSources(config, dir),
	})
	return o, nil
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
	decision, err := hook.Decide(config, hook.Options{DefaultProfile: w.config.DefaultProfile, ProfileDirs: w.config.ProfileDirs, AnnotationReplaces: w.config.Annotation == annotationReplaces})
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
		w.reporter().tell(w.stderr, "debug", fmt.Sprintf("seccomp filter flags: %d", installable.Flags&^install.TSync))
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
var hostRoot = sync.OnceValue(func() bool {
	if os.Geteuid() != 0 {
		return false
	}
	text, err := os.ReadFile("/proc/self/uid_map")
	if errors.Is(err, os.ErrNotExist) {
		return true // a kernel without user namespaces
	}
	return err == nil && strings.Join(strings.Fields(string(text)), " ") == "0 0 4294967295"
})

// socketPath is where the attendant listens. It is named after the process that
// is going to be the runtime, so that what a killed attendant has left can be
// told.
func (w *wrapper) socketPath() string { return filepath.Join(attendantDir, strconv.Itoa(w.pid)) }
