//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The engines are the distribution's, unmodified, with folders of their own.
// Each case runs with plain runc too, so that a failure of the machine or of
// the test is not taken for one of the product.

// TestEngineDocker runs containers under Docker Engine, with the daemon.json of
// docs/runtime.md, and with --runtime.
func TestEngineDocker(t *testing.T) {
	d := startDocker(t, documented(t, "docs/runtime.md", "### Docker Engine", "/usr/bin/seccomp-runc", Product(t, "seccomp-runc")))
	t.Run("default-runtime", func(t *testing.T) {
		wantFiltered(t, d.run(t, nil, look...), d.denied)
		if r := d.must(t, "info", "--format", "{{.DefaultRuntime}}"); r.Stdout != "seccomp-runc\n" {
			t.Error(r)
		}
	})
	for _, runtime := range []string{"plain", "seccomp-runc"} {
		t.Run(runtime, func(t *testing.T) {
			d := d.with(runtime)
			testEngine(t, d)

			t.Run("restart", func(t *testing.T) {
				id := d.detached(t, nil, "sh", "-c", strings.Join(look, " ")+"; exec sleep 1000")
				logs := func() Result { return d.cli(t, "logs", id) }
				Eventually(t, "the container's output", func() bool { return strings.Contains(logs().Stdout, "call 135") })
				d.must(t, "restart", "--time", "0", id)
				Eventually(t, "its output again", func() bool { return strings.Count(logs().Stdout, "call 135: -1\n") == 2 })
				wantFiltered(t, d.exec(t, id, look...), d.denied)
			})
			t.Run("healthcheck by exec", func(t *testing.T) {
				id := d.detached(t, []string{
					"--health-cmd", strings.Join(look, " ") + " | grep -qx 'call 135: -1'",
					"--health-interval", "1s", "--health-retries", "1",
				}, "sleep", "1000")
				Eventually(t, "the container's health", func() bool {
					status := strings.TrimSpace(d.must(t, "inspect", "--format", "{{.State.Health.Status}}", id).Stdout)
					if status == "unhealthy" {
						t.Fatal(d.must(t, "inspect", "--format", "{{json .State.Health}}", id))
					}
					return status == "healthy"
				})
			})
		})
	}
}

// TestEnginePodman runs containers under Podman with --runtime, and one with the
// containers.conf of docs/runtime.md.
func TestEnginePodman(t *testing.T) {
	p := newPodman(t)
	for name, path := range map[string]string{"plain": program(t, "runc"), "seccomp-runc": Product(t, "seccomp-runc")} {
		t.Run(name, func(t *testing.T) {
			p := p.global("--runtime", path)
			p.published = name == "seccomp-runc"
			testEngine(t, p)
		})
	}
	t.Run("containers.conf", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "containers.conf")
		text := documented(t, "docs/runtime.md", "### Podman", "/usr/bin/seccomp-runc", Product(t, "seccomp-runc"))
		must(t, os.WriteFile(file, []byte(text), 0o644))
		t.Setenv("CONTAINERS_CONF", file)
		if r := p.must(t, "info", "--format", "{{.Host.OCIRuntime.Path}}"); r.Stdout != Product(t, "seccomp-runc")+"\n" {
			t.Error(r)
		}
		wantFiltered(t, p.run(t, nil, look...), p.denied)
	})
}

// TestEnginePodmanHook runs containers under Podman with plain runc, and the
// hook in a hooks.d folder.
func TestEnginePodmanHook(t *testing.T) {
	hooks := t.TempDir()
	text, err := json.Marshal(map[string]any{
		"version": "1.0.0",
		"hook":    map[string]any{"path": Product(t, "seccomp-hook"), "args": []string{"seccomp-hook", "prestart"}},
		"when":    map[string]any{"annotations": map[string]string{"^io\\.seccomp-hook\\.profile$": ".*"}},
		"stages":  []string{"prestart"},
	})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(hooks, "seccomp-hook.json"), text, 0o644))
	engine := newPodman(t).global("--hooks-dir", hooks)
	p := engine.global("--runtime", program(t, "runc"))

	flags := func(profile string) []string {
		return []string{"--security-opt", "seccomp=unconfined", "--annotation", "io.seccomp-hook.profile=" + profile}
	}
	t.Run("with the annotation", func(t *testing.T) {
		wantFiltered(t, p.run(t, flags("builtin:docker"), look...), syscall.EPERM)
	})
	t.Run("without", func(t *testing.T) {
		wantUnfiltered(t, p.run(t, []string{"--security-opt", "seccomp=unconfined"}, look...))
	})
	t.Run("under seccomp-runc", func(t *testing.T) {
		p := engine.global("--runtime", Product(t, "seccomp-runc"))
		r := p.run(t, flags("builtin:docker"), look...)
		wantFiltered(t, r, syscall.EPERM)
		if r.Lines()["Seccomp_filters"] != "1" {
			t.Error(r)
		}
		id := p.detached(t, flags("builtin:docker"), "sleep", "1000")
		wantFiltered(t, p.exec(t, id, look...), syscall.EPERM)
	})
	t.Run("no such profile", func(t *testing.T) {
		if r := p.run(t, flags("nonexistent.json"), look...); r.Code == 0 || r.Stdout != "" {
			t.Errorf("the container ran: %s", r)
		}
	})
}

