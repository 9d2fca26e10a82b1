//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// withProfile are ctr's flags for a profile under which personality fails with EIO.
func withProfile(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "profile.json")
	must(t, os.WriteFile(file, []byte(`{
		"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]
	}`), 0o644))
	return []string{"--seccomp", "--seccomp-profile", file}
}

// TestContainerdRun runs containers under the shim with each daemon.
func TestContainerdRun(t *testing.T) {
	for _, v := range Daemons(t) {
		t.Run(v.Name, func(t *testing.T) {
			d := StartDaemon(t, v)
			t.Run("seccomp", func(t *testing.T) {
				wantFiltered(t, d.In(t).Run([]string{"--seccomp"}, look...), syscall.EPERM)
			})
			t.Run("profile of the user's", func(t *testing.T) {
				wantFiltered(t, d.In(t).Run(withProfile(t), look...), syscall.EIO)
			})
			t.Run("new privileges", func(t *testing.T) {
				flags := append([]string{"--allow-new-privs"}, withProfile(t)...)
				r := d.In(t).Run(flags, look...)
				wantFiltered(t, r, syscall.EIO)
				if r.Lines()["NoNewPrivs"] != "0" {
					t.Error(r)
				}
			})
			t.Run("no profile", func(t *testing.T) {
				wantUnfiltered(t, d.In(t).Run(nil, look...))
			})
			t.Run("exit status", func(t *testing.T) {
				if r := d.In(t).Run([]string{"--seccomp"}, "/bin/sh", "-c", "exit 42"); r.Code != 42 {
					t.Error(r)
				}
			})
			t.Run("no such program", func(t *testing.T) {
				if r := d.In(t).Run([]string{"--seccomp"}, "/nonexistent"); r.Code == 0 || !strings.Contains(r.Stderr, "no such file") {
					t.Error(r)
				}
			})
			t.Run("exec and kill", func(t *testing.T) {
				d := d.In(t)
				id := d.Detached([]string{"--seccomp"}, "/bin/sleep", "1000")
				wantFiltered(t, d.Exec(id, look...), syscall.EPERM)
				if r := d.Exec(id, "/bin/sh", "-c", "exit 3"); r.Code != 3 {
					t.Error(r)
				}
				d.MustCtr("tasks", "kill", "--signal", "KILL", id)
				d.Remove(id)
			})
			t.Run("exec without a profile", func(t *testing.T) {
				d := d.In(t)
				id := d.Detached(nil, "/bin/sleep", "1000")
				wantUnfiltered(t, d.Exec(id, look...))
				d.Remove(id)
			})
		})
	}
}

// TestContainerdState: the annotations are the container's before the runtime
// sees it, and in the shim's log.
func TestContainerdState(t *testing.T) {
	d := StartDaemon(t, NewestDaemon(t))
	id := d.Detached([]string{"--seccomp"}, "/bin/sleep", "1000")
	text := MustCommand(t, Tool(t, "runc"), "--root", d.StateRoot(), "state", id).Stdout
	var state specs.State
	must(t, json.Unmarshal([]byte(text), &state))
	for name, want := range map[string]string{"profile": "config.json", "verified": "true"} {
		if got := state.Annotations["io.seccomp-hook."+name]; got != want {
			t.Errorf("%s is %q, not %q, in %s", name, got, want, text)
		}
	}
	for _, name := range []string{"program.sha256", "store", "cache.x86_64.cached"} {
		if state.Annotations["io.seccomp-hook."+name] == "" {
			t.Errorf("no %s in %s", name, text)
		}
	}
	for _, field := range []string{`msg="seccomp: filter installed"`, "container=" + id, "cache.x86_64.dynamic=", "install.mode=", "store=", "took="} {
		if !strings.Contains(d.Log(), field) {
			t.Errorf("the log has no %s:\n%s", field, d.Log())
		}
	}
}

// TestContainerdRecord: the shim has a container's calls recorded that asks for it by
// the annotation, also where its filter is ready.
func TestContainerdRecord(t *testing.T) {
	d := StartDaemon(t, NewestDaemon(t))
	path := filepath.Join(recordDir(t), "containerd.json")
	flags := withProfile(t)
	program := append(slices.Clone(look), "call", "124")
	wantFiltered(t, d.Run(flags, program...), syscall.EIO)
	wantFiltered(t, d.Run(append(slices.Clone(flags), "--annotation", "io.containers.trace-syscall=of:"+path), program...), syscall.EIO)
	p := recorded(t, path)
	if rulesOf(p, "getsid") == nil || rulesOf(p, "personality") != nil || rulesOf(p, "mount") != nil {
		t.Errorf("%+v", p.Syscalls)
	}
	r := d.Run(append(slices.Clone(flags), "--annotation", "io.containers.trace-syscall=of:/elsewhere.json"), program...)
	if r.Code == 0 || !strings.Contains(r.Stderr, "is not in") {
		t.Errorf("a file where none may be: %s", r)
	}
}

