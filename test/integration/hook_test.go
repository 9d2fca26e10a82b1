//go:build integration

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// deniedErrno is EPERM, what Docker's profile gives unshare in a container without
// CAP_SYS_ADMIN.
const deniedErrno = 1

// denyProfile denies unshare and nothing else, with an errno that no other
// denial has.
const (
	denyProfile = `{"defaultAction":"SCMP_ACT_ALLOW","architectures":` + profileArchitectures + `,
		"syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":77}]}`
	denyErrno = 77
)

// hooked is a bundle whose container gets its filter from the hook.
type hooked struct {
	*Bundle
	root, log, profiles string
}

// newHooked makes one. Its hook publishes below the bundle, so that tests do
// not meet each other.
func newHooked(t *testing.T, stage, profile string, options ...Option) *hooked {
	t.Helper()
	b := NewBundle(t, options...)
	h := &hooked{Bundle: b, root: filepath.Join(b.Dir, "run"), log: filepath.Join(b.Dir, "hook.log"), profiles: filepath.Join(b.Dir, "profiles")}
	must(t, os.Mkdir(h.profiles, 0o755))
	must(t, os.WriteFile(filepath.Join(h.profiles, "deny.json"), []byte(denyProfile), 0o644))
	if profile != "" {
		Annotation("io.seccomp-hook.profile", profile)(b)
	}
	h.register(Product(t, "seccomp-hook"), stage)
	return h
}

// register makes a program the hook of config.json.
func (h *hooked) register(program, stage string) {
	args := []string{"seccomp-hook", stage, "--root", h.root, "--profile-dir", h.profiles, "--log", h.log, "--log-level", "debug"}
	hook := specs.Hook{Path: program, Args: args}
	switch hooks := h.hooks(); stage {
	case "prestart":
		hooks.Prestart = []specs.Hook{hook} //nolint:staticcheck // deprecated by the spec, and what runtimes run
	case "createRuntime":
		hooks.CreateRuntime = []specs.Hook{hook}
	}
}

// flags adds flags to the hook that newHooked has registered.
func (h *hooked) flags(more ...string) *hooked {
	for _, list := range [][]specs.Hook{h.hooks().Prestart, h.hooks().CreateRuntime} { //nolint:staticcheck // see register
		for i := range list {
			list[i].Args = append(list[i].Args, more...)
		}
	}
	return h
}

// published returns what the hook has published of the bundle's only container.
func (h *hooked) published() specs.State {
	h.t.Helper()
	id := h.ids[len(h.ids)-1]
	text := MustCommand(h.t, Product(h.t, "seccomp-hook"), "state", "--root", h.root, id)
	var state specs.State
	must(h.t, json.Unmarshal([]byte(text.Stdout), &state))
	return state
}

func (h *hooked) logged() string {
	text, _ := os.ReadFile(h.log)
	return string(text)
}

// call renders a call as the probe's arguments.
func call(nr int, args ...int) []string {
	words := []string{"call", strconv.Itoa(nr)}
	for _, a := range args {
		words = append(words, strconv.Itoa(a))
	}
	return words
}

// hookStages are the two kinds of hook that the product is registered as.
var hookStages = []string{"prestart", "createRuntime"}

// TestHookFilters: under every runtime, as either hook, with and without
// noNewPrivileges, as root and as another user, the container is filtered and
// is otherwise what it is without the hook.
func TestHookFilters(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		for _, user := range []uint32{0, 1000} {
			for _, noNewPrivileges := range []bool{false, true} {
				options := []Option{
					User(user), NoNewPrivileges(noNewPrivileges),
					WithVictim(Probe, append([]string{"status"}, append(call(nrUnshare), call(nrGetpid)...)...)...),
				}
				plain := sync.OnceValue(func() Result { return NewBundle(t, options...).Run(rt) })
				for _, stage := range hookStages {
					t.Run(fmt.Sprintf("%s/uid%d/nnp-%v", stage, user, noNewPrivileges), func(t *testing.T) {
						h := newHooked(t, stage, "builtin:docker", options...)
						got := h.Run(rt)
						if got.Code != 0 {
							t.Fatalf("%s\n%s", got, h.logged())
						}
						if plain().Code != 0 {
							t.Fatalf("without the hook: %s", plain())
						}
						want := plain().Lines()
						want["Seccomp"], want["Seccomp_filters"] = "2", "1"
						want[fmt.Sprintf("call %d", nrUnshare)] = strconv.Itoa(-deniedErrno)
						for name, value := range want {
							if got.Lines()[name] != value {
								t.Errorf("%s is %q, want %q", name, got.Lines()[name], value)
							}
						}
						if mode := h.published().Annotations["io.seccomp-hook.install.mode"]; mode != "suspend" {
							t.Errorf("installed by %q", mode)
						}
					})
				}
			}
		}
	})
}

