//go:build integration && kubernetes

package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"seccomp-hook/test/integration"
)

// nodeAddress is the node's, on its loopback device: a kubelet takes none of 127/8.
const nodeAddress = "192.0.2.10"

// daemonSocket is where the node's containerd listens.
const daemonSocket = "/run/containerd/containerd.sock"

// members are who asks the API server for something, each by the name and the groups
// for which it has roles of its own.
var members = map[string]string{
	"admin":                   "admin,0,system:masters",
	"kubelet":                 "system:node:node,1,system:nodes",
	"kube-scheduler":          "system:kube-scheduler,2",
	"kube-controller-manager": "system:kube-controller-manager,3",
}

// boot is process 1 of a node. What is written below /etc, /usr/local, /run and /var
// is the node's own. After that it has containerd run, as systemd does.
const boot = `set -eu
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs own
for dir in etc usr/local var/lib var/log; do
	mkdir -p "own/$dir/upper" "own/$dir/work"
	mount -t overlay -o "lowerdir=/$dir,upperdir=own/$dir/upper,workdir=own/$dir/work" overlay "/$dir"
done
mkdir -p /etc/containerd /var/lib/containerd /var/lib/kubelet
mount --bind containerd /var/lib/containerd # its overlays cannot be on another one
for dir in /etc/containerd /run /usr/local/bin /var/lib/kubelet; do
	mount -t tmpfs -o mode=755 tmpfs "$dir"
done
cp config.toml /etc/containerd
cp systemctl /usr/local/bin
hostname node
ip link set lo up
ip address add ` + nodeAddress + `/32 dev lo
. ./sysctls
while :; do
	containerd >>containerd.log 2>&1 &
	echo $! >/run/containerd.pid
	wait $! || true
done
`

// systemctl is what the installer has the node restart containerd by. It returns
// when the new one answers, as systemd's does of a unit that notifies.
const systemctl = `#!/bin/sh
old=$(cat /run/containerd.pid)
kill "$old"
while [ "$(cat /run/containerd.pid)" = "$old" ] || ! %s version >/dev/null 2>&1; do sleep 0.2; done
`

// cluster is Kubernetes' control plane and one node, in namespaces of their own.
type cluster struct {
	t      *testing.T
	whole  *testing.T // with which it ends; t may be a part of that
	dir    string
	name   string // of its cgroup
	node   *exec.Cmd
	parts  map[string]*exec.Cmd
	dead   chan string // who has ended
	before string      // what the node had before anything was installed
}

// startCluster starts etcd, the control plane, and a node, which has a containerd as
// distributions have it, without the shim. All is gone with the test.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, whole: t, dir: t.TempDir(), parts: map[string]*exec.Cmd{}, dead: make(chan string, 8)}
	c.name = filepath.Base(filepath.Dir(c.dir)) + strconv.Itoa(os.Getpid())
	for _, dir := range []string{"own", "containerd", "sysctl"} {
		must(t, os.Mkdir(filepath.Join(c.dir, dir), 0o755))
	}
	c.write("config.toml", "version = 3\n"+daemonPlugins+cni(t))
	c.write("systemctl", fmt.Sprintf(systemctl, integration.Tool(t, "ctr")))
	must(t, os.Chmod(filepath.Join(c.dir, "systemctl"), 0o755))
	c.write("sysctls", coverSysctls(t, filepath.Join(c.dir, "sysctl")))
	for _, dir := range hierarchies(t) {
		dir = filepath.Join(dir, c.name)
		must(t, os.MkdirAll(dir, 0o755))
		t.Cleanup(func() { removeCgroups(dir) })
	}
	c.node = exec.Command("sh", "-c", boot)
	c.node.Dir = c.dir
	c.node.Env = append(os.Environ(), "PATH=/usr/local/bin:"+filepath.Join(integration.Root(t), "bin/tools")+":/usr/sbin:/usr/bin:/sbin:/bin")
	c.node.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	c.run("node", c.node)
	c.eventually("containerd answers", func() bool { return c.ctr("version").Code == 0 })
	c.start("etcd", "--data-dir", "/run/etcd", "--unsafe-no-fsync",
		"--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379", "--listen-peer-urls", "http://127.0.0.1:2380")
	c.control()
	c.kubelet()
	return c
}

// daemonPlugins is what the node's configuration of containerd says beside the network.
const daemonPlugins = `
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "` + pauseImage + `"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
`

