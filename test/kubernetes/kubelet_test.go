//go:build integration && kubernetes

package kubernetes

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
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

// filtered ends well only if it has a filter.
const filtered = "grep -q '^Seccomp:.2' /proc/self/status"

// eio is a Localhost profile under which personality fails with EIO.
const eio = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]}`

// TestKubelet runs static pods by a kubelet, under the shim as the runtime of all.
func TestKubelet(t *testing.T) {
	n := startWorkerWith(t, cni(t)+`
[plugins."io.containerd.cri.v1.runtime".containerd]
  default_runtime_name = "`+handler+`"
`)
	k := startKubelet(t, n)
	for name, text := range map[string]string{"eio.json": eio, "broken.json": `{"defaultAction": "SCMP_ACT_NONE_SUCH"}`} {
		must(t, os.WriteFile(filepath.Join(k.dir, "root/seccomp", name), []byte(text), 0o644))
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *kubelet)
	}{
		{"profiles of pod and container", testProfiles},
		{"profiles that cannot be had", testNoProfile},
		{"privileged", testPrivileged},
		{"user namespace", testUserNamespace},
		{"a pod's life", testLife},
		{"out of memory", testMemory},
		{"restarts", testRestarts},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, k) })
	}
}

// testProfiles: a container's profile counts, and the pod's where it has none.
func testProfiles(t *testing.T, k *kubelet) {
	k.static(t, "profiles", core.PodSpec{
		SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
		Containers: []core.Container{
			{Name: "inherits", Command: sh(forever), ReadinessProbe: mode(2)},
			{Name: "localhost", Command: sh(forever), ReadinessProbe: mode(2), SecurityContext: confined(podLocalhost("eio.json"))},
			{Name: "unconfined", Command: sh(forever), ReadinessProbe: mode(0), SecurityContext: confined(podUnconfined)},
		},
	})
	k.static(t, "none", core.PodSpec{Containers: []core.Container{{Name: "none", Command: sh(forever), ReadinessProbe: mode(0)}}})
	k.ready(t, "profiles")
	want(t, k.run(t, "profiles", "inherits", look...), true, syscall.EPERM)
	want(t, k.run(t, "profiles", "localhost", look...), true, syscall.EIO)
	want(t, k.run(t, "profiles", "unconfined", look...), false, 0)
	k.ready(t, "none")
	k.remove(t, "profiles")
	k.remove(t, "none")
}

// testNoProfile: what a container's status says whose profile is not there, or is none;
// the others of the pod run.
func testNoProfile(t *testing.T, k *kubelet) {
	k.static(t, "without", core.PodSpec{Containers: []core.Container{
		{Name: "fine", Command: sh(forever), SecurityContext: confined(podLocalhost("eio.json"))},
		{Name: "absent", Command: sh(forever), SecurityContext: confined(podLocalhost("absent.json"))},
		{Name: "broken", Command: sh(forever), SecurityContext: confined(podLocalhost("broken.json"))},
	}})
	k.status(t, "runs", "without", "fine", func(s core.ContainerStatus) bool { return s.State.Running != nil })
	for container, text := range map[string]string{"absent": "absent.json", "broken": "SCMP_ACT_NONE_SUCH"} {
		s := k.status(t, "says why it does not run", "without", container, func(s core.ContainerStatus) bool {
			return s.State.Waiting != nil && strings.Contains(s.State.Waiting.Message, text)
		})
		t.Logf("%s: %s: %s", container, s.State.Waiting.Reason, s.State.Waiting.Message)
	}
	k.remove(t, "without")
}

// testPrivileged: a privileged container has no filter, whatever its pod's profile is.
func testPrivileged(t *testing.T, k *kubelet) {
	if !hasAllCapabilities(t) {
		t.Skip("this machine's root has not all capabilities, and a privileged container gets all")
	}
	k.static(t, "privileged", core.PodSpec{
		SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
		Containers:      []core.Container{{Name: "privileged", Command: sh(forever), ReadinessProbe: mode(0), SecurityContext: &core.SecurityContext{Privileged: new(true)}}},
	})
	k.ready(t, "privileged")
	want(t, k.run(t, "privileged", "privileged", look...), false, 0)
	k.remove(t, "privileged")
}

// hasAllCapabilities reports whether root has what the kernel knows.
func hasAllCapabilities(t *testing.T) bool {
	t.Helper()
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	must(t, err)
	highest, err := strconv.Atoi(strings.TrimSpace(string(last)))
	must(t, err)
	status, err := os.ReadFile("/proc/self/status")
	must(t, err)
	return strings.Contains(string(status), fmt.Sprintf("CapEff:\t%016x\n", uint64(1)<<(highest+1)-1))
}

// testUserNamespace: a pod with hostUsers: false. Its root is another user of the
// machine, and has the filter in its processes and in its probes.
func testUserNamespace(t *testing.T, k *kubelet) {
	dir, volume, mount := folder(t)
	k.static(t, "users", core.PodSpec{
		HostUsers:       new(false),
		SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
		Volumes:         []core.Volume{volume},
		Containers: []core.Container{
			{Name: "default", Command: sh(filtered + " && cat /proc/self/uid_map >/out/map; " + forever), ReadinessProbe: mode(2), VolumeMounts: []core.VolumeMount{mount}},
			{Name: "localhost", Command: sh(forever), ReadinessProbe: mode(2), SecurityContext: confined(podLocalhost("eio.json"))},
		},
	})
	k.ready(t, "users")
	want(t, k.run(t, "users", "default", look...), true, syscall.EPERM)
	want(t, k.run(t, "users", "localhost", look...), true, syscall.EIO)
	if ids, err := os.ReadFile(filepath.Join(dir, "map")); err != nil || strings.Join(strings.Fields(string(ids))[:2], " ") == "0 0" {
		t.Errorf("%q, %v", ids, err)
	}
	k.remove(t, "users")
}

// testLife: init containers and sidecars, probes by exec and httpGet, and lifecycle
// hooks; what is executed in a container has its filter.
func testLife(t *testing.T, k *kubelet) {
	dir, volume, mount := folder(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	must(t, listener.Close())
	web := core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Host: "127.0.0.1", Port: intstr.FromInt(port), Path: "/status"}}
	hook := func(name string) *core.LifecycleHandler {
		return &core.LifecycleHandler{Exec: &core.ExecAction{Command: sh("grep '^Seccomp:' /proc/self/status >/out/" + name)}}
	}
	startup := mode(2)
	startup.FailureThreshold = 30
	k.static(t, "life", core.PodSpec{
		SecurityContext:               &core.PodSecurityContext{SeccompProfile: podDefault},
		TerminationGracePeriodSeconds: new(int64(20)),
		Volumes:                       []core.Volume{volume},
		InitContainers: []core.Container{
			{Name: "init", Command: sh(filtered + " && touch /out/init"), VolumeMounts: []core.VolumeMount{mount}},
			{Name: "sidecar", Command: sh(filtered + " && " + forever), RestartPolicy: new(core.ContainerRestartPolicyAlways), StartupProbe: startup},
		},
		Containers: []core.Container{{
			Name: "main", VolumeMounts: []core.VolumeMount{mount},
			Command:        sh(fmt.Sprintf("mkdir /www && grep '^Seccomp:.2' /proc/self/status >/www/status && exec httpd -f -p 127.0.0.1:%d -h /www", port)),
			StartupProbe:   startup,
			LivenessProbe:  mode(2),
			ReadinessProbe: &core.Probe{ProbeHandler: web, PeriodSeconds: 2, TimeoutSeconds: 20},
			Lifecycle:      &core.Lifecycle{PostStart: hook("postStart"), PreStop: hook("preStop")},
		}},
	})
	k.ready(t, "life")
	want(t, k.run(t, "life", "main", look...), true, syscall.EPERM)
	want(t, k.run(t, "life", "sidecar", look...), true, syscall.EPERM)
	if s := k.status(t, "", "life", "main", func(core.ContainerStatus) bool { return true }); s.RestartCount != 0 {
		t.Errorf("%+v", s)
	}
	k.remove(t, "life")
	for _, name := range []string{"postStart", "preStop"} {
		// The kubelet does not list a static pod any more that still ends.
		k.eventually(t, name+" has the filter", func() bool {
			text, _ := os.ReadFile(filepath.Join(dir, name))
			return string(text) == "Seccomp:\t2\n"
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "init")); err != nil {
		t.Error(err)
	}
}

// testMemory: the kernel ends a container that takes more memory than it may, and its
// successor has the filter.
func testMemory(t *testing.T, k *kubelet) {
	_, volume, mount := folder(t)
	k.static(t, "memory", core.PodSpec{
		SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
		Volumes:         []core.Volume{volume},
		Containers: []core.Container{{
			Name: "eats", VolumeMounts: []core.VolumeMount{mount}, ReadinessProbe: mode(2),
			Command:   sh("[ -e /out/once ] && " + forever + "; touch /out/once; exec tail /dev/zero"),
			Resources: core.ResourceRequirements{Limits: core.ResourceList{core.ResourceMemory: resource.MustParse("64Mi")}},
		}},
	})
	s := k.status(t, "has been killed and runs again", "memory", "eats", func(s core.ContainerStatus) bool {
		return s.LastTerminationState.Terminated != nil && s.State.Running != nil
	})
	if reason := s.LastTerminationState.Terminated.Reason; reason != "OOMKilled" {
		t.Errorf("it ended: %s", reason)
	}
	k.ready(t, "memory")
	want(t, k.run(t, "memory", "eats", look...), true, syscall.EPERM)
	k.remove(t, "memory")
}

// testRestarts: kubelet and containerd end while probes are made every second; the
// containers live on, and have their filters.
func testRestarts(t *testing.T, k *kubelet) {
	var names []string
	for i := range 4 {
		name := fmt.Sprintf("steady-%d", i)
		probe := mode(2)
		probe.PeriodSeconds = 1
		k.static(t, name, core.PodSpec{
			SecurityContext: &core.PodSecurityContext{SeccompProfile: podDefault},
			Containers: []core.Container{
				{Name: "default", Command: sh(forever), ReadinessProbe: probe},
				{Name: "localhost", Command: sh(forever), ReadinessProbe: probe, SecurityContext: confined(podLocalhost("eio.json"))},
			},
		})
		names = append(names, name)
	}
	containers := func() map[string]string {
		ids := map[string]string{}
		for _, name := range names {
			for _, s := range k.ready(t, name).Status.ContainerStatuses {
				ids[name+"/"+s.Name] = s.ContainerID
			}
			// The kubelet waits before it connects to a new containerd.
			k.eventually(t, "something can be executed in pod "+name, func() bool { return k.run(t, name, "default", "/bin/true").Code == 0 })
			want(t, k.run(t, name, "default", look...), true, syscall.EPERM)
			want(t, k.run(t, name, "localhost", look...), true, syscall.EIO)
		}
		return ids
	}
	before := containers()
	for _, restart := range []struct {
		name string
		do   func()
	}{
		{"kubelet", func() { k.stop(); k.start(t) }},
		{"containerd, ended", func() { k.Stop(syscall.SIGTERM); k.Start() }},
		{"containerd, killed", func() { k.Stop(syscall.SIGKILL); k.Start() }},
	} {
		restart.do()
		if after := containers(); !maps.Equal(after, before) {
			t.Errorf("%s: the containers were %v and are %v", restart.name, before, after)
		}
	}
	for _, name := range names {
		k.remove(t, name)
	}
}
