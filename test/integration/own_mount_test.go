//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestOwnConfigMounted: a container that bind-mounts its own bundle's config.json sees
// that very file, whatever has stood in for it when the runtime made the mount.
func TestOwnConfigMounted(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		for name, option := range map[string]Option{
			"a ready filter": denying(t),
			"an attendant": func(b *Bundle) {
				denying(t)(b)
				needsAttendant(b)
			},
			"an annotated profile": Annotation("io.seccomp-hook.profile", "builtin:docker"),
		} {
			t.Run(name, func(t *testing.T) {
				b := NewBundle(t, option, Args("/bin/sh", "-c", "stat -c %d:%i /by-path /by-name /by-link && grep Seccomp: /proc/self/status"))
				link := filepath.Join(t.TempDir(), "link")
				must(t, os.Symlink(b.ConfigPath(), link))
				for at, source := range map[string]string{"/by-path": b.ConfigPath(), "/by-name": "./config.json", "/by-link": link} {
					must(t, os.WriteFile(filepath.Join(b.Dir, "rootfs", at), nil, 0o644))
					b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Destination: at, Type: "bind", Source: source, Options: []string{"bind", "ro"}})
				}
				k := keep(t, b)
				var st unix.Stat_t
				must(t, unix.Stat(b.ConfigPath(), &st))
				want := strings.Repeat(fmt.Sprintf("%d:%d\n", st.Dev, st.Ino), 3) + "Seccomp:\t2\n"
				c := b.NewContainer(front)
				if r := c.Command("run", "--bundle", b.Dir, c.ID); r.Code != 0 || r.Stdout != want {
					t.Errorf("want %q: %s", want, r)
				}
				k.check(t)
			})
		}
	})
}
