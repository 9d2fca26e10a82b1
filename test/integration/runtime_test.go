//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// front returns seccomp-runc in front of a runtime.
func front(t testing.TB, rt Runtime) Runtime {
	return rt.Behind("seccomp-runc/"+rt.Name, Product(t, "seccomp-runc"), "--real-runtime", rt.Argv[0])
}

// eachFront runs f as a subtest for every runtime, with seccomp-runc in front
// of it.
func eachFront(t *testing.T, f func(t *testing.T, plain, front Runtime)) {
	EachRuntime(t, func(t *testing.T, rt Runtime) { f(t, rt, front(t, rt)) })
}

// needsAttendant makes a bundle one that needs an attendant: under runc because it
// has a hook, under crun because of an annotation that decides on how crun compiles.
func needsAttendant(b *Bundle) {
	Poststop("/bin/sh", "-c", "cat >/dev/null")(b) // one that ends before crun has written to it ends crun by SIGPIPE
	Annotation("run.oci.seccomp_fail_unknown_syscall", "0")(b)
}

// denying is linux.seccomp of denyProfile.
func denying(t testing.TB) Option {
	var profile specs.LinuxSeccomp
	must(t, json.Unmarshal([]byte(denyProfile), &profile))
	return Seccomp(&profile)
}

// denyingWith is linux.seccomp that denies unshare with an errno.
func denyingWith(errno uint) Option {
	return Seccomp(&specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"unshare"}, Action: specs.ActErrno, ErrnoRet: &errno}},
	})
}

// toldOf returns the annotations of ours that are told of a running container: in
// what is published, and under crun, of which nothing is, in its own state.
func toldOf(t testing.TB, c *Container) map[string]string {
	t.Helper()
	told := c.StateJSON().Annotations
	if text, err := os.ReadFile(filepath.Join(stateDir, c.ID, "state.json")); err == nil {
		var state specs.State
		must(t, json.Unmarshal(text, &state))
		told = state.Annotations
	}
	ours := map[string]string{}
	for name, value := range told {
		if short, is := strings.CutPrefix(name, "io.seccomp-hook."); is {
			ours[short] = value
		}
	}
	return ours
}

// kept is a config.json as it was.
type kept struct {
	path string
	text []byte
	stat unix.Stat_t
}

func keep(t testing.TB, b *Bundle) kept {
	t.Helper()
	b.Save()
	k := kept{path: b.ConfigPath()}
	var err error
	k.text, err = os.ReadFile(k.path)
	must(t, err)
	must(t, unix.Lstat(k.path, &k.stat))
	return k
}

// changed says in what the file, or what is beside it, is not as it was.
func (k kept) changed() string {
	text, err := os.ReadFile(k.path)
	if err != nil {
		return err.Error()
	}
	var stat unix.Stat_t
	if err := unix.Lstat(k.path, &stat); err != nil {
		return err.Error()
	}
	switch {
	case !bytes.Equal(text, k.text):
		return "config.json has another text"
	case stat.Ino != k.stat.Ino || stat.Mode != k.stat.Mode || stat.Uid != k.stat.Uid:
		return "config.json is another file"
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(k.path), ".config.json*")); len(left) > 0 {
		return fmt.Sprintf("left are %q", left)
	}
	return ""
}

func (k kept) check(t testing.TB) {
	t.Helper()
	if what := k.changed(); what != "" {
		t.Error(what)
	}
}

// probeArgs is what the probe is asked: its status, a call that is denied and one
// that is not.
func probeArgs() []string {
	return append([]string{"status"}, append(call(nrUnshare), call(nrGetpid)...)...)
}

// wantSame checks what the probe says: what it says under the real runtime with
// its native filter, and one filter.
func wantSame(t *testing.T, native, got map[string]string) {
	t.Helper()
	want := maps.Clone(native)
	want["Seccomp"], want["Seccomp_filters"] = "2", "1"
	want[fmt.Sprintf("call %d", nrUnshare)] = strconv.Itoa(-denyErrno)
	// The probe's own process id.
	delete(want, fmt.Sprintf("call %d", nrGetpid))
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}

