//go:build integration

package integration

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
				t.Cleanup(func() { w.Close() })
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

var everyStop = flag.Bool("every-stop", false, "stop processes in TestStoppedForGood under crun, the hook, and the front in Go, too")

// stoppedForGood stops a process, and nobody continues it.
var stoppedForGood = strike{
	name: "stopped for good", signal: unix.SIGSTOP, kills: func(*stage, int) []int { return nil }, ours: true, limit: 400 * time.Millisecond,
}

// TestStoppedForGood stops each process of a start at each of its steps, for good.
// The start comes to its end all the same, within the limit that they are given:
// filtered, or not started. Nobody stays behind, stopped.
func TestStoppedForGood(t *testing.T) {
	for _, d := range doors {
		for i, rt := range []Runtime{Runc(t), Crun(t)} {
			for _, f := range d.fronts[i] {
				if !*everyStop && (i > 0 || f != frontInC || d.name == "create" || d.name == "attended run") {
					continue
				}
				t.Run(filepath.Join(d.name, f, rt.Name), func(t *testing.T) {
					t.Parallel()
					newStage(t, d, f, rt).stopEach()
				})
			}
		}
	}
}

func (s *stage) stopEach() {
	var err error
	s.config, err = os.ReadFile(s.b.ConfigPath())
	must(s.t, err)
	s.undisturbed()
	outcomes := map[string]int{}
	for _, where := range s.passes {
		outcome, _ := s.start(where, stoppedForGood)
		if outcome == "" {
			return
		}
		outcomes[outcome]++
	}
	s.undisturbed()
	s.t.Logf("%v", outcomes)
}
