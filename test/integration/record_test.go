//go:build integration

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// traced asks for a profile of what the container does.
func traced(path string) Option {
	return Annotation("io.containers.trace-syscall", "of:"+path)
}

// recorded waits for a recorded profile, which is written when the container has
// ended, and reads it.
func recorded(t *testing.T, path string) *specs.LinuxSeccomp {
	t.Helper()
	for range 300 {
		if _, err := os.Stat(path); err == nil {
			break
		}
		if text, err := os.ReadFile(path + ".error"); err == nil {
			t.Fatalf("the recorder says %s", text)
		}
		MustCommand(t, "sleep", "0.1")
	}
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	if st.Mode&0o7777 != 0o600 || st.Uid != 0 {
		t.Errorf("mode %#o, owner %d", st.Mode, st.Uid)
	}
	text, err := os.ReadFile(path)
	must(t, err)
	p := new(specs.LinuxSeccomp)
	must(t, json.Unmarshal(text, p))
	return p
}

// rulesOf returns what a profile says of a call.
func rulesOf(p *specs.LinuxSeccomp, name string) (rules []specs.LinuxSyscall) {
	for _, r := range p.Syscalls {
		for _, n := range r.Names {
			if n == name {
				rules = append(rules, specs.LinuxSyscall{Action: r.Action, Args: r.Args})
			}
		}
	}
	return rules
}

// what the recorded program does; it prints what each call returns.
var recordedProgram = []string{"call", "124", "call", "135", "8", "call", "102", "exit", "5"}

// checkRecorded runs the program again under the profile that was recorded of it:
// nothing is another, and what it did not do it cannot.
func checkRecorded(t *testing.T, rt Runtime, options []Option, before Result, path string) {
	t.Helper()
	p := recorded(t, path)
	allow := []specs.LinuxSyscall{{Action: specs.ActAllow}}
	if got := rulesOf(p, "getsid"); !cmp.Equal(got, allow) {
		t.Errorf("getsid: %+v", got)
	}
	if got := rulesOf(p, "personality"); len(got) != 1 || len(got[0].Args) != 1 || got[0].Args[0].Value != 8 {
		t.Errorf("personality: %+v", got)
	}
	if got := rulesOf(p, "mount"); got != nil {
		t.Errorf("mount: %+v", got)
	}
	if r := NewBundle(t, append(options, WithVictim(Probe, recordedProgram...), Seccomp(p))...).Run(rt); r.Code != before.Code || r.Stdout != before.Stdout {
		t.Errorf("under the recorded profile: %s\nbefore: %s", r, before)
	}
	r := NewBundle(t, append(options, WithVictim(Probe, "call", "124", "call", "135", "9", "call", "165", "exit", "0"), Seccomp(p))...).Run(rt)
	if got := r.Lines(); got["call 135"] != "-1" || got["call 165"] != "-1" && got["call 165"] != "-38" || got["call 124"] == "-1" {
		t.Errorf("another program under the recorded profile: %s", r)
	}
}

// TestRecordAnnotation: by the plain hook and by seccomp-runc, in front of every
// runtime, the annotation records a container from its first instruction to its
// end, and it runs again under that, with a filter from here and with the
// runtime's own.
func TestRecordAnnotation(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		dir := t.TempDir()
		plain := NewBundle(t, WithVictim(Probe, recordedProgram...)).Run(rt)
		t.Run("hook", func(t *testing.T) {
			path := filepath.Join(dir, "hook.json")
			h := newHooked(t, "createRuntime", "", WithVictim(Probe, recordedProgram...), traced(path)).flags("--record-dir", dir)
			if r := h.Run(rt); r.Code != plain.Code || r.Stdout != plain.Stdout {
				t.Errorf("%s, without recording %s", r, plain)
			}
			checkRecorded(t, rt, nil, plain, path)
		})
		if rt.Name != Runc(t).Name {
			return
		}
		t.Run("seccomp-runc", func(t *testing.T) {
			config := filepath.Join(dir, "config.toml")
			must(t, os.WriteFile(config, []byte("record_dirs = [\""+dir+"\"]\n"), 0o600))
			t.Setenv("SECCOMP_HOOK_CONFIG", config)
			path := filepath.Join(dir, "runtime.json")
			// The front knows this profile by itself, and must leave it all the same.
			if r := NewBundle(t, WithVictim(Probe, recordedProgram...), traced(path), Seccomp(deny("keyctl"))).Run(front(t, rt)); r.Code != plain.Code || r.Stdout != plain.Stdout {
				t.Errorf("%s, without recording %s", r, plain)
			}
			checkRecorded(t, front(t, rt), nil, plain, path)
		})
	})
}

