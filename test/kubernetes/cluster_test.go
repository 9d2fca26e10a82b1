//go:build integration && kubernetes

package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"seccomp-hook/test/integration"
)

// exampleImage is that of hack/deploy/pod.yaml.
const exampleImage = "docker.io/library/busybox:1.37"

// TestCluster has Kubernetes put the shim on a node, run pods there, and take it away.
func TestCluster(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "image")
	buildImage(t, archive, "umask 022")
	c := startCluster(t)
	rootfs := filepath.Join(integration.NewBundle(t).Dir, "rootfs")
	integration.MustCommand(t, "cp", integration.Probe.Path(t), filepath.Join(rootfs, "bin/probe"))
	c.importImage(pauseImage, rootfs, "/bin/tail", "-f", "/dev/null")
	c.importImage(boxImage, rootfs, "/bin/sleep", "infinity")
	c.importImage(exampleImage, rootfs, "/bin/sh")
	if r := c.ctr("images", "import", archive+".tar"); r.Code != 0 {
		t.Fatal(r)
	}
	c.must("wait", "serviceaccount/default", "--for=create", "--timeout=60s") // a pod needs it
	c.before = c.installed()
	for _, test := range []struct {
		name string
		run  func(*testing.T, *cluster)
	}{
		{"install", testInstall},
		{"profiles", testScheduled},
		{"example", testExample},
		{"privileged", testScheduledPrivileged},
		{"no such profile", testEvent},
		{"debug", testDebug},
		{"drain", testDrain},
		{"taken away too early", testTakenAway},
		{"remove", testRemove},
		{"for every pod", testEveryPod},
	} {
		sub := *c
		if !t.Run(test.name, func(t *testing.T) { sub.t = t; test.run(t, &sub) }) {
			t.Fatal("the others need it")
		}
	}
}

// installed describes the files of the node that the installer may change.
func (c *cluster) installed() string {
	c.t.Helper()
	programs, err := filepath.Glob(c.root("usr/local/bin/*"))
	must(c.t, err)
	return tree(c.t, c.root("etc/containerd")) + strings.Join(programs, "\n")
}

// root is where a path of the node is.
func (c *cluster) root(path string) string {
	return filepath.Join("/proc", fmt.Sprint(c.node.Process.Pid), "root", path)
}

// published is what the shim keeps of the node's containers.
func (c *cluster) published() []string {
	c.t.Helper()
	list, err := filepath.Glob(c.root("run/seccomp-hook/containers/*"))
	must(c.t, err)
	return list
}

// overlay is a kustomization of one of hack's with the image of this test.
func (c *cluster) overlay(name string) string {
	c.t.Helper()
	dir := c.file(name)
	must(c.t, os.MkdirAll(dir, 0o755))
	base, err := filepath.Rel(dir, filepath.Join(integration.Root(c.t), "hack", name))
	must(c.t, err)
	c.write(name+"/kustomization.yaml", fmt.Sprintf("resources: [%s]\nimages: [{name: seccomp-hook, newTag: test}]\n", base))
	return dir
}

// testInstall: a pod of the class waits until there is a node with the shim.
func testInstall(t *testing.T, c *cluster) {
	c.must("apply", "-k", c.overlay("deploy"))
	c.pod("early", core.PodSpec{
		SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
		Containers:      []core.Container{{Name: "default", Command: sh(filtered + " && " + forever), ReadinessProbe: mode(2)}},
	})
	c.wait("pod/early", "--for=condition=PodScheduled=False")
	c.must("label", "node", "node", "seccomp-hook/runtime=true")
	c.wait("pod/early", "--for=condition=Ready")
	want(t, c.exec("early", "default", look...), true, syscall.EPERM)
	c.installer()
	c.must("delete", "pod", "early")
}

// ofInstaller selects the DaemonSet's pods.
var ofInstaller = []string{"--namespace=kube-system", "--selector=app.kubernetes.io/name=seccomp-hook"}

// installer waits until the node has the shim. Before, there was no installer.
func (c *cluster) installer() {
	c.t.Helper()
	c.wait("pod", append(ofInstaller, "--for=condition=Ready")...)
}

