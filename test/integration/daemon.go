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

// ShimType is the shim's runtime type.
const ShimType = "io.containerd.seccomp.v2"

// DaemonVersion is one containerd.
type DaemonVersion struct {
	Name       string
	containerd string
	ctr        string
	runc       string // what its shim finds as "runc"
	config     int    // version of its configuration file
}

// Daemons returns the containerds that the shim is to work with: the newest, an
// older one of 2.x, which reads a shim's answer in JSON alone, and the
// distribution's 1.6, which reads no more than an address.
func Daemons(t testing.TB) []DaemonVersion {
	t.Helper()
	return []DaemonVersion{
		NewestDaemon(t),
		{"containerd-2.1", Tool(t, "containerd-2.1/containerd"), Tool(t, "containerd-2.1/ctr"), Tool(t, "runc"), 3},
		{"containerd-1.6", program(t, "containerd"), "/usr/bin/ctr", program(t, "runc"), 2},
	}
}

// NewestDaemon returns the newest containerd, with the newest runc.
func NewestDaemon(t testing.TB) DaemonVersion {
	t.Helper()
	return DaemonVersion{"containerd-2.4", Tool(t, "containerd"), Tool(t, "ctr"), Tool(t, "runc"), 3}
}

// Configured returns the configuration that the daemon makes of a file, or its own
// defaults if there is none.
func (v DaemonVersion) Configured(t testing.TB, file string) string {
	t.Helper()
	if file == "" {
		return MustCommand(t, v.containerd, "config", "default").Stdout
	}
	return MustCommand(t, v.containerd, "--config", file, "config", "dump").Stdout
}

// Daemon is a containerd with folders of its own.
type Daemon struct {
	DaemonVersion
	Dir       string
	Namespace string // of ctr's containers; unique
	Rootfs    string // of busybox, and Probe as /bin/probe
	plugins   string // configuration
	bin       string // where the product's binaries are
	runtime   string // type of the containers' runtime
	env       []string
	argv      []string // what the daemon is started by
	t         testing.TB
	watch     *Bundle
	process   *exec.Cmd
	exited    chan struct{}
}

// DaemonOption changes how a daemon is started.
type DaemonOption func(*Daemon)

// Plugins sets what the daemon's configuration says of plugins. Without it there
// is no CRI.
func Plugins(text string) DaemonOption { return func(d *Daemon) { d.plugins = text } }

// Binaries has the daemon find the shim in another folder.
func Binaries(dir string) DaemonOption { return func(d *Daemon) { d.bin = dir } }

// AsRunc has the daemon find the shim by the name of containerd's own, for
// clients that have options for that one alone.
func AsRunc(d *Daemon) {
	d.t.Helper()
	shim := filepath.Join(d.bin, "containerd-shim-seccomp-v2")
	d.bin, d.runtime = d.t.TempDir(), "io.containerd.runc.v2"
	must(d.t, os.Symlink(shim, filepath.Join(d.bin, "containerd-shim-runc-v2")))
}

// Env adds to the daemon's environment, which its shims and runtimes have too.
func Env(variables ...string) DaemonOption {
	return func(d *Daemon) { d.env = append(d.env, variables...) }
}

// By has the daemon started by a command.
func By(argv ...string) DaemonOption { return func(d *Daemon) { d.argv = argv } }

// StartDaemon starts a containerd. When the test ends the daemon and its
// containers are gone, and what is left of them fails the test.
func StartDaemon(t testing.TB, v DaemonVersion, options ...DaemonOption) *Daemon {
	t.Helper()
	d := &Daemon{DaemonVersion: v, Dir: t.TempDir(), runtime: ShimType, bin: filepath.Dir(Product(t, "containerd-shim-seccomp-v2")), t: t}
	for _, option := range options {
		option(d)
	}
	d.Namespace = newID()
	must(t, os.Chmod(filepath.Dir(d.Dir), 0o755))
	d.watch = &Bundle{Dir: d.Dir, ids: []string{d.Namespace}, t: t}
	watchLeaks(d.watch)
	t.Cleanup(func() {
		for _, dir := range []string{"/run/containerd/runc", stateDir} {
			files, _ := filepath.Glob(filepath.Join(dir, d.Namespace, "*"))
			for _, file := range files {
				t.Errorf("leaked %s", file)
			}
		}
	})
	d.Rootfs = filepath.Join(d.Dir, "rootfs")
	populate(t, d.Rootfs)
	copyProgram(t, Probe.Path(t), filepath.Join(d.Rootfs, "bin/probe"))
	d.Start()
	t.Cleanup(func() {
		for _, id := range strings.Fields(d.Ctr("containers", "list", "--quiet").Stdout) {
			d.Remove(id)
		}
		d.Stop(syscall.SIGTERM)
		// A namespace has a cgroup and a folder of the runtime's, which nothing
		// takes away.
		for _, dir := range append(cgroupsOf(d.Namespace), d.StateRoot()) {
			_ = os.Remove(dir) // one that is not empty is a leak
		}
	})
	return d
}

// In returns the daemon for a subtest.
func (d *Daemon) In(t testing.TB) *Daemon {
	sub := *d
	sub.t = t
	return &sub
}

