package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
	"seccomp-hook/pkg/watch"
)

// subject is the container whose calls are watched: its filters, and the profile
// where that is known.
type subject struct {
	id       string // "" where only a process is known
	pid      int
	scope    watch.Scope
	programs []bpf.Program // the oldest first
	state    *live.State

	policy   *spec.Policy // nil where no profile is known
	profile  *spec.Profile
	name     string   // of the profile
	warnings []string // why no profile is known
}

// subjectFlags name a container.
type subjectFlags struct {
	pid           int
	cgroup        string
	profile, root string
	target        target
}

// positive refuses flags that are given a number, or a duration, that is not more than 0.
func positive(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		f := cmd.Flags().Lookup(name)
		if value := f.Value.String(); f.Changed && (value == "0" || value == "0s" || strings.HasPrefix(value, "-")) {
			return usage("--%s %s: it must be more than 0", name, value)
		}
	}
	return nil
}

// needsRoot says that an error is one for want of root, where it is.
func needsRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return fmt.Errorf("%w (it takes root)", err)
	}
	return err
}

// find finds the container that the flags or an argument name.
func (f *subjectFlags) find(args []string) (*subject, error) {
	given := len(args)
	if f.pid != 0 {
		given++
	}
	if f.cgroup != "" {
		given++
	}
	if given != 1 {
		return nil, usage("one of ID, --pid and --cgroup is needed")
	}
	s := &subject{pid: f.pid}
	var origin func() (filter.Request, error)
	var err error
	if f.profile != "" { // one that cannot be read is no surprise for later
		r, err := f.target.request(f.profile)
		if err == nil {
			_, _, err = r.Policy()
		}
		if err != nil {
			return nil, err
		}
		origin = func() (filter.Request, error) { return r, nil }
	}
	switch {
	case len(args) == 1:
		s.id = args[0]
		var state *specs.State
		if s.pid, state, err = containerInit(f.root, s.id); err != nil {
			return nil, err
		}
		if state != nil && origin == nil {
			origin = func() (filter.Request, error) { return hook.Origin(state) }
		}
		s.scope, err = watch.Of(s.pid)
	case f.cgroup != "":
		s.scope, err = watch.Cgroup(f.cgroup)
		if err != nil {
			return nil, err
		}
		var members []int
		if members, err = s.scope.Members(); err == nil && len(members) == 0 {
			err = fmt.Errorf("cgroup %s: no process is in it", f.cgroup)
		}
		if err == nil {
			s.pid = members[0]
		}
	default:
		s.scope, err = watch.Of(s.pid)
	}
	if err != nil {
		return nil, err
	}
	return s, s.read(origin)
}

// read reads what the process has installed, and finds the profile that says so.
func (s *subject) read(origin func() (filter.Request, error)) error {
	status, err := live.ReadStatus(s.pid)
	if err != nil {
		return err
	}
	const filtered = 2
	if status.Mode != filtered {
		s.warnings = append(s.warnings, fmt.Sprintf("process %d has no filter: its calls are counted, and nothing is cached or denied", s.pid))
		return nil
	}
	installed, err := live.Programs(s.pid)
	if err != nil {
		return err
	}
	for _, p := range installed {
		s.programs = append(s.programs, p.Program)
	}
	reader, err := live.NewReader()
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // it was only read
	if s.state, err = reader.Read(s.pid); err != nil {
		return err
	}
	if s.state.Count != len(s.programs) || len(s.state.Filters) == 0 {
		return fmt.Errorf("process %d: its filters changed meanwhile", s.pid)
	}
	if origin == nil {
		s.warnings = append(s.warnings, "no profile is known: rules are the program's own; --profile names one")
		return nil
	}
	if err := s.explainBy(origin); err != nil {
		s.warnings = append(s.warnings, fmt.Sprintf("rules are the program's own, because the profile does not explain it: %v", err))
	}
	return nil
}