// testScheduled: each container has its filter, and what is executed in it.
func testScheduled(t *testing.T, c *cluster) {
	must(t, os.MkdirAll(c.root("var/lib/kubelet/seccomp"), 0o755))
	must(t, os.WriteFile(c.root("var/lib/kubelet/seccomp/eio.json"), []byte(eio), 0o644))
	c.pod("profiles", core.PodSpec{
		SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
		Containers: []core.Container{
			{Name: "default", Command: sh(forever), ReadinessProbe: mode(2)},
			{Name: "localhost", Command: sh(forever), ReadinessProbe: mode(2), SecurityContext: confined(podLocalhost("eio.json"))},
			{Name: "unconfined", Command: sh(forever), ReadinessProbe: mode(0), SecurityContext: confined(podUnconfined)},
		},
	})
	c.wait("pod/profiles", "--for=condition=Ready")
	want(t, c.exec("profiles", "default", look...), true, syscall.EPERM)
	want(t, c.exec("profiles", "localhost", look...), true, syscall.EIO)
	want(t, c.exec("profiles", "unconfined", look...), false, 0)
	if r := c.exec("profiles", "default", sh("exit 3")...); r.Code != 3 {
		t.Error(r)
	}
	for container, installed := range map[string]bool{"default": true, "localhost": true, "unconfined": false} {
		var state struct{ Annotations map[string]string }
		r := c.command("/usr/local/bin/seccomp-hook", "state", c.container("profiles", container))
		if r.Code == 0 {
			must(t, json.Unmarshal([]byte(r.Stdout), &state))
		}
		mode := state.Annotations["io.seccomp-hook.install.mode"]
		if (mode != "") != installed || mode == "native" {
			t.Errorf("%s: %s", container, r)
		}
		t.Logf("%s: install.mode is %q, store %q", container, mode, state.Annotations["io.seccomp-hook.store"])
	}
	c.must("delete", "pod", "profiles")
}

// container returns the id of a pod's container.
func (c *cluster) container(pod, name string) string {
	c.t.Helper()
	id := c.must("get", "pod", pod, "--output", fmt.Sprintf(`jsonpath={.status.containerStatuses[?(@.name==%q)].containerID}`, name))
	return strings.TrimPrefix(id, "containerd://")
}

// testExample: hack/deploy/pod.yaml does what docs/kubernetes.md says.
func testExample(t *testing.T, c *cluster) {
	file := filepath.Join(integration.Root(t), "hack/deploy/pod.yaml")
	c.must("apply", "-f", file)
	c.wait("pod/seccomp-hook-example", "--for=condition=Ready")
	for container, lines := range map[string]string{"default": "Seccomp:\t2\nSeccomp_filters:\t1\n", "unconfined": "Seccomp:\t0\nSeccomp_filters:\t0\n"} {
		c.eventually(container+" has logged", func() bool { return c.must("logs", "seccomp-hook-example", container) == lines })
	}
	c.must("delete", "--grace-period=2", "-f", file)
}

// testScheduledPrivileged: no filter, whatever the pod's profile is.
func testScheduledPrivileged(t *testing.T, c *cluster) {
	if !hasAllCapabilities(t) {
		t.Skip("this machine's root has not all capabilities, and a privileged container gets all")
	}
	c.pod("privileged", core.PodSpec{
		SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
		Containers:      []core.Container{{Name: "privileged", Command: sh(forever), ReadinessProbe: mode(0), SecurityContext: &core.SecurityContext{Privileged: new(true)}}},
	})
	c.wait("pod/privileged", "--for=condition=Ready")
	want(t, c.exec("privileged", "privileged", look...), false, 0)
	c.must("delete", "pod", "privileged")
}

// testEvent: an event tells why a container does not run whose profile is not there.
func testEvent(t *testing.T, c *cluster) {
	c.pod("without", core.PodSpec{Containers: []core.Container{{Name: "absent", Command: sh(forever), SecurityContext: confined(podLocalhost("absent.json"))}}})
	c.eventually("an event names the profile", func() bool {
		text := c.must("get", "events", "--field-selector", "involvedObject.name=without,reason=Failed", "--output", "jsonpath={.items[*].message}")
		if text != "" {
			t.Log(text)
		}
		return strings.Contains(text, "absent.json")
	})
	c.must("delete", "pod", "without")
}

