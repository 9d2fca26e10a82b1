package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
)

// The state of a container whose program crun keeps comes from crun's own files, and
// only if crun was handed the program.
func TestKept(t *testing.T) {
	init, err := hook.InitOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, tc := range []struct {
		id, mode string
		start    uint64
		files    []string
		status   specs.ContainerState // "" where there is no such container
	}{
		{"runs", hook.ModeCrun, init.Start, nil, specs.StateRunning},
		{"waits", hook.ModeCrun, init.Start, []string{"exec.fifo"}, specs.StateCreated},
		{"ended", hook.ModeCrun, init.Start + 1, nil, specs.StateStopped},
		{"foreign", "", init.Start, nil, ""},
	} {
		dir := filepath.Join(root, tc.id)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		annotations, _ := json.Marshal(map[string]string{filter.AnnotationInstallMode: tc.mode, "mine": "1", bpfAnnotation: "BgA="})
		files := map[string]string{
			"status":      fmt.Sprintf(`{"pid": %d, "process-start-time": %d, "bundle": "/b"}`, init.PID, tc.start),
			"config.json": fmt.Sprintf(`{"annotations": %s}`, annotations),
		}
		for _, name := range tc.files {
			files[name] = ""
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		text, err := Kept(root, tc.id)
		if tc.status == "" {
			if !errors.Is(err, hook.ErrNoContainer) {
				t.Errorf("%s: %v", tc.id, err)
			}
			continue
		}
		var state specs.State
		if err != nil || json.Unmarshal(text, &state) != nil {
			t.Fatalf("%s: %v: %s", tc.id, err, text)
		}
		if _, program := state.Annotations[bpfAnnotation]; program || state.Status != tc.status || state.Bundle != "/b" ||
			state.Annotations["mine"] != "1" || (state.Pid == init.PID) != (tc.status != specs.StateStopped) {
			t.Errorf("%s: %s", tc.id, text)
		}
	}
	for _, id := range []string{"none", ".", "..", "../x", "runs/..", ""} {
		if _, err := Kept(root, id); !errors.Is(err, hook.ErrNoContainer) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