// recordDir returns the directory where profiles may be recorded to when nobody says
// another.
func recordDir(t *testing.T) string {
	t.Helper()
	const dir = "/var/lib/seccomp-hook/recorded"
	_, err := os.Stat(dir)
	must(t, os.MkdirAll(dir, 0o700))
	if err != nil {
		t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	}
	return dir
}

// TestRecordReady: a profile whose filter is ready starts without an attendant, but
// not where its calls are to be recorded. The recorder sees what init and an exec do;
// the filter is there, and what it denies is not recorded. The next start is without
// an attendant again.
func TestRecordReady(t *testing.T) {
	dir := recordDir(t)
	serial := uint(0)
	eachFront(t, func(t *testing.T, _, front Runtime) {
		serial++
		errno := 60 + serial // a profile that nobody else has
		denied := "-" + strconv.Itoa(int(errno))
		unshare := append(call(nrUnshare), "call")
		start := func(what, store string, options ...Option) *Container {
			t.Helper()
			b := NewBundle(t, append(options, denyingWith(errno))...)
			program := b.Install(Probe.Path(t))
			b.Spec.Process.Args = slices.Concat([]string{program}, unshare, []string{"124", "pause"})
			c := b.Create(front)
			c.Start()
			Eventually(t, "the probe's word", func() bool { return strings.Contains(c.Output(), "call 124") })
			key := fmt.Sprintf("call %d", nrUnshare)
			init := Result{Stdout: c.Output()}.Lines()[key]
			execd := c.Exec(slices.Concat([]string{program}, unshare, []string{"135", "8"})...).Lines()[key]
			if init != denied || execd != denied {
				t.Errorf("%s: init gets %s, an exec %s, want %s", what, init, execd, denied)
			}
			if got := toldOf(t, c)["store"]; got != store {
				t.Errorf("%s: store %q, want %q", what, got, store)
			}
			return c
		}
		warm := func(what string) {
			t.Helper()
			c := start(what, "hit")
			if _, attended := toldOf(t, c)["install.microseconds"]; attended {
				t.Errorf("%s: it has an attendant", what)
			}
			c.Delete(true)
		}
		path := filepath.Join(dir, fmt.Sprintf("ready-%d.json", errno))
		start("the first start", "miss").Delete(true)
		warm("the second start")
		start("a recorded one", "hit", traced(path)).Delete(true)
		p := recorded(t, path)
		if rulesOf(p, "getsid") == nil || !slices.Equal(personas(p), []uint64{8}) || rulesOf(p, "unshare") != nil || rulesOf(p, "keyctl") != nil {
			t.Errorf("%+v", p.Syscalls)
		}
		warm("the next one")
		r := NewBundle(t, WithVictim(Probe, "exit", "0"), Annotation("io.containers.trace-syscall", "of:relative"), denyingWith(errno)).Run(front)
		if r.Code == 0 || !strings.Contains(r.Stderr, "not an absolute path") {
			t.Errorf("an annotation that cannot be followed: %s", r)
		}
	})
}

