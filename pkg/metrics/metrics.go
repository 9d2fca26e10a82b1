// Package metrics says what a host's filters do in the text format that Prometheus
// reads (https://prometheus.io/docs/instrumenting/exposition_formats/), for the
// textfile collector of node_exporter. All of it is read from what is published and
// stored anyway, and from package counter's numbers.
package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/counter"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/printable"
)

// family is a metric with all its samples.
type family struct {
	name, kind, help string
	samples          map[string]float64 // by their labels, as they are written
}

// add adds to a sample.
func (f *family) add(value float64, labels ...string) {
	if f.samples == nil {
		f.samples = map[string]float64{}
	}
	var b strings.Builder
	for i := 0; i < len(labels); i += 2 {
		fmt.Fprintf(&b, `%s="%s",`, labels[i], escaped.Replace(printable.Text(labels[i+1])))
	}
	f.samples[strings.TrimSuffix(b.String(), ",")] += value
}

// escaped is what a label's value has as an escape sequence; what does not print has
// become one before.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Text returns the metrics of a root (hook.DefaultRoot if empty).
func Text(root string) ([]byte, error) {
	if root == "" {
		root = hook.DefaultRoot
	}
	counters, err := counter.Read(root)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	families := counted(counters)
	entries, bytes, err := stored(root)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	running, err := containers(root)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	info := &family{name: "seccomp_hook_info", kind: "gauge", help: "Always 1; the label is the version that wrote this."}
	info.add(1, "version", filter.Version())
	var text []byte
	for _, f := range slices.Concat([]*family{info}, families, []*family{entries, bytes}, running) {
		text = f.append(text)
	}
	return text, nil
}

// append writes a family; one without samples is left out.
func (f *family) append(text []byte) []byte {
	if len(f.samples) == 0 {
		return text
	}
	text = fmt.Appendf(text, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
	for _, labels := range slices.Sorted(maps.Keys(f.samples)) {
		text = append(text, f.name...)
		if labels != "" {
			text = fmt.Appendf(text, "{%s}", labels)
		}
		text = fmt.Appendf(text, " %s\n", strconv.FormatFloat(f.samples[labels], 'g', -1, 64))
	}
	return text
}

// counted are the counters since the root was made, which is at boot.
func counted(counters map[string]float64) []*family {
	var list []*family
	for _, c := range []struct{ counter, name, help string }{
		{counter.StoreMisses, "seccomp_hook_store_misses_total", "Filters that were not in the store, and were compiled and proved."},
		{counter.CompileSeconds, "seccomp_hook_compile_seconds_total", "Time that compiling took, from the text of the profile."},
		{counter.ProofSeconds, "seccomp_hook_proof_seconds_total", "Time that proving took."},
	} {
		f := &family{name: c.name, kind: "counter", help: c.help}
		f.add(counters[c.counter])
		list = append(list, f)
	}
	failures := &family{name: "seccomp_hook_install_failures_total", kind: "counter", help: "Containers and execs under the shim that did not start because of their filter."}
	for name, value := range counters {
		if reason, is := strings.CutPrefix(name, counter.FailurePrefix); is {
			failures.add(value, "reason", reason)
		}
	}
	return append(list, failures)
}

// stored says what is in the store.
func stored(root string) (entries, bytes *family, err error) {
	entries = &family{name: "seccomp_hook_store_entries", kind: "gauge", help: "Filters in the store; a ready one is in the form that starts take."}
	bytes = &family{name: "seccomp_hook_store_size_bytes", kind: "gauge", help: "What the filters in the store take."}
	for _, kind := range []string{"filter", "ready"} {
		entries.add(0, "kind", kind)
		bytes.add(0, "kind", kind)
	}
	// Opening the store would make it.
	if _, err := os.Lstat(hook.StoreDir(root)); errors.Is(err, fs.ErrNotExist) {
		return entries, bytes, nil
	}
	store, err := filter.Open(hook.StoreDir(root))
	if err != nil {
		return nil, nil, err
	}
	defer store.Close()
	list, err := store.List()
	for _, e := range list {
		kind := "filter"
		if strings.HasPrefix(e.Name, "ready-") {
			kind = "ready"
		}
		entries.add(1, "kind", kind)
		bytes.add(float64(e.Size), "kind", kind)
	}
	return entries, bytes, err
}

// containers says what is published of the containers that run.
func containers(root string) ([]*family, error) {
	ids, err := hook.IDs(root)
	if err != nil {
		return nil, err
	}
	running := &family{name: "seccomp_hook_containers", kind: "gauge", help: "Running containers, by how the filter was installed, and whether the start found it in the store."}
	programs := &family{name: "seccomp_hook_program_containers", kind: "gauge", help: "Running containers that have this program."}
	calls := &family{name: "seccomp_hook_program_calls", kind: "gauge", help: "System calls of a program that runs: cached by the kernel (among the constant ones), constant, or dynamic (depends on arguments)."}
	seen := map[string]bool{}
	for _, id := range ids {
		text, err := hook.State(root, id)
		if errors.Is(err, hook.ErrNoContainer) {
			continue // it has ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		var state specs.State
		if err := json.Unmarshal(text, &state); err != nil {
			return nil, fmt.Errorf("container %s: %w", id, err)
		}
		if state.Pid > 0 && unix.Kill(state.Pid, 0) == unix.ESRCH {
			continue
		}
		get := func(name string) string { return state.Annotations[filter.AnnotationPrefix+name] }
		running.add(1, "mode", get("install.mode"), "store", get("store"))
		program := get("program.sha256")
		if program == "" {
			continue
		}
		program = program[:min(len(program), 12)]
		programs.add(1, "program", program, "profile", get("profile"))
		if seen[program] {
			continue
		}
		seen[program] = true
		for name, value := range state.Annotations {
			// io.seccomp-hook.cache.x86_64.cached
			rest, is := strings.CutPrefix(name, filter.AnnotationPrefix+"cache.")
			arch, kind, two := strings.Cut(rest, ".")
			if n, err := strconv.ParseUint(value, 10, 32); is && two && kind != "total" && err == nil {
				calls.add(float64(n), "program", program, "arch", arch, "kind", kind)
			}
		}
	}
	return []*family{running, programs, calls}, nil
}

// WriteFile writes the metrics to a file that a collector may read at any time: it
// sees all of them or those before.
func WriteFile(path string, text []byte) error {
	// The collector takes what ends in ".prom".
	draft, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	_, err = draft.Write(text)
	if err == nil {
		err = draft.Chmod(0o644) // node_exporter is not root
	}
	if closeErr := draft.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(draft.Name(), path)
	}
	if err != nil {
		_ = os.Remove(draft.Name()) // err counts
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
