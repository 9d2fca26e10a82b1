//go:build integration

package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/runtime"
)

// ours are the commands that make, enter or end a container.
var ours = []string{"create", "run", "exec", "delete", "restore"}

// helpFlag is one flag of a --help, and whether a value may be its next word.
type helpFlag struct {
	word   string // with its dashes
	valued bool
}

// helpFlags returns the flags that a runtime says it has; none where it does not
// have the command.
func helpFlags(t *testing.T, rt Runtime, command ...string) (flags []helpFlag) {
	t.Helper()
	out, _ := exec.Command(rt.Argv[0], append(command, "--help")...).Output()
	// runc: "   --bundle value, -b value  path to"; crun: "  -t, --tty[=TTY]   allocate".
	line := regexp.MustCompile(`^ {2,6}(-\S+(?: value)?(?:, -\S+(?: value)?)*)(?: {2}|$)`)
	for text := range strings.Lines(string(out)) {
		m := line.FindStringSubmatch(strings.TrimRight(text, "\n"))
		if m == nil {
			continue
		}
		valued := strings.Contains(m[1], " value") || strings.Contains(m[1], "=") && !strings.Contains(m[1], "[=")
		for name := range strings.SplitSeq(m[1], ", ") {
			name, _, _ = strings.Cut(strings.TrimSuffix(name, " value"), "=")
			flags = append(flags, helpFlag{strings.TrimSuffix(name, "["), valued})
		}
	}
	return flags
}

// TestCommandLineFlags: every flag that a runtime says it has is known, as one
// with a value or without.
func TestCommandLineFlags(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		kind := runtime.KindOf(rt.Argv[0])
		global := helpFlags(t, rt)
		if len(global) < 8 {
			t.Fatalf("global flags: %v", global)
		}
		for _, f := range global {
			if f.word == "--rootless" && kind == runtime.Crun {
				continue // refused
			}
			want := "create"
			line := []string{f.word, "value", "create", "id"}
			if !f.valued {
				want = "value"
			}
			if inv, err := runtime.ParseArgs(kind, line); err != nil || inv.Command != want {
				t.Errorf("%q: command %q, want %q (%v)", line, inv.Command, want, err)
			}
		}
		for _, command := range ours {
			flags := helpFlags(t, rt, command)
			if len(flags) < 2 && (command != "restore" || kind != runtime.Crun) {
				t.Errorf("flags of %s: %v", command, flags)
			}
			for _, f := range flags {
				want := "id"
				// After "--" nothing is a flag, and runc's order does not matter.
				line := []string{command, f.word, "value", "--", "id"}
				if !f.valued {
					line, want = []string{command, f.word, "--", "id"}, "id"
				}
				if inv, err := runtime.ParseArgs(kind, line); err != nil || inv.ID != want {
					t.Errorf("%q: id %q, want %q (%v)", line, inv.ID, want, err)
				}
			}
		}
	})
}

// TestCommandLinesRead: where a command line is understood, the runtime reads the
// configuration or the container's state that it was understood to, and nothing
// else. The kernel says which files the runtime opened.
func TestCommandLinesRead(t *testing.T) {
	const lines = 300
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		kind := runtime.KindOf(rt.Argv[0])
		dir := t.TempDir()
		watched := watchFiles(t, dir, kind)
		r := rand.New(rand.NewPCG(3, uint64(kind)))
		read := map[string]int{}
		for range lines {
			args := strangeLine(r, kind)
			cmd := exec.Command(rt.Argv[0], args...)
			cmd.Dir = dir
			out, _ := cmd.CombinedOutput() // no configuration and no state is right
			opened := watched.opened()
			inv, err := runtime.ParseArgs(kind, args)
			if err != nil {
				continue
			}
			want := ""
			switch {
			case inv.ID == "":
			case inv.Command == "exec":
				name := "state.json"
				if kind == runtime.Crun {
					name = "status"
				}
				want = filepath.Join(dir, inv.Root, inv.ID, name)
			case (inv.Command == "create" || inv.Command == "run") && inv.Config != "" && inv.Config != "config.json":
				want = filepath.Join(dir, inv.Config)
			case inv.Command == "create" || inv.Command == "run":
				want = filepath.Join(dir, inv.Bundle, "config.json")
			}
			for _, path := range opened {
				if path != want {
					t.Errorf("%q: opened %s, and was understood as %+v\n%s", args, path, inv, out)
				}
				read[inv.Command]++
			}
		}
		t.Logf("read: %v", read)
		for _, command := range []string{"create", "run", "exec"} {
			if read[command] < lines/30 {
				t.Errorf("%d of %d lines had something read by %s; that tells little", read[command], lines, command)
			}
		}
	})
}

// watchedFiles are files whose openings are told.
type watchedFiles struct {
	t     *testing.T
	fd    int
	names map[int32]string
}