// explainBy takes a profile that is proved to say what the program does.
func (s *subject) explainBy(origin func() (filter.Request, error)) error {
	r, err := origin()
	if err != nil {
		return err
	}
	policy, profile, err := r.Policy()
	if err != nil {
		return err
	}
	for i := range s.programs {
		result, err := verify.Policy(policy, s.programs[i])
		if err != nil {
			return err
		}
		if result.Outcome == verify.Equal {
			s.policy, s.profile, s.name = policy, profile, r.Profile
			return nil
		}
		err = fmt.Errorf("profile %s: %s", r.Profile, result)
		if i == len(s.programs)-1 {
			return err
		}
	}
	return nil
}

// options are what a Watcher is told of the container.
func (s *subject) options() watch.Options {
	o := watch.Options{Scope: s.scope, Programs: s.programs}
	if s.state != nil {
		o.Filter = s.state.Filters[len(s.state.Filters)-1].Address
		o.Cache, _ = s.state.Cache()
	}
	return o
}

// rule says what decided about a call that got a verdict: the rule of the
// profile, or the instruction of the program.
func (s *subject) rule(d *bpf.Data, r bpf.Return) string {
	if s.policy != nil && s.policy.Evaluate(d) == r {
		answer := explain.Why(s.policy, s.profile, d, len(d.Args))
		return answer.Cases[0].Reason
	}
	words := d.Words(arch.Native().Endian)
	for i := len(s.programs) - 1; i >= 0; i-- {
		got, at, err := s.programs[i].Decide(&words)
		if err == nil && got == r {
			return fmt.Sprintf("filter %d, instruction %d", i, at)
		}
	}
	return "unknown"
}

// errNoContainer says that no runtime knows a container.
var errNoContainer = errors.New("no such container: neither seccomp-hook nor a runtime in its usual place knows it; --pid names its first process")

// runtimeStates are where runtimes keep what they know of their containers, the
// file in a container's folder, and what the property with its first process is
// called: runc (state.json of libcontainer) and crun (status), alone and below the
// engines. Below containerd there is a folder for each of its namespaces.
var runtimeStates = []struct {
	dir, file, pid string
	namespaces     bool
}{
	{"/run/runc", "state.json", "init_process_pid", false},
	{"/run/crun", "status", "pid", false},
	{"/run/docker/runtime-runc", "state.json", "init_process_pid", true},
	{"/run/containerd/runc", "state.json", "init_process_pid", true},
}

// below returns the folders in a folder whose names begin so; none, where it
// cannot be read.
func below(dir, prefix string) (list []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			list = append(list, filepath.Join(dir, e.Name()))
		}
	}
	return list
}

// containerInit returns the first process of a container, and the published state
// where it is one of ours. An id can be shortened as long as it is the only one
// that begins so.
func containerInit(root, id string) (int, *specs.State, error) {
	text, err := hook.State(root, id)
	if err == nil {
		state := new(specs.State)
		if err := json.Unmarshal(text, state); err != nil {
			return 0, nil, fmt.Errorf("container %s: %w", id, err)
		}
		return state.Pid, state, nil
	}
	if !errors.Is(err, hook.ErrNoContainer) {
		return 0, nil, err
	}
	if id == "" || strings.Contains(id, "/") {
		return 0, nil, usage("%q is not the id of a container", id)
	}
	for _, s := range runtimeStates {
		roots := []string{s.dir}
		if s.namespaces {
			roots = below(s.dir, "")
		}
		var found []string
		for _, root := range roots {
			found = append(found, below(root, id)...)
		}
		if exact := slices.IndexFunc(found, func(dir string) bool { return filepath.Base(dir) == id }); exact >= 0 {
			found = found[exact : exact+1]
		}
		switch len(found) {
		case 0:
			continue
		case 1:
		default:
			return 0, nil, fmt.Errorf("container %s: %d containers begin so", id, len(found))
		}
		path := filepath.Join(found[0], s.file)
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, nil, fmt.Errorf("container %s: %w", id, err)
		}
		var state map[string]json.RawMessage
		var pid int
		if err := json.Unmarshal(text, &state); err != nil {
			return 0, nil, fmt.Errorf("container %s: %s: %w", id, path, err)
		}
		if err := json.Unmarshal(state[s.pid], &pid); err != nil || pid <= 0 {
			return 0, nil, fmt.Errorf("container %s: %s: no %q", id, path, s.pid)
		}
		return pid, nil, nil
	}
	return 0, nil, fmt.Errorf("container %s: %w", id, errNoContainer)
}
