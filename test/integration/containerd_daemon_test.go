//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// shimType is the shim's runtime type; runcType is containerd's own shim's.
const (
	shimType = "io.containerd.seccomp.v2"
	runcType = "io.containerd.runc.v2"
)

// daemonVersion is one containerd.
type daemonVersion struct {
	name        string
	containerd  string
	ctr         string
	config      int    // version of its configuration file
	runcBinary  string // what its shim calls "runc"
	environment []string
}

// daemonVersions returns the daemons that the shim is to work with: the newest,
// an older one of 2.x, which reads a shim's answer in JSON alone, and the
// distribution's 1.6, which reads no more than an address.
func daemonVersions(t *testing.T) []daemonVersion {
	t.Helper()
	return []daemonVersion{
		newestDaemon(t),
		{name: "containerd-2.1", containerd: Tool(t, "containerd-2.1/containerd"), ctr: Tool(t, "containerd-2.1/ctr"), config: 3, runcBinary: Tool(t, "runc")},
		{name: "containerd-1.6", containerd: "/usr/bin/containerd", ctr: "/usr/bin/ctr", config: 2, runcBinary: program(t, "runc")},
	}
}

func newestDaemon(t *testing.T) daemonVersion {
	t.Helper()
	return daemonVersion{name: "containerd-2.4", containerd: Tool(t, "containerd"), ctr: Tool(t, "ctr"), config: 3, runcBinary: Tool(t, "runc")}
}

// daemon is a containerd of a test's own, with folders of its own.
type daemon struct {
	daemonVersion
	t         *testing.T
	dir       string
	namespace string
	rootfs    string // of busybox, with the probe
	process   *exec.Cmd
	exited    chan struct{}
	watch     *Bundle
	extra     string // of the configuration
}

// startDaemon starts a containerd. When the test ends it is gone, and what is
// left of its containers fails the test.
func startDaemon(t *testing.T, v daemonVersion, extraConfig ...string) *daemon {
	t.Helper()
	d := &daemon{
		daemonVersion: v, t: t, dir: t.TempDir(), extra: strings.Join(extraConfig, "\n"),
		namespace: fmt.Sprintf("%s%d-%d", idPrefix, os.Getpid(), serial.Add(1)),
	}
	must(t, os.Chmod(filepath.Dir(d.dir), 0o755))
	d.watch = &Bundle{Dir: d.dir, ids: []string{d.namespace}, t: t}
	watchLeaks(d.watch)
	t.Cleanup(func() {
		for _, file := range d.runtimeFiles() {
			t.Errorf("leaked %s", file)
		}
	})
	d.rootfs = filepath.Join(d.dir, "rootfs")
	populate(t, d.rootfs)
	copyProgram(t, Probe.Path(t), filepath.Join(d.rootfs, "bin/probe"))
	d.start()
	t.Cleanup(func() {
		d.removeContainers()
		d.stop(syscall.SIGTERM)
		// ctr puts containers below a cgroup of the namespace, which nothing
		// takes away.
		for _, dir := range cgroupsOf(d.namespace) {
			_ = os.Remove(dir) // if it is not empty, it is a leak
		}
	})
	return d
}

// in returns the daemon for a subtest.
func (d *daemon) in(t *testing.T) *daemon {
	sub := *d
	sub.t = t
	return &sub
}

// runtimeFiles returns what the runtime keeps of the daemon's containers.
func (d *daemon) runtimeFiles() []string {
	found, _ := filepath.Glob(filepath.Join("/run/containerd/runc", d.namespace, "*"))
	return found
}

func (d *daemon) address() string { return filepath.Join(d.dir, "s") }
func (d *daemon) logFile() string { return filepath.Join(d.dir, "log") }

