//go:build integration && (amd64 || arm64)

package integration

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// subordinate is the first of the ids of the host that a rootless user's namespace
// has, of which there are as many.
const subordinate = 1 << 16

// TestRootless: somebody who is root in a user namespace of its own, as rootless
// Podman is, has crun install the proved program where there is a folder for the ready
// filters, and else its own compile of linux.seccomp. Every process is filtered either
// way, those of execs too.
func TestRootless(t *testing.T) {
	crun := Crun(t)
	for _, tc := range []struct {
		name  string
		real  string
		args  []string
		spoil func(t *testing.T, folder string)
		modes [2]string // of two starts, one after the other
		store string    // of the second
	}{
		{"crun", crun.Argv[0], []string{"--cgroup-manager=disabled"}, nil, [2]string{"crun", "crun"}, "hit"},
		{"crun and no folder", crun.Argv[0], []string{"--cgroup-manager=disabled"}, func(t *testing.T, folder string) { must(t, os.Remove(folder)) }, [2]string{}, ""},
		{"crun and a folder that others can write to", crun.Argv[0], []string{"--cgroup-manager=disabled"},
			func(t *testing.T, folder string) { must(t, os.Chmod(folder, 0o777)) }, [2]string{}, ""},
		{"runc", Tool(t, "runc"), nil, nil, [2]string{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := NewBundle(t, denying(t), Args("/bin/sleep", "1000"))
			b.Spec.Linux.CgroupsPath = ""
			dir := t.TempDir()
			must(t, os.Chmod(dir, 0o755))
			folder := filepath.Join(dir, "run")
			must(t, os.Mkdir(folder, 0o700))
			var front string
			for _, name := range []string{"seccomp-hook-runtime", "seccomp-runc"} { // the checkout may be closed to others
				front = filepath.Join(dir, name)
				copyProgram(t, Product(t, name), front)
			}
			real := filepath.Join(dir, filepath.Base(tc.real))
			copyProgram(t, tc.real, real)
			b.Save()
			if tc.spoil != nil {
				tc.spoil(t, folder)
			}
			if tc.store != "" { // what was changed just now could change again unseen, and nothing is kept for it
				Eventually(t, "files that are old enough", func() bool {
					var st unix.Stat_t
					must(t, unix.Stat(real, &st)) // the last one that was copied
					return time.Since(time.Unix(st.Ctim.Unix())) > 3*time.Second
				})
			}
			for i, mode := range tc.modes {
				c := b.NewContainer(crun)
				owned(t, b.Dir, folder)
				const script = `
					set -e
					[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup
					"$@" run --detach --bundle "$BUNDLE" "$ID" >"$BUNDLE/said" 2>&1 || { cat "$BUNDLE/said"; exit 99; }
					"$@" exec "$ID" /bin/grep Seccomp /proc/1/status /proc/self/status
					"$@" state "$ID"
					"$@" delete --force "$ID"`
				cmd := command(t, "sh", append([]string{"-c", script, "sh", front, "--real-runtime", real, "--root=" + c.State}, tc.args...)...)
				cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+folder, "BUNDLE="+b.Dir, "ID="+c.ID)
				rootless(cmd)
				r := run(t, cmd)
				status, state, _ := strings.Cut(r.Stdout, "{")
				if strings.Count(status, ":Seccomp:\t2\n") != 2 || strings.Count(status, ":Seccomp_filters:\t1\n") != 2 || r.Code != 0 {
					t.Fatalf("start %d: %s", i+1, r)
				}
				var told specs.State
				must(t, json.Unmarshal([]byte("{"+state), &told))
				if told.Annotations["io.seccomp-hook.install.mode"] != mode || i == 1 && told.Annotations["io.seccomp-hook.store"] != tc.store {
					t.Errorf("start %d: want mode %q and store %q, got %v", i+1, mode, tc.store, told.Annotations)
				}
			}
		})
	}
}

// rootless has a command run as root of a user namespace of its own.
func rootless(cmd *exec.Cmd) {
	ids := []syscall.SysProcIDMap{{HostID: subordinate, Size: subordinate}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWCGROUP,
		UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true, Credential: &syscall.Credential{},
	}
}

// owned gives files to the root of a rootless user's namespace.
func owned(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, subordinate, subordinate)
		})
		if !os.IsNotExist(err) {
			must(t, err)
		}
	}
}
