//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// The engines are the distribution's, unmodified, with folders of their own.
// Each case runs with plain runc too, so that a failure of the machine or of
// the test is not taken for one of the product.

// TestEngineDocker runs containers under Docker Engine with --runtime.
func TestEngineDocker(t *testing.T) {
	d := startDocker(t, map[string]string{"plain": program(t, "runc"), "seccomp-runc": Product(t, "seccomp-runc")})
	for _, runtime := range []string{"plain", "seccomp-runc"} {
		t.Run(runtime, func(t *testing.T) {
			d := d.with(runtime)
			testEngine(t, d)

			t.Run("restart", func(t *testing.T) {
				id := d.detached(t, "sleep", "1000")
				d.must(t, "restart", "--time", "0", id)
				wantFiltered(t, d.must(t, "exec", id, "cat", "/proc/1/status"))
				wantFiltered(t, d.must(t, "exec", id, "cat", "/proc/self/status"))
			})
			t.Run("healthcheck by exec", func(t *testing.T) {
				id := d.detached(t, "--health-cmd", `grep -q 'Seccomp:.*2' /proc/self/status && ! unshare -U true`,
					"--health-interval", "1s", "--health-retries", "1", "busybox", "sleep", "1000")
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

// TestEnginePodman runs containers under Podman with --runtime.
func TestEnginePodman(t *testing.T) {
	p := newPodman(t)
	for name, path := range map[string]string{"plain": program(t, "runc"), "seccomp-runc": Product(t, "seccomp-runc")} {
		t.Run(name, func(t *testing.T) {
			p := p.global("--runtime", path)
			p.published = name == "seccomp-runc"
			testEngine(t, p)
		})
	}
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
	p := newPodman(t).global("--runtime", program(t, "runc"), "--hooks-dir", hooks)

	status := []string{"busybox", "sh", "-c", "cat /proc/self/status; unshare -U true || echo denied"}
	unconfined := []string{"--security-opt", "seccomp=unconfined"}
	t.Run("with the annotation", func(t *testing.T) {
		r := p.run(t, append(append(unconfined, "--annotation", "io.seccomp-hook.profile=builtin:docker"), status...)...)
		wantFiltered(t, r)
		if !strings.Contains(r.Stdout, "denied\n") {
			t.Error(r)
		}
	})
	t.Run("without", func(t *testing.T) {
		if got := p.run(t, append(unconfined, status...)...).Lines()["Seccomp_filters"]; got != "0" {
			t.Errorf("%s filters", got)
		}
	})
	t.Run("no such profile", func(t *testing.T) {
		args := append(append(unconfined, "--annotation", "io.seccomp-hook.profile=/nonexistent"), status...)
		if r := p.cli(t, append(append([]string{"run", "--rm"}, p.flags...), args...)...); r.Code == 0 || strings.Contains(r.Stdout, "Seccomp") {
			t.Errorf("the container ran: %s", r)
		}
	})
}

// engine is a command line in Docker's manner.
type engine struct {
	argv  []string // program and global flags
	flags []string // flags of `run` that this machine needs
	// published says that the product keeps a state of each container.
	published bool
}

// cli runs the engine's command line.
func (e engine) cli(t *testing.T, args ...string) Result {
	t.Helper()
	return Command(t, e.argv[0], append(append([]string{}, e.argv[1:]...), args...)...)
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
	e.argv = append(append([]string{}, e.argv...), flags...)
	return e
}

// run runs a container, flags, image and command, in the foreground.
func (e engine) run(t *testing.T, args ...string) Result {
	t.Helper()
	return e.must(t, append(append([]string{"run", "--rm"}, e.flags...), args...)...)
}

// detached starts a container in the background, which is gone with the test;
// a command alone runs in the busybox image.
func (e engine) detached(t *testing.T, args ...string) string {
	t.Helper()
	if !strings.HasPrefix(args[0], "-") {
		args = append([]string{"busybox"}, args...)
	}
	id := strings.TrimSpace(e.must(t, append(append([]string{"run", "--detach"}, e.flags...), args...)...).Stdout)
	t.Cleanup(func() {
		e.must(t, "kill", id) // Podman's rm would ask politely, for ten seconds
		e.must(t, "rm", "--force", id)
		if left := runFiles(id); left != nil {
			t.Errorf("left behind: %s", left)
		}
	})
	return id
}

// testEngine is what holds of every engine and of every runtime. A new user
// namespace is what Docker's profile denies and root without a capability may
// have.
func testEngine(t *testing.T, e engine) {
	probe := []string{"busybox", "sh", "-c", "cat /proc/self/status; unshare -U true || echo denied; mkdir /new || echo no folder"}
	unfiltered := func(t *testing.T, r Result) {
		t.Helper()
		if got := r.Lines(); got["Seccomp"] != "0" || got["Seccomp_filters"] != "0" || strings.Contains(r.Stdout, "denied\n") {
			t.Errorf("want no filter: %s", r)
		}
	}
	t.Run("run", func(t *testing.T) {
		r := e.run(t, probe...)
		wantFiltered(t, r)
		if !strings.Contains(r.Stdout, "denied\n") || strings.Contains(r.Stdout, "no folder\n") || r.Lines()["NoNewPrivs"] != "0" {
			t.Error(r)
		}
	})
	t.Run("exit status", func(t *testing.T) {
		r := e.cli(t, append(append([]string{"run", "--rm"}, e.flags...), "busybox", "sh", "-c", "exit 42")...)
		if r.Code != 42 {
			t.Error(r)
		}
	})
	t.Run("exec", func(t *testing.T) {
		id := e.detached(t, "sleep", "1000")
		wantFiltered(t, e.must(t, "exec", id, "cat", "/proc/self/status"))
		if r := e.cli(t, "exec", id, "unshare", "-U", "true"); r.Code == 0 {
			t.Errorf("unshare succeeded: %s", r)
		}
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
			"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
		}`), 0o644))
		r := e.run(t, append([]string{"--security-opt", "seccomp=" + file}, probe...)...)
		wantFiltered(t, r)
		if !strings.Contains(r.Stdout, "no folder\n") {
			t.Error(r)
		}
	})
	t.Run("unconfined", func(t *testing.T) {
		unfiltered(t, e.run(t, append([]string{"--security-opt", "seccomp=unconfined"}, probe...)...))
	})
	t.Run("profile follows the capabilities", func(t *testing.T) {
		r := e.run(t, append([]string{"--cap-add", "SYS_ADMIN"}, probe...)...)
		wantFiltered(t, r)
		if strings.Contains(r.Stdout, "denied\n") {
			t.Error(r)
		}
	})
	t.Run("privileged", func(t *testing.T) {
		r := e.cli(t, append(append([]string{"run", "--rm", "--privileged"}, e.flags...), probe...)...)
		if regexp.MustCompile("unable to apply caps|can't apply capabilities").MatchString(r.Stderr) {
			t.Skip("this machine's root has not all capabilities, and the engine insists on all")
		}
		unfiltered(t, r)
	})
}

func wantFiltered(t *testing.T, r Result) {
	t.Helper()
	if got := r.Lines(); got["Seccomp"] != "2" || got["Seccomp_filters"] != "1" {
		t.Errorf("want one filter: %s", r)
	}
}

// image writes a root filesystem as an archive that an engine imports.
func image(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	populate(t, filepath.Join(dir, "rootfs"))
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

func startDocker(t *testing.T, runtimes map[string]string) docker {
	t.Helper()
	dir := t.TempDir()
	address := "unix://" + filepath.Join(dir, "s")
	args := []string{
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"),
		"--host", address, "--config-file", filepath.Join(dir, "none.json"), "--group", "root",
		// Without a network nothing outside the folders is changed.
		"--log-level", "warn", "--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
	}
	must(t, os.WriteFile(filepath.Join(dir, "none.json"), []byte("{}"), 0o644))
	for name, path := range runtimes {
		args = append(args, "--add-runtime", name+"="+path)
	}
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
	})
	// Debian's client, not whatever comes first in PATH.
	d := docker{engine{argv: []string{"/usr/bin/docker", "--host", address}, flags: []string{"--network", "none"}}}
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
		flags: []string{"--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"},
	}
	t.Cleanup(func() { e.must(t, "rm", "--all", "--force") })
	e.must(t, "import", image(t), "busybox")
	return e
}