// TestRuntimeLife: a container's whole life, with linux.seccomp, for every
// user and noNewPrivileges: init and exec'd processes are what they are under
// the real runtime with its native filter, state has the annotations, and
// neither the bundle nor /run remembers.
func TestRuntimeLife(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		for _, user := range []uint32{0, 1000} {
			for _, noNewPrivileges := range []bool{false, true} {
				t.Run(fmt.Sprintf("uid%d/nnp-%v", user, noNewPrivileges), func(t *testing.T) {
					life := func(rt Runtime, after func(c *Container, k kept)) (init, execd map[string]string) {
						b := NewBundle(t, User(user), NoNewPrivileges(noNewPrivileges), denying(t))
						program := b.Install(Probe.Path(t))
						b.Spec.Process.Args = append(append([]string{program}, probeArgs()...), "pause")
						k := keep(t, b)
						c := b.Create(rt)
						after(c, k)
						c.Start()
						Eventually(t, "the probe's last word", func() bool { return strings.Contains(c.Output(), fmt.Sprintf("call %d: ", nrGetpid)) })
						execd = c.Exec(append([]string{program}, probeArgs()...)...).Lines()
						init = Result{Stdout: c.Output()}.Lines()
						if r := c.Delete(true); r.Code != 0 {
							t.Errorf("delete: %s", r)
						}
						if left := runFiles(c.ID); len(left) > 0 {
							t.Errorf("left are %q", left)
						}
						k.check(t)
						return init, execd
					}
					nativeInit, nativeExec := life(plain, func(*Container, kept) {})
					init, execd := life(front, func(c *Container, k kept) {
						k.check(t)
						annotations := c.StateJSON().Annotations
						for name, want := range map[string]string{
							"io.seccomp-hook.profile": "config.json", "io.seccomp-hook.verified": "true",
						} {
							if annotations[name] != want {
								t.Errorf("state: %s is %q, want %q", name, annotations[name], want)
							}
						}
						for _, name := range []string{"program.sha256", "program.instructions", "cache." + native + ".cached", "cache." + bits32 + ".dynamic", "store"} {
							if annotations["io.seccomp-hook."+name] == "" {
								t.Errorf("state has no %s: %v", name, annotations)
							}
						}
						if strings.Contains(front.Name, "crun") { // which has installed it, and is not seen doing so
							if mode := annotations["io.seccomp-hook.install.mode"]; mode != "crun" {
								t.Errorf("installed by %q", mode)
							}
							return
						}
						var published specs.State
						text := MustCommand(t, Product(t, "seccomp-hook"), "state", c.ID)
						must(t, json.Unmarshal([]byte(text.Stdout), &published))
						if mode := published.Annotations["io.seccomp-hook.install.mode"]; mode != "suspend" {
							t.Errorf("installed by %q", mode)
						}
					})
					wantSame(t, nativeInit, init)
					wantSame(t, nativeExec, execd)
				})
			}
		}
	})
}

// TestRuntimeFirstInstruction: programs whose first instruction is a denied call
// meet the filter, as init and by exec, many at a time.
func TestRuntimeFirstInstruction(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		b := NewBundle(t, denying(t), Args("/bin/sleep", "1000"))
		first := b.Install(First(nrUnshare).Path(t))
		c := b.Create(front)
		c.Start()
		for range repeats {
			if r := c.Exec(first); r.Code != denyErrno {
				t.Fatalf("exec: %s", r)
			}
		}
		for range repeats {
			b := NewBundle(t, denying(t), WithVictim(First(nrUnshare)))
			if r := b.Run(front); r.Code != denyErrno {
				t.Fatalf("run: %s", r)
			}
		}
	})
}