// TestRecordBegins: under seccomp-runc a profile begins with what if: names: one that
// was recorded, one of the administrator's, or Docker's; also where the container has
// no filter. A file that is elsewhere, or not there, refuses the container.
func TestRecordBegins(t *testing.T) {
	dir, profiles := recordDir(t), t.TempDir()
	config := filepath.Join(profiles, "config.toml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "profile_dirs = [%q]\n", profiles), 0o600))
	must(t, os.WriteFile(filepath.Join(profiles, "deny.json"), []byte(denyProfile), 0o644))
	front := front(t, Runc(t))
	run := func(value string, args ...string) Result {
		t.Helper()
		return NewBundle(t, WithVictim(Probe, append(args, "exit", "5")...), Annotation("io.containers.trace-syscall", value)).Run(front)
	}
	record := func(name, base string, args ...string) *specs.LinuxSeccomp {
		t.Helper()
		path := filepath.Join(dir, "begins-"+name+".json")
		value := "of:" + path
		if base != "" {
			value += ";if:" + base
		}
		if r := run(value, args...); r.Code != 5 || r.Stderr != "" {
			t.Fatalf("%s: %s", value, r)
		}
		return recorded(t, path)
	}
	one := record("one", "", "call", "135", "8")
	two := record("two", filepath.Join(dir, "begins-one.json"), "call", "135", "0x20008")
	if got := personas(one); !slices.Equal(got, []uint64{8}) {
		t.Errorf("%x", got)
	}
	if got := personas(two); !slices.Equal(got, []uint64{8, 0x20008}) {
		t.Errorf("%x", got)
	}
	docker := record("docker", "builtin:docker", "call", "135", "0x20009")
	if got := personas(docker); !slices.Contains(got, 8) || !slices.Contains(got, 0x20009) || rulesOf(docker, "getsid") == nil {
		t.Errorf("%x", got)
	}
	t.Setenv("SECCOMP_HOOK_CONFIG", config)
	theirs := record("theirs", filepath.Join(profiles, "deny.json"), "call", "124")
	if theirs.DefaultAction != specs.ActAllow {
		t.Errorf("not what it begins with: %+v", theirs)
	}
	for base, want := range map[string]string{
		"/etc/passwd":                        "/etc/passwd is not in ",
		filepath.Join(dir, "not-there.json"): "no such file",
		"builtin:nothing":                    "builtin",
		"relative.json":                      "not an absolute path",
	} {
		path := filepath.Join(dir, "begins-refused.json")
		if r := run("of:"+path+";if:"+base, "call", "124"); r.Code == 0 || r.Code == 5 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: %s; want %q", base, r, want)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: there is a profile: %v", base, err)
		}
	}
}

// personas are the arguments with which a profile allows personality.
func personas(p *specs.LinuxSeccomp) (list []uint64) {
	for _, r := range rulesOf(p, "personality") {
		for _, a := range r.Args {
			list = append(list, a.Value)
		}
	}
	slices.Sort(list)
	return list
}

