package metrics_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/counter"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/metrics"
)

// publish publishes a container as a start does.
func publish(t *testing.T, root, id string, pid int, annotations map[string]string) {
	t.Helper()
	state := specs.State{ID: id, Pid: pid, Annotations: map[string]string{}}
	for name, value := range annotations {
		state.Annotations[filter.AnnotationPrefix+name] = value
	}
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "containers", id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "state.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, root string) string {
	t.Helper()
	text, err := metrics.Text(root)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n# HELP seccomp_hook_store_misses_total")
	return "# HELP seccomp_hook_store_misses_total" + rest
}

// TestText: everything that there is a metric of.
func TestText(t *testing.T) {
	root := t.TempDir()
	self := os.Getpid()
	x := map[string]string{
		"install.mode": "suspend", "store": "hit", "profile": "config.json", "program.sha256": "0123456789abcdef",
		"cache.x86_64.cached": "310", "cache.x86_64.constant": "382", "cache.x86_64.dynamic": "3", "cache.x86_64.total": "385",
	}
	publish(t, root, "a", self, x)
	publish(t, root, "b", self, x)
	publish(t, root, "c", self, map[string]string{"install.mode": "none"})
	publish(t, root, "ended", 1<<22+1, x) // no process has such a number (PID_MAX_LIMIT)
	publish(t, root, "odd", self, map[string]string{"install.mode": "suspend", "store": "miss", "profile": "a\"b\\c\nd\x1b", "program.sha256": "1"})
	if err := counter.Add(root, map[string]float64{counter.StoreMisses: 3, counter.CompileSeconds: 0.5, counter.FailurePrefix + "profile": 2}); err != nil {
		t.Fatal(err)
	}
	const want = `# HELP seccomp_hook_store_misses_total Filters that were not in the store, and were compiled and proved.
# TYPE seccomp_hook_store_misses_total counter
seccomp_hook_store_misses_total 3
# HELP seccomp_hook_compile_seconds_total Time that compiling took, from the text of the profile.
# TYPE seccomp_hook_compile_seconds_total counter
seccomp_hook_compile_seconds_total 0.5
# HELP seccomp_hook_proof_seconds_total Time that proving took.
# TYPE seccomp_hook_proof_seconds_total counter
seccomp_hook_proof_seconds_total 0
# HELP seccomp_hook_install_failures_total Containers and execs under the shim that did not start because of their filter.
# TYPE seccomp_hook_install_failures_total counter
seccomp_hook_install_failures_total{reason="profile"} 2
# HELP seccomp_hook_store_entries Filters in the store; a ready one is in the form that starts take.
# TYPE seccomp_hook_store_entries gauge
seccomp_hook_store_entries{kind="filter"} 0
seccomp_hook_store_entries{kind="ready"} 0
# HELP seccomp_hook_store_size_bytes What the filters in the store take.
# TYPE seccomp_hook_store_size_bytes gauge
seccomp_hook_store_size_bytes{kind="filter"} 0
seccomp_hook_store_size_bytes{kind="ready"} 0
# HELP seccomp_hook_containers Running containers, by how the filter was installed, and whether the start found it in the store.
# TYPE seccomp_hook_containers gauge
seccomp_hook_containers{mode="none",store=""} 1
seccomp_hook_containers{mode="suspend",store="hit"} 2
seccomp_hook_containers{mode="suspend",store="miss"} 1
# HELP seccomp_hook_program_containers Running containers that have this program.
# TYPE seccomp_hook_program_containers gauge
seccomp_hook_program_containers{program="0123456789ab",profile="config.json"} 2
seccomp_hook_program_containers{program="1",profile="a\"b\\c\nd\\u001b"} 1
# HELP seccomp_hook_program_calls System calls of a program that runs: cached by the kernel (among the constant ones), constant, or dynamic (depends on arguments).
# TYPE seccomp_hook_program_calls gauge
seccomp_hook_program_calls{program="0123456789ab",arch="x86_64",kind="cached"} 310
seccomp_hook_program_calls{program="0123456789ab",arch="x86_64",kind="constant"} 382
seccomp_hook_program_calls{program="0123456789ab",arch="x86_64",kind="dynamic"} 3
`
	if got := text(t, root); got != want {
		t.Errorf("have:\n%s\nwant:\n%s", got, want)
	}
}

// TestNothing: a host on which nothing has started has no store afterwards either.
func TestNothing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	if got := text(t, root); !strings.Contains(got, "seccomp_hook_store_misses_total 0\n") || strings.Contains(got, "containers") {
		t.Error(got)
	}
	if _, err := os.Lstat(root); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// TestStored: what is compiled is counted, and what is found is not.
func TestStored(t *testing.T) {
	root := t.TempDir()
	if err := os.Chmod(root, 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := filter.Open(hook.StoreDir(root))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r := filter.Request{Profile: "p", Text: []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO"}]}`)}
	first, err := store.Filter(r)
	if err != nil || first.Took.Compile <= 0 || first.Took.Proof <= 0 {
		t.Fatal(first, err)
	}
	if second, err := store.Filter(r); err != nil || !second.Hit || second.Took != (filter.Took{}) {
		t.Error(second, err)
	}
	if got := text(t, root); !strings.Contains(got, "seccomp_hook_store_entries{kind=\"filter\"} 1\n") {
		t.Error(got)
	}
}

// TestWriteFile: a reader sees the old file or the new one, and node_exporter may read it.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "seccomp-hook.prom")
	for _, want := range []string{"a 1\n", "a 2\n"} {
		if err := metrics.WriteFile(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Error(info.Mode(), err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
	if err := metrics.WriteFile(filepath.Join(dir, "nothing", "x.prom"), nil); err == nil {
		t.Error("written to a folder that is not there")
	}
}