// TestRuntimeProfiles: a container without a profile is the real runtime's
// alone, and so are its execs; the annotation and the default profile give one
// all the same.
func TestRuntimeProfiles(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		config := filepath.Join(t.TempDir(), "config.toml")
		for _, tc := range []struct {
			name    string
			config  string
			options []Option
			filters string
			errno   int
		}{
			{"none", "", nil, "0", 0},
			{"linux.seccomp", "", []Option{denying(t)}, "1", denyErrno},
			{"annotation", "", []Option{Annotation("io.seccomp-hook.profile", "builtin:docker")}, "1", deniedErrno},
			// Both deny it, so the errno of linux.seccomp stands.
			{"annotation beside linux.seccomp", "", []Option{denying(t), Annotation("io.seccomp-hook.profile", "builtin:docker")}, "1", denyErrno},
			{"annotation instead of linux.seccomp", `annotation = "replace"`, []Option{denying(t), Annotation("io.seccomp-hook.profile", "builtin:docker")}, "1", deniedErrno},
			{"default profile", `default_profile = "builtin:docker"`, nil, "1", deniedErrno},
			{"profile directory", fmt.Sprintf("profile_dirs = [%q]", filepath.Dir(config)), []Option{Annotation("io.seccomp-hook.profile", "deny.json")}, "1", denyErrno},
			{"annotation of a profile without rules", fmt.Sprintf("profile_dirs = [%q]", filepath.Dir(config)), []Option{Annotation("io.seccomp-hook.profile", "disabled.json")}, "0", 0},
		} {
			t.Run(tc.name, func(t *testing.T) {
				must(t, os.WriteFile(config, []byte(tc.config), 0o600))
				must(t, os.WriteFile(filepath.Join(filepath.Dir(config), "deny.json"), []byte(denyProfile), 0o600))
				must(t, os.WriteFile(filepath.Join(filepath.Dir(config), "disabled.json"), []byte(`{"syscalls":[]}`), 0o600))
				t.Setenv("SECCOMP_HOOK_CONFIG", config)
				b := NewBundle(t, append(tc.options, Args("/bin/sleep", "1000"))...)
				program := b.Install(Probe.Path(t))
				c := b.Create(front)
				c.Start()
				got := c.Exec(append([]string{program, "status"}, call(nrUnshare, 0)...)...).Lines()
				if got["Seccomp_filters"] != tc.filters || got[fmt.Sprintf("call %d", nrUnshare)] != strconv.Itoa(-tc.errno) {
					t.Errorf("exec: %v", got)
				}
				text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.PID()))
				must(t, err)
				if filters := (Result{Stdout: string(text)}).Lines()["Seccomp_filters"]; filters != tc.filters {
					t.Errorf("init has %s filters", filters)
				}
			})
		}
	})
}

// TestRuntimeExits: exit codes, signals and standard input and output of a
// container in the foreground are the real runtime's.
func TestRuntimeExits(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		for _, script := range []string{"exit 7", "kill -TERM $$", "cat; echo done >&2", "exec /nonexistent"} {
			t.Run(script, func(t *testing.T) {
				result := func(rt Runtime) Result {
					b := NewBundle(t, denying(t), Args("/bin/sh", "-c", script))
					k := keep(t, b)
					c := b.NewContainer(rt)
					cmd := c.command("run", "--bundle", b.Dir, c.ID)
					cmd.Stdin = strings.NewReader("what comes in\n")
					r := run(t, cmd)
					k.check(t)
					return r
				}
				if diff := cmp.Diff(result(plain), result(front)); diff != "" {
					t.Errorf("(-plain +front)\n%s", diff)
				}
			})
		}
	})
}

// TestRuntimeForwardsSignals: a runtime in the foreground hands signals to the
// container; the process that was started is that runtime.
func TestRuntimeForwardsSignals(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		b := NewBundle(t, denying(t), Args("/bin/sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done"))
		b.Save()
		c := b.NewContainer(front)
		cmd := c.command("run", "--bundle", b.Dir, c.ID)
		if front.unified {
			t.Skip("the process that is started here is unshare's")
		}
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		ready := make([]byte, 5)
		if _, err := io.ReadFull(out, ready); err != nil {
			t.Fatal(err)
		}
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		_ = cmd.Wait() // its exit status is looked at
		if code := exitCode(cmd.ProcessState); code != 9 {
			t.Errorf("exit code %d, want 9", code)
		}
	})
}

// TestRuntimeDescriptors: --preserve-fds and LISTEN_FDS hand on what they hand
// on under the real runtime, and nothing else is open.
func TestRuntimeDescriptors(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		for name, flags := range map[string][]string{"preserve": {"--preserve-fds", "2"}, "listen": nil} {
			t.Run(name, func(t *testing.T) {
				result := func(rt Runtime) Result {
					b := NewBundle(t, denying(t), Args("/bin/sh", "-c", "ls -l /proc/self/fd | sed -n 's/.* \\([0-9]* -> .*extra.*\\)/\\1/p'; ls /proc/self/fd | wc -l; echo $LISTEN_FDS"))
					b.Save()
					c := b.NewContainer(rt)
					argv := append(append([]string{"run"}, flags...), "--bundle", b.Dir, c.ID)
					cmd := c.command(argv...)
					if name == "listen" {
						// The process id has to be the runtime's own.
						full := cmd.Args
						cmd = command(t, "sh", append([]string{"-c", `export LISTEN_FDS=2 LISTEN_PID=$$; exec "$@"`, "sh"}, full...)...)
					}
					for i := range 2 {
						file, err := os.Create(filepath.Join(t.TempDir(), "extra"+strconv.Itoa(i)))
						must(t, err)
						t.Cleanup(func() { file.Close() })
						cmd.ExtraFiles = append(cmd.ExtraFiles, file)
					}
					r := run(t, cmd)
					// The files are other ones each time, of the same names.
					var lines []string
					for line := range strings.Lines(r.Stdout) {
						if number, path, ok := strings.Cut(line, " -> "); ok {
							line = number + " " + filepath.Base(path)
						}
						lines = append(lines, line)
					}
					r.Stdout = strings.Join(lines, "")
					return r
				}
				got := result(front)
				if diff := cmp.Diff(result(plain), got); diff != "" {
					t.Errorf("(-plain +front)\n%s", diff)
				}
				if name == "preserve" && !strings.Contains(got.Stdout, "3 extra0\n4 extra1\n") {
					t.Errorf("the container has\n%s", got)
				}
			})
		}
	})
}

