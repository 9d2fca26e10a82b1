//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// otherwise is a runtime that is handed one bundle and makes a container of another
// one. Where it does not do so itself, somebody does who does not come of it.
func otherwise(t *testing.T, rt Runtime, handed, taken string, itself bool) (path string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "otherwise-"+filepath.Base(rt.Argv[0])) // crun-NAME would be another handler
	then := fmt.Sprintf(`exec %s "${args[@]}"`, rt.Argv[0])
	if !itself {
		then = fmt.Sprintf(`case " $* " in *" create "* | *" run "*) ;; *) %[2]s;; esac
printf '%%s\n' "${args[@]}" >%[1]s/order.new && mv %[1]s/order.new %[1]s/order
until [[ -e %[1]s/done ]]; do sleep 0.01; done
exit "$(<%[1]s/done)"`, dir, then)
		go obey(rt, dir)
	}
	must(t, os.WriteFile(path, []byte(fmt.Sprintf(`#!/bin/bash
args=()
for arg in "$@"; do [[ $arg == %s ]] && arg=%s; args+=("$arg"); done
%s
`, handed, taken, then)), 0o755))
	return path
}

// obey runs the one command that is ordered in a directory.
func obey(rt Runtime, dir string) {
	for {
		text, err := os.ReadFile(filepath.Join(dir, "order"))
		if err == nil {
			cmd := exec.Command(rt.Argv[0], strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
			_ = cmd.Run()
			_ = os.WriteFile(filepath.Join(dir, "done"), fmt.Append(nil, exitCode(cmd.ProcessState)), 0o600)
			return
		}
		if _, err := os.Stat(dir); err != nil {
			return // the test is over
		}
		time.Sleep(time.Millisecond) // a shell has no other way to tell
	}
}

// TestUnhooked: a runtime says that it has made a container, and what was prepared
// for that one was not used. The container does not stay, whether the runtime ends
// at once or stays with it, and there is an error.
func TestUnhooked(t *testing.T) {
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		for _, itself := range []bool{true, false} {
			if rt.unified && !itself {
				continue // nobody stands by crun that could be got round so
			}
			for _, command := range []string{"create", "run"} {
				t.Run(fmt.Sprintf("%s/itself-%v/%s", rt.Name, itself, command), func(t *testing.T) {
					b := NewBundle(t, denying(t), Args("/bin/sleep", "1000"))
					if itself { // by its hook; all that comes of a follower's runtime is filtered
						needsAttendant(b)
					}
					b.Save()
					other := NewBundle(t, Args("/bin/sleep", "1000"))
					other.Save()
					fake := otherwise(t, rt, b.Dir, other.Dir, itself)
					c := b.NewContainer(rt.Behind(rt.Name, Product(t, "seccomp-runc"), "--real-runtime", fake))
					log := filepath.Join(b.Dir, "log")
					out, err := os.Create(c.outputPath())
					must(t, err)
					defer out.Close()
					cmd := c.command("--log", log, command, "--bundle", b.Dir, c.ID)
					cmd.Stdout, cmd.Stderr = out, out
					_ = cmd.Run()
					if code := exitCode(cmd.ProcessState); command == "run" && code == 0 {
						t.Error("run succeeds")
					}
					plain := *c
					plain.Runtime = rt
					Eventually(t, "no container is left", func() bool { return plain.Command("state", c.ID).Code != 0 })
					if r := c.Command("start", c.ID); r.Code == 0 {
						t.Errorf("start: %s", r)
					}
					if left := processesOf([]string{c.ID}); len(left) > 0 && !waitExit(left[0].pid, graceful) {
						t.Errorf("left: %v", left)
					}
					t.Cleanup(func() {
						if text, _ := os.ReadFile(log); t.Failed() {
							t.Logf("log: %s; output: %s", text, c.Output())
						}
					})
					Eventually(t, "the log says why", func() bool {
						text, _ := os.ReadFile(log)
						// With crun nothing of it was found in the file.
						return !itself || strings.Contains(string(text), "without calling the hook")
					})
				})
			}
		}
	}
}

// TestRuntimeTakenID: a create under an id that is taken fails, as natively, and
// the container that has it stays, with its filter.
func TestRuntimeTakenID(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		for name, options := range map[string][]Option{"ready": {denying(t)}, "attended": {denying(t), needsAttendant}} {
			t.Run(name, func(t *testing.T) {
				sleeping := func() *Bundle { return NewBundle(t, append(options, Args("/bin/sleep", "1000"))...) }
				c := sleeping().Create(front)
				c.Start()
				b := sleeping()
				b.Save()
				for _, command := range []string{"create", "run"} {
					second := *c
					second.Bundle = b
					if r := second.Command(command, "--bundle", b.Dir, c.ID); r.Code == 0 || !strings.Contains(r.Stderr, "exist") {
						t.Errorf("%s: %s", command, r)
					}
				}
				if state := c.StateJSON(); state.Status != "running" {
					t.Errorf("the container is %s", state.Status)
				}
				if r := c.Exec("/bin/grep", "Seccomp:", "/proc/self/status"); r.Stdout != "Seccomp:\t2\n" {
					t.Errorf("exec: %s", r)
				}
			})
		}
	})
}

// TestDeleteRegex: what crun deletes by a pattern is forgotten, and nothing else.
func TestDeleteRegex(t *testing.T) {
	rt := front(t, Crun(t))
	b := NewBundle(t, denying(t), needsAttendant, Args("/bin/sleep", "1000"))
	gone, stays := b.Create(rt), b.Create(rt)
	if r := gone.Command("delete", "--force", "--regex", "^"+gone.ID+"$"); r.Code != 0 {
		t.Fatal(r)
	}
	if left := runFiles(gone.ID); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	stays.Start()
	if r := stays.Exec("/bin/grep", "Seccomp:", "/proc/self/status"); r.Stdout != "Seccomp:\t2\n" {
		t.Errorf("the other one: %s", r)
	}
}
