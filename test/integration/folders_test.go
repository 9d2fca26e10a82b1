//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seccomp-hook/pkg/runtime"
)

// TestRuntimeNames: a container may have the name of a folder of ours, or one that
// looks like a pattern; it is entered and forgotten like any other.
func TestRuntimeNames(t *testing.T) {
	attendants := filepath.Join(filepath.Dir(stateDir), "attendants")
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		ids := []string{"attendants", "store", "containers"}
		if runtime.KindOf(plain.Argv[0]) == runtime.Crun { // runc takes no such name
			ids = append(ids, "c[x", "*")
		}
		for _, id := range ids {
			t.Run(id, func(t *testing.T) {
				b := NewBundle(t, denying(t), Args("/bin/sleep", "1000"))
				b.Save()
				c := b.NewContainer(front)
				if c.ID = id; len(runFiles(id)) > 0 {
					t.Fatalf("there is a container %s", id)
				}
				c.t.Cleanup(func() { _ = c.command("delete", "--force", id).Run() })
				out, err := os.Create(c.outputPath())
				must(t, err)
				defer out.Close()
				cmd := c.command("create", "--bundle", b.Dir, "--pid-file", c.pidPath(), id)
				cmd.Stdout, cmd.Stderr = out, out
				if err := cmd.Run(); err != nil {
					t.Fatalf("create: %v\n%s", err, c.Output())
				}
				c.Start()
				if r := c.Exec("/bin/grep", "Seccomp:", "/proc/self/status"); r.Code != 0 || !strings.Contains(r.Stdout, "Seccomp:\t2\n") {
					t.Errorf("exec: %s", r)
				}
				if r := c.Delete(true); r.Code != 0 {
					t.Errorf("delete: %s", r)
				}
				if left := runFiles(id); len(left) > 0 {
					t.Errorf("left are %q", left)
				}
				if _, err := os.Stat(attendants); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestRuntimeFoldersOfOthers: what somebody else can write to is not used, and the
// error says what that is.
func TestRuntimeFoldersOfOthers(t *testing.T) {
	if err := os.Mkdir("/etc/seccomp-hook", 0o755); err == nil { // to mount on
		t.Cleanup(func() { must(t, os.Remove("/etc/seccomp-hook")) })
	}
	t.Run("first start", func(t *testing.T) { foldersOfOthers(t, front(t, Runc(t)), false) })
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		t.Run("second start, "+rt.Name, func(t *testing.T) { foldersOfOthers(t, front(t, rt), true) })
	}
}

// foldersOfOthers is TestRuntimeFoldersOfOthers where there is nothing yet, or what an
// earlier start has left.
func foldersOfOthers(t *testing.T, rt Runtime, warm bool) {
	for _, tc := range []struct{ name, spoil, path, profile string }{
		{"nothing", "true", "", "mine.json"},
		{"folder of states", "chmod 1777 $1", "/run/seccomp-hook", ""},
		{"folder of states, another one's", "chown 1:1 $1", "/run/seccomp-hook", ""},
		{"folder of containers", "mkdir -p -m 700 $1; chmod 777 $1", "/run/seccomp-hook/containers", "mine.json"},
		{"configuration", "chmod 646 $1", "/etc/seccomp-hook/config.toml", ""},
		{"folder of the configuration", "chmod 777 $1", "/etc/seccomp-hook", ""},
		{"profiles", "chmod 775 $1", "/etc/seccomp-hook/profiles", "mine.json"},
		{"profile", "chown 1 $1", "/etc/seccomp-hook/profiles/mine.json", "mine.json"},
	} {
		if warm && strings.HasPrefix(tc.path, "/etc") {
			continue // it is read at each start
		}
		t.Run(tc.name, func(t *testing.T) {
			b := NewBundle(t, denying(t), Args("/bin/grep", "Seccomp:", "/proc/self/status"))
			if tc.profile != "" {
				Annotation("io.seccomp-hook.profile", tc.profile)(b)
			}
			b.Save()
			profile := filepath.Join(b.Dir, "mine.json")
			must(t, os.WriteFile(profile, []byte(denyProfile), 0o644))
			script := `
				set -eu
				mkdir -p /run/seccomp-hook
				mount -t tmpfs -o mode=0711 none /run/seccomp-hook
				mount -t tmpfs -o mode=0755 none /etc/seccomp-hook
				mkdir /etc/seccomp-hook/profiles
				cp "$2" /etc/seccomp-hook/profiles
				case $1 in /etc/*) : >/etc/seccomp-hook/config.toml; esac # with one there is no ready filter at once
				path=$1 spoil=$3
				shift 3
				%s
				set -- "$path" "$spoil" "$@"
				eval "$spoil"
				shift 2
				exec "$@"`
			first := ""
			if warm {
				first = `"$@" >/dev/null`
			}
			c := b.NewContainer(rt)
			argv := append([]string{"--mount", "--propagation", "private", "sh", "-c", fmt.Sprintf(script, first), "sh", tc.path, profile, tc.spoil},
				c.Runtime.Command("--root", c.State, "run", "--bundle", b.Dir, c.ID)...)
			r := Command(t, "unshare", argv...)
			switch {
			case tc.path == "" && (r.Code != 0 || !strings.Contains(r.Stdout, "Seccomp:\t2\n")):
				t.Errorf("not filtered: %s", r)
			case tc.path != "" && (r.Code == 0 || !strings.Contains(r.Stderr, tc.path) || !strings.Contains(r.Stderr, "root alone must be able to write to it")):
				t.Errorf("not refused, with the reason: %s", r)
			}
		})
	}
}
