//go:build integration

package kubernetes

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"seccomp-hook/test/integration"
)

// TestInstallerKeeps: each containerd takes what node.sh writes, and nothing that the
// node's configuration says is lost.
func TestInstallerKeeps(t *testing.T) {
	const pause, runc = "example.com/pause:own", "example.runc.own"
	for _, v := range integration.Daemons(t) {
		complete := regexp.MustCompile(`registry.k8s.io/pause:[0-9.]+`).ReplaceAllString(v.Configured(t, ""), pause)
		for name, text := range map[string]string{
			"complete":   strings.ReplaceAll(complete, "SystemdCgroup = false", "SystemdCgroup = true"),
			"version 2":  "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = '" + pause + "'\n",
			"its runc":   "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc]\nruntime_type = '" + runc + "'\n",
			"no runtime": "version = 2\n",
		} {
			for _, shim := range []string{"runc", "seccomp"} {
				t.Run(v.Name+"/"+name+"/"+shim, func(t *testing.T) {
					if shim == "seccomp" {
						t.Setenv("DEFAULT", "yes")
					}
					host := t.TempDir()
					file := filepath.Join(host, "etc/containerd/config.toml")
					write(t, file, text)
					before := runtimes(t, v.Configured(t, file))
					must(t, node(t, packed(t), host, "install"))
					written, err := os.ReadFile(file)
					must(t, err)
					write(t, file, strings.ReplaceAll(string(written), "/etc/containerd/conf.d", filepath.Join(host, "etc/containerd/conf.d")))
					after := runtimes(t, v.Configured(t, file))
					containerd := after["containerd"].(map[string]any)
					table := containerd["runtimes"].(map[string]any)
					cgroups := strings.Contains(text, "SystemdCgroup = true")
					if ours := table[handler].(map[string]any); ours["runtime_type"] != integration.ShimType || (ours["options"] != nil) != cgroups {
						t.Errorf("%v", ours)
					}
					if containerd["default_runtime_name"] != shim {
						t.Errorf("the default is %v", containerd["default_runtime_name"])
					}
					delete(table, handler)
					containerd["default_runtime_name"] = "runc"
					if !reflect.DeepEqual(after, before) {
						t.Errorf("before: %v\nafter: %v", before, after)
					}
				})
			}
		}
	}
}

// runtimes is what a configuration says of containers, without what is not set.
func runtimes(t *testing.T, text string) map[string]any {
	t.Helper()
	var config struct{ Plugins map[string]map[string]any }
	must(t, toml.Unmarshal([]byte(text), &config))
	for _, name := range []string{"io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"} {
		if plugin := config.Plugins[name]; plugin["containerd"] != nil {
			return set(plugin)
		}
	}
	t.Fatalf("it says nothing of containers: %s", text)
	return nil
}

// set returns a table without the zeros.
func set(table map[string]any) map[string]any {
	rest := map[string]any{}
	for key, value := range table {
		if below, is := value.(map[string]any); is {
			value = set(below)
		}
		if v := reflect.ValueOf(value); !v.IsZero() && (v.Kind() != reflect.Map && v.Kind() != reflect.Slice || v.Len() > 0) {
			rest[key] = value
		}
	}
	return rest
}

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