// TestHookBeforeTheFirstInstruction: a program whose first instruction is a
// denied call meets the filter, each time.
func TestHookBeforeTheFirstInstruction(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		for name, victim := range map[string]Victim{native: First(nrUnshare), bits32: First32(nrUnshare32)} {
			t.Run(name, func(t *testing.T) {
				h := newHooked(t, "createRuntime", "deny.json", WithVictim(victim))
				for i := range repeats {
					if got := h.Run(rt); got.Code != denyErrno {
						t.Fatalf("start %d: %s\n%s", i, got, h.logged())
					}
				}
			})
		}
	})
}

// TestHook32Bit: the calls of a 32-bit program are i386's, or arm's.
func TestHook32Bit(t *testing.T) {
	h := newHooked(t, "prestart", "deny.json", WithVictim(Probe32, append([]string{"status"}, append(call(nrUnshare32), call(nrGetpid32)...)...)...))
	got := h.Run(Runc(t))
	lines := got.Lines()
	if got.Code != 0 || lines["Seccomp_filters"] != "1" || lines[fmt.Sprintf("call %d", nrUnshare32)] != strconv.Itoa(-denyErrno) || lines[fmt.Sprintf("call %d", nrGetpid32)] != "1" {
		t.Errorf("%s\n%s", got, h.logged())
	}
}

