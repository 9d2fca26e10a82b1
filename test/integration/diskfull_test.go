//go:build integration

package integration

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var everyRoom = flag.Bool("every-room", false, "try every amount of room in TestFullDisk, and both fronts under both runtimes")

// TestFullDisk starts containers with room for so many files, or so many pages, in
// /run/seccomp-hook or in the bundle, from none up to more than a start needs: so
// each of its writes is once the one that there is no room for. The program is
// filtered, or there is no container; config.json is as it was, nothing is left
// half-written, and the next start, which has room, is filtered.
func TestFullDisk(t *testing.T) {
	for _, d := range doors {
		if d.stays || strings.HasSuffix(d.name, "create") {
			continue
		}
		for i, rt := range []Runtime{Runc(t), Crun(t)} {
			for _, kind := range d.fronts[i] {
				if !*everyRoom && (kind == frontInGo || i > 0 && d.name != "run by crun itself") {
					continue
				}
				for _, name := range []string{"state", "bundle"} {
					if name == "bundle" && kind == "" {
						continue // the hook writes nothing there
					}
					t.Run(filepath.Join(d.name, kind, rt.Name, name), func(t *testing.T) {
						t.Parallel()
						fillUp(t, newStage(t, d, kind, rt), name == "bundle")
					})
				}
			}
		}
	}
}

// fillUp starts a stage's program with less and less room.
func fillUp(t *testing.T, s *stage, inBundle bool) {
	dir, files, pages := filepath.Dir(stateDir), 14, 14
	if s.kind == "" {
		dir = filepath.Join(s.b.Dir, "run")
	}
	least := map[string]int{"nr_inodes": 1, "nr_blocks": 1}
	if inBundle {
		// What is not to be covered.
		s.c.State = t.TempDir()
		s.b.Spec.Root.Path = filepath.Join(filepath.Dir(s.c.State), "rootfs")
		must(t, os.Rename(filepath.Join(s.b.Dir, "rootfs"), s.b.Spec.Root.Path))
		s.b.Save()
		var err error
		s.config, err = os.ReadFile(s.b.ConfigPath())
		must(t, err)
		// The folder itself, and the file.
		dir, files, pages = s.b.Dir, 4, 4
		least = map[string]int{"nr_inodes": 2, "nr_blocks": (len(s.config) + 4095) / 4096}
	}
	outcomes := map[string]int{}
	for name, most := range map[string]int{"nr_inodes": files, "nr_blocks": pages} {
		step := 1
		if !*everyRoom && name == "nr_blocks" {
			step = (most + 2) / 3
		}
		for room := 0; room <= most; room += step {
			outcomes[s.startIn(t, dir, fmt.Sprintf("%s=%d", name, least[name]+room), inBundle)]++
		}
	}
	t.Log(outcomes)
	// crun itself needs nothing of ours.
	if outcomes[filtered] == 0 || outcomes[notStarted] == 0 && !inBundle && s.name != "run by crun itself" {
		t.Errorf("%v", outcomes)
	}
}

// startIn starts the program twice in a mount namespace where a folder has a file
// system of its own: with the room that the option gives it, and with enough.
func (s *stage) startIn(t *testing.T, dir, option string, inBundle bool) (outcome string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o711))
	holder := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c",
		`exec 4<"$3" && mount -t tmpfs -o "$1,mode=0711" tmpfs "$2" && { [ -z "$4" ] || cat <&4 >"$2/config.json"; } && echo && exec cat`,
		"sh", option, dir, s.b.ConfigPath(), map[bool]string{true: "copy"}[inBundle])
	in, err := holder.StdinPipe()
	must(t, err)
	out, err := holder.StdoutPipe()
	must(t, err)
	must(t, holder.Start())
	defer func() {
		_ = in.Close()
		must(t, holder.Wait())
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatalf("%s: %v", option, err)
	}
	inside := func(argv ...string) Result {
		return Command(t, "nsenter", append([]string{"--mount=/proc/" + strconv.Itoa(holder.Process.Pid) + "/ns/mnt", "--"}, argv...)...)
	}
	start := func() (Result, string) {
		c := s.c.command("run", "--bundle", s.b.Dir, s.c.ID)
		r := inside(c.Args...)
		switch {
		case strings.Contains(r.Stdout, "\x00"):
			t.Errorf("%s: the program ran unfiltered: %s", option, r)
		case r.Stdout == string(rune(denyErrno)) && r.Code == denyErrno:
			return r, filtered
		case r.Stdout != "" || r.Code == 0:
			t.Errorf("%s: %s", option, r)
		}
		inside(s.c.command("delete", "--force", s.c.ID).Args...)
		return r, notStarted
	}
	_, outcome = start()
	seen := filepath.Join("/proc", strconv.Itoa(holder.Process.Pid), "root", dir)
	var left []string
	defer func() {
		if t.Failed() && len(left) > 0 {
			t.Logf("%s: left: %q", option, left)
		}
	}()
	Eventually(t, option+": nothing is left", func() bool {
		left = nil
		_ = filepath.WalkDir(seen, func(path string, e fs.DirEntry, err error) error {
			var listed bool
			switch filepath.Base(filepath.Dir(path)) {
			case "containers":
				listed = outcome == notStarted || s.kind != "" // without a poststop hook the state stays
			case "attendants":
				listed = true
			}
			if err == nil && (listed || strings.HasPrefix(e.Name(), ".")) {
				left = append(left, path)
			}
			return nil // it may be gone
		})
		text, err := os.ReadFile(filepath.Join(seen, "config.json"))
		return len(left) == 0 && (!inBundle || err == nil && bytes.Equal(text, s.config))
	})
	if r := inside("mount", "-o", "remount,nr_inodes=10000,nr_blocks=10000", dir); r.Code != 0 {
		t.Fatal(r)
	}
	if r, next := start(); next != filtered {
		t.Errorf("%s: the next start, with room: %s", option, r)
	}
	return outcome
}