// TestRuntimeTerminal: the console's other end comes over the console socket,
// for create and for exec.
func TestRuntimeTerminal(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		b := NewBundle(t, denying(t), Args("/bin/sh", "-c", "tty; grep Seccomp: /proc/self/status; exec sleep 1000"))
		b.Spec.Process.Terminal = true
		b.Save()
		c := b.NewContainer(front)
		console := func(args ...string) string {
			t.Helper()
			path := filepath.Join(b.Dir, "tty.sock")
			socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
			must(t, err)
			defer socket.Close()
			must(t, socket.SetDeadline(time.Now().Add(commandTimeout)))
			var words []string
			for _, a := range args {
				words = append(words, strings.ReplaceAll(a, "SOCKET", path))
			}
			if r := c.Command(words...); r.Code != 0 {
				t.Fatalf("%q: %s", words, r)
			}
			conn, err := socket.AcceptUnix()
			must(t, err)
			defer conn.Close()
			text, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
			_, n, _, _, err := conn.ReadMsgUnix(text, oob)
			must(t, err)
			messages, err := unix.ParseSocketControlMessage(oob[:n])
			must(t, err)
			fds, err := unix.ParseUnixRights(&messages[0])
			must(t, err)
			master := os.NewFile(uintptr(fds[0]), "console")
			if args[0] == "create" {
				c.Start()
			}
			var said strings.Builder
			for !strings.Contains(said.String(), "Seccomp:\t2") {
				n, err := master.Read(text)
				if err != nil {
					t.Fatalf("%v after %q", err, said.String())
				}
				said.Write(text[:n])
			}
			t.Cleanup(func() { master.Close() })
			return said.String()
		}
		if said := console("create", "--console-socket", "SOCKET", "--pid-file", c.pidPath(), "--bundle", b.Dir, c.ID); !strings.Contains(said, "/dev/pts/0") {
			t.Errorf("init says %q", said)
		}
		if said := console("exec", "--tty", "--detach", "--console-socket", "SOCKET", "--pid-file", filepath.Join(b.Dir, "exec.pid"), c.ID,
			"/bin/sh", "-c", "tty; grep Seccomp: /proc/self/status"); !strings.Contains(said, "/dev/pts/") {
			t.Errorf("exec says %q", said)
		}
	})
}