// TestHookPublishes: what `state` prints of a container.
func TestHookPublishes(t *testing.T) {
	h := newHooked(t, "createRuntime", "builtin:docker", Annotation("mine", "1"))
	c := h.Create(Runc(t))
	state := h.published()
	if state.ID != c.ID || state.Pid != c.PID() || state.Bundle != h.Dir || state.Annotations["mine"] != "1" {
		t.Errorf("the state is %+v", state)
	}
	for name, want := range map[string]string{
		"profile": "builtin:docker", "verified": "true", "store": "miss", "install.mode": "suspend",
	} {
		if got := state.Annotations["io.seccomp-hook."+name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"profile.sha256", "program.sha256", "program.instructions", "compiler", "install.microseconds"} {
		if state.Annotations["io.seccomp-hook."+name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for _, arch := range strings.Fields(predicted) {
		count := func(name string) int {
			n, err := strconv.Atoi(state.Annotations["io.seccomp-hook.cache."+arch+"."+name])
			must(t, err)
			return n
		}
		if count("constant")+count("dynamic") != count("total") || count("cached") > count("constant") || count("total") < 300 {
			t.Errorf("%s: %d cached, %d constant, %d dynamic of %d", arch, count("cached"), count("constant"), count("dynamic"), count("total"))
		}
	}
	c.Start()
	c.Wait()
	if r := c.Delete(false); r.Code != 0 {
		t.Errorf("delete: %s", r)
	}
	// The second container starts from the store.
	h.Run(Runc(t))
	if got := h.published().Annotations["io.seccomp-hook.store"]; got != "hit" {
		t.Errorf("the second container's store is %q", got)
	}
}

// TestHookWithoutFilter: no profile, and --observe.
func TestHookWithoutFilter(t *testing.T) {
	for _, c := range []struct {
		name, profile string
		flags         []string
		mode          string
		statistics    bool
	}{
		{"no profile", "", nil, "none", false},
		{"observe", "deny.json", []string{"--observe"}, "observe", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHooked(t, "createRuntime", c.profile, WithVictim(Probe, "status")).flags(c.flags...)
			if got := h.Run(Runc(t)); got.Code != 0 || got.Lines()["Seccomp"] != "0" {
				t.Errorf("%s\n%s", got, h.logged())
			}
			annotations := h.published().Annotations
			if annotations["io.seccomp-hook.install.mode"] != c.mode || (annotations["io.seccomp-hook.program.sha256"] != "") != c.statistics {
				t.Errorf("annotations %q", annotations)
			}
		})
	}
}

// TestHookChoosesTheProfile: linux.seccomp and the annotation beside it, and
// the default.
func TestHookChoosesTheProfile(t *testing.T) {
	var seccomp specs.LinuxSeccomp
	must(t, json.Unmarshal([]byte(denyProfile), &seccomp))
	rt := Runc(t)
	for _, c := range []struct {
		name, annotation string
		seccomp          *specs.LinuxSeccomp
		flags            []string
		filters          string
		profile          string
		logged           string
	}{
		{"linux.seccomp", "", &seccomp, nil, "2", "config.json", "two filters with equal verdicts"},
		{"annotation and linux.seccomp", "deny.json", &seccomp, nil, "2", "deny.json", "the stricter verdict counts"},
		{"linux.seccomp before the default", "", &seccomp, []string{"--default-profile", "builtin:docker"}, "2", "config.json", "equal verdicts"},
		{"the default", "", nil, []string{"--default-profile", "DENY"}, "1", "deny.json", "filter installed"},
		{"the caller's beside a milder annotation", "builtin:containerd", nil, []string{"--profile", "DENY"}, "1", "deny.json + builtin:containerd", "filter installed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHooked(t, "createRuntime", c.annotation, Seccomp(c.seccomp), WithVictim(Probe, append([]string{"status"}, call(nrUnshare)...)...))
			for i, flag := range c.flags {
				if flag == "DENY" {
					c.flags[i] = filepath.Join(h.profiles, "deny.json")
				}
			}
			got := h.flags(c.flags...).Run(rt)
			lines := got.Lines()
			if got.Code != 0 || lines["Seccomp_filters"] != c.filters || lines[fmt.Sprintf("call %d", nrUnshare)] != strconv.Itoa(-denyErrno) {
				t.Errorf("%s\n%s", got, h.logged())
			}
			if profile := h.published().Annotations["io.seccomp-hook.profile"]; !strings.HasSuffix(profile, c.profile) {
				t.Errorf("profile %q, want %q", profile, c.profile)
			}
			if !strings.Contains(h.logged(), c.logged) {
				t.Errorf("the log has no %q:\n%s", c.logged, h.logged())
			}
		})
	}
}

// TestHookCapabilities: rules of a Docker-format profile that depend on
// capabilities go by the container's bounding set.
func TestHookCapabilities(t *testing.T) {
	for want, capabilities := range map[int][]string{
		-deniedErrno: DefaultCapabilities,
		0:            append([]string{"CAP_SYS_ADMIN"}, DefaultCapabilities...),
	} {
		h := newHooked(t, "createRuntime", "builtin:docker", Capabilities(capabilities...), WithVictim(Probe, call(nrUnshare)...))
		if got := h.Run(Runc(t)); got.Code != 0 || got.Lines()[fmt.Sprintf("call %d", nrUnshare)] != strconv.Itoa(want) {
			t.Errorf("with %q: %s\n%s", capabilities, got, h.logged())
		}
	}
}

// TestHookUserNamespace: a container with a user namespace of its own, where
// root is nobody outside.
func TestHookUserNamespace(t *testing.T) {
	const base = 100000
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		h := newHooked(t, "createRuntime", "deny.json", WithVictim(Probe, append([]string{"status"}, call(nrUnshare)...)...))
		h.Spec.Linux.Namespaces = append(h.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		mapping := []specs.LinuxIDMapping{{ContainerID: 0, HostID: base, Size: 65536}}
		h.Spec.Linux.UIDMappings, h.Spec.Linux.GIDMappings = mapping, mapping
		must(t, filepath.WalkDir(filepath.Join(h.Dir, "rootfs"), func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, base, base))
		}))
		got := h.Run(rt)
		if lines := got.Lines(); got.Code != 0 || lines["Seccomp_filters"] != "1" || lines[fmt.Sprintf("call %d", nrUnshare)] != strconv.Itoa(-denyErrno) {
			t.Errorf("%s\n%s", got, h.logged())
		}
	})
}