// control starts the API server, the scheduler and the controllers.
func (c *cluster) control() {
	c.t.Helper()
	var tokens strings.Builder
	for name, user := range members {
		if f := strings.SplitN(user, ",", 3); len(f) == 3 {
			user = fmt.Sprintf("%s,%s,%q", f[0], f[1], f[2])
		}
		fmt.Fprintf(&tokens, "%s,%s\n", name, user)
		text, err := json.Marshal(map[string]any{
			"apiVersion": "v1", "kind": "Config", "current-context": "c",
			"clusters": []any{map[string]any{"name": "c", "cluster": map[string]any{"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": true}}},
			"users":    []any{map[string]any{"name": "u", "user": map[string]any{"token": name}}},
			"contexts": []any{map[string]any{"name": "c", "context": map[string]any{"cluster": "c", "user": "u"}}},
		})
		must(c.t, err)
		c.write(name, string(text))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(c.t, err)
	der, err := x509.MarshalECPrivateKey(key)
	must(c.t, err)
	accounts := c.write("accounts", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	c.start("kube-apiserver", "--etcd-servers", "http://127.0.0.1:2379", "--bind-address", "127.0.0.1", "--advertise-address", nodeAddress,
		"--cert-dir", "/run/apiserver", "--token-auth-file", c.write("tokens", tokens.String()), "--authorization-mode", "Node,RBAC", "--allow-privileged",
		"--service-cluster-ip-range", "198.51.100.0/24", "--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-signing-key-file", accounts, "--service-account-key-file", accounts, "--kubelet-preferred-address-types", "InternalIP")
	c.eventually("the API server is ready", func() bool { return c.kubectl("get", "--raw", "/readyz").Code == 0 })
	c.start("kube-scheduler", "--kubeconfig", c.file("kube-scheduler"), "--leader-elect=false", "--bind-address", "127.0.0.1")
	c.start("kube-controller-manager", "--kubeconfig", c.file("kube-controller-manager"), "--leader-elect=false", "--bind-address", "127.0.0.1",
		"--use-service-account-credentials", "--service-account-private-key-file", accounts, "--root-ca-file", "/run/apiserver/apiserver.crt")
}

// kubelet starts the node's kubelet and waits for the node to be ready.
func (c *cluster) kubelet() {
	c.t.Helper()
	configuration := kubeletConfiguration("/"+c.name, daemonSocket)
	configuration["address"] = nodeAddress
	text, err := json.Marshal(configuration)
	must(c.t, err)
	c.start("kubelet", "--config", c.write("kubelet.json", string(text)), "--kubeconfig", c.file("kubelet"),
		"--hostname-override", "node", "--node-ip", nodeAddress)
	c.eventually("the node is there", func() bool { return c.kubectl("get", "node", "node").Code == 0 })
	c.wait("node/node", "--for=condition=Ready")
}

func (c *cluster) file(name string) string { return filepath.Join(c.dir, name) }

// write writes a file of the cluster's folder and returns its path.
func (c *cluster) write(name, text string) string {
	c.t.Helper()
	must(c.t, os.WriteFile(c.file(name), []byte(text), 0o644))
	return c.file(name)
}

// run starts a command that is to run as long as the cluster.
func (c *cluster) run(name string, cmd *exec.Cmd) {
	c.t.Helper()
	log, err := os.Create(c.file(name + ".log"))
	must(c.t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	must(c.t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // none ends well
		c.dead <- name
		close(ended)
	}()
	c.whole.Cleanup(func() {
		_ = c.node.Process.Kill() // and with it all that is in its namespaces
		<-ended
	})
	c.parts[name] = cmd
}

// start starts a part of Kubernetes.
func (c *cluster) start(name string, args ...string) {
	c.t.Helper()
	argv := c.inside(append([]string{kubernetes(c.t), name}, args...)...)
	c.run(name, exec.Command(argv[0], argv[1:]...))
}

// stop ends a part of Kubernetes.
func (c *cluster) stop(name string) {
	c.t.Helper()
	starter := strconv.Itoa(c.parts[name].Process.Pid) // nsenter(1), whose child it is
	children, err := os.ReadFile(filepath.Join("/proc", starter, "task", starter, "children"))
	must(c.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	must(c.t, err)
	must(c.t, syscall.Kill(pid, syscall.SIGKILL))
	if ended := <-c.dead; ended != name {
		c.t.Fatalf("%s has ended\n%s", ended, c.log())
	}
}

// inside returns the command that runs another one on the node.
func (c *cluster) inside(argv ...string) []string {
	return append([]string{"nsenter", "--target", strconv.Itoa(c.node.Process.Pid), "--mount", "--net", "--pid", "--uts", "--ipc", "--"}, argv...)
}

// command runs a command on the node.
func (c *cluster) command(argv ...string) integration.Result {
	c.t.Helper()
	argv = c.inside(argv...)
	return integration.Command(c.t, argv[0], argv[1:]...)
}

func (c *cluster) ctr(args ...string) integration.Result {
	c.t.Helper()
	return c.command(append([]string{integration.Tool(c.t, "ctr"), "--namespace", "k8s.io"}, args...)...)
}

func (c *cluster) kubectl(args ...string) integration.Result {
	c.t.Helper()
	return c.command(append([]string{kubernetes(c.t), "kubectl", "--kubeconfig", c.file("admin")}, args...)...)
}

// must is kubectl for what must succeed.
func (c *cluster) must(args ...string) string {
	c.t.Helper()
	r := c.kubectl(args...)
	if r.Code != 0 {
		c.t.Fatalf("kubectl %s: %s\n%s", strings.Join(args, " "), r, c.log())
	}
	return r.Stdout
}

// wait has kubectl wait for something.
func (c *cluster) wait(what string, how ...string) {
	c.t.Helper()
	c.eventually(what+": "+strings.Join(how, " "), func() bool {
		return c.kubectl(append([]string{"wait", what, "--timeout", "20s"}, how...)...).Code == 0
	})
}

// eventually waits for something that the cluster does.
func (c *cluster) eventually(what string, done func() bool) {
	c.t.Helper()
	for end := time.Now().Add(readyTimeout); !done(); time.Sleep(200 * time.Millisecond) {
		select {
		case name := <-c.dead:
			c.t.Fatalf("%s has ended\n%s", name, c.log())
		default:
		}
		if time.Now().After(end) {
			c.t.Fatalf("waited in vain for: %s\n%s", what, c.log())
		}
	}
}

// log returns the last lines of all logs.
func (c *cluster) log() string {
	var all strings.Builder
	for _, name := range append(slices.Sorted(maps.Keys(c.parts)), "containerd") {
		text, _ := os.ReadFile(c.file(name + ".log"))
		lines := strings.Split(string(text), "\n")
		fmt.Fprintf(&all, "--- %s\n%s\n", name, strings.Join(lines[max(0, len(lines)-30):], "\n"))
	}
	return all.String()
}

// importImage makes an image of a root filesystem.
func (c *cluster) importImage(name, rootfs string, command ...string) {
	c.t.Helper()
	if r := c.ctr("images", "import", integration.Image(c.t, name, rootfs, command...)); r.Code != 0 {
		c.t.Fatalf("%s\n%s", r, c.log())
	}
}

// apply gives an object to the API server.
func (c *cluster) apply(object any) {
	c.t.Helper()
	text, err := json.Marshal(object)
	must(c.t, err)
	c.must("apply", "-f", c.write("object.json", string(text)))
}

// pod gives a pod under the shim to the API server.
func (c *cluster) pod(name string, spec core.PodSpec) {
	c.t.Helper()
	c.podOf(name, handler, spec)
}

// podOf is pod with another RuntimeClass, or none.
func (c *cluster) podOf(name, class string, spec core.PodSpec) {
	c.t.Helper()
	c.apply(core.Pod{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "default"}, Spec: local(spec, class)})
}

// local completes the spec of a pod for a node that has its network and images alone.
func local(spec core.PodSpec, class string) core.PodSpec {
	if class != "" {
		spec.RuntimeClassName = &class
	}
	spec.HostNetwork, spec.AutomountServiceAccountToken, spec.TerminationGracePeriodSeconds = true, new(false), new(int64(2))
	for i := range spec.Containers {
		spec.Containers[i].Image, spec.Containers[i].ImagePullPolicy = boxImage, core.PullNever
	}
	return spec
}

// exec is `kubectl exec`.
func (c *cluster) exec(pod, container string, command ...string) integration.Result {
	c.t.Helper()
	return c.kubectl(append([]string{"exec", pod, "--container", container, "--"}, command...)...)
}
