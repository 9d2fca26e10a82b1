//go:build integration && image

package kubernetes

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	apps "k8s.io/api/apps/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"seccomp-hook/test/integration"
)

// built is a file of the image's root filesystem.
func built(t *testing.T, architecture, path string) string {
	t.Helper()
	return filepath.Join(integration.Root(t), ".build/image", architecture, path)
}

// TestImage builds the DaemonSet's image and runs the installer of it.
func TestImage(t *testing.T) {
	dir := t.TempDir()
	layout := filepath.Join(dir, "image")
	digest := buildImage(t, layout, "umask 022")

	t.Run("reproducible", func(t *testing.T) {
		again := filepath.Join(dir, "again")
		if second := buildImage(t, again, "umask 077", "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8"); second != digest {
			t.Errorf("%s, and then %s", digest, second)
		}
		integration.MustCommand(t, "cmp", layout+".tar", again+".tar")
	})
	t.Run("import", func(t *testing.T) { testImport(t, layout+".tar", digest) })
	t.Run("installer", func(t *testing.T) { testInstaller(t, layout+".tar") })
	t.Run("push", func(t *testing.T) { testPush(t, layout, digest) })
	t.Run("arm64", testNodeOfARM64)
}

// testImport has each version of containerd take the archive, by its name.
func testImport(t *testing.T, archive, digest string) {
	for _, v := range integration.Daemons(t) {
		t.Run(v.Name, func(t *testing.T) {
			d := integration.StartDaemon(t, v)
			d.MustCtr("images", "import", archive)
			list := d.MustCtr("images", "list", "name=="+installerImage).Stdout
			if !strings.Contains(list, digest) || !strings.Contains(list, "linux/amd64,linux/arm64") {
				t.Errorf("%s: %s", digest, list)
			}
		})
	}
}

// testInstaller imports the archive and runs the container of the DaemonSet. Its
// node is the pod's sandbox, process 1 of the processes that it sees, whose
// systemctl and whose seccomp-hook write down that they are called; and a folder.
func testInstaller(t *testing.T, archive string) {
	n := startWorker(t)
	const record = "#!/bin/sh\necho \"${0##*/} $*\" >>/dev/called\n"
	must(t, os.MkdirAll(filepath.Join(n.Rootfs, "usr/local/bin"), 0o755))
	for _, path := range []string{"bin/systemctl", "usr/local/bin/seccomp-hook"} {
		must(t, os.WriteFile(filepath.Join(n.Rootfs, path), []byte(record), 0o755))
	}
	n.importImage(pauseImage, "/bin/sleep", "infinity")
	n.MustCtr("--namespace", "k8s.io", "images", "import", archive)
	conn, err := grpc.NewClient("unix://"+n.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	integration.Eventually(t, "CRI knows the image", func() bool {
		status, err := cri.NewImageServiceClient(conn).ImageStatus(n.context(), &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: installerImage}})
		must(t, err)
		return status.Image != nil
	})

	spec := read(t, "daemonset.yaml")[0].(*apps.DaemonSet).Spec.Template.Spec
	c, host := spec.Containers[0], t.TempDir()
	config := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: c.Name},
		Image:    &cri.ImageSpec{Image: installerImage},
		Command:  c.Command, Args: c.Args,
		Linux: &cri.LinuxContainerConfig{SecurityContext: installerMay(t)},
	}
	for _, env := range c.Env {
		config.Envs = append(config.Envs, &cri.KeyValue{Key: env.Name, Value: []byte(env.Value)})
	}
	for _, m := range c.VolumeMounts {
		for _, v := range spec.Volumes {
			if v.Name == m.Name {
				path := filepath.Join(host, v.HostPath.Path)
				must(t, os.MkdirAll(path, 0o755)) // as DirectoryOrCreate does
				config.Mounts = append(config.Mounts, &cri.Mount{ContainerPath: m.MountPath, HostPath: path})
			}
		}
	}
	pids := &cri.NamespaceOption{Network: cri.NamespaceMode_NODE, Pid: cri.NamespaceMode_POD}
	config.Linux.SecurityContext.NamespaceOptions = pids
	witness := installerMay(t)
	witness.NamespaceOptions = pids

	p := n.runPod(t, handler, sandbox(runtimeDefault))
	beside := p.container("witness", witness, "/bin/sleep", "infinity")
	called := func() string {
		return p.exec(beside, "nsenter", "-t", "1", "-m", "--", "/bin/cat", "/dev/called").Stdout
	}
	id, err := p.try(config)
	if err != nil {
		t.Fatalf("%v\n%s", err, n.Log())
	}
	const begun = "seccomp-hook warm --quiet\nsystemctl restart containerd\n"
	integration.Eventually(t, "the installer is ready", func() bool { return p.exec(id, c.ReadinessProbe.Exec.Command...).Code == 0 })
	if have := called(); have != begun {
		t.Errorf("called on the node before it is ready: %s", have)
	}
	bin := filepath.Join(host, "usr/local/bin")
	for _, name := range programs {
		integration.MustCommand(t, "cmp", built(t, runtime.GOARCH, "opt/seccomp-hook/"+name), filepath.Join(bin, name))
	}
	integration.MustCommand(t, "grep", "runtimes.seccomp", filepath.Join(host, "etc/containerd/config.toml"))
	t.Run("container", func(t *testing.T) {
		d := integration.StartDaemon(t, integration.NewestDaemon(t), integration.Binaries(bin))
		want(t, d.Run([]string{"--seccomp"}, look...), true, syscall.EPERM)
	})

	_, err = p.runtime.StopContainer(n.context(), &cri.StopContainerRequest{ContainerId: id, Timeout: *spec.TerminationGracePeriodSeconds})
	must(t, err)
	if r := p.output(c.Name, id); r.Code != 0 {
		t.Error("the installer's end: ", r)
	}
	if left := integration.MustCommand(t, "find", host, "-type", "f").Stdout; left != "" {
		t.Errorf("it leaves %s", left)
	}
	if have := called(); have != begun+"systemctl restart containerd\n" {
		t.Errorf("called on the node: %s", have)
	}
}

