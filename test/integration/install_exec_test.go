//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// newInto returns rt behind testdata/into, for the container of this process.
func newInto(t *testing.T, rt Runtime, pid int) Runtime {
	t.Helper()
	path := filepath.Join(Root(t), "bin/faulty/into")
	if !prebuilt() {
		path = filepath.Join(t.TempDir(), "into")
		MustCommand(t, "go", "-C", Root(t), "build", "-o", path, "./test/integration/testdata/into")
	}
	argv := append([]string{path, strconv.Itoa(pid)}, rt.Argv...)
	return Runtime{Name: rt.Name, Argv: argv, unified: rt.unified}
}

// TestInstallExec: a process that is executed in a running container has the
// filter, and its capabilities and no_new_privs are what they are without.
func TestInstallExec(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		for _, user := range []string{"0:0", "1000:1000"} {
			t.Run(user, func(t *testing.T) {
				b := NewBundle(t, WithVictim(Probe, "pause"))
				first := b.Install(First(nrUnshare).Path(t))
				probe := b.Spec.Process.Args[0]
				c := b.Create(rt)
				c.Start()
				plain := c.Command("exec", "--user", user, c.ID, probe, "status")
				c.Runtime = newInto(t, rt, c.PID())
				for range 5 {
					if got := c.Command("exec", "--user", user, c.ID, first); got.Code != 77 {
						t.Fatalf("the first instruction got %s", got)
					}
				}
				got := c.Command(append([]string{"exec", "--user", user, c.ID, probe, "status"}, call(nrUnshare)...)...)
				want := plain.Lines()
				want["Seccomp"], want["Seccomp_filters"], want["call "+strconv.Itoa(nrUnshare)] = "2", "1", "-77"
				for name, value := range want {
					if got.Lines()[name] != value {
						t.Errorf("%s is %q, want %q", name, got.Lines()[name], value)
					}
				}
				if got.Code != 0 || strings.TrimSpace(got.Stderr) != strings.TrimSpace(plain.Stderr) {
					t.Errorf("%s, without the filter: %s", got, plain)
				}
				c.Runtime = rt
				c.Kill("KILL")
				c.Wait()
			})
		}
	})
}

// TestInstallExecDetached: a detached exec leaves a filtered process, and
// neither a follower nor a runtime behind it.
func TestInstallExecDetached(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		b := NewBundle(t, WithVictim(Probe, "pause"))
		probe := b.Spec.Process.Args[0]
		c := b.Create(rt)
		c.Start()
		c.Runtime = newInto(t, rt, c.PID())
		file := filepath.Join(b.Dir, "exec.pid")
		if got := c.Command("exec", "--detach", "--pid-file", file, c.ID, probe, "pause"); got.Code != 0 {
			t.Fatal(got)
		}
		text, err := os.ReadFile(file)
		must(t, err)
		pid := strings.TrimSpace(string(text))
		var status []byte
		var lines map[string]string
		// runc ends when the process is about to execute its program.
		Eventually(t, "the process is let go of", func() bool {
			status, err = os.ReadFile("/proc/" + pid + "/status")
			must(t, err)
			lines = Result{Stdout: strings.ReplaceAll(string(status), ":\t", ": ")}.Lines()
			return lines["TracerPid"] == "0"
		})
		if lines["Seccomp"] != "2" || lines["Seccomp_filters"] != "1" {
			t.Errorf("the process that was executed:\n%s", status)
		}
		c.Runtime = rt
		c.Kill("KILL")
		c.Wait()
	})
}
