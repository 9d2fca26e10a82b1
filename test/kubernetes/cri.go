//go:build integration

package kubernetes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"seccomp-hook/test/integration"
)

// Images that the tests make: what runs in a pod's sandbox, and in containers.
const (
	pauseImage = "example.com/pause:1"
	boxImage   = "example.com/box:1"
)

// handler is the name under which the daemon knows the shim, as the RuntimeClass
// has it.
const handler = "seccomp"

// handlerWithOptions is another one, whose runtime is the distribution's runc.
const handlerWithOptions = "options"

// criPlugins configures containerd's CRI with the shim as a runtime handler. What
// follows may begin with keys of the last table.
const criPlugins = `
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "` + pauseImage + `"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.` + handler + `]
  runtime_type = "` + integration.ShimType + `"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.` + handlerWithOptions + `]
  runtime_type = "` + integration.ShimType + `"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.` + handlerWithOptions + `.options]
  SystemdCgroup = false
  BinaryName = "/usr/sbin/runc"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
`

// network is a CNI plugin that gives pods no network: they have their loopback device
// of containerd alone. An address is asked for all the same.
const network = `#!/bin/sh
case $CNI_COMMAND in
ADD) echo '{"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "'"$CNI_NETNS"'"}], "ips": [{"address": "192.0.2.1/32", "interface": 0}]}' ;;
VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["1.0.0"]}' ;;
esac
`

// cni writes what a daemon's pods get their network by, and returns the configuration
// of it.
func cni(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "no-network"), []byte(network), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "no.conflist"), []byte(`{"cniVersion": "1.0.0", "name": "no", "plugins": [{"type": "no-network"}]}`), 0o644))
	return fmt.Sprintf("[plugins.\"io.containerd.cri.v1.runtime\".cni]\n  bin_dirs = [%q]\n  conf_dir = %q\n  use_internal_loopback = true\n", dir, dir)
}

// criTimeout bounds one call.
const criTimeout = time.Minute

// worker is a containerd that is spoken to through CRI.
type worker struct {
	*integration.Daemon
	t       *testing.T
	runtime cri.RuntimeServiceClient
}

func startWorker(t *testing.T) *worker { return startWorkerWith(t, "") }

// startWorkerWith is startWorker with more configuration of plugins, and options.
func startWorkerWith(t *testing.T, plugins string, options ...integration.DaemonOption) *worker {
	t.Helper()
	options = append(options, integration.Plugins(criPlugins+plugins))
	n := &worker{Daemon: integration.StartDaemon(t, integration.NewestDaemon(t), options...), t: t}
	n.importImage(pauseImage, "/bin/tail", "-f", "/dev/null") // critest counts the processes of a pod that have the name sleep
	n.importImage(boxImage, "/bin/sleep", "infinity")
	conn, err := grpc.NewClient("unix://"+n.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close()) })
	n.runtime = cri.NewRuntimeServiceClient(conn)
	return n
}

// importImage makes an image of the daemon's root filesystem.
func (n *worker) importImage(name string, command ...string) {
	n.t.Helper()
	archive := integration.Image(n.t, name, n.Rootfs, command...)
	n.MustCtr("--namespace", "k8s.io", "images", "import", archive)
}

func (n *worker) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), criTimeout)
	n.t.Cleanup(cancel)
	return ctx
}

// pod is a sandbox and its configuration.
type pod struct {
	*worker
	id     string
	config *cri.PodSandboxConfig
	t      *testing.T
}

