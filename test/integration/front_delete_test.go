//go:build integration && (amd64 || arm64)

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFrontDelete: what is published of a container goes with it, without the Go
// program, and stays where the runtime refuses to delete the container.
func TestFrontDelete(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		alone := plain.Behind("alone", frontAlone(t), "--real-runtime", plain.Argv[0])
		for name, options := range map[string][]Option{
			"no filter": nil, "ready": {denying(t)}, "attended": {denying(t), needsAttendant},
		} {
			t.Run(name, func(t *testing.T) {
				b := NewBundle(t, append(options, Args("/bin/sleep", "1000"))...)
				c := b.Create(front)
				c.Start()
				published := runFiles(c.ID)
				refused := c.by(alone).Command("delete", c.ID)
				if refused.Code == 0 || strings.Contains(refused.Stdout, "deferred") {
					t.Errorf("of a running container: %s", refused)
				}
				if left := runFiles(c.ID); len(left) != len(published) {
					t.Errorf("of a running container %q are left of %q", left, published)
				}
				if r := c.Exec("/bin/grep", "Seccomp:", "/proc/self/status"); (r.Stdout == "Seccomp:\t2\n") != (options != nil) {
					t.Errorf("an exec after a refused deletion: %s", r)
				}
				c.Kill("KILL")
				c.Wait()
				forced := b.Create(front)
				for what, one := range map[string]struct {
					*Container
					flags []string
				}{"ended": {c, nil}, "by force": {forced, []string{"--force"}}} {
					r := one.by(alone).Command(append(append([]string{"delete"}, one.flags...), one.ID)...)
					if r.Code != 0 || r.Stdout != "" {
						t.Errorf("%s: %s", what, r)
					}
					if left := runFiles(one.ID); len(left) > 0 {
						t.Errorf("%s: left are %q", what, left)
					}
				}
			})
		}
		t.Run("unknown", func(t *testing.T) {
			c := NewBundle(t).NewContainer(alone)
			dir := filepath.Join(stateDir, c.ID)
			must(t, os.MkdirAll(dir, 0o700))
			t.Cleanup(func() { os.Remove(dir) })
			if r := c.Command("delete", c.ID); r.Stdout != "deferred\n" {
				t.Errorf("a container that the runtime does not have: %s", r)
			}
		})
	})
}