// TestRuntimeReadsTheRest: what the runtime reads is the bundle's config.json
// byte for byte, but for linux.seccomp, the hook and the annotations.
func TestRuntimeReadsTheRest(t *testing.T) {
	rt := front(t, Runc(t))
	b := NewBundle(t, denying(t), Args("/bin/true"), Prestart("/bin/cp", "config.json", "seen.json"))
	b.Spec.Hooks.Prestart[0].Path, b.Spec.Hooks.Prestart[0].Args = "/bin/sh", []string{"sh", "-c", "cp " + b.ConfigPath() + " " + filepath.Join(b.Dir, "seen.json")} //nolint:staticcheck // it comes before createRuntime
	b.Save()
	text, err := os.ReadFile(b.ConfigPath())
	must(t, err)
	const unknown = `{"x-unknown": {"big": 12345678901234567890123, "precise": 0.10000000000000000555, "exponent": 1E+2, "escaped": "\u00e9\/<>&"},`
	text = append([]byte(unknown), bytes.TrimPrefix(text, []byte("{"))...)
	must(t, os.WriteFile(b.ConfigPath(), text, 0o600))
	c := b.NewContainer(rt)
	if r := c.Command("run", "--bundle", b.Dir, c.ID); r.Code != 0 {
		t.Fatal(r)
	}
	seen, err := os.ReadFile(filepath.Join(b.Dir, "seen.json"))
	must(t, err)
	if !bytes.HasPrefix(seen, []byte(unknown)) {
		t.Errorf("the runtime has read\n%.300s", seen)
	}
	decode := func(text []byte) (m map[string]any) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		must(t, d.Decode(&m))
		return m
	}
	want, got := decode(text), decode(seen)
	delete(want["linux"].(map[string]any), "seccomp")
	hooks := got["hooks"].(map[string]any)
	if added, _ := hooks["createRuntime"].([]any); len(added) != 1 {
		t.Errorf("createRuntime hooks are %v", added)
	}
	delete(hooks, "createRuntime")
	for name := range got["annotations"].(map[string]any) {
		if !strings.HasPrefix(name, "io.seccomp-hook.") {
			t.Errorf("annotation %s", name)
		}
	}
	delete(got, "annotations")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-bundle +read)\n%s", diff)
	}
	if now, err := os.ReadFile(b.ConfigPath()); err != nil || !bytes.Equal(now, text) {
		t.Errorf("config.json is another one afterwards (%v)", err)
	}
}

// TestRuntimeFailures: a container that cannot be created leaves its bundle as it was,
// and the error is where engines look for it.
func TestRuntimeFailures(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		for _, tc := range []struct {
			name  string
			spoil func(b *Bundle)
			want  string // "": the real runtime's own words
		}{
			{"no root filesystem", func(b *Bundle) { b.Spec.Root.Path = "nowhere" }, ""},
			{"a hook fails", func(b *Bundle) { CreateRuntime("/bin/false")(b) }, ""},
			{"a hook fails before", func(b *Bundle) { Prestart("/bin/false")(b) }, ""},
			{"no such profile", func(b *Bundle) { Annotation("io.seccomp-hook.profile", "nowhere.json")(b) }, "nowhere.json"},
			{"a profile outside", func(b *Bundle) { Annotation("io.seccomp-hook.profile", "/etc/passwd")(b) }, "not in a profile directory"},
			{"unknown flag", func(b *Bundle) { b.Spec.Linux.Seccomp.Flags = []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_MAGIC"} }, "SECCOMP_FILTER_FLAG_MAGIC"},
			{"unknown action", func(b *Bundle) { b.Spec.Linux.Seccomp.Syscalls[0].Action = "SCMP_ACT_MAGIC" }, "SCMP_ACT_MAGIC"},
			{"crun's handlers", func(b *Bundle) { Annotation("run.oci.handler", "wasm")(b) }, "run.oci.handler"},
			{"notify without a path", func(b *Bundle) { b.Spec.Linux.Seccomp.Syscalls[0].Action = specs.ActNotify }, "listenerPath"},
			{"notify as default", func(b *Bundle) { b.Spec.Linux.Seccomp.DefaultAction = specs.ActNotify }, "SCMP_ACT_NOTIFY"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				b := NewBundle(t, denying(t), Args("/bin/true"))
				tc.spoil(b)
				k := keep(t, b)
				c := b.NewContainer(front)
				log := filepath.Join(b.Dir, "log.json")
				r := c.Command("--log", log, "--log-format", "json", "create", "--bundle", b.Dir, c.ID)
				if r.Code == 0 || tc.want != "" && r.Code != 1 {
					t.Errorf("not refused: %s", r)
				}
				if r.Stderr == "" {
					t.Error("nothing on standard error")
				}
				if tc.want != "" {
					if !strings.Contains(r.Stderr, tc.want) || strings.Count(r.Stderr, "\n") != 1 {
						t.Errorf("standard error is %q, want one line with %q", r.Stderr, tc.want)
					}
					if entry := lastError(t, log); !strings.Contains(entry, tc.want) {
						t.Errorf("the log has %q, want %q", entry, tc.want)
					}
				}
				Eventually(t, "the bundle's own config.json", func() bool { return k.changed() == "" })
				if left := runFiles(c.ID); len(left) > 0 {
					t.Errorf("left are %q", left)
				}
			})
		}
	})
}

// lastError returns the message of the last entry of level "error" in a log of
// --log-format json, as containerd reads it (go-runc, getLastRuntimeError).
func lastError(t *testing.T, path string) (message string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	for line := range strings.Lines(string(text)) {
		var entry struct{ Level, Msg string }
		must(t, json.Unmarshal([]byte(line), &entry))
		if entry.Level == "error" {
			message = entry.Msg
		}
	}
	return message
}

