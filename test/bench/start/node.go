//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// podImage is what runs in a pod's sandbox and in its container.
const podImage = "example.com/pod:1"

// ours is the runtime handler that is the shim.
const ours = "seccomp"

// callTimeout bounds a call of CRI.
const callTimeout = 2 * time.Minute

// node is a containerd that is asked for pods as the kubelet does, without one.
type node struct {
	*scene
	daemon  *exec.Cmd
	conn    *grpc.ClientConn
	runtime cri.RuntimeServiceClient
	perPod  int // how many processes of a pod stay in the scene's control group
}

// controllers has the containers' control groups be where the controllers are, which
// CRI's containers cannot do without. Where that is version 1, processes of containers
// do not leave the scene's group.
func (n *node) controllers() error {
	text, err := os.ReadFile(filepath.Join(n.cgroup2, "cgroup.controllers"))
	if err != nil {
		return err
	}
	n.perPod = 1 // its shim
	if slices.Contains(strings.Fields(string(text)), "cpu") {
		return nil
	}
	n.perPod = 3
	elsewhere := filepath.Join(n.dir, "cgroup2")
	if err := os.Mkdir(elsewhere, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(n.cgroup2, elsewhere, "", unix.MS_MOVE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	n.cgroup2 = elsewhere
	return nil
}

// startNode starts a containerd in the scene's control group. Its shims and their
// runtimes are there as well; the containers' groups are beside it.
func (s *scene) startNode() (_ *node, err error) {
	n := &node{scene: s}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.leave())
		}
	}()
	if err := n.controllers(); err != nil {
		return nil, err
	}
	var tools [4]string
	for i, name := range []string{"tools/containerd", "tools/ctr", "tools/runc", "containerd-shim-seccomp-v2"} {
		if tools[i], err = s.tool(name); err != nil {
			return nil, err
		}
	}
	config, address := filepath.Join(s.dir, "containerd.toml"), filepath.Join(s.dir, "containerd.sock")
	text := fmt.Sprintf(`version = 3
root = %q
state = %q
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = %q
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.%s]
  runtime_type = "io.containerd.seccomp.v2"
`, filepath.Join(s.dir, "root"), filepath.Join(s.dir, "state"), address, filepath.Join(s.dir, "opt"), podImage, ours)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(s.dir, "containerd.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	n.daemon = exec.Command(tools[0], "--config", config)
	n.daemon.Env = append(os.Environ(), "PATH="+filepath.Dir(tools[3])+":"+filepath.Dir(tools[0])+":"+os.Getenv("PATH"))
	n.daemon.Stdout, n.daemon.Stderr = log, log
	if err := n.daemon.Start(); err != nil {
		return nil, err
	}
	s.staying++
	archive, err := s.podArchive()
	if err != nil {
		return nil, err
	}
	// The daemon answers once its plugins are there.
	var out []byte
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		out, err = exec.Command(tools[1], "--address", address, "--namespace", "k8s.io", "images", "import", archive).CombinedOutput()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name()) // beside an error that counts
			return nil, fmt.Errorf("ctr images import: %w: %s\n%s", err, out, text)
		}
	}
	// Of all threads this one alone sees the socket.
	socket, err := net.Dial("unix", address)
	if err != nil {
		return nil, err
	}
	n.conn, err = grpc.NewClient("passthrough:///node", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return socket, nil }))
	n.runtime = cri.NewRuntimeServiceClient(n.conn)
	return n, err
}

// leave ends the daemon.
func (n *node) leave() error {
	var err error
	if n.conn != nil {
		err = n.conn.Close()
	}
	if n.daemon != nil && n.daemon.Process != nil {
		n.staying--
		err = errors.Join(err, n.daemon.Process.Signal(syscall.SIGTERM), n.daemon.Wait())
	}
	return err
}

