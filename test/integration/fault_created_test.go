//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// eachDoor runs f for the hook and for seccomp-runc, under runc and crun. The
// bundle's program makes a denied call first and writes the errno to the
// container's output.
func eachDoor(t *testing.T, f func(t *testing.T, b *Bundle, rt Runtime)) {
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		t.Run("hook/"+rt.Name, func(t *testing.T) {
			f(t, newHooked(t, "createRuntime", "deny.json", WithVictim(FirstTold(nrUnshare))).Bundle, rt)
		})
		t.Run("seccomp-runc/"+rt.Name, func(t *testing.T) {
			f(t, NewBundle(t, WithVictim(FirstTold(nrUnshare)), Seccomp(denied(t)), withTracer(rt)), fronted(t, rt))
		})
	}
}

// withTracer makes a container one that has a tracer and is published: where crun
// installs the filter itself, there is neither.
func withTracer(rt Runtime) Option {
	if strings.HasPrefix(rt.Name, "crun") {
		return needsAttendant
	}
	return func(*Bundle) {}
}

// fronted is rt behind seccomp-runc.
func fronted(t *testing.T, rt Runtime) Runtime {
	return rt.Behind(rt.Name, Product(t, "seccomp-runc"), "--real-runtime", rt.Argv[0])
}

// denied is denyProfile.
func denied(t *testing.T) *specs.LinuxSeccomp {
	profile := new(specs.LinuxSeccomp)
	must(t, json.Unmarshal([]byte(denyProfile), profile))
	return profile
}

// tracerOf returns the process that traces a process.
func tracerOf(t *testing.T, pid int) int {
	t.Helper()
	tracer := statusField(t, pid, "TracerPid") // a thread
	return statusField(t, tracer, "Tgid")
}

func statusField(t *testing.T, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	must(t, err)
	value, err := strconv.Atoi(Result{Stdout: string(text)}.Lines()[name])
	must(t, err)
	return value
}

// TestFaultCreatedDeleted: a container that was created and never started is
// deleted, and takes the installer with it.
func TestFaultCreatedDeleted(t *testing.T) {
	eachDoor(t, func(t *testing.T, b *Bundle, rt Runtime) {
		c := b.Create(rt)
		tracer := tracerOf(t, c.PID())
		if r := c.Delete(true); r.Code != 0 {
			t.Errorf("delete --force: %s", r)
		}
		WaitExit(t, tracer)
		if said := c.Output(); said != "" {
			t.Errorf("the program said %q", said)
		}
	})
}

// TestFaultStartedLate: whenever a created container is started, and whatever
// the installer was doing meanwhile, its program waits for the installer.
func TestFaultStartedLate(t *testing.T) {
	eachDoor(t, func(t *testing.T, b *Bundle, rt Runtime) {
		c := b.Create(rt)
		init := c.PID()
		tracer := tracerOf(t, init)
		must(t, unix.Kill(tracer, unix.SIGSTOP))
		started := make(chan Result, 1)
		go func() { started <- c.Command("start", c.ID) }()
		// At its exec at the latest; runc's is a Go program that makes threads.
		Eventually(t, "init waits for the installer", func() bool { return heldThread(init) })
		if said := c.Output(); said != "" {
			t.Errorf("before it was let go of, the program said %q", said)
		}
		must(t, unix.Kill(tracer, unix.SIGCONT))
		if r := <-started; r.Code != 0 {
			t.Errorf("start: %s", r)
		}
		c.Wait()
		if said := c.Output(); said != string(rune(denyErrno)) {
			t.Errorf("the program said %q", said)
		}
	})
}

