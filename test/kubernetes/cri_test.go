//go:build integration

package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"seccomp-hook/test/integration"
)

func TestMain(m *testing.M) { integration.Main(m) }

var (
	runtimeDefault = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault}
	unconfined     = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Unconfined}
)

func localhost(file string) *cri.SecurityProfile {
	return &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Localhost, LocalhostRef: file}
}

func sandbox(profile *cri.SecurityProfile) *cri.LinuxSandboxSecurityContext {
	return &cri.LinuxSandboxSecurityContext{Seccomp: profile}
}

func container(profile *cri.SecurityProfile) *cri.LinuxContainerSecurityContext {
	return &cri.LinuxContainerSecurityContext{Seccomp: profile}
}

// look prints what a process sees of its filter, and makes a call that
// containerd's profile denies: personality(2) with ADDR_NO_RANDOMIZE.
var look = []string{"/bin/probe", "status", "call", "135", "0x0040000"}

// want compares what look printed.
func want(t *testing.T, r integration.Result, filtered bool, errno syscall.Errno) {
	t.Helper()
	mode, filters := "0", "0"
	if filtered {
		mode, filters = "2", "1"
	}
	if got := r.Lines(); r.Code != 0 || got["Seccomp"] != mode || got["Seccomp_filters"] != filters || got["call 135"] != strconv.Itoa(-int(errno)) {
		t.Errorf("want Seccomp %s, Seccomp_filters %s, personality: %v; have %s", mode, filters, errno, r)
	}
}

// profile writes a profile under which personality fails with EIO.
func profile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "profile.json")
	must(t, os.WriteFile(file, []byte(`{
		"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]
	}`), 0o644))
	return file
}

// TestCRI runs pods as the kubelet does.
func TestCRI(t *testing.T) {
	n := startWorkerWith(t, cni(t))

	t.Run("profiles", func(t *testing.T) {
		p := n.runPod(t, handler, sandbox(runtimeDefault))
		// Several containers of one pod, and of one shim, each with its own.
		for _, tc := range []struct {
			name     string
			profile  *cri.SecurityProfile
			filtered bool
			errno    syscall.Errno
		}{
			{"default", runtimeDefault, true, syscall.EPERM},
			{"localhost", localhost(profile(t)), true, syscall.EIO},
			{"unconfined", unconfined, false, 0},
		} {
			t.Run(tc.name, func(t *testing.T) {
				p := *p
				p.t = t
				want(t, p.output(tc.name+"-look", p.container(tc.name+"-look", container(tc.profile), look...)), tc.filtered, tc.errno)
				id := p.container(tc.name, container(tc.profile), "/bin/sleep", "infinity")
				want(t, p.exec(id, look...), tc.filtered, tc.errno)
				if r := p.exec(id, "/bin/sh", "-c", "exit 3"); r.Code != 3 {
					t.Error(r)
				}
			})
		}
	})

	t.Run("privileged", func(t *testing.T) {
		p := n.runPod(t, handler, &cri.LinuxSandboxSecurityContext{Privileged: true})
		security := container(nil)
		security.Privileged = true
		id, err := p.tryContainer("privileged", security, "/bin/sleep", "infinity")
		if err != nil {
			t.Skip("this machine's root has not all capabilities, and a privileged container gets all: ", err)
		}
		want(t, p.exec(id, look...), false, 0)
	})

	// What the kubelet asks for where a pod has hostUsers: false.
	t.Run("user namespace", func(t *testing.T) {
		const first, count = 1 << 20, 1 << 16
		ids := []*cri.IDMapping{{HostId: first, ContainerId: 0, Length: count}}
		security := sandbox(runtimeDefault)
		security.NamespaceOptions = &cri.NamespaceOption{
			Network: cri.NamespaceMode_POD, Pid: cri.NamespaceMode_CONTAINER,
			UsernsOptions: &cri.UserNamespace{Mode: cri.NamespaceMode_POD, Uids: ids, Gids: ids},
		}
		p := n.runPod(t, handler, security)
		for _, tc := range []struct {
			name    string
			profile *cri.SecurityProfile
			errno   syscall.Errno
		}{
			{"default", runtimeDefault, syscall.EPERM},
			{"localhost", localhost(profile(t)), syscall.EIO},
		} {
			want(t, p.output(tc.name+"-look", p.container(tc.name+"-look", container(tc.profile), look...)), true, tc.errno)
			id := p.container(tc.name, container(tc.profile), "/bin/sleep", "infinity")
			want(t, p.exec(id, look...), true, tc.errno)
			if r := p.exec(id, "cat", "/proc/self/uid_map"); strings.Join(strings.Fields(r.Stdout), " ") != fmt.Sprintf("0 %d %d", first, count) {
				t.Errorf("%s: %s", tc.name, r)
			}
		}
	})

	// CRI does not know the type of the options, and hands them over as text.
	t.Run("options", func(t *testing.T) {
		p := n.runPod(t, handlerWithOptions, sandbox(runtimeDefault))
		id := p.container("options", container(runtimeDefault), "/bin/sleep", "infinity")
		want(t, p.exec(id, look...), true, syscall.EPERM)
		state := integration.MustCommand(t, "/usr/sbin/runc", "--root", "/run/containerd/runc/k8s.io", "state", id)
		if !strings.Contains(state.Stdout, "io.seccomp-hook.program.sha256") {
			t.Error(state)
		}
		binary, err := os.ReadFile(filepath.Join(n.Dir, "state/io.containerd.runtime.v2.task/k8s.io", id, "runtime"))
		if err != nil || string(binary) != "/usr/sbin/runc" {
			t.Errorf("the runtime is %q, %v", binary, err)
		}
	})

	t.Run("no such profile", func(t *testing.T) {
		p := n.runPod(t, handler, sandbox(unconfined))
		if id, err := p.tryContainer("absent", container(localhost("/nonexistent.json")), "/bin/true"); err == nil {
			t.Errorf("container %s started", id)
		}
	})
}
