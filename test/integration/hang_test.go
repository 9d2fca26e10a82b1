//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/runtime"
)

// Nothing that others can stop, or leave without an answer, holds a start up for
// longer than there is a limit for.

// TestRuntimeFIFO: a FIFO where a configuration is looked for is an error, whether
// somebody has it open to write or not.
func TestRuntimeFIFO(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		b := NewBundle(t, denying(t), Args("/bin/true"))
		needsAttendant(b)
		b.Save()
		alone := filepath.Join(t.TempDir(), runtime.Name)
		must(t, os.Symlink(Product(t, "seccomp-hook"), alone))
		fifo := filepath.Join(t.TempDir(), "fifo")
		must(t, unix.Mkfifo(fifo, 0o600))
		for _, written := range []bool{false, true} {
			if written {
				w, err := os.OpenFile(fifo, os.O_RDWR, 0)
				must(t, err)
				defer w.Close()
			}
			refusedFIFO := func(name string, rt Runtime, dir string, env string, flags ...string) {
				t.Helper()
				c := b.NewContainer(rt)
				cmd := c.command(append(append([]string{"run", "--bundle", dir}, flags...), c.ID)...)
				cmd.Env = append(os.Environ(), env)
				if r := run(t, cmd); r.Code != 1 || !strings.Contains(r.Stderr, "not a regular file") {
					t.Errorf("%s, written %v: %s", name, written, r)
				}
			}
			for name, rt := range map[string]Runtime{"C": front, "Go": front.Behind(front.Name, alone)} {
				dir := t.TempDir()
				must(t, os.Link(fifo, filepath.Join(dir, "config.json")))
				refusedFIFO(name+": config.json", rt, dir, "")
				if info, err := os.Lstat(filepath.Join(dir, "config.json")); err != nil || info.Mode().Type() != os.ModeNamedPipe {
					t.Errorf("%s: config.json is %v (%v)", name, info, err)
				}
				refusedFIFO(name+": configuration file", rt, b.Dir, "SECCOMP_HOOK_CONFIG="+fifo)
				if runtime.KindOf(plain.Argv[0]) == runtime.Crun {
					refusedFIFO(name+": --config", rt, b.Dir, "", "--config", fifo)
				}
			}
		}
	})
}