// TestRuntimeNeverExecs: a runtime that may start a program without execve is
// refused.
func TestRuntimeNeverExecs(t *testing.T) {
	other := filepath.Join(t.TempDir(), "runsc")
	copyProgram(t, program(t, "runc"), other)
	b := NewBundle(t, denying(t))
	rt := Runc(t).Behind("runsc", Product(t, "seccomp-runc"), "--real-runtime", other)
	if r := b.Run(rt); r.Code != 1 || !strings.Contains(r.Stderr, "neither runc nor crun") {
		t.Error(r)
	}
}

// TestRuntimeExecRefused: nothing enters a container whose filter is not at
// hand, or could not go live.
func TestRuntimeExecRefused(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		sleeping := func(rt Runtime, options ...Option) *Container {
			b := NewBundle(t, append([]Option{denying(t), Args("/bin/sleep", "1000")}, options...)...)
			c := b.Create(rt)
			c.Start()
			c.Runtime = front
			return c
		}
		refused := func(t *testing.T, r Result, want string) {
			t.Helper()
			if r.Code == 0 || r.Stdout != "" || !strings.Contains(r.Stderr, want) {
				t.Errorf("not refused with %q: %s", want, r)
			}
		}
		published := func(*Bundle) {}
		if strings.Contains(front.Name, "crun") { // keeps the record itself, but of an annotated profile
			published = Annotation("io.seccomp-hook.profile", "builtin:docker")
			t.Run("no record", func(t *testing.T) {
				c := sleeping(front)
				must(t, os.Remove(filepath.Join(c.State, c.ID, "seccomp.bpf")))
				refused(t, c.Exec("/bin/echo", "in"), "none is published")
			})
			t.Run("an empty record", func(t *testing.T) {
				c := sleeping(front)
				must(t, os.Truncate(filepath.Join(c.State, c.ID, "seccomp.bpf"), 0))
				refused(t, c.Exec("/bin/echo", "in"), "none is published")
			})
		}
		t.Run("no record", func(t *testing.T) {
			c := sleeping(front, published)
			must(t, os.RemoveAll(filepath.Join(stateDir, c.ID)))
			refused(t, c.Exec("/bin/echo", "in"), "none is published")
		})
		t.Run("another init's record", func(t *testing.T) {
			c := sleeping(front, published)
			records, err := filepath.Glob(filepath.Join(stateDir, c.ID, "filter-*"))
			if err != nil || len(records) != 1 {
				t.Fatalf("records %q, %v", records, err)
			}
			must(t, os.Rename(records[0], filepath.Join(stateDir, c.ID, fmt.Sprintf("filter-%d-1", c.PID()))))
			refused(t, c.Exec("/bin/echo", "in"), "none is published")
		})
		t.Run("a damaged record", func(t *testing.T) {
			c := sleeping(front, published)
			records, err := filepath.Glob(filepath.Join(stateDir, c.ID, "filter-*"))
			must(t, err)
			must(t, os.Truncate(records[0], 100))
			refused(t, c.Exec("/bin/echo", "in"), "damaged")
		})
		t.Run("no such container", func(t *testing.T) {
			c := sleeping(front)
			native, ours := *c, *c
			native.Runtime = plain
			var results [2]Result
			for i, c := range []*Container{&native, &ours} {
				results[i] = c.Command("exec", c.ID+"x", "/bin/echo", "in")
				// crun's own has a time only on a terminal, ours always.
				_, text, _ := strings.Cut(withoutTime(results[i].Stderr), "level=error msg=")
				if text == "" {
					text = strconv.Quote(strings.TrimSpace(withoutTime(results[i].Stderr))) + "\n"
				}
				results[i].Stderr = text
			}
			if diff := cmp.Diff(results[0], results[1]); diff != "" || results[0].Code == 0 {
				t.Errorf("(-plain +front)\n%s", diff)
			}
		})
		t.Run("stopped", func(t *testing.T) {
			c := sleeping(front)
			c.Kill("KILL")
			c.Wait()
			// Where crun has installed the filter itself, the exec is its own.
			why := "stopped"
			if strings.Contains(front.Name, "crun") {
				why = "is not running"
			}
			refused(t, c.Exec("/bin/echo", "in"), why)
		})
		t.Run("made by the real runtime alone", func(t *testing.T) {
			c := sleeping(plain)
			if r := c.Exec("/bin/grep", "Seccomp:", "/proc/self/status"); r.Stdout != "Seccomp:\t2\n" {
				t.Errorf("the native filter is not there: %s", r)
			}
		})
	})
}

