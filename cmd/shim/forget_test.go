//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"seccomp-hook/pkg/hook"
)

// Only the state of a process that has ended is forgotten.
func TestForget(t *testing.T) {
	ended := exec.Command("/proc/self/exe", "-test.run", "^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for name, pid := range map[string]int{"alive": os.Getpid(), "ended": ended.Process.Pid} {
		root := t.TempDir()
		if err := forget(root, name); err != nil {
			t.Errorf("nothing published: %v", err)
		}
		if err := os.MkdirAll(filepath.Join(root, "containers", name), 0o700); err != nil {
			t.Fatal(err)
		}
		state := fmt.Sprintf(`{"ociVersion": "1.0.2", "id": %q, "status": "created", "pid": %d, "bundle": "/b"}`, name, pid)
		if err := os.WriteFile(filepath.Join(root, "containers", name, "state.json"), []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := forget(root, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := hook.State(root, name); errors.Is(err, hook.ErrNoContainer) != (name == "ended") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
