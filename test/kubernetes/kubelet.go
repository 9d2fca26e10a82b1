//go:build integration && kubernetes

package kubernetes

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"seccomp-hook/test/integration"
)

// readyTimeout bounds how long a pod may take to be as it is wanted. The kubelet
// looks at its pods every few seconds, and builds machines have other things to do.
const readyTimeout = 3 * time.Minute

// kubelet is a kubelet without a control plane, for static pods alone, on a daemon
// whose containers all run under the shim.
type kubelet struct {
	*worker
	dir     string
	port    int
	process *exec.Cmd
	exited  chan struct{}
	client  *http.Client
}

// sysctls are what the kubelet sets for the whole machine (pkg/util/sysctl; it ends
// where it cannot). It gets files in their places.
var sysctls = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// coverSysctls returns the commands that put files of a folder in the places of sysctls.
func coverSysctls(t *testing.T, dir string) string {
	t.Helper()
	var mounts strings.Builder
	for name, value := range sysctls {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "."))
		must(t, os.WriteFile(file, []byte(value+"\n"), 0o644))
		fmt.Fprintf(&mounts, "mount --bind %s /proc/sys/%s\n", file, name)
	}
	return mounts.String()
}

// kubernetes returns the program that is all parts of Kubernetes; its first argument
// says which.
func kubernetes(t *testing.T) string { return integration.Tool(t, "kubernetes/kubernetes") }

// kubeletConfiguration is that of a kubelet whom everybody may ask, and which leaves
// the machine alone.
func kubeletConfiguration(cgroup, socket string) map[string]any {
	return map[string]any{
		"kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1",
		"containerRuntimeEndpoint": "unix://" + socket, "healthzPort": 0, "readOnlyPort": 0,
		"authentication": map[string]any{"anonymous": map[string]any{"enabled": true}, "webhook": map[string]any{"enabled": false}},
		"authorization":  map[string]any{"mode": "AlwaysAllow"},
		// The machine that tests run on may have either version of cgroups.
		"failCgroupV1": false, "cgroupDriver": "cgroupfs", "cgroupRoot": cgroup, "enforceNodeAllocatable": []string{"none"},
		"failSwapOn": false, "oomScoreAdj": 0, "makeIPTablesUtilChains": false, "localStorageCapacityIsolation": false,
		"evictionHard":  map[string]string{"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
		"syncFrequency": "2s", "fileCheckFrequency": "1s", "resolvConf": "",
	}
}

// startKubelet starts a kubelet on a worker. It has a mount namespace of its own, in
// which nothing of the machine's is its to change, and a cgroup.
func startKubelet(t *testing.T, n *worker) *kubelet {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	k := &kubelet{worker: n, dir: filepath.Join(n.Dir, "kubelet"), port: listener.Addr().(*net.TCPAddr).Port}
	must(t, listener.Close())
	for _, dir := range []string{"manifests", "root/seccomp", "log"} {
		must(t, os.MkdirAll(filepath.Join(k.dir, dir), 0o755))
	}
	k.client = &http.Client{Timeout: criTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // the kubelet signs its own
	configuration := kubeletConfiguration("/"+n.Namespace, n.Address())
	configuration["address"], configuration["port"] = "127.0.0.1", k.port
	configuration["staticPodPath"], configuration["podLogsDir"] = filepath.Join(k.dir, "manifests"), filepath.Join(k.dir, "log")
	text, err := json.Marshal(configuration)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(k.dir, "config.json"), text, 0o644))
	for _, dir := range hierarchies(t) {
		dir = filepath.Join(dir, n.Namespace)
		must(t, os.MkdirAll(dir, 0o755))
		t.Cleanup(func() { removeCgroups(dir) })
	}
	k.start(t)
	t.Cleanup(func() {
		files, _ := filepath.Glob(filepath.Join(k.dir, "manifests/*"))
		for _, file := range files {
			_ = os.Remove(file) // the next line waits for its effect
		}
		k.eventually(t, "all pods are gone", func() bool { return len(k.pods(t)) == 0 })
		k.stop()
		k.sweep(t)
	})
	return k
}

// hierarchies are where cgroups are mounted.
func hierarchies(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	var list []string
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[2] == "cgroup" || f[2] == "cgroup2" {
			list = append(list, f[1])
		}
	}
	return list
}

// removeCgroups removes a cgroup with those below it. One that has processes stays.
func removeCgroups(dir string) {
	var all []string
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	for _, path := range slices.Backward(all) {
		_ = syscall.Rmdir(path)
	}
}

// sweep removes the sandboxes of pods that are gone, which the kubelet keeps for a
// while, and of those that a client has left.
func (n *worker) sweep(t *testing.T) {
	t.Helper()
	list, err := n.runtime.ListPodSandbox(n.context(), &cri.ListPodSandboxRequest{})
	must(t, err)
	for _, sandbox := range list.Items {
		_, err := n.runtime.StopPodSandbox(n.context(), &cri.StopPodSandboxRequest{PodSandboxId: sandbox.Id})
		must(t, err)
		_, err = n.runtime.RemovePodSandbox(n.context(), &cri.RemovePodSandboxRequest{PodSandboxId: sandbox.Id})
		must(t, err)
	}
}

