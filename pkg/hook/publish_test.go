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
	"seccomp-hook/pkg/install"
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
	for path, mode := range map[string]os.FileMode{"": 0o711, "containers": 0o700, "containers/c1": 0o700, "containers/c1/state.json": 0o600, "containers/c1/filter": 0o600} {
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
	if list, err := os.ReadDir(root + "/containers"); err != nil || len(list) != 0 {
		t.Errorf("after removing, there is %v (%v)", list, err)
	}
	if _, err := State(root, "c1"); !errors.Is(err, ErrNoContainer) {
		t.Errorf("State() of a removed container: %v", err)
	}
}

func TestPublishedIsAllOrNothing(t *testing.T) {
	root := t.TempDir()
	must(t, publish(root, &specs.State{ID: "c1"}, allowAll))
	must(t, os.Remove(root+"/containers/c1/filter"))
	must(t, os.Mkdir(root+"/containers/c1/filter", 0o700))
	must(t, os.WriteFile(root+"/containers/c1/filter/x", nil, 0o600)) // now it cannot be replaced
	if err := publish(root, &specs.State{ID: "c1"}, allowAll); err == nil {
		t.Fatal("published without the filter")
	}
	if _, err := State(root, "c1"); !errors.Is(err, ErrNoContainer) {
		t.Errorf("a state without its filter is there (%v)", err)
	}
}

func TestPublishedIsNotFollowed(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(root+"/containers/c1", 0o700))
	must(t, os.WriteFile(root+"/secret", []byte("secret"), 0o600))
	must(t, os.Symlink("../../secret", root+"/containers/c1/state.json"))
	must(t, os.Symlink("../../secret", root+"/containers/c1/.state.json"))
	if text, err := State(root, "c1"); err == nil {
		t.Errorf("read %q through a symlink", text)
	}
	must(t, publish(root, &specs.State{ID: "c1"}, nil))
	if text, err := os.ReadFile(root + "/secret"); err != nil || string(text) != "secret" {
		t.Errorf("a symlink was written through: %q, %v", text, err)
	}
	must(t, os.Remove(root+"/containers/c1/state.json"))
	must(t, unix.Mkfifo(root+"/containers/c1/state.json", 0o600))
	if _, err := State(root, "c1"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a FIFO: %v", err)
	}
	must(t, publish(root, &specs.State{ID: "c2"}, allowAll))
	must(t, os.Chmod(root+"/containers/c2/filter", 0o620))
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

// TestContainerNames: whatever the id of a container is, it is found and
// forgotten under it, and nothing else is.
func TestContainerNames(t *testing.T) {
	root := t.TempDir()
	store, err := filter.Open(filepath.Join(root, "store"))
	must(t, err)
	defer store.Close()
	others := []string{filepath.Join(root, "store", strings.Repeat("0", 64)), filepath.Join(root, "attendants", "1")}
	must(t, os.Mkdir(filepath.Join(root, "attendants"), 0o700))
	for _, path := range others {
		must(t, os.WriteFile(path, nil, 0o600))
	}
	init, err := InitOf(os.Getpid())
	must(t, err)
	for _, id := range []string{"store", "attendants", "containers", "c[x", "*", "c?", `c\`, "[a-z]", "…", "\x1b[31m", "state.json", "exec-1-1-1"} {
		must(t, publish(root, &specs.State{ID: "c1", Pid: os.Getpid()}, allowAll))
		must(t, publish(root, &specs.State{ID: id, Pid: os.Getpid()}, allowAll))
		must(t, PublishTicket(root, id, init, "/run/runc", install.Filter{Program: allowAll.Program}))
		if _, err := FilterOf(root, id, init); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		must(t, ForgetEnded(root, id)) // it lives
		if !Published(root, id) {
			t.Errorf("%q is forgotten while it lives", id)
		}
		must(t, Forget(root, id, init))
		if Published(root, id) {
			t.Errorf("%q is still there", id)
		}
		if !Published(root, "c1") {
			t.Errorf("with %q another one went", id)
		}
	}
	for _, path := range others {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("what is not a container's is gone: %v", err)
		}
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
		must(t, os.Chtimes(filepath.Join(directory(root, id), stateFile), now, now.Add(-c.age)))
	}
	must(t, os.Mkdir(directory(root, "other"), 0o700))
	sweep(root, now)
	var left []string
	list, err := os.ReadDir(filepath.Join(root, containersDir))
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