// TestRecordWays: a command is recorded, and exits as it does; by its profile as the
// base another one is added to it, also by the annotation; and a container that
// runs, by its name and by its process.
func TestRecordWays(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name+".json") }
	record := func(code int, output string, args ...string) *specs.LinuxSeccomp {
		t.Helper()
		out, err := command(t, Product(t, "seccomp-hook"), append([]string{"record", "--output", output}, args...)...).CombinedOutput()
		exit := new(exec.ExitError)
		if err == nil && code != 0 || err != nil && (!errors.As(err, &exit) || exit.ExitCode() != code) {
			t.Fatalf("record %v: %v: %s", args, err, out)
		}
		return recorded(t, output)
	}
	probe := Probe.Path(t)
	one := record(5, at("one"), "--", probe, "call", "124", "call", "135", "8", "exit", "5")
	two := record(0, at("two"), "--base", at("one"), "--", probe, "call", "102", "call", "135", "0x20008", "exit", "0")
	if got := personas(one); !slices.Equal(got, []uint64{8}) || rulesOf(one, "getuid") != nil {
		t.Errorf("%+v", one.Syscalls)
	}
	if got := personas(two); !slices.Equal(got, []uint64{8, 0x20008}) || rulesOf(two, "getsid") == nil || rulesOf(two, "getuid") == nil {
		t.Errorf("%+v", two.Syscalls)
	}

	// A command that goes on is told to end.
	must(t, exec.Command(Product(t, "seccomp-hook"), "record", "--for", "1s", "--output", at("long"), "--", "sleep", "1000").Run())
	if long := recorded(t, at("long")); rulesOf(long, "getsid") != nil {
		t.Errorf("%+v", long.Syscalls)
	}
	runs := filepath.Join(dir, "runs")
	must(t, unix.Mkfifo(runs, 0o600))
	ended := startWatch(t, "record", "--output", at("ended"), "--", "sh", "-c", "echo >"+runs+"; exec sleep 1000")
	_, err := os.ReadFile(runs)
	must(t, err)
	must(t, ended.cmd.Process.Signal(unix.SIGTERM))
	ended.wait(t)
	recorded(t, at("ended"))
	// What is no file is written to, and stays what it is.
	pipe, err := exec.Command(Product(t, "seccomp-hook"), "record", "--output", "/dev/stdout", "--", "true").Output()
	if err != nil || !json.Valid(pipe) {
		t.Errorf("%v: %s", err, pipe)
	}

	h := newHooked(t, "createRuntime", "builtin:docker", WithVictim(Probe), Annotation("io.containers.trace-syscall", "of:"+at("three")+";if:"+at("two"))).flags("--record-dir", dir)
	gate := gated(h.Bundle, "call", "135", "0x20000", "exit", "0")
	c := h.Create(Runc(t))
	c.Start()
	byName := startWatch(t, "record", c.ID, "--root", h.root, "--output", at("name"))
	byProcess := startWatch(t, "record", "--pid", strconv.Itoa(c.PID()), "--base", "builtin:docker", "--output", at("process"))
	release(t, gate)
	byName.wait(t)
	byProcess.wait(t)
	if p := recorded(t, at("three")); !slices.Equal(personas(p), []uint64{8, 0x20000, 0x20008}) || rulesOf(p, "getsid") == nil {
		t.Errorf("%+v", p.Syscalls)
	}
	if p := recorded(t, at("name")); !slices.Equal(personas(p), []uint64{0x20000}) || rulesOf(p, "getsid") != nil {
		t.Errorf("%+v", p.Syscalls)
	}
	if p := recorded(t, at("process")); !slices.Contains(personas(p), 0x20000) || rulesOf(p, "getsid") == nil {
		t.Errorf("%+v", p.Syscalls) // Docker's default has them
	}
}

// TestRecordKilled: a container that is killed, of a filter that denies, has its
// profile all the same; what was denied is not in it.
func TestRecordKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "killed.json")
	h := newHooked(t, "createRuntime", "builtin:docker", WithVictim(Probe, "call", "124", "call", "165", "pause"), traced(path)).flags("--record-dir", dir)
	c := h.Create(Runc(t))
	c.Start()
	for !strings.Contains(c.Output(), "call 165") {
		MustCommand(t, "sleep", "0.1")
	}
	if r := c.Command("kill", c.ID, "KILL"); r.Code != 0 {
		t.Fatal(r)
	}
	p := recorded(t, path)
	if rulesOf(p, "getsid") == nil || rulesOf(p, "mount") != nil {
		t.Errorf("%+v", p.Syscalls)
	}
}

// TestRecordRefuses: a file that is not where the administrator wants them, or an
// annotation that cannot be read, refuses the container.
func TestRecordRefuses(t *testing.T) {
	for value, want := range map[string]string{
		"of:/tmp/recorded.json": "is not in /var/lib/seccomp-hook/recorded",
		"of:relative":           "not an absolute path",
		"nothing":               "neither of:PATH nor if:PATH",
	} {
		h := newHooked(t, "createRuntime", "", WithVictim(Probe, "exit", "0"), Annotation("io.containers.trace-syscall", value))
		if r := h.Run(Runc(t)); r.Code == 0 || !strings.Contains(r.Stderr+h.logged(), want) {
			t.Errorf("%q: %s %s", value, r, h.logged())
		}
	}
}
