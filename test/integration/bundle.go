//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// DefaultCapabilities are the fourteen that Docker gives a container.
var DefaultCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// Bundle is an OCI bundle over a busybox root filesystem. A test changes Spec
// as it likes until the first Create, Run or Save.
type Bundle struct {
	Dir  string
	Spec *specs.Spec
	t    testing.TB
	ids  []string // of the containers made of it
}

// Option changes the configuration of a new bundle.
type Option func(*Bundle)

// NewBundle returns a bundle as Docker would write it for a plain
// `docker run busybox`, without linux.seccomp: its default capabilities,
// mounts, masked paths and namespaces, noNewPrivileges false, uid 0. It is
// gone, with everything in it, when the test ends; what is left of its
// containers by then fails the test.
func NewBundle(t testing.TB, options ...Option) *Bundle {
	t.Helper()
	b := &Bundle{Dir: t.TempDir(), Spec: dockerSpec(), t: t}
	watchLeaks(b)
	populate(t, filepath.Join(b.Dir, "rootfs"))
	// The container's root may be another uid (user namespaces); t.TempDir
	// leaves its parent closed to it.
	for _, dir := range []string{b.Dir, filepath.Dir(b.Dir)} {
		must(t, os.Chmod(dir, 0o755))
	}
	for _, option := range options {
		option(b)
	}
	return b
}

// Args sets the command of the container's first process.
func Args(args ...string) Option {
	return func(b *Bundle) { b.Spec.Process.Args = args }
}

// User sets uid and gid. As runc and Docker do it, another uid than 0 keeps
// only the bounding set.
func User(uid uint32) Option {
	return func(b *Bundle) {
		b.Spec.Process.User = specs.User{UID: uid, GID: uid}
		if uid != 0 {
			b.Spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: DefaultCapabilities}
		}
	}
}

// NoNewPrivileges sets process.noNewPrivileges.
func NoNewPrivileges(on bool) Option {
	return func(b *Bundle) { b.Spec.Process.NoNewPrivileges = on }
}

// Capabilities sets the permitted, effective and bounding set.
func Capabilities(names ...string) Option {
	return func(b *Bundle) {
		b.Spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: names, Effective: names, Permitted: names}
	}
}

// Seccomp sets linux.seccomp.
func Seccomp(profile *specs.LinuxSeccomp) Option {
	return func(b *Bundle) { b.Spec.Linux.Seccomp = profile }
}

// Annotation sets one annotation.
func Annotation(key, value string) Option {
	return func(b *Bundle) {
		if b.Spec.Annotations == nil {
			b.Spec.Annotations = make(map[string]string)
		}
		b.Spec.Annotations[key] = value
	}
}

// Prestart appends a prestart hook; argv[0] is its path too.
func Prestart(argv ...string) Option {
	return func(b *Bundle) { b.hooks().Prestart = append(b.hooks().Prestart, hook(argv)) } //nolint:staticcheck // deprecated by the spec, and what the product is for
}

// Poststop appends a poststop hook; argv[0] is its path too.
func Poststop(argv ...string) Option {
	return func(b *Bundle) { b.hooks().Poststop = append(b.hooks().Poststop, hook(argv)) }
}

// CreateRuntime appends a createRuntime hook; argv[0] is its path too.
func CreateRuntime(argv ...string) Option {
	return func(b *Bundle) { b.hooks().CreateRuntime = append(b.hooks().CreateRuntime, hook(argv)) }
}

func (b *Bundle) hooks() *specs.Hooks {
	if b.Spec.Hooks == nil {
		b.Spec.Hooks = &specs.Hooks{}
	}
	return b.Spec.Hooks
}

func hook(argv []string) specs.Hook {
	return specs.Hook{Path: argv[0], Args: argv, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}}
}

// WithVictim puts a victim program (see Victim) into the container and makes it
// the first process, with these arguments.
func WithVictim(v Victim, args ...string) Option {
	return func(b *Bundle) {
		path := v.Path(b.t)
		v.runnable(b.t, path)
		b.Spec.Process.Args = append([]string{b.Install(path)}, args...)
	}
}

// Install copies a program of the host into the container's /bin and returns
// its path there.
func (b *Bundle) Install(program string) string {
	b.t.Helper()
	inside := filepath.Join("/bin", filepath.Base(program))
	copyProgram(b.t, program, filepath.Join(b.Dir, "rootfs", inside))
	return inside
}

// Save writes config.json. Create and Run call it; a test does when it wants
// to spoil the file.
func (b *Bundle) Save() {
	b.t.Helper()
	text, err := json.MarshalIndent(b.Spec, "", "\t")
	must(b.t, err)
	must(b.t, os.WriteFile(b.ConfigPath(), text, 0o600))
}

// ConfigPath returns the path of config.json.
func (b *Bundle) ConfigPath() string { return filepath.Join(b.Dir, "config.json") }

// dockerSpec returns what moby's oci.DefaultLinuxSpec gives, network and
// devices left out. The version is the newest that crun 1.8 reads.
func dockerSpec() *specs.Spec {
	return &specs.Spec{
		Version:  "1.0.2",
		Hostname: "victim",
		Root:     &specs.Root{Path: "rootfs"},
		Process: &specs.Process{
			Args: []string{"/bin/true"},
			Cwd:  "/",
			Env:  []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"},
			Capabilities: &specs.LinuxCapabilities{
				Bounding: DefaultCapabilities, Effective: DefaultCapabilities, Permitted: DefaultCapabilities,
			},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.MountNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.UTSNamespace},
				{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace},
			},
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
				"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
			},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

const busybox = "/bin/busybox"

var applets = sync.OnceValues(func() ([]string, error) {
	out, err := commandOutput(busybox, "--list")
	return strings.Fields(out), err
})

// populate makes a root filesystem of busybox-static and its applets.
func populate(t testing.TB, rootfs string) {
	t.Helper()
	for _, dir := range []string{"bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr/bin"} {
		must(t, os.MkdirAll(filepath.Join(rootfs, dir), 0o755))
	}
	must(t, os.Chmod(filepath.Join(rootfs, "tmp"), 0o1777))
	must(t, os.WriteFile(filepath.Join(rootfs, "etc/passwd"), []byte("root:x:0:0:root:/root:/bin/sh\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(rootfs, "etc/group"), []byte("root:x:0:\n"), 0o644))
	copyProgram(t, busybox, filepath.Join(rootfs, "bin/busybox"))
	names, err := applets()
	must(t, err)
	for _, name := range slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "busybox" }) {
		must(t, os.Symlink("busybox", filepath.Join(rootfs, "bin", name)))
	}
}

func copyProgram(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, b, 0o755))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