// watchFiles makes configurations and states, which are not valid.
func watchFiles(t *testing.T, dir string, kind runtime.Kind) *watchedFiles {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	w := &watchedFiles{t, fd, map[int32]string{}}
	state := "state.json"
	if kind == runtime.Crun {
		state = "status"
	}
	for _, name := range []string{
		"config.json", "a/config.json", "b/config.json", "undle/config.json", "=a/config.json", "c.json", "d.json",
		"r/id/" + state, "r/x/" + state, "r/a/" + state, "s/id/" + state, "s/x/" + state,
	} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte("no JSON"), 0o644))
		wd, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN)
		must(t, err)
		w.names[int32(wd)] = path
	}
	return w
}

// opened returns the files that were opened since the last call.
func (w *watchedFiles) opened() []string {
	names := map[string]bool{}
	buffer := make([]byte, 64<<10)
	for {
		n, err := unix.Read(w.fd, buffer)
		if err == unix.EAGAIN {
			return slices.Sorted(maps.Keys(names))
		}
		must(w.t, err)
		for events := buffer[:n]; len(events) > 0; {
			names[w.names[int32(binary.NativeEndian.Uint32(events))]] = true
			events = events[unix.SizeofInotifyEvent+binary.NativeEndian.Uint32(events[12:]):]
		}
	}
}

// strangeLine writes a command line whose flags are in all the forms that there
// are.
func strangeLine(r *rand.Rand, kind runtime.Kind) []string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	values := map[string][]string{
		"root": {"r", "s"}, "bundle": {"a", "b", "./a", ".", "--"}, "b": {"a", "b"}, "config": {"c.json", "d.json", "config.json", "./config.json"},
		"f": {"c.json", "d.json"}, "log": {"log"}, "log-format": {"json", "text"}, "cwd": {"/"}, "preserve-fds": {"0"}, "pid-file": {"pid", "--"},
		"cgroup-manager": {"cgroupfs"}, "user": {"0"}, "u": {"0"}, "env": {"A=b", "a", "-x"}, "e": {"A=b", "id"}, "process": {"c.json"},
	}
	var line []string
	write := func(flags ...string) {
		name := pick(flags...)
		value, valued := "", false
		if of, is := values[name]; is {
			value, valued = pick(of...), true
		}
		dashes := "--"
		if len(name) == 1 && r.IntN(8) > 0 || r.IntN(16) == 0 {
			dashes = "-"
		}
		short := name
		if len(name) > 3 && r.IntN(5) == 0 {
			short = name[:len(name)-1-r.IntN(len(name)-3)]
		}
		switch {
		case r.IntN(30) == 0:
			line = append(line, pick("--", "-", "---"+name, "--new", "-"+name[:1]+value, "--"+name+"=", "-d"+name[:1], "-td"))
		case valued && r.IntN(3) == 0:
			line = append(line, dashes+short+"="+value)
		case valued && len(name) == 1 && r.IntN(3) == 0:
			line = append(line, "-"+name+value)
		case valued:
			line = append(line, dashes+short, value)
		case r.IntN(10) == 0:
			line = append(line, dashes+short+"="+pick("true", "false", "1", "x"))
		default:
			line = append(line, dashes+short)
		}
	}
	for range r.IntN(3) {
		write("root", "root", "log", "log-format", "debug", "systemd-cgroup", "cgroup-manager")
	}
	command := pick("create", "run", "exec", "exec")
	if command == "exec" {
		line = append(append([]string{"--root", pick("r", "s")}, line...), command)
	} else {
		line = append(line, command)
	}
	own := []string{"bundle", "bundle", "b", "pid-file", "no-pivot", "no-new-keyring", "preserve-fds"}
	switch {
	case command == "exec":
		own = []string{"env", "e", "cwd", "user", "u", "tty", "t", "detach", "d", "no-new-privs", "pid-file"}
	case kind == runtime.Crun:
		own = append(own, "config", "f")
	}
	if command == "run" {
		own = append(own, "detach", "d")
	}
	for range r.IntN(4) {
		write(own...)
	}
	if r.IntN(8) == 0 {
		line = append(line, "--")
	}
	line = append(line, pick("id", "x"))
	switch {
	case command == "exec":
		line = append(line, "true")
	case r.IntN(5) == 0:
		write(own...)
	case r.IntN(12) == 0:
		line = append(line, pick("--", "id", "--bundle", "a"))
	}
	return line
}