// TestContainerdBundle: what the shim leaves in the bundle is what containerd's
// own leaves there.
func TestContainerdBundle(t *testing.T) {
	d := StartDaemon(t, NewestDaemon(t))
	id := d.Detached([]string{"--seccomp"}, "/bin/sleep", "1000")
	bundle := filepath.Join(d.Dir, "state/io.containerd.runtime.v2.task", d.Namespace, id)
	text, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	must(t, err)
	var config specs.Spec
	must(t, json.Unmarshal(text, &config))
	if config.Linux.Seccomp == nil || config.Hooks != nil || len(config.Annotations) != 0 {
		t.Errorf("config.json is not the one that containerd wrote: %s", text)
	}
	left, _ := filepath.Glob(filepath.Join(bundle, ".config*"))
	if len(left) > 0 {
		t.Errorf("left in the bundle: %s", left)
	}
}

// TestContainerdOptions: the options of the runc shim are the inner one's.
func TestContainerdOptions(t *testing.T) {
	d := StartDaemon(t, NewestDaemon(t), AsRunc)
	root := filepath.Join(d.Dir, "runc-root")
	id := d.Detached([]string{"--seccomp", "--runc-root", root, "--runc-binary", program(t, "runc")}, "/bin/sleep", "1000")
	if _, err := os.Stat(filepath.Join(root, d.Namespace, id, "state.json")); err != nil {
		t.Error(err)
	}
	wantFiltered(t, d.Exec(id, look...), syscall.EPERM)
	t.Run("no such binary", func(t *testing.T) {
		r := d.In(t).Run([]string{"--seccomp", "--runc-binary", "/nonexistent/runc"}, look...)
		if r.Code == 0 || !strings.Contains(r.Stderr, "/nonexistent") {
			t.Error(r)
		}
	})
	t.Run("a runtime that may not execute", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "other-runtime")
		copyProgram(t, Tool(t, "runc"), other)
		r := d.In(t).Run([]string{"--seccomp", "--runc-binary", other}, look...)
		if r.Code == 0 || !strings.Contains(r.Stderr, "neither runc nor crun") || !strings.Contains(r.Stderr, "failed precondition") {
			t.Error(r)
		}
	})
}