// TestHookLeavesPrivilegesAlone: a setuid program in a container without
// noNewPrivileges becomes root, as it does without the hook.
func TestHookLeavesPrivilegesAlone(t *testing.T) {
	for _, noNewPrivileges := range []bool{false, true} {
		h := newHooked(t, "createRuntime", "builtin:docker", User(1000), NoNewPrivileges(noNewPrivileges))
		probe := h.Install(Probe.Path(t))
		setuid := filepath.Join(h.Dir, "rootfs", "bin", "setuid")
		copyProgram(t, Probe.Path(t), setuid)
		must(t, os.Chmod(setuid, 0o755|os.ModeSetuid))
		h.Spec.Process.Args = []string{probe, "exec", "/bin/setuid", "status"}
		got := h.Run(Runc(t))
		want := "0"
		if noNewPrivileges {
			want = "1000"
		}
		// Uid has the real, effective, saved and file system ids.
		if ids := strings.Fields(got.Lines()["Uid"]); got.Code != 0 || len(ids) != 4 || ids[1] != want || got.Lines()["Seccomp"] != "2" {
			t.Errorf("noNewPrivileges %v: %s\n%s", noNewPrivileges, got, h.logged())
		}
	}
}

// TestHookStages: createContainer hooks run unfiltered and startContainer hooks
// under the filter, as natively.
func TestHookStages(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		h := newHooked(t, "createRuntime", "deny.json", Capabilities(append([]string{"CAP_SYS_ADMIN"}, DefaultCapabilities...)...))
		outside, inside := filepath.Join(h.Dir, "create.out"), "/start.out"
		program := h.Install(Probe.Path(t))
		sh := func(program, out string) []specs.Hook {
			return []specs.Hook{hook([]string{"/bin/sh", "-c", fmt.Sprintf("%s call %d > %s", program, nrUnshare, out)})}
		}
		h.hooks().CreateContainer = sh(Probe.Path(t), outside)
		h.hooks().StartContainer = sh(program, inside)
		if got := h.Run(rt); got.Code != 0 {
			t.Fatalf("%s\n%s", got, h.logged())
		}
		for path, want := range map[string]int{outside: 0, filepath.Join(h.Dir, "rootfs", inside): -denyErrno} {
			text, err := os.ReadFile(path)
			must(t, err)
			if string(text) != fmt.Sprintf("call %d: %d\n", nrUnshare, want) {
				t.Errorf("%s: %q, want %d", filepath.Base(path), text, want)
			}
		}
	})
}

// TestHookInParallel: containers that start at once, from one store, are all
// filtered from their first instruction.
func TestHookInParallel(t *testing.T) {
	const containers = 24
	root := t.TempDir()
	t.Run("all", func(t *testing.T) {
		for i := range containers {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				h := newHooked(t, "createRuntime", "deny.json", WithVictim(First(nrUnshare))).flags("--root", root)
				if got := h.Run(Runc(t)); got.Code != denyErrno {
					t.Errorf("%s\n%s", got, h.logged())
				}
			})
		}
	})
	if list, err := filepath.Glob(filepath.Join(root, "store", "*")); err != nil || len(list) == 0 || len(list) > containers {
		t.Errorf("the store has %q (%v)", list, err)
	}
}