// testDebug: an ephemeral container has the pod's filter, or that of its own profile.
func testDebug(t *testing.T, c *cluster) {
	c.pod("debugged", core.PodSpec{
		SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
		Containers:      []core.Container{{Name: "main", Command: sh(forever), ReadinessProbe: mode(2)}},
	})
	c.wait("pod/debugged", "--for=condition=Ready")
	c.must(append([]string{"debug", "debugged", "--image", boxImage, "--image-pull-policy", "Never", "--target", "main", "--container", "tool", "--profile", "general", "--"}, look...)...)
	c.wait("pod/debugged", "--for=jsonpath={.status.ephemeralContainerStatuses[?(@.name=='tool')].state.terminated.exitCode}=0")
	want(t, integration.Result{Stdout: c.must("logs", "debugged", "--container", "tool")}, true, syscall.EPERM)
	own := c.write("own.json", `{"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "eio.json"}}}`)
	c.must(append([]string{"debug", "debugged", "--image", boxImage, "--image-pull-policy", "Never", "--target", "main", "--container", "own", "--profile", "general", "--custom", own, "--"}, look...)...)
	c.wait("pod/debugged", "--for=jsonpath={.status.ephemeralContainerStatuses[?(@.name=='own')].state.terminated.exitCode}=0")
	want(t, integration.Result{Stdout: c.must("logs", "debugged", "--container", "own")}, true, syscall.EIO)
	c.must("delete", "pod", "debugged")
}

// testDrain: the pods of a drained node are gone, with all that is kept of them. The
// installer's successor is waited for, as docs/kubernetes.md has it for an upgrade, and
// the pods that come then have their filters.
func testDrain(t *testing.T, c *cluster) {
	labels := map[string]string{"app": "drained"}
	c.apply(apps.Deployment{
		TypeMeta: meta.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: meta.ObjectMeta{Name: "drained", Namespace: "default"},
		Spec: apps.DeploymentSpec{
			Replicas: new(int32(3)), Selector: &meta.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{ObjectMeta: meta.ObjectMeta{Labels: labels}, Spec: local(core.PodSpec{
				SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
				Containers:      []core.Container{{Name: "main", Command: sh(filtered + " && " + forever), ReadinessProbe: mode(2)}},
			}, handler)},
		},
	})
	c.wait("deployment/drained", "--for=condition=Available")
	if list := c.published(); len(list) < 3 {
		t.Errorf("of three containers %v is published", list)
	}
	r := c.kubectl("drain", "node", "--ignore-daemonsets", "--timeout=100s")
	t.Log(r)
	if r.Code != 0 {
		t.Fatal(r)
	}
	c.idle()
	c.must(append([]string{"delete", "pod"}, ofInstaller...)...)
	c.installer()
	c.must("uncordon", "node")
	c.wait("deployment/drained", "--for=condition=Available")
	if log := c.must("exec", "deployment/drained", "--", "grep", "^Seccomp:", "/proc/self/status"); log != "Seccomp:\t2\n" {
		t.Error(log)
	}
	c.must("delete", "deployment", "drained")
	c.wait("pod", "--selector=app=drained", "--for=delete")
	c.idle()
}

// idle waits until no container but the installer's is left, and nothing that was
// kept of others.
func (c *cluster) idle() {
	c.t.Helper()
	c.eventually("no other container is there", func() bool {
		tasks := strings.Fields(c.ctr("tasks", "list", "--quiet").Stdout)
		processes := c.command("sh", "-c", `cat /proc/[0-9]*/cmdline`).Stdout
		return len(tasks) == 2 && len(c.published()) == 0 && !strings.Contains(processes, "containerd-shim-seccomp-v2")
	})
}

// testTakenAway: where the installer goes while pods run, they run on, with exec and
// probes under their filters, and can be deleted.
func testTakenAway(t *testing.T, c *cluster) {
	pods := []string{"left", "deleted"}
	ids := map[string]string{}
	for _, name := range pods {
		c.pod(name, core.PodSpec{
			SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
			Containers:      []core.Container{{Name: "main", Command: sh(forever), ReadinessProbe: mode(2)}},
		})
		c.wait("pod/"+name, "--for=condition=Ready")
		ids[name] = c.container(name, "main")
	}
	steady := func(names ...string) {
		t.Helper()
		for _, name := range names {
			c.wait("pod/"+name, "--for=condition=Ready")
			want(t, c.exec(name, "main", look...), true, syscall.EPERM)
			if id := c.container(name, "main"); id != ids[name] {
				t.Errorf("pod %s: container %s is now %s", name, ids[name], id)
			}
		}
	}
	c.must("label", "node", "node", "seccomp-hook/runtime-")
	c.gone()
	steady(pods...)
	c.must("delete", "pod", "deleted")
	c.must("label", "node", "node", "seccomp-hook/runtime=true")
	c.installer()
	steady("left")
	c.must("delete", "pod", "left")
	c.idle()
}

