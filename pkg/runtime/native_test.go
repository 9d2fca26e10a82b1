package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bundle"
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

// TestLeftToTheRuntime: a linux.seccomp for which there is no proved program is left
// to the real runtime; a profile of which that one knows nothing is not, and crun
// must not find another program in the place of linux.seccomp.
func TestLeftToTheRuntime(t *testing.T) {
	why := &filter.NoProgramError{Profile: "config.json", Err: new(filter.ProofError)}
	for _, tc := range []struct {
		name, config string
		kind         Kind
		native       bool
		want         string // error
	}{
		{"linux.seccomp", `{"linux":{"seccomp":{}}}`, Runc, true, ""},
		{"linux.seccomp, crun", `{"linux":{"seccomp":{}}}`, Crun, true, ""},
		{"the default's", `{"linux":{}}`, Runc, false, ""},
		{"an annotation's besides", `{"annotations":{"io.seccomp-hook.profile":"p"},"linux":{"seccomp":{}}}`, Runc, false, ""},
		{"dispatch besides", `{"annotations":{"io.seccomp-hook.dispatch":"text"},"linux":{"seccomp":{}}}`, Crun, false, ""},
		{"a program for crun", `{"annotations":{"run.oci.seccomp_bpf_data":"AAAA"},"linux":{"seccomp":{}}}`, Crun, false, "in the place of linux.seccomp"},
		{"of which runc knows nothing", `{"annotations":{"run.oci.seccomp_bpf_data":"AAAA"},"linux":{"seccomp":{}}}`, Runc, true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !hostRoot() { // who installs no filters, and so leaves everything
				tc.native, tc.want = false, ""
			}
			config, err := bundle.Parse([]byte(tc.config))
			if err != nil {
				t.Fatal(err)
			}
			log := filepath.Join(t.TempDir(), "log")
			w := &wrapper{Invocation: &Invocation{Log: log}, kind: tc.kind, real: "the-runtime"}
			native, err := w.native(config, why)
			if native != tc.native || (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("native %v, error %v", native, err)
			}
			text, _ := os.ReadFile(log)
			if told := strings.Contains(string(text), "install.mode native") && strings.Contains(string(text), "the-runtime"); told != tc.native {
				t.Errorf("the log says %q", text)
			}
		})
	}
}

// TestWithoutRoot: who is not root of the host gets no filter from here, the default
// profile's neither, and no container with a profile that an annotation names.
func TestWithoutRoot(t *testing.T) {
	if hostRoot() { // once more, as root of another user namespace
		ids := []syscall.SysProcIDMap{{Size: 1}}
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestWithoutRoot$")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return
	}
	w := &wrapper{Invocation: &Invocation{}, config: Config{DefaultProfile: "builtin:docker"}}
	for text, want := range map[string]string{
		`{"linux":{}}`: "",
		`{"annotations":{"io.seccomp-hook.profile":"builtin:docker"},"linux":{}}`: "only root of the host can install it",
	} {
		config, err := bundle.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		decision, err := w.decide(config)
		if decision != nil || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, error %v", text, decision, err)
		}
	}
}

// TestListens: crun's listener is not forgotten where no rule notifies; the others go
// the usual way, also those of a profile that cannot be read, which is told elsewhere.
func TestListens(t *testing.T) {
	for _, tc := range []struct {
		config   string
		kind     Kind
		notifies bool
		want     bool
	}{
		{`{"linux":{"seccomp":{"listenerPath":"/agent"}}}`, Crun, false, true},
		{`{"linux":{"seccomp":{"listenerPath":"/agent"}}}`, Crun, true, false},
		{`{"linux":{"seccomp":{"listenerPath":"/agent"}}}`, Runc, false, false},
		{`{"linux":{"seccomp":{"listenerPath":""}}}`, Crun, false, false},
		{`{"linux":{"seccomp":{"listenerPath":1}}}`, Crun, false, false},
		{`{"linux":{}}`, Crun, false, false},
	} {
		config, err := bundle.Parse([]byte(tc.config))
		if err != nil {
			t.Fatal(err)
		}
		f := &filter.Filter{}
		if tc.notifies {
			f.Listener = &filter.Listener{}
		}
		if got := (&wrapper{kind: tc.kind}).listens(config, f); got != tc.want {
			t.Errorf("%s, kind %v, notifies %v: %v", tc.config, tc.kind, tc.notifies, got)
		}
	}
}