// runPod starts a pod, on the host's network if nothing else is asked for, which takes
// no CNI; it is gone with the test.
func (n *worker) runPod(t *testing.T, handler string, security *cri.LinuxSandboxSecurityContext) *pod {
	t.Helper()
	name := n.NewID()
	if security.NamespaceOptions == nil {
		security.NamespaceOptions = &cri.NamespaceOption{Network: cri.NamespaceMode_NODE, Pid: cri.NamespaceMode_CONTAINER}
	}
	logs := filepath.Join(n.Dir, "pods", name)
	must(t, os.MkdirAll(logs, 0o755))
	p := &pod{worker: n, t: t, config: &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: name, Namespace: "default"},
		LogDirectory: logs,
		Linux:        &cri.LinuxPodSandboxConfig{SecurityContext: security, CgroupParent: "/" + n.Namespace},
	}}
	got, err := n.runtime.RunPodSandbox(n.context(), &cri.RunPodSandboxRequest{Config: p.config, RuntimeHandler: handler})
	if err != nil {
		t.Fatalf("RunPodSandbox: %v\n%s", err, n.Log())
	}
	p.id = got.PodSandboxId
	t.Cleanup(func() {
		_, err := n.runtime.StopPodSandbox(n.context(), &cri.StopPodSandboxRequest{PodSandboxId: p.id})
		must(t, err)
		_, err = n.runtime.RemovePodSandbox(n.context(), &cri.RemovePodSandboxRequest{PodSandboxId: p.id})
		must(t, err)
	})
	return p
}

// tryContainer creates and starts a container of the pod, and returns the id
// and the daemon's error.
func (p *pod) tryContainer(name string, security *cri.LinuxContainerSecurityContext, command ...string) (string, error) {
	p.t.Helper()
	return p.try(&cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: name},
		Image:    &cri.ImageSpec{Image: boxImage},
		Command:  command,
		Linux:    &cri.LinuxContainerConfig{SecurityContext: security},
	})
}

// try is tryContainer for any container; where it logs, and the namespaces that it
// names none of, are the pod's.
func (p *pod) try(config *cri.ContainerConfig) (string, error) {
	p.t.Helper()
	config.LogPath = config.Metadata.Name + ".log"
	if security := config.Linux.SecurityContext; security.NamespaceOptions == nil {
		security.NamespaceOptions = p.config.Linux.SecurityContext.NamespaceOptions
	}
	made, err := p.runtime.CreateContainer(p.context(), &cri.CreateContainerRequest{PodSandboxId: p.id, SandboxConfig: p.config, Config: config})
	if err != nil {
		return "", fmt.Errorf("CreateContainer: %w", err)
	}
	if _, err := p.runtime.StartContainer(p.context(), &cri.StartContainerRequest{ContainerId: made.ContainerId}); err != nil {
		return made.ContainerId, fmt.Errorf("StartContainer: %w", err)
	}
	return made.ContainerId, nil
}

// container is tryContainer for one that must start.
func (p *pod) container(name string, security *cri.LinuxContainerSecurityContext, command ...string) string {
	p.t.Helper()
	id, err := p.tryContainer(name, security, command...)
	if err != nil {
		p.t.Fatalf("%v\n%s", err, p.Log())
	}
	return id
}

// output waits for a container to end and returns what it wrote.
func (p *pod) output(name, id string) integration.Result {
	p.t.Helper()
	r := integration.Result{}
	integration.Eventually(p.t, "the container's end", func() bool {
		status, err := p.runtime.ContainerStatus(p.context(), &cri.ContainerStatusRequest{ContainerId: id})
		must(p.t, err)
		r.Code = int(status.Status.ExitCode)
		return status.Status.State == cri.ContainerState_CONTAINER_EXITED
	})
	log, err := os.ReadFile(filepath.Join(p.config.LogDirectory, name+".log"))
	must(p.t, err)
	// CRI's log format: time, stream, "P" or "F", text.
	for line := range strings.Lines(string(log)) {
		if fields := strings.SplitN(line, " ", 4); len(fields) == 4 {
			text := fields[3]
			if fields[2] == "P" {
				text = strings.TrimSuffix(text, "\n")
			}
			r.Stdout += text
		}
	}
	return r
}

// exec runs a command in a container, as a probe does.
func (p *pod) exec(id string, command ...string) integration.Result {
	p.t.Helper()
	got, err := p.runtime.ExecSync(p.context(), &cri.ExecSyncRequest{ContainerId: id, Cmd: command, Timeout: 30})
	if err != nil {
		p.t.Fatalf("ExecSync: %v\n%s", err, p.Log())
	}
	return integration.Result{Stdout: string(got.Stdout), Stderr: string(got.Stderr), Code: int(got.ExitCode)}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
