package hook

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
)

var allowAll = &filter.Filter{Program: bpf.Program{bpf.Ret(bpf.RetAllow)}, Profile: "p"}

func TestPublish(t *testing.T) {
	umask := unix.Umask(0o022) // for the modes below
	defer unix.Umask(umask)
	root := filepath.Join(t.TempDir(), "run")
	state := &specs.State{Version: "1.2.0", ID: "c1", Status: specs.StateCreating, Pid: deadProcess(t), Bundle: "/b", Annotations: map[string]string{"a": "<b>"}}
	must(t, publish(root, state, allowAll))

	text, err := State(root, "c1")
	must(t, err)
	var got specs.State
	must(t, json.Unmarshal(text, &got))
	if !reflect.DeepEqual(&got, state) {
		t.Errorf("State() = %+v, want %+v", got, state)
	}
	f, err := Filter(root, "c1")
	must(t, err)
	if !reflect.DeepEqual(f, allowAll) {
		t.Errorf("Filter() = %+v", f)
	}
	for path, mode := range map[string]os.FileMode{"": 0o711, "c1": 0o700, "c1/state.json": 0o600, "c1/filter": 0o600} {
		info, err := os.Stat(filepath.Join(root, path))
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%q has mode %v, want %v", path, info.Mode().Perm(), mode)
		}
	}

	// The next container of this id has no filter.
	must(t, publish(root, &specs.State{ID: "c1"}, nil))
	if _, err := Filter(root, "c1"); !errors.Is(err, ErrNoContainer) {
		t.Errorf("the filter of an earlier container is still there (%v)", err)
	}
	must(t, Remove(root, "c1"))
	must(t, Remove(root, "c1"))
	if list, err := os.ReadDir(root); err != nil || len(list) != 0 {
		t.Errorf("after removing, there is %v (%v)", list, err)
	}
	if _, err := State(root, "c1"); !errors.Is(err, ErrNoContainer) {
		t.Errorf("State() of a removed container: %v", err)
	}
}

func TestPublishedIsAllOrNothing(t *testing.T) {
	root := t.TempDir()
	must(t, publish(root, &specs.State{ID: "c1"}, allowAll))
	must(t, os.Remove(root+"/c1/filter"))
	must(t, os.Mkdir(root+"/c1/filter", 0o700))
	must(t, os.WriteFile(root+"/c1/filter/x", nil, 0o600)) // now it cannot be replaced
	if err := publish(root, &specs.State{ID: "c1"}, allowAll); err == nil {
		t.Fatal("published without the filter")
	}
	if _, err := State(root, "c1"); !errors.Is(err, ErrNoContainer) {
		t.Errorf("a state without its filter is there (%v)", err)
	}
}

func TestPublishedIsNotFollowed(t *testing.T) {
	root := t.TempDir()
	must(t, os.Mkdir(root+"/c1", 0o700))
	must(t, os.WriteFile(root+"/secret", []byte("secret"), 0o600))
	must(t, os.Symlink("../secret", root+"/c1/state.json"))
	must(t, os.Symlink("../secret", root+"/c1/.state.json"))
	if text, err := State(root, "c1"); err == nil {
		t.Errorf("read %q through a symlink", text)
	}
	must(t, publish(root, &specs.State{ID: "c1"}, nil))
	if text, err := os.ReadFile(root + "/secret"); err != nil || string(text) != "secret" {
		t.Errorf("a symlink was written through: %q, %v", text, err)
	}
	must(t, os.Remove(root+"/c1/state.json"))
	must(t, unix.Mkfifo(root+"/c1/state.json", 0o600))
	if _, err := State(root, "c1"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a FIFO: %v", err)
	}
	must(t, publish(root, &specs.State{ID: "c2"}, allowAll))
	must(t, os.Chmod(root+"/c2/filter", 0o620))
	if _, err := Filter(root, "c2"); err == nil || !strings.Contains(err.Error(), "mode 0620") {
		t.Errorf("a filter that others can write to: %v", err)
	}
	for _, id := range []string{"", ".", "..", "a/b", "../c1"} {
		if _, err := State(root, id); err == nil || !strings.Contains(err.Error(), "not the id") {
			t.Errorf("State(%q): %v", id, err)
		}
		if err := Remove(root, id); err == nil {
			t.Errorf("Remove(%q) did something", id)
		}
	}
}

// TestContainerNamedStore: its state lives beside the store's entries, and
// neither disturbs the other.
func TestContainerNamedStore(t *testing.T) {
	root := t.TempDir()
	store, err := filter.Open(filepath.Join(root, "store"))
	must(t, err)
	defer store.Close()
	entry := filepath.Join(root, "store", strings.Repeat("0", 64))
	must(t, os.WriteFile(entry, nil, 0o600))
	must(t, publish(root, &specs.State{ID: "store"}, allowAll))
	must(t, Remove(root, "store"))
	if _, err := os.Stat(entry); err != nil {
		t.Errorf("the store's entry is gone: %v", err)
	}
}

func TestSweepForgetsTheDead(t *testing.T) {
	root := t.TempDir()
	now := time.Now()
	dead := deadProcess(t)
	for id, c := range map[string]struct {
		pid int
		age time.Duration
	}{
		"alive": {os.Getpid(), time.Hour}, "dead": {dead, time.Hour}, "fresh": {dead, time.Minute},
	} {
		must(t, publish(root, &specs.State{ID: id, Pid: c.pid}, allowAll))
		must(t, os.Chtimes(filepath.Join(root, id, stateFile), now, now.Add(-c.age)))
	}
	must(t, os.Mkdir(filepath.Join(root, "other"), 0o700))
	sweep(root, now)
	var left []string
	list, err := os.ReadDir(root)
	must(t, err)
	for _, e := range list {
		left = append(left, e.Name())
	}
	if want := []string{"alive", "fresh", "other"}; !reflect.DeepEqual(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}

// deadProcess returns the id of a process that has ended and been reaped.
func deadProcess(t *testing.T) int {
	t.Helper()
	p, err := os.StartProcess("/proc/self/exe", []string{"hook.test", "-test.run=^$"}, &os.ProcAttr{})
	must(t, err)
	_, err = p.Wait()
	must(t, err)
	return p.Pid
}
