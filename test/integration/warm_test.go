//go:build integration && (amd64 || arm64)

package integration

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
)

// unshares returns what a call of unshare(2) gets in a container of a bundle, by
// init and by an exec.
func unshares(t testing.TB, rt Runtime, options ...Option) (init, execd string, c *Container) {
	t.Helper()
	b := NewBundle(t, options...)
	program := b.Install(Probe.Path(t))
	b.Spec.Process.Args = append(append([]string{program}, call(nrUnshare)...), "pause")
	c = b.Create(rt)
	c.Start()
	key := fmt.Sprintf("call %d", nrUnshare)
	Eventually(t, "the probe's line", func() bool {
		_, line, _ := strings.Cut(c.Output(), key)
		return strings.Contains(line, "\n")
	})
	return Result{Stdout: c.Output()}.Lines()[key], c.Exec(append([]string{program}, call(nrUnshare)...)...).Lines()[key], c
}

// TestWarm: the second start of a profile comes from its ready filter, without a
// hook and an attendant; one of another profile does not, and whatever becomes of
// the ready filter, the container has the profile's filter.
func TestWarm(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		want := func(what string, errno uint, store string) {
			t.Helper()
			init, execd, c := unshares(t, front, denyingWith(errno))
			if denied := "-" + strconv.Itoa(int(errno)); init != denied || execd != denied {
				t.Errorf("%s: init gets %s, an exec %s, want %s", what, init, execd, denied)
			}
			told := toldOf(t, c)
			mode := "suspend"
			if strings.Contains(front.Name, "crun") {
				mode = "crun"
			}
			if _, attended := told["install.microseconds"]; attended || told["install.mode"] != mode || told["store"] != store || told["verified"] != "true" {
				t.Errorf("%s: %v", what, told)
			}
			if hooks := c.StateJSON().Annotations["io.seccomp-hook.program.sha256"]; hooks != told["program.sha256"] {
				t.Errorf("%s: the runtime tells of the program %s", what, hooks)
			}
			c.Delete(true)
			if left := runFiles(c.ID); len(left) > 0 {
				t.Errorf("%s: left are %q", what, left)
			}
		}
		before := readyFilters(t)
		// Other profiles than those of the other runtimes.
		errno := map[string]uint{"seccomp-runc/runc-1.1": 30, "seccomp-runc/runc-1.5": 31, "seccomp-runc/crun-1.8": 32}[front.Name]
		want("the first start", errno, "miss")
		fresh := slices.Collect(maps.Keys(readyFilters(t)))
		fresh = slices.DeleteFunc(fresh, func(path string) bool { _, old := before[path]; return old })
		if len(fresh) != 1 {
			t.Fatalf("ready filters %q", fresh)
		}
		text := readyFilters(t)[fresh[0]]
		want("the second start", errno, "hit")
		want("another profile", errno+50, "miss")
		for what, spoil := range map[string]func(){
			"gone":               func() { must(t, os.Remove(fresh[0])) },
			"cut off":            func() { must(t, os.WriteFile(fresh[0], []byte(text[:len(text)-1]), 0o600)) },
			"empty":              func() { must(t, os.WriteFile(fresh[0], nil, 0o600)) },
			"of another program": func() { must(t, os.WriteFile(fresh[0], []byte(text[:50]+"x"+text[51:]), 0o600)) },
			"another profile's": func() {
				for path, other := range readyFilters(t) {
					if path != fresh[0] {
						must(t, os.WriteFile(fresh[0], []byte(other), 0o600))
					}
				}
			},
			"others can write it": func() { must(t, os.Chmod(fresh[0], 0o622)) },
			"somebody else's":     func() { must(t, os.Chown(fresh[0], 1000, 0)) },
			"a link":              func() { linked(t, fresh[0]) },
			"a FIFO": func() {
				replaced(t, fresh[0], func() error { return unix.Mkfifo(fresh[0], 0o600) })
			},
		} {
			spoil()
			want(what, errno, "miss")
			must(t, os.RemoveAll(fresh[0]))
			must(t, os.WriteFile(fresh[0], []byte(text), 0o600))
		}
	})
}

// TestWarmRules: crun does not read the rules of a profile that denies by default,
// and has its program and flags all the same, as runc has.
func TestWarmRules(t *testing.T) {
	errno := uint(55)
	profile := &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: &errno, Flags: []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_LOG"},
		Syscalls: []specs.LinuxSyscall{{Action: specs.ActAllow}},
	}
	for _, call := range arch.Native().Calls() {
		if name := call.Name(); name != "unshare" {
			profile.Syscalls[0].Names = append(profile.Syscalls[0].Names, name)
		}
	}
	eachFront(t, func(t *testing.T, _, front Runtime) {
		for range 2 { // the ready filter is made, and found
			init, execd, c := unshares(t, front, Seccomp(profile))
			if init != "-55" || execd != "-55" {
				t.Errorf("init gets %s, an exec %s, want -55", init, execd)
			}
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.PID()))
			must(t, err)
			if !strings.Contains(string(status), "\nSeccomp_filters:\t1\n") {
				t.Errorf("not one filter: %s", status)
			}
			c.Delete(true)
		}
	})
}

