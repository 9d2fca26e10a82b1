package hook

import (
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/install"
)

// ReadState reads the OCI state that a runtime hands to a hook that it calls
// while it creates a container, and checks that it is one.
func ReadState(r io.Reader) (*specs.State, error) {
	state, err := readState(r)
	if err == nil {
		err = checkCreating(state)
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return state, nil
}

// Finish does what Run does after the installation: it hands the listener to
// the agent and publishes the container. annotations are those of Decide. On
// an error nothing is published, and the container must not be started.
func Finish(root string, state *specs.State, f *filter.Filter, annotations map[string]string, installed *install.Result, took time.Duration) error {
	r := &Result{ID: state.ID, Filter: f, Annotations: maps.Clone(annotations)}
	r.installed(installed, took)
	var err error
	if installed.Listener != nil {
		err = Notify(f.Listener, installed.Listener, state, state.Pid)
		// It is the agent's alone: calls fail when that has closed it.
		installed.Listener.Close()
	}
	if err == nil {
		err = r.publish(rootOr(root), state, f)
	}
	if err != nil {
		_ = Remove(root, state.ID) // err counts
		return fmt.Errorf("container %s: %w", state.ID, err)
	}
	return nil
}

// installed notes an installation.
func (r *Result) installed(i *install.Result, took time.Duration) {
	r.Annotations[filter.AnnotationInstallMode] = string(i.Mode)
	r.Annotations[filter.AnnotationInstallMicroseconds] = strconv.FormatInt(took.Microseconds(), 10)
}

// Published reports whether something is published of a container, or of an
// earlier one with its id.
func Published(root, id string) bool {
	if checkID(id) != nil {
		return false
	}
	_, err := os.Lstat(directory(root, id))
	return err == nil
}
