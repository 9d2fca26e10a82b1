//go:build integration

package kubernetes

import (
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// TestInstallerIsConfined: what the DaemonSet's container may do is enough for
// nsenter(1), by which node.sh restarts the node's containerd, and not for what it
// has no need of.
func TestInstallerIsConfined(t *testing.T) {
	security := installerMay(t)
	security.NamespaceOptions = &cri.NamespaceOption{Network: cri.NamespaceMode_NODE, Pid: cri.NamespaceMode_NODE}
	n := startWorker(t)
	p := n.runPod(t, handler, &cri.LinuxSandboxSecurityContext{Seccomp: runtimeDefault})
	id := p.container("installer", security, "/bin/sleep", "infinity")
	if r := p.exec(id, "nsenter", "-t", "1", "-m", "--", "/bin/sh", "-c", `test "$(readlink /proc/self/ns/mnt)" = "$(readlink /proc/1/ns/mnt)"`); r.Code != 0 {
		t.Error("nsenter: ", r)
	}
	if r := p.exec(id, "/bin/sh", "-c", "echo >/file"); r.Code == 0 {
		t.Error("its root filesystem can be written to")
	}
}

// installerMay is what the DaemonSet's container may do.
func installerMay(t *testing.T) *cri.LinuxContainerSecurityContext {
	t.Helper()
	c := read(t, "daemonset.yaml")[0].(*apps.DaemonSet).Spec.Template.Spec.Containers[0].SecurityContext
	if c.Privileged != nil && *c.Privileged || c.SeccompProfile == nil || c.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Fatalf("%+v", c)
	}
	security := container(runtimeDefault)
	security.ReadonlyRootfs = *c.ReadOnlyRootFilesystem
	security.Capabilities = &cri.Capability{}
	for _, name := range c.Capabilities.Add {
		security.Capabilities.AddCapabilities = append(security.Capabilities.AddCapabilities, string(name))
	}
	for _, name := range c.Capabilities.Drop {
		security.Capabilities.DropCapabilities = append(security.Capabilities.DropCapabilities, string(name))
	}
	return security
}