// start starts the daemon, with what an earlier one has left.
func (d *daemon) start() {
	d.t.Helper()
	config := fmt.Sprintf(`version = %d
root = %q
state = %q
%s
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
`, d.config, filepath.Join(d.dir, "root"), filepath.Join(d.dir, "state"), d.extraHead(), d.address(), filepath.Join(d.dir, "opt"))
	file := filepath.Join(d.dir, "config.toml")
	must(d.t, os.WriteFile(file, []byte(config+d.extra), 0o644))
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	must(d.t, err)
	defer log.Close()
	d.process = exec.Command(d.containerd, "--config", file, "--log-level", "info")
	// Only its own shim and runtime, and the product's, are to be found.
	path := strings.Join([]string{filepath.Dir(Product(d.t, "containerd-shim-seccomp-v2")), filepath.Dir(d.containerd), filepath.Dir(d.runcBinary), os.Getenv("PATH")}, ":")
	d.process.Env = append(append(os.Environ(), "PATH="+path), d.environment...)
	d.process.Stdout, d.process.Stderr = log, log
	must(d.t, d.process.Start())
	process, exited := d.process, make(chan struct{})
	d.exited = exited
	go func() {
		_ = process.Wait() // ended by stop, or seen below as an exit that came too early
		close(exited)
	}()
	Eventually(d.t, "containerd answers", func() bool {
		select {
		case <-exited:
			d.t.Fatalf("containerd ended:\n%s", d.log())
		default:
		}
		return d.ctr("version").Code == 0
	})
}

// extraHead turns CRI off where the test does not configure it: it takes most
// of the daemon's start.
func (d *daemon) extraHead() string {
	if d.extra != "" {
		return ""
	}
	if d.config == 2 {
		return `disabled_plugins = ["io.containerd.grpc.v1.cri"]`
	}
	return `disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]`
}

// stop ends the daemon; its containers live on.
func (d *daemon) stop(signal syscall.Signal) {
	_ = d.process.Process.Signal(signal) // it may be gone
	<-d.exited
}

// log returns what the daemon has written, the shims' logs among it.
func (d *daemon) log() string {
	text, _ := os.ReadFile(d.logFile())
	return string(text)
}

// ctr runs containerd's command line in the test's namespace.
func (d *daemon) ctr(args ...string) Result {
	d.t.Helper()
	return Command(d.t, d.daemonVersion.ctr, append([]string{"--address", d.address(), "--namespace", d.namespace}, args...)...)
}

// must is ctr for a command that must succeed.
func (d *daemon) must(args ...string) Result {
	d.t.Helper()
	r := d.ctr(args...)
	if r.Code != 0 {
		d.t.Fatalf("ctr %s: %s\n%s", strings.Join(args, " "), r, d.log())
	}
	return r
}

// id returns a new name for a container.
func (d *daemon) id() string {
	id := fmt.Sprintf("%s%d-%d", idPrefix, os.Getpid(), serial.Add(1))
	d.watch.ids = append(d.watch.ids, id)
	return id
}

// run runs a container under the shim to its end.
func (d *daemon) run(flags []string, command ...string) Result {
	d.t.Helper()
	return d.runAs(shimType, flags, command...)
}

// runAs is run with a runtime type.
func (d *daemon) runAs(runtime string, flags []string, command ...string) Result {
	d.t.Helper()
	return d.ctr(slices.Concat([]string{"run", "--rm", "--runtime", runtime}, flags, []string{"--rootfs", d.rootfs, d.id()}, command)...)
}

// detached starts a container under the shim.
func (d *daemon) detached(flags []string, command ...string) (id string) {
	d.t.Helper()
	id = d.id()
	d.must(slices.Concat([]string{"run", "--detach", "--null-io", "--runtime", shimType}, flags, []string{"--rootfs", d.rootfs, id}, command)...)
	return id
}

// exec runs a command in a container.
func (d *daemon) exec(id string, command ...string) Result {
	d.t.Helper()
	exec := fmt.Sprintf("e%d", serial.Add(1))
	return d.ctr(append([]string{"tasks", "exec", "--exec-id", exec, id}, command...)...)
}

// remove ends a container and deletes it.
func (d *daemon) remove(id string) {
	d.t.Helper()
	d.ctr("tasks", "delete", "--force", id) // there may be no task
	d.must("containers", "delete", id)
}

// containers returns the names of all containers.
func (d *daemon) containers() []string {
	return strings.Fields(d.ctr("containers", "list", "--quiet").Stdout)
}

func (d *daemon) removeContainers() {
	d.t.Helper()
	for _, id := range d.containers() {
		d.remove(id)
	}
}