// badInputs are what the hook can be given, and what its error says.
var badInputs = []struct {
	name  string
	spoil func(t *testing.T, h *hooked)
	want  string
}{
	{"no such profile", func(_ *testing.T, h *hooked) { h.annotate("nothing.json") }, "profile nothing.json: no such file in the profile directories"},
	{"profile outside", func(_ *testing.T, h *hooked) { h.annotate("/etc/passwd") }, "profile /etc/passwd: not in a profile directory"},
	{"profile above", func(_ *testing.T, h *hooked) { h.annotate("../config.json") }, "profile ../config.json: leaves the profile directory"},
	{"symlink out", func(t *testing.T, h *hooked) {
		must(t, os.Symlink("../config.json", filepath.Join(h.profiles, "link.json")))
		h.annotate("link.json")
	}, "profile link.json: leaves the profile directory"},
	{"absolute symlink", func(t *testing.T, h *hooked) {
		must(t, os.Symlink("/etc/passwd", filepath.Join(h.profiles, "link.json")))
		h.annotate("link.json")
	}, "profile link.json: leaves the profile directory"},
	{"no profile directory", func(t *testing.T, h *hooked) { must(t, os.RemoveAll(h.profiles)) }, "profile deny.json: no such file"},
	{"unknown builtin", func(_ *testing.T, h *hooked) { h.annotate("builtin:none") }, "builtin:none: there is no such builtin"},
	{"empty annotation", func(_ *testing.T, h *hooked) { h.annotate("") }, "annotation io.seccomp-hook.profile: empty"},
	{"malformed profile", func(t *testing.T, h *hooked) { h.profile(t, `{"defaultAction":`) }, "deny.json: "},
	{"duplicate key", func(t *testing.T, h *hooked) {
		h.profile(t, `{"defaultAction":"SCMP_ACT_ALLOW","defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}`)
	}, "defaultAction"},
	{"unknown action", func(t *testing.T, h *hooked) { h.profile(t, `{"defaultAction":"SCMP_ACT_MAYBE","syscalls":[]}`) }, "SCMP_ACT_MAYBE"},
	{"unknown flag", func(t *testing.T, h *hooked) {
		h.profile(t, `{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_NONE"],"syscalls":[]}`)
	}, "SECCOMP_FILTER_FLAG_NONE"},
	{"over 4096 instructions", func(t *testing.T, h *hooked) {
		var rules []string
		for i := range 5000 {
			rules = append(rules, fmt.Sprintf(`{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","errnoRet":%d,"args":[{"index":1,"value":%d,"op":"SCMP_CMP_EQ"}]}`, i%4000+1, uint64(i)*0x100000003))
		}
		h.profile(t, `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[`+strings.Join(rules, ",")+`]}`)
	}, "4096"},
	{"over 4 MiB", func(t *testing.T, h *hooked) {
		h.profile(t, `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}`+strings.Repeat(" ", 4<<20))
	}, "larger than"},
	{"unknown properties under strict", func(t *testing.T, h *hooked) {
		h.profile(t, `{"defaultAction":"SCMP_ACT_ALLOW","vendor":1,"syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO"}]}`)
		h.flags("--strict")
	}, "not allowed under strict"},
	{"no agent", func(t *testing.T, h *hooked) {
		h.profile(t, `{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/nowhere.sock","syscalls":[{"names":["unshare"],"action":"SCMP_ACT_NOTIFY"}]}`)
	}, "notify: failed to connect with seccomp agent: dial unix /nowhere.sock"},
	{"two listeners", func(_ *testing.T, h *hooked) {
		h.annotate("")
		delete(h.Spec.Annotations, "io.seccomp-hook.profile")
		h.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, ListenerPath: "/nowhere.sock",
			Syscalls: []specs.LinuxSyscall{{Names: []string{"unshare"}, Action: specs.ActNotify}},
		}
	}, "there can be only one listener"},
	{"nothing can be published", func(t *testing.T, h *hooked) {
		full(t, h.root)
	}, "publish: "},
	{"usage", func(_ *testing.T, h *hooked) { h.flags("--nothing") }, "unknown flag: --nothing"},
	{"traced", func(_ *testing.T, h *hooked) {
		// A debugger that is there first.
		h.hooks().CreateRuntime = append([]specs.Hook{hook([]string{"/bin/sh", "-c", `
			pid=$(jq .pid)
			setsid strace -qq -o /dev/null -p "$pid" </dev/null >/dev/null 2>&1 &
			until grep -q "TracerPid:.*[1-9]" "/proc/$pid/status"; do :; done`})}, h.hooks().CreateRuntime...)
	}, "traced already"},
}

// annotate names another profile.
func (h *hooked) annotate(profile string) { Annotation("io.seccomp-hook.profile", profile)(h.Bundle) }