// readyFilters returns the ready filters that are stored.
func readyFilters(t testing.TB) map[string]string {
	t.Helper()
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(stateDir), "store/ready-*"))
	must(t, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		must(t, err)
		files[path] = string(text)
	}
	return files
}

// TestWarmFailures: where the runtime fails, the bundle has its own config.json when
// that is to be seen, not some time afterwards.
func TestWarmFailures(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		for name, tc := range map[string]struct {
			spoil Option
			flags []string
		}{
			"no root filesystem": {func(b *Bundle) { b.Spec.Root.Path = "nowhere" }, nil},
			"no such program":    {Args("/nonexistent"), nil},
			"a bad console":      {func(b *Bundle) { b.Spec.Process.Terminal = true }, []string{"--console-socket", "/nonexistent/socket"}},
		} {
			for _, command := range []string{"run", "create"} {
				t.Run(command+"/"+name, func(t *testing.T) {
					b := NewBundle(t, denying(t), tc.spoil)
					k := keep(t, b)
					c := b.NewContainer(front)
					r := c.Command(append(append([]string{command}, tc.flags...), "--bundle", b.Dir, c.ID)...)
					k.check(t)
					if r.Code == 0 || r.Stderr == "" {
						t.Errorf("not refused: %s", r)
					}
				})
			}
		}
	})
}

// TestStandInIsNobodyElses: what stands in for config.json while runc reads it has no
// linux.seccomp, so nobody but that runtime can read it.
func TestStandInIsNobodyElses(t *testing.T) {
	plain := Runc(t)
	front := front(t, plain)
	b := NewBundle(t, denying(t))
	k := keep(t, b)
	dir := t.TempDir()
	stub, read, resume := filepath.Join(dir, "runc"), filepath.Join(dir, "read"), filepath.Join(dir, "resume")
	must(t, unix.Mkfifo(read, 0o600))
	must(t, unix.Mkfifo(resume, 0o600))
	// It starts no process, because config.json is back then.
	script := fmt.Sprintf(`#!/bin/sh
while read -r line; do text=$text$line; done <%s
echo "$text" >%s
read -r line <%s
`, b.ConfigPath(), read, resume)
	must(t, os.WriteFile(stub, []byte(script), 0o755))

	c := b.NewContainer(plain.Behind("stub", front.Argv[0], "--real-runtime", stub))
	cmd := c.command("create", "--bundle", b.Dir, c.ID)
	must(t, cmd.Start())
	text, err := os.ReadFile(read)
	must(t, err)
	if !strings.Contains(string(text), `"process"`) || strings.Contains(string(text), `"defaultAction"`) {
		t.Errorf("the runtime reads %s", text)
	}
	if text, err := os.ReadFile(b.ConfigPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("somebody else reads %q, %v", text, err)
	}
	must(t, os.WriteFile(resume, []byte("go\n"), 0))
	must(t, cmd.Wait())
	k.check(t)
}

// TestForeignProgram: crun would install the program of an annotation in the place
// of linux.seccomp. One that comes from outside does not weaken the profile: not
// behind seccomp-runc, not with the hook, where another annotation names a milder
// one besides, and not under the shim.
func TestForeignProgram(t *testing.T) {
	const foreign = "run.oci.seccomp_bpf_data"
	allow := base64.StdEncoding.EncodeToString([]byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}) // RET ALLOW, little-endian
	denied := "-" + strconv.Itoa(denyErrno)
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		init, execd, _ := unshares(t, front, denyingWith(denyErrno), Annotation(foreign, allow))
		if init != denied || execd != denied {
			t.Errorf("init gets %s, an exec %s", init, execd)
		}
		for _, named := range []string{"", "allow.json"} {
			h := newHooked(t, "createRuntime", named, denyingWith(denyErrno), Annotation(foreign, allow), WithVictim(Probe, call(nrUnshare)...))
			must(t, os.WriteFile(filepath.Join(h.profiles, "allow.json"), []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
				{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}`), 0o644))
			if got := h.Run(plain); got.Code != 0 || got.Lines()[fmt.Sprintf("call %d", nrUnshare)] != denied {
				t.Errorf("with the hook and %q: %s\n%s", named, got, h.logged())
			}
		}
	})
	t.Run("shim", func(t *testing.T) {
		flags := append(withProfile(t), "--annotation", foreign+"="+allow)
		wantFiltered(t, StartDaemon(t, NewestDaemon(t), AsRunc).Run(flags, look...), unix.EIO)
	})
}

// TestForeignNames: what names a profile to others than this project, or this
// project's profiles to others than its callers, says nothing here.
func TestForeignNames(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		init, execd, _ := unshares(t, front, denyingWith(denyErrno),
			Annotation("io.containers.seccomp.profile", "unconfined"), Annotation("run.oci.seccomp.receiver", "/nowhere"),
			func(b *Bundle) {
				b.Spec.Process.Env = append(b.Spec.Process.Env, "SECCOMP_HOOK_CONFIG=/nowhere", "SECCOMP_HOOK_REAL_RUNTIME=/nowhere", "SECCOMP_HOOK_LIMIT=0")
			})
		if denied := "-" + strconv.Itoa(denyErrno); init != denied || execd != denied {
			t.Errorf("init gets %s, an exec %s", init, execd)
		}
	})
}