// engine is a command line in Docker's manner.
type engine struct {
	argv  []string // program and global flags
	flags []string // flags of `run` that this machine needs
	// denied is what a call fails with under the engine's own profile.
	denied syscall.Errno
	// published says that the product keeps a state of each container.
	published bool
}

// cli runs the engine's command line.
func (e engine) cli(t *testing.T, args ...string) Result {
	t.Helper()
	return Command(t, e.argv[0], slices.Concat(e.argv[1:], args)...)
}

// must is cli for a command that must succeed.
func (e engine) must(t *testing.T, args ...string) Result {
	t.Helper()
	r := e.cli(t, args...)
	if r.Code != 0 {
		t.Fatalf("%s: %s", strings.Join(args, " "), r)
	}
	return r
}

// global returns e with more global flags.
func (e engine) global(flags ...string) engine {
	e.argv = slices.Concat(e.argv, flags)
	return e
}

// run runs a container in the foreground to its end.
func (e engine) run(t *testing.T, flags []string, command ...string) Result {
	t.Helper()
	return e.cli(t, e.container([]string{"run", "--rm"}, flags, command)...)
}

// detached starts a container in the background, which is gone with the test.
func (e engine) detached(t *testing.T, flags []string, command ...string) string {
	t.Helper()
	id := strings.TrimSpace(e.must(t, e.container([]string{"run", "--detach"}, flags, command)...).Stdout)
	t.Cleanup(func() {
		e.must(t, "kill", id) // Podman's rm would ask politely, for ten seconds
		e.must(t, "rm", "--force", id)
		if left := runFiles(id); left != nil {
			t.Errorf("left behind: %s", left)
		}
	})
	return id
}

// exec runs a command in a container.
func (e engine) exec(t *testing.T, id string, command ...string) Result {
	t.Helper()
	return e.cli(t, append([]string{"exec", id}, command...)...)
}

func (e engine) container(verb, flags, command []string) []string {
	return slices.Concat(verb, e.flags, flags, []string{"busybox"}, command)
}

// look is the command of the tests' image that prints what a process sees of
// its filter, and makes a call that Docker's and Podman's profiles deny and
// nothing else does: personality(2), its result as "call 135".
var look = []string{"/bin/probe", "status", "call", "135", "0x0040000"} // ADDR_NO_RANDOMIZE

// lookAndMakeFolder goes on with one that they allow.
var lookAndMakeFolder = []string{"sh", "-c", strings.Join(look, " ") + "; mkdir /new || echo no folder"}

func wantFiltered(t *testing.T, r Result, errno syscall.Errno) {
	t.Helper()
	wantLines(t, r, "2", "1", strconv.Itoa(-int(errno)))
}

func wantUnfiltered(t *testing.T, r Result) {
	t.Helper()
	wantLines(t, r, "0", "0", "0")
}

func wantLines(t *testing.T, r Result, mode, filters, denied string) {
	t.Helper()
	if got := r.Lines(); r.Code != 0 || got["Seccomp"] != mode || got["Seccomp_filters"] != filters || got["call 135"] != denied {
		t.Errorf("want Seccomp %s, Seccomp_filters %s, personality %s: %s", mode, filters, denied, r)
	}
}

// testEngine is what holds of every engine and of every runtime.
func testEngine(t *testing.T, e engine) {
	t.Run("run", func(t *testing.T) {
		r := e.run(t, nil, lookAndMakeFolder...)
		wantFiltered(t, r, e.denied)
		if strings.Contains(r.Stdout, "no folder\n") || r.Lines()["NoNewPrivs"] != "0" {
			t.Error(r)
		}
	})
	t.Run("no new privileges", func(t *testing.T) {
		r := e.run(t, []string{"--security-opt", "no-new-privileges", "--user", "1000"}, look...)
		wantFiltered(t, r, e.denied)
		if r.Lines()["NoNewPrivs"] != "1" {
			t.Error(r)
		}
	})
	t.Run("exit status", func(t *testing.T) {
		if r := e.run(t, nil, "sh", "-c", "exit 42"); r.Code != 42 {
			t.Error(r)
		}
	})
	t.Run("exec", func(t *testing.T) {
		id := e.detached(t, nil, "sleep", "1000")
		wantFiltered(t, e.exec(t, id, look...), e.denied)
		if e.published {
			state := MustCommand(t, Product(t, "seccomp-hook"), "state", id)
			var published struct{ Annotations map[string]string }
			if err := json.Unmarshal([]byte(state.Stdout), &published); err != nil {
				t.Fatalf("%v: %s", err, state)
			}
			if published.Annotations["io.seccomp-hook.program.sha256"] == "" {
				t.Errorf("no digest of the program: %s", state)
			}
		}
	})
	t.Run("profile of the user's", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "profile.json")
		must(t, os.WriteFile(file, []byte(`{
			"defaultAction": "SCMP_ACT_ALLOW",
			"syscalls": [{"names": ["mkdir", "mkdirat", "personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]
		}`), 0o644))
		r := e.run(t, []string{"--security-opt", "seccomp=" + file}, lookAndMakeFolder...)
		wantFiltered(t, r, syscall.EIO)
		if !strings.Contains(r.Stdout, "no folder\n") {
			t.Error(r)
		}
	})
	t.Run("profile follows the capabilities", func(t *testing.T) {
		// A mount namespace takes the capability, and a profile that allows
		// unshare to those who have it.
		r := e.run(t, []string{"--cap-add", "SYS_ADMIN"}, append([]string{"unshare", "-m"}, look...)...)
		wantFiltered(t, r, e.denied)
	})
	t.Run("unconfined", func(t *testing.T) {
		wantUnfiltered(t, e.run(t, []string{"--security-opt", "seccomp=unconfined"}, look...))
	})
	t.Run("privileged", func(t *testing.T) {
		r := e.run(t, []string{"--privileged"}, look...)
		if regexp.MustCompile("unable to apply caps|can't apply capabilities").MatchString(r.Stderr) {
			t.Skip("this machine's root has not all capabilities, and the engine insists on all")
		}
		wantUnfiltered(t, r)
	})
}