// testPush pushes the layout as docs/kubernetes.md says, to a registry of crane's own
// on this machine, and has containerd pull it, both architectures.
func testPush(t *testing.T, layout, digest string) {
	crane, module := filepath.Join(t.TempDir(), "crane"), filepath.Join(integration.Root(t), "hack/image")
	integration.MustCommand(t, "go", "-C", module, "build", "-o", crane, "github.com/google/go-containerregistry/cmd/crane")
	registry := exec.Command(crane, "registry", "serve", "--address", "127.0.0.1:0")
	log, err := registry.StderrPipe()
	must(t, err)
	must(t, registry.Start())
	t.Cleanup(func() {
		_ = registry.Process.Kill() // it has no other end
		_ = registry.Wait()
	})
	port := portOf(t, log)
	name := "localhost:" + port + "/seccomp-hook"
	if r := integration.MustCommand(t, "go", "-C", module, "tool", "crane", "push", layout, name+":test"); strings.TrimSpace(r.Stdout) != name+"@"+digest {
		t.Error(r)
	}
	d := integration.StartDaemon(t, integration.NewestDaemon(t))
	d.MustCtr("images", "pull", "--plain-http", "--all-platforms", name+"@"+digest)
	if list := d.MustCtr("images", "check").Stdout; !strings.Contains(list, "complete") {
		t.Error(list)
	}
}

// portOf waits for the registry to say where it listens.
func portOf(t *testing.T, log io.Reader) string {
	t.Helper()
	var text []byte
	buffer := make([]byte, 4096)
	for {
		n, err := log.Read(buffer)
		text = append(text, buffer[:n]...)
		if _, port, found := strings.Cut(string(text), "serving on port "); found && strings.Contains(port, "\n") {
			port, _, _ = strings.Cut(port, "\n")
			go func() { _, _ = io.Copy(io.Discard, log) }() // it logs each request
			return port
		}
		if err != nil {
			t.Fatalf("registry: %v: %s", err, text)
		}
	}
}

// testNodeOfARM64 has node.sh install and take away in an emulated machine, with
// nothing but the image's files.
func testNodeOfARM64(t *testing.T) {
	overlay := t.TempDir()
	integration.MustCommand(t, "cp", "--archive", built(t, "arm64", ""), filepath.Join(overlay, "image"))
	must(t, os.WriteFile(filepath.Join(overlay, "install"), []byte(`set -eux
mkdir /image/dev
mount -o bind /dev /image/dev
export HOST=/host
bin=/image/host/usr/local/bin
chroot /image /opt/seccomp-hook/node.sh install
for name in containerd-shim-seccomp-v2 seccomp-hook seccomp-hook-runtime seccomp-runc; do
	cmp /image/opt/seccomp-hook/$name $bin/$name
done
grep runtimes.seccomp /image/host/etc/containerd/config.toml
$bin/seccomp-hook version
$bin/seccomp-runc --version
$bin/containerd-shim-seccomp-v2 -v
chroot /image /opt/seccomp-hook/node.sh remove
test -z "$(find /image/host -type f)"
`), 0o644))
	// It has a timeout of its own, and downloads a kernel before.
	cmd := exec.Command(filepath.Join(integration.Root(t), "hack/vm.sh"), overlay, "sh", "/install")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	must(t, err)
}