// heldThread reports whether a thread of a process waits for its tracer: stopped,
// or, killed by the exec of another one, until the tracer has reaped it, for
// which that exec waits in turn (fs/exec.c, de_thread).
func heldThread(pid int) bool {
	tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task/*/stat"))
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		if _, fields, ok := strings.Cut(string(text), ") "); ok && strings.ContainsAny(fields[:1], "tZ") {
			return true
		}
	}
	return false
}

// TestFaultInstallerDead: where the installer is killed between create and
// start, the filter is live from then on.
func TestFaultInstallerDead(t *testing.T) {
	eachDoor(t, func(t *testing.T, b *Bundle, rt Runtime) {
		c := b.Create(rt)
		init := c.PID()
		must(t, unix.Kill(tracerOf(t, init), unix.SIGKILL))
		c.Start() // the profile denies nothing that the runtime still needs
		c.Wait()
		if said := c.Output(); said != string(rune(denyErrno)) {
			t.Errorf("the program said %q", said)
		}
	})
}

// TestFaultProcessIDReused: the container's init has ended, and its number is
// another process's. An exec does not enter that one.
func TestFaultProcessIDReused(t *testing.T) {
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		t.Run(rt.Name, func(t *testing.T) {
			b := NewBundle(t, Args("/bin/sleep", "1000000"), Seccomp(denied(t)))
			victim := b.Install(FirstTold(nrUnshare).Path(t))
			c := b.Create(fronted(t, rt))
			c.Start()
			init := c.PID()
			c.Kill("KILL")
			c.Wait()
			sleeper := reuse(t, init)
			defer func() {
				_ = sleeper.Process.Kill()
				_ = sleeper.Wait() // it was killed
			}()
			r := c.Exec(victim)
			if r.Code == 0 || r.Stdout != "" {
				t.Errorf("exec: %s", r)
			}
			// crun, whose exec is its own, says so itself.
			if !strings.Contains(r.Stderr, "stopped container") && !strings.Contains(r.Stderr, "is not running") {
				t.Errorf("exec does not say why it failed: %s", r)
			}
		})
	}
}

// reuse starts a process with a number (ns_last_pid, proc_sys_kernel(5)).
func reuse(t *testing.T, pid int) *exec.Cmd {
	t.Helper()
	var found *exec.Cmd
	Eventually(t, "a process with a number that was another's", func() bool {
		must(t, os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0))
		cmd := command(t, "/bin/sleep", "1000000")
		must(t, cmd.Start())
		if cmd.Process.Pid == pid {
			found = cmd
			return true
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // somebody else's process was faster
		return false
	})
	return found
}

// TestFaultNothingInReach: the container's processes see nothing of what has
// installed their filter: no tracer, no process, no descriptor.
func TestFaultNothingInReach(t *testing.T) {
	const script = `grep TracerPid /proc/self/status
echo fds: $(ls /proc/1/fd)
echo processes: $(cat /proc/[0-9]*/comm)`
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		t.Run(rt.Name, func(t *testing.T) {
			all := append([]string{"CAP_SYS_PTRACE"}, DefaultCapabilities...)
			options := []Option{Args("/bin/sh", "-c", script), Capabilities(all...), Seccomp(denied(t))}
			plain := NewBundle(t, options...).Run(rt).Lines()
			ours := NewBundle(t, options...).Run(fronted(t, rt)).Lines()
			if ours["TracerPid"] != "0" || ours["fds"] != plain["fds"] || ours["processes"] != plain["processes"] {
				t.Errorf("inside there is %v, natively %v", ours, plain)
			}
		})
	}
}

// TestFaultRaces starts, enters and deletes one container at once, as an engine
// with several clients does. In every other round the container has been started
// before, and is deleted afterwards, so that execs get in.
func TestFaultRaces(t *testing.T) {
	const rounds, execs = 12, 3
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		t.Run(rt.Name, func(t *testing.T) {
			b := NewBundle(t, Args("/bin/sleep", "1000000"), Seccomp(denied(t)))
			victim := b.Install(FirstTold(nrUnshare).Path(t))
			rt := fronted(t, rt)
			entered := 0
			for round := range rounds {
				c := b.Create(rt)
				init := c.PID()
				calm := round%2 == 0
				if calm {
					c.Start()
				}
				var all sync.WaitGroup
				results := make([]Result, execs)
				for i := range results {
					all.Go(func() { results[i] = c.Exec(victim) })
				}
				start := c.command("start", c.ID)
				if !calm {
					must(t, start.Start())
					all.Go(func() {
						_ = c.Delete(true)
						_ = start.Process.Kill() // crun's waits for an init that is gone
					})
				}
				all.Wait()
				if !calm {
					_ = start.Wait() // may have been too late
				}
				if r := c.Delete(true); r.Code != 0 && !strings.Contains(r.Stderr, "does not exist") {
					t.Logf("delete: %s", r) // what counts is what is left
				}
				WaitExit(t, init)
				for _, r := range results {
					switch {
					case strings.Contains(r.Stdout, "\x00"):
						t.Errorf("an exec ran unfiltered: %s", r)
					case r.Stdout == string(rune(denyErrno)):
						entered++
					case r.Code == 0:
						t.Errorf("an exec that did not run was successful: %s", r)
					}
				}
			}
			if t.Logf("%d of %d execs got in", entered, rounds*execs); entered < rounds/2*execs {
				t.Error("not even those that nobody disturbed")
			}
		})
	}
}
