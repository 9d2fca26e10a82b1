//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestRuntimeWays: by whatever path the container's program is found, init and
// each exec are filtered before it: through /proc, links, and interpreters.
func TestRuntimeWays(t *testing.T) {
	const status = "/proc/self/status"
	eachFront(t, func(t *testing.T, _, front Runtime) {
		for name, options := range map[string][]Option{
			"a namespace of processes": nil,
			"the host's processes": {func(b *Bundle) {
				b.Spec.Linux.Namespaces = deleteNamespace(b.Spec.Linux.Namespaces, specs.PIDNamespace)
			}},
		} {
			t.Run(name, func(t *testing.T) {
				b := NewBundle(t, append(options, denying(t), Args("/bin/sleep", "1000"))...)
				dir := filepath.Join(b.Dir, "rootfs/ways")
				must(t, os.MkdirAll(filepath.Join(dir, "more"), 0o755))
				must(t, os.Symlink("/proc/self/root/bin/grep", filepath.Join(dir, "grep")))
				must(t, os.Symlink("../grep", filepath.Join(dir, "more/grep")))
				must(t, os.WriteFile(filepath.Join(dir, "script"), []byte("#!/proc/self/root/bin/sh\nexec /ways/more/grep \"$@\"\n"), 0o755))
				ways := [][]string{
					{"/proc/self/root/bin/grep", "Seccomp:", status}, {"/ways/grep", "Seccomp:", status}, {"/ways/more/grep", "Seccomp:", status},
					{"/ways/script", "Seccomp:", status}, {"/proc/self/cwd/bin/grep", "Seccomp:", status},
				}
				if name == "a namespace of processes" {
					ways = append(ways, []string{"/proc/1/root/bin/grep", "Seccomp:", status}, []string{"/proc/1/cwd/ways/script", "Seccomp:", status})
				}
				c := b.Create(front)
				c.Start()
				for _, way := range ways {
					if r := c.Exec(way...); r.Code != 0 || !strings.Contains(r.Stdout, "Seccomp:\t2\n") || strings.Contains(r.Stdout, "Seccomp:\t0\n") {
						t.Errorf("exec %q: %s", way, r)
					}
					b.Spec.Process.Args = way
					if strings.HasPrefix(way[0], "/proc/1/") {
						continue // the runtime looks for it before there is such a process
					}
					if r := b.Run(front); r.Code != 0 || !strings.Contains(r.Stdout, "Seccomp:\t2\n") {
						t.Errorf("run %q: %s", way, r)
					}
				}
			})
		}
	})
}