// newID returns a name that no other container has.
func newID() string { return fmt.Sprintf("%s%d-%d", idPrefix, os.Getpid(), serial.Add(1)) }

// Address returns the daemon's socket.
func (d *Daemon) Address() string { return filepath.Join(d.Dir, "s") }

// Log returns what the daemon has written, its shims' logs among it.
func (d *Daemon) Log() string {
	text, _ := os.ReadFile(filepath.Join(d.Dir, "log"))
	return string(text)
}

// configuration returns the text of the daemon's configuration file.
func (d *Daemon) configuration() string {
	disabled := `"io.containerd.grpc.v1.cri"` // takes most of the daemon's start
	if d.config > 2 {
		disabled += `, "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri"`
	}
	if d.plugins != "" {
		disabled = ""
	}
	return fmt.Sprintf(`version = %d
root = %q
state = %q
disabled_plugins = [%s]
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
%s`, d.config, filepath.Join(d.Dir, "root"), filepath.Join(d.Dir, "state"), disabled, d.Address(), filepath.Join(d.Dir, "opt"), d.plugins)
}

// Start starts the daemon, with the containers that an earlier one has left.
func (d *Daemon) Start() {
	d.t.Helper()
	file := filepath.Join(d.Dir, "config.toml")
	must(d.t, os.WriteFile(file, []byte(d.configuration()), 0o644))
	log, err := os.OpenFile(filepath.Join(d.Dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	must(d.t, err)
	defer log.Close()
	argv := append(slices.Clone(d.argv), d.containerd, "--config", file, "--log-level", "info")
	process, exited := exec.Command(argv[0], argv[1:]...), make(chan struct{})
	// Shims and runtimes are found on the daemon's PATH.
	path := strings.Join([]string{d.bin, filepath.Dir(d.containerd), filepath.Dir(d.runc), os.Getenv("PATH")}, ":")
	process.Env = append(append(os.Environ(), "PATH="+path), d.env...)
	process.Stdout, process.Stderr = log, log
	must(d.t, process.Start())
	go func() {
		_ = process.Wait() // ended by Stop, or seen below as an exit that came too early
		close(exited)
	}()
	d.process, d.exited = process, exited
	Eventually(d.t, "containerd answers", func() bool {
		select {
		case <-exited:
			d.t.Fatalf("containerd ended:\n%s", d.Log())
		default:
		}
		return d.Ctr("version").Code == 0
	})
}

// Stop ends the daemon; its containers live on.
func (d *Daemon) Stop(signal syscall.Signal) {
	_ = d.process.Process.Signal(signal) // it may be gone
	<-d.exited
}

// Ctr runs containerd's command line.
func (d *Daemon) Ctr(args ...string) Result {
	d.t.Helper()
	return Command(d.t, d.ctr, append([]string{"--address", d.Address(), "--namespace", d.Namespace}, args...)...)
}

// MustCtr is Ctr for a command that must succeed.
func (d *Daemon) MustCtr(args ...string) Result {
	d.t.Helper()
	r := d.Ctr(args...)
	if r.Code != 0 {
		d.t.Fatalf("ctr %s: %s\n%s", strings.Join(args, " "), r, d.Log())
	}
	return r
}

// Run runs a container under the shim to its end.
func (d *Daemon) Run(flags []string, command ...string) Result {
	d.t.Helper()
	return d.Ctr(d.container([]string{"run", "--rm"}, flags, d.NewID(), command)...)
}

// Detached starts a container under the shim and returns its name.
func (d *Daemon) Detached(flags []string, command ...string) string {
	d.t.Helper()
	id := d.NewID()
	d.MustCtr(d.container([]string{"run", "--detach", "--null-io"}, flags, id, command)...)
	return id
}

// NewID returns a name for a container, whose remains are looked for when the
// test ends.
func (d *Daemon) NewID() string {
	id := newID()
	d.watch.ids = append(d.watch.ids, id)
	return id
}

func (d *Daemon) container(verb, flags []string, id string, command []string) []string {
	return slices.Concat(verb, []string{"--runtime", d.runtime}, flags, []string{"--rootfs", d.Rootfs, id}, command)
}

// Exec runs a command in a container.
func (d *Daemon) Exec(id string, command ...string) Result {
	d.t.Helper()
	return d.Ctr(append([]string{"tasks", "exec", "--exec-id", newID(), id}, command...)...)
}

// Shim returns the process that serves a container.
func (d *Daemon) Shim(id string) int {
	d.t.Helper()
	for _, p := range processes() {
		if words := strings.Fields(p.command); len(words) > 0 && strings.HasSuffix(words[0], "/containerd-shim-seccomp-v2") && slices.Contains(words, id) {
			return p.pid
		}
	}
	d.t.Fatalf("container %s has no shim", id)
	return 0
}

// StateRoot returns the runtime's --root for the daemon's containers.
func (d *Daemon) StateRoot() string { return filepath.Join("/run/containerd/runc", d.Namespace) }

// Remove ends a container and deletes it.
func (d *Daemon) Remove(id string) {
	d.t.Helper()
	d.Ctr("tasks", "delete", "--force", id) // there may be no task
	d.MustCtr("containers", "delete", id)
}