// profile writes another deny.json.
func (h *hooked) profile(t *testing.T, text string) {
	must(t, os.WriteFile(filepath.Join(h.profiles, "deny.json"), []byte(text), 0o644))
}

// full mounts a file system without room at a directory.
func full(t *testing.T, dir string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4k,mode=0700"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	must(t, os.WriteFile(filepath.Join(dir, "full"), make([]byte, 4096), 0o600))
}

// TestHookBadInput: whatever the hook is given that is wrong, the container is
// not created, its program never runs, and the runtime's error has ours in it:
// one line that names the step and the cause.
func TestHookBadInput(t *testing.T) {
	for _, rt := range []Runtime{RuncDebian(t), Runc(t)} {
		for _, c := range badInputs {
			t.Run(rt.Name+"/"+c.name, func(t *testing.T) {
				h := newHooked(t, "createRuntime", "deny.json", WithVictim(Probe, "say", "it runs"))
				c.spoil(t, h)
				got := h.Run(rt)
				if got.Code == 0 || got.Stdout != "" {
					t.Errorf("the container was created: %s", got)
				}
				if !strings.Contains(got.Stderr, c.want) {
					t.Errorf("the error is %q, want one with %q", got.Stderr, c.want)
				}
				if id := h.ids[len(h.ids)-1]; c.name != "nothing can be published" {
					if list, err := filepath.Glob(filepath.Join(h.root, "containers", id, "*")); err != nil || len(list) != 0 {
						t.Errorf("left behind: %q", list)
					}
				}
			})
		}
	}
}

// TestHookBadState gives the hook itself what no runtime should.
func TestHookBadState(t *testing.T) {
	dir := t.TempDir()
	gone := command(t, "true")
	must(t, gone.Run())
	for _, c := range []struct{ name, state, want string }{
		{"nothing", "", "state: empty"},
		{"cut", `{"id":"x"`, "state: unexpected EOF"},
		{"no bundle", `{"id":"x","pid":1,"bundle":"` + dir + `"}`, "config.json: no such file"},
		{"relative bundle", `{"id":"x","pid":1,"bundle":"."}`, "not an absolute path"},
		{"path as id", `{"id":"../x","pid":1,"bundle":"/"}`, "not the id"},
		{"init is gone", fmt.Sprintf(`{"id":"x","pid":%d,"bundle":%q}`, gone.Process.Pid, savedBundle(t)), "the process has ended"},
		{"init is no runtime", fmt.Sprintf(`{"id":"x","pid":%d,"bundle":%q}`, os.Getpid(), savedBundle(t)), "does not run a known runtime"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := command(t, Product(t, "seccomp-hook"), "createRuntime", "--root", filepath.Join(dir, "run"), "--default-profile", "builtin:docker")
			cmd.Stdin = strings.NewReader(c.state)
			text, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(text), c.want) || strings.Count(string(text), "\n") != 1 {
				t.Errorf("%v, %q; want one line with %q", err, text, c.want)
			}
		})
	}
}

// savedBundle returns the folder of a bundle that is written.
func savedBundle(t *testing.T) string {
	b := NewBundle(t)
	b.Save()
	return b.Dir
}

// TestHookFullStore: a store without room costs a compilation, is told, and the
// container is filtered.
func TestHookFullStore(t *testing.T) {
	h := newHooked(t, "createRuntime", "deny.json", WithVictim(Probe, call(nrUnshare)...))
	must(t, os.MkdirAll(h.root, 0o711))
	full(t, filepath.Join(h.root, "store"))
	got := h.Run(Runc(t))
	if got.Code != 0 || got.Lines()[fmt.Sprintf("call %d", nrUnshare)] != strconv.Itoa(-denyErrno) {
		t.Errorf("%s\n%s", got, h.logged())
	}
	if !strings.Contains(h.logged(), "no space left on device") {
		t.Errorf("the log does not say so:\n%s", h.logged())
	}
	if list, err := os.ReadDir(filepath.Join(h.root, "store")); err != nil || len(list) != 1 {
		t.Errorf("the store has %v (%v), want what filled it and nothing else", list, err)
	}
}