// podArchive writes an image of the scene's root filesystem, as `docker save` does.
func (s *scene) podArchive() (string, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := errors.Join(w.AddFS(os.DirFS(s.rootfs)), w.Close()); err != nil {
		return "", err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Cmd": []string{"/bin/sleep", "1000000"}, "Env": []string{"PATH=/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer.Bytes()))}},
	})
	if err != nil {
		return "", err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{podImage}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.dir, "image.tar")
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	w = tar.NewWriter(file)
	for _, f := range []struct {
		name string
		text []byte
	}{{"layer.tar", layer.Bytes()}, {"config.json", config}, {"manifest.json", manifest}} {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text))}))
		_, writeErr := w.Write(f.text)
		err = errors.Join(err, writeErr)
	}
	return path, errors.Join(err, w.Close(), file.Close())
}

// podKind is how pods are run.
type podKind struct {
	name    string
	handler string // containerd's; empty is runc
	profile cri.SecurityProfile_ProfileType
}

// pod is a pod of one container.
type pod struct{ sandbox, container string }

// startPod starts a pod on the host's network, which takes no CNI.
func (n *node) startPod(k podKind) (p pod, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	defer func() {
		if err != nil && p.sandbox != "" {
			err = errors.Join(err, n.endPod(p))
		}
	}()
	profile := &cri.SecurityProfile{ProfileType: k.profile}
	namespaces := &cri.NamespaceOption{Network: cri.NamespaceMode_NODE, Pid: cri.NamespaceMode_CONTAINER}
	name := n.id()
	config := &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Name: name, Uid: name, Namespace: "default"},
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent:    n.group,
			SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: namespaces, Seccomp: profile},
		},
	}
	sandbox, err := n.runtime.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: config, RuntimeHandler: k.handler})
	if err != nil {
		return p, fmt.Errorf("%s: RunPodSandbox: %w", k.name, err)
	}
	p.sandbox = sandbox.PodSandboxId
	container, err := n.runtime.CreateContainer(ctx, &cri.CreateContainerRequest{
		PodSandboxId: p.sandbox, SandboxConfig: config,
		Config: &cri.ContainerConfig{
			Metadata: &cri.ContainerMetadata{Name: "container"},
			Image:    &cri.ImageSpec{Image: podImage},
			Linux:    &cri.LinuxContainerConfig{SecurityContext: &cri.LinuxContainerSecurityContext{NamespaceOptions: namespaces, Seccomp: profile}},
		},
	})
	if err != nil {
		return p, fmt.Errorf("%s: CreateContainer: %w", k.name, err)
	}
	p.container = container.ContainerId
	if _, err := n.runtime.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: p.container}); err != nil {
		return p, fmt.Errorf("%s: StartContainer: %w", k.name, err)
	}
	return p, nil
}

// endPod stops a pod and removes it.
func (n *node) endPod(p pod) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if p.container != "" {
		if _, err := n.runtime.StopContainer(ctx, &cri.StopContainerRequest{ContainerId: p.container}); err != nil {
			return fmt.Errorf("StopContainer: %w", err)
		}
		if _, err := n.runtime.RemoveContainer(ctx, &cri.RemoveContainerRequest{ContainerId: p.container}); err != nil {
			return fmt.Errorf("RemoveContainer: %w", err)
		}
	}
	if _, err := n.runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: p.sandbox}); err != nil {
		return fmt.Errorf("StopPodSandbox: %w", err)
	}
	if _, err := n.runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: p.sandbox}); err != nil {
		return fmt.Errorf("RemovePodSandbox: %w", err)
	}
	return nil
}

// probe probes a pod's container by a command, as the kubelet does.
func (n *node) probe(p pod) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	got, err := n.runtime.ExecSync(ctx, &cri.ExecSyncRequest{ContainerId: p.container, Cmd: []string{"/bin/true"}})
	if err == nil && got.ExitCode != 0 {
		err = fmt.Errorf("exit status %d: %s", got.ExitCode, got.Stderr)
	}
	if err != nil {
		return fmt.Errorf("ExecSync: %w", err)
	}
	return nil
}
