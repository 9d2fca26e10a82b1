//go:build integration && (amd64 || arm64)

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/runtime"
)

// locked reports whether /proc/locks has a line about a file that holds all of
// the words (proc_locks(5)).
func locked(t testing.TB, path string, words ...string) bool {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	text, err := os.ReadFile("/proc/locks")
	must(t, err)
	file := fmt.Sprintf("%02x:%02x:%d ", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(string(text)) {
		found := strings.Contains(line, file)
		for _, word := range words {
			found = found && strings.Contains(line, word)
		}
		if found {
			return true
		}
	}
	return false
}

// TestFrontAhead: the runtime that the front becomes at once waits for its
// config.json as long as the attendant has not written it, and makes no
// container if the attendant dies.
func TestFrontAhead(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		b := NewBundle(t, denying(t), Args("/bin/true"), needsAttendant)
		k := keep(t, b)
		// An attendant that does nothing.
		stub := filepath.Join(t.TempDir(), runtime.Name)
		copyProgram(t, Product(t, "seccomp-runc"), stub)
		file := filepath.Join(filepath.Dir(stub), "pid")
		script := fmt.Sprintf("#!/bin/sh\necho $$ >%[1]s.draft\nmv %[1]s.draft %[1]s\nexec sleep 1000\n", file)
		must(t, os.WriteFile(filepath.Join(filepath.Dir(stub), "seccomp-hook-runtime"), []byte(script), 0o755))

		c := b.NewContainer(plain.Behind("stub", stub, "--real-runtime", plain.Argv[0]))
		cmd := c.command("run", "--bundle", b.Dir, c.ID)
		errs := tempFile(t)
		cmd.Stderr = errs
		must(t, cmd.Start())
		Eventually(t, "the runtime waits for config.json", func() bool { return locked(t, b.ConfigPath(), "LEASE", "BREAKING") })
		Eventually(t, "the attendant has begun", func() bool { _, err := os.Stat(file); return err == nil })
		if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)); err != nil || program == stub {
			t.Errorf("who waits is %s, %v", program, err)
		}
		text, err := os.ReadFile(file)
		must(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		must(t, err)
		must(t, unix.Kill(pid, unix.SIGKILL))
		if err := cmd.Wait(); err == nil {
			t.Error("a container was made")
		}
		if readBack(t, errs) == "" {
			t.Error("nothing on standard error")
		}
		c.Runtime = plain
		if r := c.Command("state", c.ID); r.Code == 0 {
			t.Errorf("there is a container: %s", r)
		}

		// The next one puts the bundle right.
		next := b.NewContainer(front)
		if r := next.Command("run", "--bundle", b.Dir, next.ID); r.Code != 0 {
			t.Error(r)
		}
		k.check(t)
	})
}

// TestFrontNotAhead: where something is in the way of the front's empty file,
// the attendant goes first, and the container is the same.
func TestFrontNotAhead(t *testing.T) {
	const original, draft = ".config.json.seccomp-hook-original", ".config.json.seccomp-hook-draft"
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		for _, tc := range []struct {
			name string
			// hinder is what is in the way, and returns what takes it away once
			// the front has met it.
			hinder func(t *testing.T, b *Bundle) (resume func())
		}{
			{"nothing", func(*testing.T, *Bundle) func() { return nil }},
			{"a draft", func(t *testing.T, b *Bundle) func() {
				must(t, os.WriteFile(filepath.Join(b.Dir, draft), []byte("{"), 0o600))
				return nil
			}},
			{"a second name of config.json", func(t *testing.T, b *Bundle) func() {
				must(t, os.Link(b.ConfigPath(), filepath.Join(b.Dir, original)))
				return nil
			}},
			{"another config.json", func(t *testing.T, b *Bundle) func() {
				must(t, os.Rename(b.ConfigPath(), filepath.Join(b.Dir, original)))
				must(t, os.WriteFile(b.ConfigPath(), nil, 0o600))
				return nil
			}},
			{"somebody has the bundle", func(t *testing.T, b *Bundle) func() {
				dir, err := os.Open(b.Dir)
				must(t, err)
				must(t, unix.Flock(int(dir.Fd()), unix.LOCK_EX))
				return func() {
					Eventually(t, "the attendant waits for the bundle", func() bool { return locked(t, b.Dir, "FLOCK", "->") })
					must(t, dir.Close())
				}
			}},
		} {
			t.Run(rt.Name+"/"+tc.name, func(t *testing.T) {
				b := NewBundle(t, denying(t), needsAttendant)
				b.Spec.Process.Args = []string{b.Install(First(nrUnshare).Path(t))}
				k := keep(t, b)
				c := b.NewContainer(front(t, rt))
				resume := tc.hinder(t, b)
				cmd := c.command("run", "--bundle", b.Dir, c.ID)
				must(t, cmd.Start())
				if resume != nil {
					resume()
				}
				_ = cmd.Wait() // the exit status says it all
				if code := exitCode(cmd.ProcessState); code != denyErrno {
					t.Errorf("exit status %d, want that of a filtered container, %d", code, denyErrno)
				}
				k.check(t)
			})
		}
	}
}