// TestRuntimeSameID: containers of one id under two roots have each their own
// filter.
func TestRuntimeSameID(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		one := NewBundle(t, denying(t), Args("/bin/sleep", "1000"))
		program := one.Install(Probe.Path(t))
		c1 := one.Create(front)
		c1.Start()
		other := NewBundle(t, Annotation("io.seccomp-hook.profile", "builtin:docker"), Args("/bin/sleep", "1000"))
		other.Install(Probe.Path(t))
		other.Spec.Linux.CgroupsPath = "/" + c1.ID + "-2"
		other.Save()
		c2 := other.NewContainer(front)
		c2.ID = c1.ID
		if r := c2.Command("create", "--bundle", other.Dir, "--pid-file", c2.pidPath(), c2.ID); r.Code != 0 {
			t.Fatal(r)
		}
		c2.Start()
		check := func(c *Container, errno int) {
			t.Helper()
			if got := c.Exec(append([]string{program}, call(nrUnshare)...)...); got.Stdout != fmt.Sprintf("call %d: %d\n", nrUnshare, -errno) {
				t.Errorf("%s", got)
			}
		}
		check(c1, denyErrno)
		check(c2, deniedErrno)
		c1.Delete(true)
		check(c2, deniedErrno)
		c2.Delete(true)
	})
}

// TestRuntimeNotify: the listener goes to the agent with the state and the id
// of the process that it is on, for init and for an exec; nothing of it is left
// in the container; without an agent nothing runs.
func TestRuntimeNotify(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		b := NewBundle(t, Args("/bin/sleep", "1000"))
		probe := b.Install(Probe.Path(t))
		socket := filepath.Join(b.Dir, "agent.sock")
		b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, ListenerPath: socket, ListenerMetadata: "mine",
			Syscalls: []specs.LinuxSyscall{{Names: []string{"unshare"}, Action: specs.ActNotify}},
		}
		b.Spec.Process.Args = []string{"/bin/sh", "-c", strings.Join(append([]string{probe}, call(nrUnshare)...), " ") + "; ls /proc/self/fd; echo end; exec sleep 1000"}
		// The agent of an annotation is not asked, though crun knows of it.
		Annotation("run.oci.seccomp.receiver", "/nowhere")(b)

		k := keep(t, b)
		if _, r := b.TryCreate(front); r.Code == 0 || !strings.Contains(r.Stderr, "failed to connect with seccomp agent") {
			t.Errorf("created without an agent: %s", r)
		}
		Eventually(t, "the bundle's own config.json", func() bool { return k.changed() == "" })

		a := newAgent(t, socket)
		c := b.Create(front)
		c.Start()
		Eventually(t, "init's output", func() bool { return strings.Contains(c.Output(), "end\n") })
		want := fmt.Sprintf("call %d: %d\n0\n1\n2\n3\nend\n", nrUnshare, -notifyErrno) // 3 is ls's own
		if c.Output() != want {
			t.Errorf("init says\n%s\nwant\n%s", c.Output(), want)
		}
		must(t, a.socket.Close())

		refused := c.Exec("/bin/echo", "in")
		if refused.Code == 0 || refused.Stdout != "" || !strings.Contains(refused.Stderr, "failed to connect with seccomp agent") {
			t.Errorf("exec without an agent: %s", refused)
		}
		e := newAgent(t, socket)
		got := c.Exec("/bin/sh", "-c", strings.Join(append([]string{probe}, call(nrUnshare)...), " ")+"; ls /proc/self/fd; echo end")
		if got.Code != 0 || got.Stdout != want {
			t.Errorf("exec: %s", got)
		}
		must(t, <-e.got)
		must(t, e.socket.Close())

		// A signal that a Go runtime sends to its own threads (SIGURG) stops
		// one that is traced, whatever its tracer waits for.
		i := newAgent(t, socket)
		cmd := c.command("exec", c.ID, "/bin/true")
		must(t, cmd.Start())
		ended := make(chan error)
		go func() { ended <- cmd.Wait() }()
	interrupting:
		for {
			select {
			case err := <-ended:
				must(t, err)
				break interrupting
			default:
				_ = cmd.Process.Signal(unix.SIGURG)
			}
		}
		must(t, <-i.got)

		c.Kill("KILL")
		must(t, <-a.got)
		pid := c.PID()
		// The container's status is "creating" under runc and "created" under crun.
		if a.state.Pid != pid || a.state.State.Pid != pid || a.state.Metadata != "mine" || a.state.State.ID != c.ID ||
			a.state.State.Status == specs.StateRunning {
			t.Errorf("for init the agent got %+v", a.state)
		}
		if e.state.Pid == pid || e.state.Pid == 0 || e.state.State.Pid != pid || e.state.State.ID != c.ID ||
			e.state.State.Status != specs.StateRunning || e.state.State.Bundle != b.Dir || e.state.State.Annotations["io.seccomp-hook.verified"] != "true" {
			t.Errorf("for the exec the agent got %+v", e.state)
		}
	})
}

