//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"seccomp-hook/pkg/runtime"
)

// TestRuntimeWithHook: where Podman or CRI-O has put the package's hook into
// config.json and uses seccomp-runc as well, the container has one filter, by
// seccomp-runc, and so have its execs. A hook with flags of its own decides on
// something that seccomp-runc does not know of, and another program is not the
// hook: then there is no container.
func TestRuntimeWithHook(t *testing.T) {
	hookProgram := Product(t, "seccomp-hook")
	eachFront(t, func(t *testing.T, _, front Runtime) {
		alone := filepath.Join(t.TempDir(), runtime.Name)
		must(t, os.Symlink(hookProgram, alone))
		for name, rt := range map[string]Runtime{frontInC: front, frontInGo: front.Behind(front.Name, alone)} {
			register := Prestart(hookProgram, "prestart")
			if name == frontInGo {
				register = CreateRuntime(hookProgram, "createRuntime")
			}
			t.Run(name, func(t *testing.T) {
				b := NewBundle(t, denying(t), Annotation("io.seccomp-hook.profile", "builtin:docker"), Prestart("/bin/true"), register, Poststop("/bin/true"))
				probe := b.Install(Probe.Path(t))
				b.Spec.Process.Args = []string{"/bin/sleep", "1000"}
				k := keep(t, b)
				c := b.Create(rt)
				c.Start()
				k.check(t)
				for who, r := range map[string]Result{
					"exec": c.Exec(append([]string{probe}, probeArgs()...)...),
					"init": {Stdout: statusOf(t, c.PID())},
				} {
					if got := r.Lines(); r.Code != 0 || got["Seccomp"] != "2" || got["Seccomp_filters"] != "1" {
						t.Errorf("%s: %s", who, r)
					}
				}
				c.Delete(true)
			})
			if name == frontInGo {
				continue
			}
			t.Run(name+"/another filter", func(t *testing.T) {
				copied := filepath.Join(t.TempDir(), "seccomp-hook")
				must(t, os.WriteFile(copied, []byte("#!/bin/sh\necho the other one >&2; exit 1\n"), 0o755))
				for _, command := range [][]string{
					{hookProgram, "createRuntime", "--profile", "builtin:containerd"}, {copied, "createRuntime"},
				} {
					b := NewBundle(t, denying(t), Annotation("io.seccomp-hook.profile", "builtin:docker"), Args("/bin/echo", "in"), CreateRuntime(command...))
					k := keep(t, b)
					if r := b.Run(rt); r.Code == 0 || r.Stdout != "" {
						t.Errorf("%s: %s", command, r)
					}
					Eventually(t, "the bundle's own config.json", func() bool { return k.changed() == "" })
				}
			})
		}
	})
}

func statusOf(t testing.TB, pid int) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	must(t, err)
	return string(text)
}
