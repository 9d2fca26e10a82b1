//go:build integration && kubernetes

package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	core "k8s.io/api/core/v1"
)

func sh(script string) []string { return []string{"/bin/sh", "-c", script} }

// mode is an exec probe that passes where the process it starts has this mode of
// seccomp: a container is ready only if its probes have its filter.
func mode(seccomp int) *core.Probe {
	return &core.Probe{
		ProbeHandler:   core.ProbeHandler{Exec: &core.ExecAction{Command: []string{"grep", "-q", fmt.Sprintf("^Seccomp:.%d", seccomp), "/proc/self/status"}}},
		PeriodSeconds:  2,
		TimeoutSeconds: 20, // the machine may be busy
	}
}

func confined(profile *core.SeccompProfile) *core.SecurityContext {
	return &core.SecurityContext{SeccompProfile: profile}
}

var (
	podDefault    = &core.SeccompProfile{Type: core.SeccompProfileTypeRuntimeDefault}
	podUnconfined = &core.SeccompProfile{Type: core.SeccompProfileTypeUnconfined}
)

func podLocalhost(file string) *core.SeccompProfile {
	return &core.SeccompProfile{Type: core.SeccompProfileTypeLocalhost, LocalhostProfile: &file}
}

const forever = "exec sleep infinity"

// TestKubelet runs static pods by a kubelet, under the shim as the runtime of all.
func TestKubelet(t *testing.T) {
	n := startWorkerWith(t, `
[plugins."io.containerd.cri.v1.runtime".containerd]
  default_runtime_name = "`+handler+`"
`)
	k := startKubelet(t, n)
	must(t, os.WriteFile(filepath.Join(k.dir, "root/seccomp/eio.json"), []byte(`{
		"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]}`), 0o644))

	t.Run("profiles of pod and container", func(t *testing.T) {
		k.static(t, "profiles", core.PodSpec{
			SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
			Containers: []core.Container{
				{Name: "inherits", Command: sh(forever), ReadinessProbe: mode(2)},
				{Name: "localhost", Command: sh(forever), ReadinessProbe: mode(2), SecurityContext: confined(podLocalhost("eio.json"))},
				{Name: "unconfined", Command: sh(forever), ReadinessProbe: mode(0), SecurityContext: confined(podUnconfined)},
			},
		})
		k.ready(t, "profiles")
		want(t, k.run(t, "profiles", "inherits", look...), true, syscall.EPERM)
		want(t, k.run(t, "profiles", "localhost", look...), true, syscall.EIO)
		want(t, k.run(t, "profiles", "unconfined", look...), false, 0)
	})

	k.remove(t, "profiles")
}