// TestCommandLineHonoured: whatever names the configuration or the container, it
// is that one whose filter counts. Each line would start a process without a
// filter if it were read in another way.
func TestCommandLineHonoured(t *testing.T) {
	const probe = "/bin/grep"
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		crun := runtime.KindOf(plain.Argv[0]) == runtime.Crun
		b := NewBundle(t, denying(t), Args(probe, "Seccomp:", "/proc/self/status"))
		b.Save()
		filtered, err := os.ReadFile(b.ConfigPath())
		must(t, err)
		// Beside it is another one that asks for no filter.
		open := filepath.Join(b.Dir, "open")
		must(t, os.Mkdir(open, 0o755))
		seccomp := b.Spec.Linux.Seccomp
		b.Spec.Linux.Seccomp = nil
		b.Save()
		unfiltered, err := os.ReadFile(b.ConfigPath())
		must(t, err)
		must(t, os.WriteFile(filepath.Join(open, "config.json"), unfiltered, 0o644))
		must(t, os.Symlink("../rootfs", filepath.Join(open, "rootfs")))
		b.Spec.Linux.Seccomp = seccomp
		b.Save()
		elsewhere := filepath.Join(b.Dir, "elsewhere.json")
		must(t, os.WriteFile(elsewhere, filtered, 0o644))
		bare := filepath.Join(b.Dir, "bare") // without any config.json
		must(t, os.Mkdir(bare, 0o755))
		must(t, os.Symlink("../rootfs", filepath.Join(bare, "rootfs")))
		for _, tc := range []struct {
			name string
			crun bool // the others know no such flag
			args []string
		}{
			{"abbreviated", true, []string{"--bund=../"}},
			{"abbreviated, two words", true, []string{"--bun", "../"}},
			{"in one word", true, []string{"-b../"}},
			{"twice", false, []string{"--bundle", ".", "--bundle", "../"}},
			{"the end of flags", false, []string{"--bundle", "../", "--"}},
			{"another configuration", true, []string{"--config", "../elsewhere.json"}},
			{"another configuration, short", true, []string{"-f" + elsewhere}},
			{"another configuration, abbreviated", true, []string{"--conf=" + elsewhere}},
			{"another configuration, the last one", true, []string{"-f", "config.json", "--config=../config.json"}},
			{"another configuration for a bundle without one", true, []string{"--bundle", "../bare", "--config", "../elsewhere.json"}},
			{"a file of that name in the current directory", true, []string{"--bundle", "../bare", "--config", "./../config.json"}},
			{"the bundle's own, by its name", true, []string{"--bundle", "../", "--config", "config.json"}},
		} {
			t.Run(tc.name, func(t *testing.T) {
				before := listing(t, b.Dir)
				c := b.NewContainer(front)
				cmd := c.command(slices.Concat([]string{"run"}, tc.args, []string{c.ID})...)
				cmd.Dir = open
				r := run(t, cmd)
				switch {
				case tc.crun && !crun:
					if r.Code == 0 {
						t.Errorf("not refused: %s", r)
					}
				case r.Code != 0 || !strings.Contains(r.Stdout, "Seccomp:\t2\n"):
					t.Errorf("not filtered: %s", r)
				}
				Eventually(t, "the folders as they were", func() bool { return listing(t, b.Dir) == before })
				if left, _ := filepath.Glob("/run/seccomp-hook/attendants/*.json"); len(left) > 0 {
					t.Errorf("left are %q", left)
				}
			})
		}
	})
}

// listing lists the files of a directory that are not a runtime's own.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var list bytes.Buffer
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			fmt.Fprintf(&list, "%s %x %v\n", e.Name(), text, err)
		}
	}
	return list.String()
}

// TestCommandLineRefused: where a flag is not certain the real runtime gets
// nothing to do, and says nothing.
func TestCommandLineRefused(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		crun := runtime.KindOf(plain.Argv[0]) == runtime.Crun
		b := NewBundle(t, denying(t), Args("/bin/sleep", "1000"))
		c := b.Create(front)
		c.Start()
		lines := [][]string{
			{"create", "--new", c.ID + "x"}, {"run", "--new=x", c.ID + "x"}, {"exec", "--new", c.ID, "true"}, {"delete", "--new", c.ID},
			{"exec", "--", "--new"}, {"--new", "exec", c.ID, "true"},
		}
		if crun {
			lines = append(lines, []string{"--rootless=auto", "exec", c.ID, "true"}, []string{"exec", "--p", "x", c.ID, "true"}, []string{"--root", "", "exec", c.ID, "true"})
		}
		for _, line := range lines {
			if r := c.Command(line...); r.Code == 0 {
				t.Errorf("%q is not refused: %s", line, r)
			}
		}
		if r := c.Exec("/bin/grep", "Seccomp:", "/proc/self/status"); !strings.Contains(r.Stdout, "Seccomp:\t2\n") {
			t.Errorf("exec: %s", r)
		}
		if crun {
			// A living container without a filter, whose id looks like a value.
			other := NewBundle(t, Args("/bin/sleep", "1000")).Create(front)
			other.Start()
			for _, flag := range []string{"--en", "--env", "-e"} {
				r := c.Command("exec", flag, other.ID, c.ID, "/bin/grep", "Seccomp:", "/proc/self/status")
				if r.Code != 0 || !strings.Contains(r.Stdout, "Seccomp:\t2\n") {
					t.Errorf("exec %s: %s", flag, r)
				}
			}
		}
		if r := c.Command("delete", "--force", c.ID); r.Code != 0 {
			t.Errorf("delete: %s", r)
		}
	})
}