// image writes a root filesystem as an archive that an engine imports.
func image(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	populate(t, filepath.Join(dir, "rootfs"))
	copyProgram(t, Probe.Path(t), filepath.Join(dir, "rootfs/bin/probe"))
	file := filepath.Join(dir, "rootfs.tar")
	MustCommand(t, "tar", "-C", filepath.Join(dir, "rootfs"), "-cf", file, ".")
	return file
}

// docker is an engine behind a daemon of the test's own.
type docker struct{ engine }

// with returns the engine with one of its runtimes.
func (d docker) with(runtime string) engine {
	e := d.engine
	e.flags = append([]string{"--runtime", runtime}, e.flags...)
	e.published = runtime == "seccomp-runc"
	return e
}

// startDocker starts a daemon with a daemon.json, and plain runc as the runtime
// "plain".
func startDocker(t *testing.T, config string) docker {
	t.Helper()
	dir := t.TempDir()
	address := "unix://" + filepath.Join(dir, "s")
	args := []string{
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"),
		"--host", address, "--config-file", filepath.Join(dir, "daemon.json"), "--group", "root",
		// Without a network nothing outside the folders is changed.
		"--log-level", "warn", "--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
	}
	var daemonJSON map[string]any
	must(t, json.Unmarshal([]byte(config), &daemonJSON))
	daemonJSON["runtimes"].(map[string]any)["plain"] = map[string]string{"path": program(t, "runc")}
	text, err := json.Marshal(daemonJSON)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "daemon.json"), text, 0o644))
	log, err := os.Create(filepath.Join(dir, "log"))
	must(t, err)
	daemon := exec.Command(program(t, "dockerd"), args...)
	daemon.Stdout, daemon.Stderr = log, log
	must(t, daemon.Start())
	exited := make(chan struct{})
	go func() {
		_ = daemon.Wait() // stopped by a signal below, or seen as an exit that came too early
		close(exited)
	}()
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM) // it ends its containers and its containerd
		<-exited
		_ = log.Close()
		// Where the machine's root is not a shared mount, dockerd makes one of
		// its data root, and does not always take it away.
		if err := unix.Unmount(filepath.Join(dir, "data"), unix.MNT_DETACH); err != nil && err != unix.EINVAL {
			t.Errorf("unmount the data root: %v", err)
		}
	})
	// Debian's client, not whatever comes first in PATH.
	d := docker{engine{
		argv:   []string{"/usr/bin/docker", "--host", address},
		flags:  []string{"--network", "none"},
		denied: syscall.EPERM,
	}}
	Eventually(t, "dockerd answers", func() bool {
		select {
		case <-exited:
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("dockerd ended:\n%s", text)
		default:
		}
		return d.cli(t, "version").Code == 0
	})
	d.must(t, "import", image(t), "busybox")
	return d
}

func newPodman(t *testing.T) engine {
	t.Helper()
	// Podman takes a runroot of 50 characters at most.
	dir, err := os.MkdirTemp("", "")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	e := engine{
		argv: []string{
			program(t, "podman"), "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--tmpdir", filepath.Join(dir, "tmp"),
			"--cgroup-manager", "cgroupfs", "--events-backend", "none", "--storage-driver", "vfs",
		},
		// Podman's default limits take CAP_SYS_RESOURCE, which a virtual
		// machine's root may not have.
		flags:  []string{"--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"},
		denied: syscall.ENOSYS,
	}
	t.Cleanup(func() { e.must(t, "rm", "--all", "--force") })
	e.must(t, "import", image(t), "busybox")
	return e
}
