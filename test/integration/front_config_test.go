//go:build integration && (amd64 || arm64)

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFrontConfiguration: the front takes the real runtime of the configuration
// file from the note that the Go program has left of this very version of the
// file, and asks that program where the note is of another.
func TestFrontConfiguration(t *testing.T) {
	front := frontAlone(t)
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	config, note, real := filepath.Join(dir, "config.toml"), filepath.Join(dir, "note"), filepath.Join(dir, "real")
	must(t, os.WriteFile(real, []byte("#!/bin/sh\necho real $1\n"), 0o755))
	must(t, os.WriteFile(config, []byte("# what it says is the Go program's to read\n"), 0o644))
	var st unix.Stat_t
	must(t, unix.Stat(config, &st))
	version := func(size, nanoseconds int64) string {
		return fmt.Sprintf("%d:%d:%d %d %d.%d %d.%d\n", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino, st.Size+size,
			st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec+nanoseconds)
	}
	current := version(0, 0)
	if err := os.Mkdir("/etc/seccomp-hook", 0o755); err == nil { // to mount on
		t.Cleanup(func() { must(t, os.Remove("/etc/seccomp-hook")) })
	}
	const deferred = "deferred"
	for _, tc := range []struct {
		name, note string
		mode       os.FileMode
		args       []string
		want       string
	}{
		{"names a path", current + real, 0o600, []string{"state", "x"}, "real state"},
		{"names none, and the command line does", current, 0o600, []string{"--real-runtime", real, "state", "x"}, "real state"},
		{"the command line counts more", current + "/nonexistent", 0o600, []string{"--real-runtime", real, "state", "x"}, "real state"},
		{"names itself", current + front, 0o600, []string{"state", "x"}, deferred},
		{"a relative path", current + "./real", 0o600, []string{"state", "x"}, deferred},
		{"of another size", version(1, 0) + real, 0o600, []string{"state", "x"}, deferred},
		{"of another time", version(0, 1) + real, 0o600, []string{"state", "x"}, deferred},
		{"none", "", 0o600, []string{"state", "x"}, deferred},
		{"cut off", current[:len(current)-1], 0o600, []string{"--real-runtime", real, "state", "x"}, deferred},
		{"others can write to it", current + real, 0o622, []string{"state", "x"}, deferred},
		{"and with it the command line's", version(1, 0), 0o600, []string{"--real-runtime", real, "state", "x"}, deferred},
	} {
		t.Run(tc.name, func(t *testing.T) {
			must(t, os.WriteFile(note, []byte(tc.note), 0o600))
			must(t, os.Chmod(note, tc.mode))
			const script = `
				set -e
				mount --make-rprivate /
				mkdir -p /run/seccomp-hook
				mount -t tmpfs none /etc/seccomp-hook
				mount -t tmpfs none /run/seccomp-hook
				mkdir /run/seccomp-hook/attendants
				: >/etc/seccomp-hook/config.toml
				mount --bind "$1" /etc/seccomp-hook/config.toml
				if [ -s "$2" ]; then cp -p "$2" /run/seccomp-hook/attendants/real-runtime; fi
				shift 2
				exec "$@"`
			cmd := command(t, "sh", append([]string{"-c", script, "sh", config, note, front}, tc.args...)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
			if r := run(t, cmd); r.Code != 0 || strings.TrimSpace(r.Stdout) != tc.want {
				t.Errorf("want %q: %s", tc.want, r)
			}
		})
	}
}
