package hook

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
)

func TestInitOf(t *testing.T) {
	self, err := InitOf(os.Getpid())
	must(t, err)
	if self.PID != os.Getpid() || self.Start == 0 || !self.Alive() {
		t.Errorf("InitOf() = %+v, alive %v", self, self.Alive())
	}
	if later := (Init{self.PID, self.Start + 1}); later.Alive() {
		t.Error("a later process of the same number is taken for it")
	}
	if _, err := InitOf(deadProcess(t)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("InitOf() of a dead process: %v", err)
	}
}

// Two containers of one id, under different roots of the runtime, have each
// their own filter.
func TestFilterOf(t *testing.T) {
	root := t.TempDir()
	first, err := InitOf(os.Getppid())
	must(t, err)
	second, err := InitOf(os.Getpid())
	must(t, err)
	denyAll := &filter.Filter{Program: bpf.Program{bpf.Ret(bpf.Errno(1))}, Profile: "q"}
	must(t, publish(root, &specs.State{ID: "c1", Pid: first.PID}, allowAll))
	must(t, publish(root, &specs.State{ID: "c1", Pid: second.PID}, denyAll))
	must(t, publish(root, &specs.State{ID: "c1", Pid: second.PID}, denyAll)) // the hook runs twice
	want := func(init Init, f *filter.Filter) {
		t.Helper()
		got, err := FilterOf(root, "c1", init)
		if f == nil {
			if !errors.Is(err, ErrNoContainer) {
				t.Errorf("FilterOf(%v) = %v", init, err)
			}
			return
		}
		must(t, err)
		if !reflect.DeepEqual(got.Program, f.Program) {
			t.Errorf("FilterOf(%v) is another container's", init)
		}
	}
	want(first, allowAll)
	want(second, denyAll)
	want(Init{second.PID, second.Start + 1}, nil)

	must(t, Remove(root, "c1")) // as a poststop hook, which is not told which of them
	want(first, allowAll)
	must(t, Forget(root, "c1", first))
	want(first, nil)
	want(second, denyAll)
	must(t, Forget(root, "c1", second))
	if list, err := os.ReadDir(filepath.Join(root, containersDir)); err != nil || len(list) != 0 {
		t.Errorf("left are %v (%v)", list, err)
	}
	must(t, Forget(root, "c1", second))
}

// What a container that has ended has left goes with the next one of its id.
func TestForgetInits(t *testing.T) {
	root := t.TempDir()
	must(t, publish(root, &specs.State{ID: "c1", Pid: os.Getpid()}, allowAll))
	stale := filepath.Join(root, containersDir, "c1", Init{deadProcess(t), 1}.fileName())
	must(t, os.WriteFile(stale, nil, 0o600))
	must(t, os.WriteFile(filepath.Join(root, containersDir, "c1", initPrefix+"nonsense"), nil, 0o600))
	must(t, publish(root, &specs.State{ID: "c1", Pid: os.Getpid()}, allowAll))
	list, err := os.ReadDir(filepath.Join(root, containersDir, "c1"))
	if err != nil || len(list) != 3 {
		t.Errorf("there is %v (%v), want the state, the filter and its link", list, err)
	}
}

// What is published of a container that nobody has forgotten goes when it has
// ended, and not before.
func TestForgetEnded(t *testing.T) {
	root := t.TempDir()
	self, dead := os.Getpid(), deadProcess(t)
	for _, tc := range []struct {
		name   string
		pid    int
		filter *filter.Filter
		stays  bool
	}{
		{"filtered-alive", self, allowAll, true},
		{"filtered-ended", dead, allowAll, false},
		{"unfiltered-alive", self, nil, true},
		{"unfiltered-ended", dead, nil, false},
	} {
		must(t, publish(root, &specs.State{ID: tc.name, Pid: tc.pid}, tc.filter))
		must(t, ForgetEnded(root, tc.name))
		if _, err := State(root, tc.name); errors.Is(err, ErrNoContainer) == tc.stays {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	// The hook was killed before there was a state.
	must(t, os.MkdirAll(directory(root, "partial"), 0o700))
	must(t, os.WriteFile(filepath.Join(directory(root, "partial"), "."+filterFile), nil, 0o600))
	must(t, ForgetEnded(root, "partial"))
	if _, err := os.Stat(directory(root, "partial")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the beginnings of a container are still there: %v", err)
	}
	must(t, ForgetEnded(root, "absent"))
	if err := ForgetEnded(root, "../x"); err == nil {
		t.Error("an id that leads elsewhere was taken")
	}
}
