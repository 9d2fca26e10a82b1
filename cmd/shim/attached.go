//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/log"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/runtime"
)

// attached is what is known of a created container's filter.
type attached struct {
	// annotations are those that begin with filter.AnnotationPrefix; none where
	// the container has no filter.
	annotations map[string]string
}

// inspect asks the kernel and the published state whether a created container
// has the filter that its config.json asks for. A container without a profile
// (privileged, unconfined) has none, and nothing is published of it; nor is of one
// whose filter the runtime installs itself.
func inspect(id string, pid int, config []byte, where home) (*attached, error) {
	text, err := hook.State(hook.DefaultRoot, id)
	if errors.Is(err, hook.ErrNoContainer) {
		return own(id, config, where)
	}
	if err != nil {
		return nil, err
	}
	var state specs.State
	if err := json.Unmarshal(text, &state); err != nil {
		return nil, fmt.Errorf("published state: %w", err)
	}
	if state.Pid != pid {
		// An earlier container's, or that of one under another root.
		return own(id, config, where)
	}
	a := &attached{annotations: map[string]string{}}
	for name, value := range state.Annotations {
		if strings.HasPrefix(name, filter.AnnotationPrefix) {
			a.annotations[name] = value
		}
	}
	if install.Mode(a.annotations[filter.AnnotationInstallMode]) == install.ModeExec {
		return a, nil // the kernel kills init at its exec unless it gets the filter
	}
	mode, err := seccompMode(pid)
	if err == nil && mode != modeFilter {
		err = fmt.Errorf("process %d: /proc/%d/status has Seccomp %d", pid, pid, mode)
	}
	return a, err
}

// own returns what is known of a container of which nothing is published.
func own(id string, text []byte, where home) (*attached, error) {
	config, err := bundle.Parse(text)
	if err != nil {
		return nil, err
	}
	err = unasked(config)
	if err == nil || config.Seccomp() == nil || where.root == "" {
		return &attached{}, err
	}
	if _, named := config.Annotation(filter.AnnotationProfile); named {
		return nil, err
	}
	// The runtime installs it just before the container's program, so there is
	// nothing yet that the kernel could be asked for.
	mode, stateErr := runtime.Compiles(where.kind, where.root, id)
	if stateErr != nil || mode == "" {
		return nil, errors.Join(err, stateErr)
	}
	return &attached{annotations: map[string]string{filter.AnnotationInstallMode: mode}}, nil
}

// unasked reports as an error that a config.json asks for a filter, for a
// container of which none is known.
func unasked(config *bundle.Config) error {
	if name, named := config.Annotation(filter.AnnotationProfile); named {
		return fmt.Errorf("annotation %s names %s, and no filter is published", filter.AnnotationProfile, name)
	}
	if config.Seccomp() == nil {
		return nil
	}
	// It can ask for none: no rules and no default action.
	_, _, err := (&filter.Request{Profile: "config.json", Text: config.Seccomp(), Seccomp: true}).Policy()
	switch {
	case errors.Is(err, filter.ErrDisabled):
		return nil
	case err != nil:
		return err
	}
	return errors.New("config.json has linux.seccomp, and no filter is published")
}

// modeFilter is SECCOMP_MODE_FILTER.
const modeFilter = 2

// seccompMode returns a process's seccomp mode: 2 with a filter, suspended or
// live (proc(5)).
func seccompMode(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("Seccomp:")); ok {
			return strconv.Atoi(string(bytes.TrimSpace(value)))
		}
	}
	return 0, fmt.Errorf("process %d: /proc/%d/status has no Seccomp", pid, pid)
}

// log tells what an operator wants to measure.
func (a *attached) log(ctx context.Context, id string, took time.Duration) {
	fields := log.Fields{"container": id, "took": took.Round(time.Microsecond).String()}
	for name, value := range a.annotations {
		fields[strings.TrimPrefix(name, filter.AnnotationPrefix)] = value
	}
	if a.annotations == nil {
		log.G(ctx).WithFields(fields).Info("seccomp: no profile, no filter")
		return
	}
	log.G(ctx).WithFields(fields).Info("seccomp: filter installed")
}
