//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestNative: where a container cannot get its filter from here, the real runtime
// compiles linux.seccomp, and every process of the container is filtered, those of
// execs too. What the real runtime alone would start is not refused, except where
// the profile is an annotation's, of which it knows nothing.
func TestNative(t *testing.T) {
	for _, tc := range []struct {
		name string
		// spoil makes a saved bundle one that is in the way.
		spoil func(t *testing.T, b *Bundle)
		// refused: the annotated profile is refused here, and not got in another
		// way.
		refused bool
	}{
		{"a read-only bundle", func(t *testing.T, b *Bundle) {
			must(t, unix.Mount(b.Dir, b.Dir, "", unix.MS_BIND, ""))
			t.Cleanup(func() { must(t, unix.Unmount(b.Dir, unix.MNT_DETACH)) })
			must(t, unix.Mount("", b.Dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
			// Where the runtime keeps its state is another file system.
			must(t, unix.Mount("none", filepath.Join(b.Dir, "state"), "tmpfs", 0, ""))
		}, true},
		{"a large config.json", func(t *testing.T, b *Bundle) {
			text, err := os.ReadFile(b.ConfigPath())
			must(t, err)
			must(t, os.WriteFile(b.ConfigPath(), append(text, bytes.Repeat([]byte(" "), 5<<20)...), 0o600))
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachFront(t, func(t *testing.T, _, front Runtime) {
				pids := t.TempDir()
				bundle := func(options ...Option) (b *Bundle, c *Container, log string) {
					b = NewBundle(t, append(options, Args("/bin/sleep", "1000"))...)
					b.Install(Probe.Path(t))
					b.Save()
					c = b.NewContainer(front) // which keeps its state in the bundle
					tc.spoil(t, b)
					return b, c, filepath.Join(pids, "log")
				}
				create := func(b *Bundle, c *Container, log string) Result {
					return c.Command("--log", log, "create", "--bundle", b.Dir, "--pid-file", filepath.Join(pids, "pid"), c.ID)
				}
				b, c, log := bundle(denying(t))
				k := kept{path: b.ConfigPath()}
				var err error
				k.text, err = os.ReadFile(k.path)
				must(t, err)
				must(t, unix.Lstat(k.path, &k.stat))
				if r := create(b, c, log); r.Code != 0 {
					t.Fatal(r)
				}
				k.check(t)
				c.Start()
				if got := c.Exec(append([]string{"/bin/" + filepath.Base(Probe.Path(t)), "status"}, call(nrUnshare)...)...).Lines(); got["Seccomp_filters"] != "1" ||
					got[fmt.Sprintf("call %d", nrUnshare)] != fmt.Sprint(-denyErrno) {
					t.Errorf("exec: %v", got)
				}
				pid, err := os.ReadFile(filepath.Join(pids, "pid"))
				must(t, err)
				status, err := os.ReadFile("/proc/" + string(pid) + "/status")
				must(t, err)
				if filters := (Result{Stdout: string(status)}).Lines()["Seccomp_filters"]; filters != "1" {
					t.Errorf("init has %s filters", filters)
				}
				c.Delete(true)

				b, c, log = bundle(Annotation("io.seccomp-hook.profile", "builtin:docker"))
				if r := create(b, c, log); (r.Code != 0) != tc.refused && !strings.HasPrefix(front.Name, "seccomp-runc/crun") {
					t.Errorf("annotated: %s", r)
				}
				c.Delete(true)
			})
		})
	}
}

// TestNativeHostMounts: a container without a mount namespace of its own is the
// real runtime's, filter included; so are its execs. All of it happens in one mount
// namespace beside the machine's, because runc changes the mounts of the one that
// it shares.
func TestNativeHostMounts(t *testing.T) {
	for _, rt := range []Runtime{RuncDebian(t), Runc(t)} {
		t.Run(rt.Name, func(t *testing.T) {
			front := front(t, rt)
			b := NewBundle(t, denying(t), Args("/bin/sleep", "1000"))
			b.Spec.Linux.Namespaces = slices.DeleteFunc(b.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.MountNamespace })
			b.Spec.Mounts, b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths = nil, nil, nil
			b.Save()
			c := b.NewContainer(front)
			const script = `
				mount -t proc proc "$1/rootfs/proc"
				shift
				"$@" create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "$ID" >"$BUNDLE/said" 2>&1 && "$@" start "$ID" || { cat "$BUNDLE/said"; exit 99; }
				grep Seccomp: "/proc/$(cat "$BUNDLE/pid")/status"
				"$@" exec "$ID" /bin/grep Seccomp: /proc/self/status
				"$@" delete --force "$ID"`
			argv := append([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh", b.Dir}, append(front.Argv, "--root", c.State)...)
			cmd := command(t, "unshare", argv...)
			cmd.Env = append(os.Environ(), "BUNDLE="+b.Dir, "ID="+c.ID)
			if r := run(t, cmd); r.Stdout != "Seccomp:\t2\nSeccomp:\t2\n" {
				t.Error(r)
			}
		})
	}
}