// testRemove: the installer takes everything away when the node loses its label.
func testRemove(t *testing.T, c *cluster) {
	c.must("label", "node", "node", "seccomp-hook/runtime-")
	c.gone()
	if after := c.installed(); after != c.before {
		t.Errorf("before:\n%s\nafter:\n%s", c.before, after)
	}
	c.must("delete", "-k", c.overlay("deploy"))
}

// gone waits until the installer has ended and containerd has been told.
func (c *cluster) gone() {
	c.t.Helper()
	c.wait("pod", append(ofInstaller, "--for=delete")...)
	c.eventually("containerd answers", func() bool { return c.ctr("version").Code == 0 })
}

// testEveryPod: with the other kustomization the shim is the runtime of a pod that
// names none. It runs on where the installer goes, and the others are native then; and
// the installer takes everything away when it is deleted.
func testEveryPod(t *testing.T, c *cluster) {
	c.must("apply", "-k", c.overlay("deploy-default"))
	c.must("label", "node", "node", "seccomp-hook/runtime=true")
	c.installer()
	start := func(name string, hooked bool) (id string) {
		t.Helper()
		spec := core.PodSpec{
			SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
			Containers:      []core.Container{{Name: "main", Command: sh(forever), ReadinessProbe: mode(2)}},
		}
		c.podOf(name, "", spec)
		c.wait("pod/"+name, "--for=condition=Ready")
		want(t, c.exec(name, "main", look...), true, syscall.EPERM)
		id = c.container(name, "main")
		if slices.Contains(c.published(), c.root("run/seccomp-hook/containers/"+id)) != hooked {
			t.Errorf("pod %s: published are %v", name, c.published())
		}
		return id
	}
	id := start("plain", true)
	c.must("label", "node", "node", "seccomp-hook/runtime-")
	c.gone()
	start("native", false)
	c.wait("pod/plain", "--for=condition=Ready")
	want(t, c.exec("plain", "main", look...), true, syscall.EPERM)
	if now := c.container("plain", "main"); now != id {
		t.Errorf("container %s is now %s", id, now)
	}
	c.must("delete", "pod", "plain", "native")
	c.must("label", "node", "node", "seccomp-hook/runtime=true")
	c.installer()
	id = start("again", true)
	installer := func() string {
		return c.must(append([]string{"get", "pod", "--output=jsonpath={.items[0].status.containerStatuses[0].containerID}"}, ofInstaller...)...)
	}
	before := installer()
	c.boot()
	c.eventually("both pods run again", func() bool { return c.container("again", "main") != id && installer() != before })
	c.installer()
	c.wait("pod/again", "--for=condition=Ready")
	want(t, c.exec("again", "main", look...), true, syscall.EPERM)
	c.must("delete", "pod", "again")
	c.must("delete", "-k", c.overlay("deploy-default"))
	c.gone()
	if after := c.installed(); after != c.before {
		t.Errorf("before:\n%s\nafter:\n%s", c.before, after)
	}
}

// boot ends all that runs on the node and is not the control plane, with what is kept
// of it until a boot, and starts containerd and the kubelet.
func (c *cluster) boot() {
	c.t.Helper()
	c.stop("kubelet")
	c.eventually("nothing runs on the node", func() bool {
		running := false
		for line := range strings.Lines(c.ctr("tasks", "list").Stdout) {
			if f := strings.Fields(line); f[len(f)-1] == "RUNNING" {
				running = true
				c.ctr("tasks", "kill", "--signal", "SIGKILL", f[0])
			}
		}
		return !running
	})
	if r := c.command("sh", "-c", "rm -r /run/seccomp-hook && exec systemctl restart containerd"); r.Code != 0 {
		c.t.Fatal(r)
	}
	c.kubelet()
}