func (k *kubelet) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(k.dir, "kubelet.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	must(t, err)
	defer log.Close()
	script := fmt.Sprintf(`set -e
%smkdir -p /var/log/containers
mount -t tmpfs tmpfs /var/log/containers
exec %s kubelet --config %s --root-dir %s --cert-dir %s --hostname-override node --v 3`, coverSysctls(t, k.dir),
		kubernetes(t), filepath.Join(k.dir, "config.json"), filepath.Join(k.dir, "root"), filepath.Join(k.dir, "pki"))
	process, exited := exec.Command("unshare", "--mount", "--propagation", "slave", "sh", "-c", script), make(chan struct{})
	process.Stdout, process.Stderr = log, log
	must(t, process.Start())
	go func() {
		_ = process.Wait() // ended by stop, or seen below as an exit that came too early
		close(exited)
	}()
	k.process, k.exited = process, exited
	k.eventually(t, "the kubelet answers", func() bool {
		select {
		case <-exited:
			t.Fatalf("the kubelet ended:\n%s", k.log())
		default:
		}
		_, err := k.get("/healthz")
		return err == nil
	})
}

// stop ends the kubelet; its pods live on.
func (k *kubelet) stop() {
	_ = k.process.Process.Signal(syscall.SIGTERM)
	<-k.exited
}

// log returns what the kubelet has written.
func (k *kubelet) log() string {
	text, _ := os.ReadFile(filepath.Join(k.dir, "kubelet.log"))
	return string(text)
}

// eventually waits for something that the kubelet does.
func (k *kubelet) eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(readyTimeout); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			lines := strings.Split(k.log(), "\n")
			t.Fatalf("waited in vain for: %s\n%s", what, strings.Join(lines[max(0, len(lines)-60):], "\n"))
		}
	}
}

func (k *kubelet) url(path string) string { return fmt.Sprintf("https://127.0.0.1:%d%s", k.port, path) }

func (k *kubelet) get(path string) ([]byte, error) {
	answer, err := k.client.Get(k.url(path))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, answer.Status, text)
	}
	return text, err
}

// pods returns the kubelet's pods by their names, without the node's name behind.
func (k *kubelet) pods(t *testing.T) map[string]*core.Pod {
	t.Helper()
	text, err := k.get("/pods")
	if err != nil {
		return nil // it has just been started
	}
	var list core.PodList
	must(t, json.Unmarshal(text, &list))
	pods := map[string]*core.Pod{}
	for i := range list.Items {
		pods[strings.TrimSuffix(list.Items[i].Name, "-node")] = &list.Items[i]
	}
	return pods
}

// folder makes a folder on the machine, and what a container has it by, as /out.
func folder(t *testing.T) (string, core.Volume, core.VolumeMount) {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []string{filepath.Dir(dir), dir} {
		must(t, os.Chmod(path, 0o777)) // of a user namespace, others are root
	}
	volume := core.Volume{Name: "out", VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: dir}}}
	return dir, volume, core.VolumeMount{Name: "out", MountPath: "/out"}
}

// static has the kubelet run a pod.
func (k *kubelet) static(t *testing.T, name string, spec core.PodSpec) {
	t.Helper()
	spec.HostNetwork = spec.HostUsers == nil || *spec.HostUsers // the two exclude each other
	for _, list := range [][]core.Container{spec.Containers, spec.InitContainers} {
		for i := range list {
			list[i].Image, list[i].ImagePullPolicy = boxImage, core.PullNever
		}
	}
	if spec.TerminationGracePeriodSeconds == nil {
		spec.TerminationGracePeriodSeconds = new(int64(2))
	}
	pod := core.Pod{TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "default"}, Spec: spec}
	text, err := json.Marshal(pod)
	must(t, err)
	draft := filepath.Join(k.dir, name)
	must(t, os.WriteFile(draft, text, 0o644))
	must(t, os.Rename(draft, filepath.Join(k.dir, "manifests", name+".json")))
}

// ready waits for a pod to be ready.
func (k *kubelet) ready(t *testing.T, name string) *core.Pod {
	t.Helper()
	var pod *core.Pod
	k.eventually(t, "pod "+name+" is ready", func() bool {
		pod = k.pods(t)[name]
		return pod != nil && slices.ContainsFunc(pod.Status.Conditions, func(c core.PodCondition) bool {
			return c.Type == core.PodReady && c.Status == core.ConditionTrue
		})
	})
	return pod
}

// status waits until a pod's container is as it is wanted.
func (k *kubelet) status(t *testing.T, what, pod, container string, wanted func(core.ContainerStatus) bool) core.ContainerStatus {
	t.Helper()
	var status core.ContainerStatus
	k.eventually(t, fmt.Sprintf("container %s of pod %s: %s", container, pod, what), func() bool {
		found := k.pods(t)[pod]
		if found == nil {
			return false
		}
		for _, s := range slices.Concat(found.Status.InitContainerStatuses, found.Status.ContainerStatuses) {
			if s.Name == container {
				status = s
				return wanted(s)
			}
		}
		return false
	})
	return status
}

// run runs a command in a container through the kubelet, as `kubectl exec` does.
func (k *kubelet) run(t *testing.T, pod, container string, command ...string) integration.Result {
	t.Helper()
	answer, err := k.client.Post(k.url("/run/default/"+pod+"-node/"+container+"?"+url.Values{"cmd": {strings.Join(command, " ")}}.Encode()), "", nil)
	must(t, err)
	defer answer.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(answer.Body)
	must(t, err)
	r := integration.Result{Stdout: text.String()}
	if answer.StatusCode != http.StatusOK {
		r.Code = 1
	}
	return r
}

// remove takes a static pod away and waits for its end.
func (k *kubelet) remove(t *testing.T, name string) {
	t.Helper()
	must(t, os.Remove(filepath.Join(k.dir, "manifests", name+".json")))
	k.eventually(t, "pod "+name+" is gone", func() bool { return k.pods(t)[name] == nil })
}
