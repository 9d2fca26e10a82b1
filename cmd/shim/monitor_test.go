//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	runc "github.com/containerd/go-runc"
)

// recorder is a monitor that starts nothing.
type recorder struct {
	runc.ProcessMonitor
	started *exec.Cmd
}

func (r *recorder) Start(c *exec.Cmd) (chan runc.Exit, error) {
	r.started = c
	return nil, nil
}

func (r *recorder) StartLocked(c *exec.Cmd) (chan runc.Exit, error) { return r.Start(c) }

func TestMonitor(t *testing.T) {
	front := filepath.Join(t.TempDir(), frontName)
	if err := os.WriteFile(front, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	global := []string{"--root", "/run/containerd/runc/ns", "--log", "/b/log.json", "--log-format", "json", "--systemd-cgroup"}
	for _, tc := range []struct {
		args    string
		fronted bool
	}{
		{"create --bundle /b --pid-file /b/init.pid id", true},
		{"exec --process /tmp/p --detach --pid-file /b/e.pid id", true},
		{"delete --force id", false},
		{"start id", false},
		{"kill --all id 9", false},
		{"state id", false},
		{"ps --format json id", false},
		{"update --resources=- id", false},
		{"checkpoint --image-path /c id", false},
		{"events --stats id", false},
	} {
		t.Run(strings.Fields(tc.args)[0], func(t *testing.T) {
			args := slices.Concat([]string{"/bin/true"}, global, strings.Fields(tc.args))
			starts := map[string]func(*monitor, *exec.Cmd) (chan runc.Exit, error){"Start": (*monitor).Start, "StartLocked": (*monitor).StartLocked}
			for name, start := range starts {
				var inner recorder
				c := exec.Command(args[0], args[1:]...)
				if _, err := start(newMonitor(&inner, front, starting), c); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				wantPath, wantArgs := "/bin/true", args
				if tc.fronted {
					wantPath = front
					wantArgs = slices.Concat([]string{wantPath, "--real-runtime", "/bin/true"}, args[1:])
				}
				if inner.started != c || c.Path != wantPath || !slices.Equal(c.Args, wantArgs) {
					t.Errorf("%s: started %s %q", name, c.Path, c.Args)
				}
			}
		})
	}
}

func TestMonitorRefuses(t *testing.T) {
	for name, c := range map[string]*exec.Cmd{
		"no runtime":     exec.Command("no-such-runtime", "create", "--bundle", "/b", "id"),
		"a flag's value": exec.Command("/bin/true", "create", "id", "--bundle"),
	} {
		var inner recorder
		_, err := newMonitor(&inner, "/front", starting).Start(c)
		if err == nil || inner.started != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "no runtime" && !errors.Is(err, exec.ErrNotFound) {
			t.Error(err)
		}
	}
}

// A container without a filter is the runtime's alone, until there is another
// one of its name.
func TestMonitorPlain(t *testing.T) {
	var inner recorder
	m := newMonitor(&inner, "/front", starting)
	path := func() string {
		c := exec.Command("/bin/true", "exec", "--process", "/p", "id")
		if _, err := m.Start(c); err != nil {
			t.Fatal(err)
		}
		return inner.started.Path
	}
	for _, plain := range []bool{false, true, false} {
		m.setPlain("id", plain)
		if got := path(); (got == "/bin/true") != plain {
			t.Errorf("plain %v: started %s", plain, got)
		}
	}
}

// Where the front has been uninstalled, nothing starts without it; containers can be
// deleted. The service is not there any more to forget those that it had.
func TestMonitorDeletes(t *testing.T) {
	for command, want := range map[string][2]string{
		"delete": {"/bin/true", "/nonexistent/front"},
		"exec":   {"/nonexistent/front", "/bin/true"},
		"create": {"/nonexistent/front", "/bin/true"},
	} {
		for i, commands := range [][]string{starting, deleting} {
			var inner recorder
			c := exec.Command("/bin/true", command, "id")
			if _, err := newMonitor(&inner, "/nonexistent/front", commands).Start(c); err != nil || c.Path != want[i] {
				t.Errorf("%s, %v: %s, %v", command, commands, c.Path, err)
			}
		}
	}
}