// TestContainerdErrors: an error names the step, and has a type.
func TestContainerdErrors(t *testing.T) {
	d := StartDaemon(t, NewestDaemon(t))
	contradicting := filepath.Join(t.TempDir(), "profile.json")
	must(t, os.WriteFile(contradicting, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
		{"names": ["personality"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}
	]}`), 0o644))
	for name, tc := range map[string]struct {
		flags []string
		want  []string
	}{
		"annotation": {[]string{"--annotation", "io.seccomp-hook.profile=nonexistent.json"}, []string{"nonexistent.json", "profile", "invalid argument"}},
		"profile":    {[]string{"--seccomp", "--seccomp-profile", contradicting}, []string{"personality", "profile", "invalid argument"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := d.In(t).Run(tc.flags, look...)
			for _, want := range tc.want {
				if r.Code == 0 || !strings.Contains(r.Stderr, want) {
					t.Errorf("want %q: %s", want, r)
				}
			}
		})
	}
}

// TestContainerdGroup: several containers in one shim, each with its profile and
// its runtime.
func TestContainerdGroup(t *testing.T) {
	d := StartDaemon(t, NewestDaemon(t), AsRunc)
	group := []string{"--annotation", "io.containerd.runc.v2.group=" + d.Namespace}
	def := d.Detached(append([]string{"--seccomp"}, group...), "/bin/sleep", "1000")
	own := d.Detached(append(append(withProfile(t), "--runc-binary", program(t, "runc")), group...), "/bin/sleep", "1000")
	none := d.Detached(group, "/bin/sleep", "1000")
	wantFiltered(t, d.Exec(def, look...), syscall.EPERM)
	wantFiltered(t, d.Exec(own, look...), syscall.EIO)
	wantUnfiltered(t, d.Exec(none, look...))
	shims := 0
	for _, p := range processesOf([]string{d.Namespace}) {
		if strings.Contains(p.command, "containerd-shim-seccomp-v2") {
			shims++
		}
	}
	if shims != 1 {
		t.Errorf("%d shims", shims)
	}
}

// TestContainerdRestart: containers live on while containerd is away, and exec
// is filtered when it is back.
func TestContainerdRestart(t *testing.T) {
	for _, v := range Daemons(t) {
		t.Run(v.Name, func(t *testing.T) {
			d := StartDaemon(t, v)
			id := d.Detached([]string{"--seccomp"}, "/bin/sleep", "1000")
			for _, signal := range []syscall.Signal{unix.SIGTERM, unix.SIGKILL} {
				d.Stop(signal)
				d.Start()
				wantFiltered(t, d.Exec(id, look...), syscall.EPERM)
			}
			if r := d.MustCtr("tasks", "list"); !strings.Contains(r.Stdout, "RUNNING") {
				t.Error(r)
			}
		})
	}
}

// TestContainerdSameID: of several creates of one id, one makes a container.
func TestContainerdSameID(t *testing.T) {
	d := StartDaemon(t, NewestDaemon(t))
	id := d.NewID()
	const tries = 6
	results := make(chan Result)
	for range tries {
		go func() {
			results <- d.Ctr("run", "--detach", "--null-io", "--runtime", ShimType, "--seccomp", "--rootfs", d.Rootfs, id, "/bin/sleep", "1000")
		}()
	}
	made := 0
	for range tries {
		if r := <-results; r.Code == 0 {
			made++
		} else if !strings.Contains(r.Stderr, "already exists") {
			t.Error(r)
		}
	}
	if made != 1 {
		t.Errorf("%d of %d creates of %s succeeded", made, tries, id)
	}
	wantFiltered(t, d.Exec(id, look...), syscall.EPERM)
}

// TestContainerdTerminal: a terminal is the container's and the exec's.
func TestContainerdTerminal(t *testing.T) {
	d := StartDaemon(t, NewestDaemon(t))
	ctr := func(args string) Result {
		return Command(t, "script", "--quiet", "--return", "--command", fmt.Sprintf("%s --address %s --namespace %s %s", d.ctr, d.Address(), d.Namespace, args), "/dev/null")
	}
	const shell = `/bin/sh -c "test -t 0 && grep Seccomp: /proc/self/status"`
	id := d.NewID()
	if r := ctr(fmt.Sprintf("run --rm --tty --runtime %s --seccomp --rootfs %s %s %s", ShimType, d.Rootfs, id, shell)); r.Code != 0 || !strings.Contains(r.Stdout, "Seccomp:\t2") {
		t.Error(r)
	}
	id = d.Detached([]string{"--seccomp"}, "/bin/sleep", "1000")
	if r := ctr(fmt.Sprintf("tasks exec --tty --exec-id e %s %s", id, shell)); r.Code != 0 || !strings.Contains(r.Stdout, "Seccomp:\t2") {
		t.Error(r)
	}
}

// TestContainerdDropIn: each daemon takes the configuration of hack/deploy, and
// that of docs/runtime.md, as a file that its own imports.
func TestContainerdDropIn(t *testing.T) {
	for _, v := range Daemons(t) {
		t.Run(v.Name+"/runtime.md", func(t *testing.T) {
			dir := t.TempDir()
			block := documented(t, "docs/runtime.md", "### containerd")
			if v.config == 3 {
				block = strings.ReplaceAll(block, "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime")
			}
			dropIn, file := filepath.Join(dir, "seccomp.toml"), filepath.Join(dir, "config.toml")
			must(t, os.WriteFile(dropIn, fmt.Appendf(nil, "version = %d\n%s", v.config, block), 0o644))
			must(t, os.WriteFile(file, fmt.Appendf(nil, "version = %d\nimports = [%q]\n", v.config, dropIn), 0o644))
			r := MustCommand(t, v.containerd, "--config", file, "config", "dump")
			for _, want := range []string{"runtimes.seccomp]", "runtimes.seccomp.options]", `BinaryName = ["']/usr/bin/seccomp-runc["']`} {
				if !regexp.MustCompile(want).MatchString(r.Stdout) {
					t.Errorf("no %s in %s", want, r)
				}
			}
		})
		for version, name := range map[int]string{2: "containerd-1.toml", 3: "containerd.toml"} {
			if version > v.config {
				continue
			}
			t.Run(v.Name+"/"+name, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "config.toml")
				text := fmt.Sprintf("version = %d\nimports = [%q]\n", version, filepath.Join(Root(t), "hack/deploy", name))
				must(t, os.WriteFile(file, []byte(text), 0o644))
				r := MustCommand(t, v.containerd, "--config", file, "config", "dump")
				for _, want := range []string{"runtimes.seccomp]", "runtimes.seccomp.options]", ShimType, "SystemdCgroup = true"} {
					if !strings.Contains(r.Stdout, want) {
						t.Errorf("no %s in %s", want, r)
					}
				}
			})
		}
	}
}
