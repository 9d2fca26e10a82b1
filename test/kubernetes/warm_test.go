//go:build integration

package kubernetes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"seccomp-hook/test/integration"
)

// stored returns what kinds of entries the store has, and how many of each.
func stored(t *testing.T) map[string]int {
	t.Helper()
	kinds := map[string]int{}
	list := integration.MustCommand(t, integration.Product(t, "seccomp-hook"), "store", "list").Stdout
	for line := range strings.Lines(list) {
		kinds[strings.Fields(line)[1]]++
	}
	return kinds
}

// TestWarm: what `seccomp-hook warm` has filled the store with is what containerd
// writes of RuntimeDefault and of Localhost profiles, byte for byte: the first start
// takes it as it is, and neither compiles nor makes a ready filter.
func TestWarm(t *testing.T) {
	seccompHook := integration.Product(t, "seccomp-hook")
	dir := t.TempDir()
	docker := filepath.Join(dir, "sub/docker.json")
	must(t, os.MkdirAll(filepath.Dir(docker), 0o755))
	must(t, os.WriteFile(docker, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "comment": "", "includes": {"caps": ["CAP_BPF"]}}]}`), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "no-profile.json"), []byte(`{"a": 1}`), 0o644))
	plain := profile(t)
	n := startWorker(t)
	integration.MustCommand(t, seccompHook, "store", "clear")
	if r := integration.MustCommand(t, seccompHook, "warm", "--caps", "default", "--caps", "none", "--caps", "CAP_SYS_TIME,CAP_SYS_PTRACE,CAP_SYS_ADMIN", "builtin:containerd", dir, plain); strings.Count(r.Stdout, "\n") != 3 {
		t.Error(r)
	}
	before := stored(t)
	p := n.runPod(t, handler, sandbox(runtimeDefault))
	for _, tc := range []struct {
		name         string
		profile      *cri.SecurityProfile
		capabilities *cri.Capability
		errno        syscall.Errno
	}{
		{"default", runtimeDefault, nil, syscall.EPERM},
		{"default-drop", runtimeDefault, &cri.Capability{DropCapabilities: []string{"ALL"}}, syscall.EPERM},
		{"default-add", runtimeDefault, &cri.Capability{DropCapabilities: []string{"ALL"}, AddCapabilities: []string{"SYS_TIME", "SYS_PTRACE", "SYS_ADMIN"}}, syscall.EPERM},
		{"localhost", localhost(plain), nil, syscall.EIO},
		// Of another set of capabilities a Localhost profile is the same.
		{"localhost-drop", localhost(plain), &cri.Capability{DropCapabilities: []string{"CHOWN"}}, syscall.EIO},
		{"localhost-docker", localhost(docker), nil, syscall.EIO},
	} {
		security := container(tc.profile)
		security.Capabilities = tc.capabilities
		id := p.container(tc.name, security, "/bin/sleep", "infinity")
		want(t, p.exec(id, look...), true, tc.errno)
		var state struct{ Annotations map[string]string }
		must(t, json.Unmarshal([]byte(integration.MustCommand(t, integration.Tool(t, "runc"), "--root", "/run/containerd/runc/k8s.io", "state", id).Stdout), &state))
		if got := state.Annotations["io.seccomp-hook.store"]; got != "hit" {
			t.Errorf("%s: the store has it as a %q", tc.name, got)
		}
		if after := stored(t); after["ready"] != before["ready"] || after["filter"] != before["filter"] {
			t.Errorf("%s: the store had %v, and has %v", tc.name, before, after)
		}
	}
	if r := integration.Command(t, seccompHook, "store", "verify"); r.Code != 0 || !strings.Contains(r.Stdout, " 0 bad\n") {
		t.Error(r)
	}
}