// TestRuntimePassesOn: commands that are the real runtime's are its own, to the
// byte.
func TestRuntimePassesOn(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		for _, args := range [][]string{
			{"--version"}, {"list"}, {"state", "nobody"}, {"kill", "nobody", "TERM"}, {"delete", "nobody"}, {"start", "nobody"}, {"no-such-command"}, {"run"},
			{"exec", "--help"}, {"create", "--help"}, {"delete", "--help"}, // under the real runtime's name
		} {
			t.Run(strings.Join(args, " "), func(t *testing.T) {
				state := t.TempDir()
				result := func(rt Runtime) Result {
					argv := rt.Command(append([]string{"--root", state}, args...)...)
					r := Command(t, argv[0], argv[1:]...)
					r.Stderr = withoutTime(r.Stderr)
					return r
				}
				if diff := cmp.Diff(result(plain), result(front)); diff != "" {
					t.Errorf("(-plain +front)\n%s", diff)
				}
			})
		}
	})
}

// TestRuntimePoststop: hooks of others see the annotations in the state, the one
// that comes after the container's end too, and what was published of the
// container goes when its run has ended, if not before that returns.
func TestRuntimePoststop(t *testing.T) {
	eachFront(t, func(t *testing.T, _, front Runtime) {
		dir := t.TempDir()
		hook, seen := filepath.Join(dir, "hook"), filepath.Join(dir, "seen")
		must(t, os.WriteFile(hook, []byte("#!/bin/sh\ncat >"+seen+"\n"), 0o755))
		b := NewBundle(t, denying(t), Args("/bin/true"), func(b *Bundle) {
			b.Spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: hook}}}
		})
		b.Save()
		c := b.NewContainer(front)
		if r := c.Command("run", "--bundle", b.Dir, c.ID); r.Code != 0 {
			t.Fatal(r)
		}
		text, err := os.ReadFile(seen)
		must(t, err)
		var state specs.State
		must(t, json.Unmarshal(text, &state))
		if state.Status != specs.StateStopped || state.Annotations["io.seccomp-hook.program.sha256"] == "" {
			t.Errorf("poststop sees %s", text)
		}
		Eventually(t, "nothing published of the container", func() bool { return len(runFiles(c.ID)) == 0 })
	})
}

// withoutTime takes the time out of what runtimes log.
func withoutTime(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, `time="`); ok {
			_, line, _ = strings.Cut(rest, `" `)
		} else if _, rest, ok := strings.Cut(line, "Z: "); ok {
			line = rest
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

// TestRuntimeFeatures: features are the real runtime's, but for seccomp, which
// is not up to its libseccomp.
func TestRuntimeFeatures(t *testing.T) {
	for _, rt := range []Runtime{RuncDebian(t), Runc(t)} {
		t.Run(rt.Name, func(t *testing.T) {
			read := func(rt Runtime) (m map[string]any) {
				must(t, json.Unmarshal([]byte(MustCommand(t, rt.Argv[0], append(rt.Argv[1:], "features")...).Stdout), &m))
				return m
			}
			want, got := read(rt), read(front(t, rt))
			seccomp := got["linux"].(map[string]any)["seccomp"].(map[string]any)
			if flags := fmt.Sprint(seccomp["supportedFlags"]); !strings.Contains(flags, "WAIT_KILLABLE_RECV") || !strings.Contains(flags, "TSYNC") {
				t.Errorf("supported flags are %s", flags)
			}
			for _, m := range []map[string]any{want, got} {
				delete(m["linux"].(map[string]any), "seccomp")
				delete(m, "potentiallyUnsafeConfigAnnotations")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-plain +front)\n%s", diff)
			}
		})
	}
}
