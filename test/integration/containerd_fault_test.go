//go:build integration

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/runtime"
)

// faulty is a daemon whose shim starts a front with fault points.
type faulty struct {
	*Daemon
	// order is the file that says what happens: the front that is to be started,
	// the runtime's command, and the environment variables that pkg/runtime and
	// pkg/install read.
	order string
	// fronts are those of frontsInTurn, and programs all of theirs.
	fronts   map[string]string
	programs []string
	// traced counts in how many looks a process was at a tracer's stop.
	traced map[int]int
}

// startFaulty starts a daemon whose front does what the test says.
func startFaulty(t *testing.T) *faulty {
	t.Helper()
	dir := t.TempDir()
	f := &faulty{traced: map[int]int{}, order: filepath.Join(dir, "order"), fronts: map[string]string{}}
	for _, kind := range frontsInTurn {
		front, program := faultyFront(t, kind)
		f.fronts[kind] = front
		f.programs = append(f.programs, front, program)
	}
	copyProgram(t, Product(t, "containerd-shim-seccomp-v2"), filepath.Join(dir, "containerd-shim-seccomp-v2"))
	script := fmt.Sprintf(`#!/bin/sh
# The order names one command; the others must work, or nothing could be deleted.
front=%[2]s
[ ! -e %[1]s ] || . %[1]s
for word; do
	if [ "$word" = "$command" ]; then
		export SECCOMP_HOOK_RUNTIME_FAULT="$runtime" SECCOMP_HOOK_FAULT="$install"
	fi
done
exec "$front" "$@"
`, f.order, f.fronts[frontInC])
	must(t, os.WriteFile(filepath.Join(dir, "seccomp-runc"), []byte(script), 0o755))
	f.Daemon = StartDaemon(t, NewestDaemon(t), Binaries(dir))
	t.Cleanup(func() { _ = os.Remove(f.order) }) // before the containers are deleted
	return f
}

// frontsInTurn are the fronts that take turns in the tests: what is disturbed with
// one of them in TestContainerdFrontKilled is with the other in
// TestContainerdShimKilled.
var frontsInTurn = []string{frontInC, frontInGo}

// fault is what happens at one step.
type fault struct {
	name    string
	front   string
	command string
	step    fmt.Stringer
	runtime bool // it is a step of pkg/runtime, else of pkg/install
	number  int
}

// faultsOf returns all steps of create and exec, with the fronts in turn from the
// one with this index on. Exec has its own installer process, whose environment
// is not the Go front's.
func faultsOf(turn int) []fault {
	var all []fault
	add := func(command, kind string, step fmt.Stringer, number int) {
		front := frontsInTurn[(turn+len(all))%len(frontsInTurn)]
		name := fmt.Sprintf("%s, %s %d, %s, %s", command, kind, number, step, front)
		all = append(all, fault{name, front, command, step, kind == "runtime", number})
	}
	for _, command := range []string{"create", "exec"} {
		for step := runtime.StepPrepare; step <= runtime.LastStep; step++ {
			add(command, "runtime", step, int(step))
		}
		for step := install.StepRequest; step <= install.LastStep; step++ {
			add(command, "install", step, int(step))
		}
	}
	return all
}

// set orders a signal at a step.
func (f *faulty) set(t *testing.T, x fault, signal syscall.Signal) {
	t.Helper()
	at := map[bool]string{x.runtime: fmt.Sprintf("%d %d", x.number, signal)}
	text := fmt.Sprintf("front=%s\ncommand=%s\nruntime='%s'\ninstall='%s'\n", f.fronts[x.front], x.command, at[true], at[false])
	must(t, os.WriteFile(f.order, []byte(text), 0o644))
}

// clear takes the order back.
func (f *faulty) clear(t *testing.T) {
	t.Helper()
	must(t, os.Remove(f.order))
}

// stopped returns the processes of the faulty front that are stopped. One that
// is traced looks so at every stop; it is stopped by a signal if it stays so.
func (f *faulty) stopped() []int {
	var found []int
	for _, p := range processes() {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid))
		if err != nil || !slices.Contains(f.programs, exe) {
			continue
		}
		if p.state != 't' {
			delete(f.traced, p.pid)
		} else {
			f.traced[p.pid]++
		}
		if p.state == 'T' || f.traced[p.pid] > stopLooks {
			found = append(found, p.pid)
		}
	}
	return found
}

// stopLooks is how often a traced process must have looked stopped; no other
// stop lasts for as many looks at /proc.
const stopLooks = 50

// killShim kills the shim of a container while one of its processes is stopped at the
// ordered step, if it comes to that and stops is true, takes the order back, and
// returns the command's result.
func (f *faulty) killShim(t *testing.T, d *Daemon, id string, result <-chan Result, stops bool) (r Result) {
	t.Helper()
	var stopped []int
	Eventually(t, "the step or the end", func() bool {
		if stops {
			stopped = f.stopped()
		}
		select {
		case r = <-result:
			return true
		default:
			return len(stopped) > 0
		}
	})
	f.clear(t)
	if len(stopped) > 0 {
		must(t, unix.Kill(d.Shim(id), unix.SIGKILL))
		for _, pid := range stopped {
			_ = unix.Kill(pid, unix.SIGCONT) // killed with the shim, if it was its child
		}
		r = <-result
	}
	return r
}

// wantSafe: what ran, ran under the profile.
func wantSafe(t *testing.T, r Result) (ran bool) {
	t.Helper()
	got := r.Lines()
	if _, ran = got["call 135"]; ran && (got["Seccomp"] != "2" || got["call 135"] != "-1") {
		t.Errorf("ran without its filter: %s", r)
	}
	return ran
}

// wantIdle waits until nothing of the faulty front is left.
func (f *faulty) wantIdle(t *testing.T) {
	t.Helper()
	for _, program := range f.programs {
		wantNobody(t, program)
	}
}

// TestContainerdFrontKilled kills the process that comes to a step. Then the
// container is not created, or the exec fails, or what runs is filtered.
func TestContainerdFrontKilled(t *testing.T) {
	f := startFaulty(t)
	ran, failed := 0, 0
	for _, x := range faultsOf(0) {
		t.Run(x.name, func(t *testing.T) {
			d := f.In(t)
			var r Result
			if x.command == "create" {
				f.set(t, x, unix.SIGKILL)
				r = d.Run([]string{"--seccomp"}, look...)
				f.clear(t)
			} else {
				id := d.Detached([]string{"--seccomp"}, "/bin/sleep", "1000")
				f.set(t, x, unix.SIGKILL)
				r = d.Exec(id, look...)
				f.clear(t)
				wantFiltered(t, d.Exec(id, look...), syscall.EPERM) // the container is as good as before
				d.Remove(id)
			}
			if wantSafe(t, r) {
				ran++
			} else {
				failed++
			}
			f.wantIdle(t)
		})
	}
	t.Logf("%d ran, %d did not", ran, failed)
	if failed < 15 {
		t.Errorf("%d faults took place", failed)
	}
}

// TestContainerdShimKilled kills the shim while one of its processes is at a
// step. Then containerd deletes the container, and nothing is left.
func TestContainerdShimKilled(t *testing.T) {
	f := startFaulty(t)
	for _, x := range faultsOf(1) {
		t.Run(x.name, func(t *testing.T) {
			d := f.In(t)
			id := d.NewID()
			result := make(chan Result, 1)
			if x.command == "create" {
				f.set(t, x, unix.SIGSTOP)
				go func() { result <- d.Ctr(d.container([]string{"run", "--rm"}, []string{"--seccomp"}, id, look)...) }()
			} else {
				d.MustCtr(d.container([]string{"run", "--detach", "--null-io"}, []string{"--seccomp"}, id, []string{"/bin/sleep", "1000"})...)
				f.set(t, x, unix.SIGSTOP)
				go func() { result <- d.Exec(id, look...) }()
			}
			wantSafe(t, f.killShim(t, d, id, result, true))
			f.wantGone(t, d, id)
		})
	}
}

// wantGone has containerd delete a container whose shim was killed, and waits until
// nothing is left of it.
func (f *faulty) wantGone(t *testing.T, d *Daemon, id string) {
	t.Helper()
	f.wantIdle(t)
	for _, file := range append(runFiles(id), filepath.Join(d.StateRoot(), id)) {
		Eventually(t, "the end of "+file, func() bool {
			d.Ctr("tasks", "delete", "--force", id)
			_, err := os.Stat(file)
			return os.IsNotExist(err)
		})
	}
	d.Ctr("containers", "delete", id) // --rm may have
	// A runc that is killed before it has written its state leaves the
	// cgroups, with any shim; they must be empty.
	for _, dir := range cgroupsOf(id) {
		must(t, os.Remove(dir))
	}
}

// TestContainerdConfigChanged changes config.json while a container is created.
// What containerd asked for is what counts.
func TestContainerdConfigChanged(t *testing.T) {
	f := startFaulty(t)
	for i, step := range []runtime.Step{runtime.StepLock, runtime.StepBecome, runtime.StepLock, runtime.StepBecome} {
		front := frontsInTurn[i/2]
		t.Run(fmt.Sprintf("%s, %s", step, front), func(t *testing.T) {
			d := f.In(t)
			id := d.NewID()
			f.set(t, fault{front: front, command: "create", runtime: true, number: int(step)}, unix.SIGSTOP)
			result := make(chan Result, 1)
			go func() { result <- d.Ctr(d.container([]string{"run", "--rm"}, []string{"--seccomp"}, id, look)...) }()
			var stopped []int
			Eventually(t, "the step", func() bool { stopped = f.stopped(); return len(stopped) > 0 })
			file := filepath.Join(d.Dir, "state/io.containerd.runtime.v2.task", d.Namespace, id, "config.json")
			text, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) { // the front's copy is there, which nobody else can read
				text, err = os.ReadFile(filepath.Join(filepath.Dir(file), ".config.json.seccomp-hook-original"))
			}
			must(t, err)
			var config specs.Spec
			must(t, json.Unmarshal(text, &config))
			config.Linux.Seccomp, config.Hooks = nil, nil
			text, err = json.Marshal(&config)
			must(t, err)
			must(t, os.WriteFile(file+".new", text, 0o600))
			must(t, os.Rename(file+".new", file))
			f.clear(t)
			var r Result
			// Another way may come to the same step once more.
			Eventually(t, "the end", func() bool {
				for _, pid := range f.stopped() {
					_ = unix.Kill(pid, unix.SIGCONT) // it may be gone
				}
				select {
				case r = <-result:
					return true
				default:
					return false
				}
			})
			// The filter comes from what the front has read before, or the container is refused.
			refused := strings.Contains(r.Stderr, "no filter is published") || strings.Contains(r.Stderr, "without calling the hook")
			if ran := wantSafe(t, r); !ran && (r.Code == 0 || !refused) {
				t.Error(r)
			}
			f.wantIdle(t)
		})
	}
}

// TestContainerdDiskFull: where nothing can be published, nothing starts.
func TestContainerdDiskFull(t *testing.T) {
	const full = `mkdir -p /run/seccomp-hook && mount -t tmpfs -o size=8k,mode=0711 tmpfs /run/seccomp-hook &&
		(head -c 8192 /dev/zero >/run/seccomp-hook/full || true) && exec "$@"`
	d := StartDaemon(t, NewestDaemon(t), By("unshare", "--mount", "sh", "-c", full, "sh"))
	r := d.Run([]string{"--seccomp"}, look...)
	if wantSafe(t, r) || r.Code == 0 || !strings.Contains(r.Stderr, unix.ENOSPC.Error()) {
		t.Error(r)
	}
	wantUnfiltered(t, d.Run(nil, look...))
}

// usage is what a shim uses.
type usage struct{ files, threads, goroutines, kilobytes int }

// use measures a shim. It asks for its goroutines by SIGUSR1, at which it writes
// their stacks to the log.
func (d *Daemon) use(pid int) usage {
	d.t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	must(d.t, err)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(d.t, err)
	lines := Result{Stdout: string(status)}.Lines()
	u := usage{files: len(files)}
	u.threads, err = strconv.Atoi(lines["Threads"])
	must(d.t, err)
	u.kilobytes, err = strconv.Atoi(strings.TrimSuffix(lines["RssAnon"], " kB"))
	must(d.t, err)
	before := len(d.Log())
	must(d.t, unix.Kill(pid, unix.SIGUSR1))
	var dump string
	Eventually(d.t, "the shim's stacks", func() bool {
		dump = d.Log()[before:]
		return strings.Contains(dump, "END goroutine stack dump")
	})
	u.goroutines = len(regexp.MustCompile(`goroutine \d+ [^ ]`).FindAllString(dump, -1))
	return u
}

// TestContainerdMany creates, execs into and deletes containers in one shim,
// several at a time. Nothing is left, and the shim does not grow.
func TestContainerdMany(t *testing.T) {
	d := StartDaemon(t, NewestDaemon(t))
	group := []string{"--seccomp", "--annotation", "io.containerd.runc.v2.group=" + d.Namespace}
	keeper := d.Detached(group, "/bin/sleep", "1000")
	shim := d.Shim(keeper)
	const (
		atATime = 8
		warm    = 16
		many    = 200
	)
	run := func(n int) {
		work := make(chan string)
		var workers sync.WaitGroup
		for range atATime {
			workers.Go(func() {
				for id := range work {
					r := d.Ctr(d.container([]string{"run", "--detach", "--null-io"}, group, id, []string{"/bin/sleep", "1000"})...)
					if r.Code != 0 {
						t.Errorf("run %s: %s", id, r)
						continue
					}
					wantFiltered(t, d.Exec(id, look...), syscall.EPERM)
					if r := d.Ctr("tasks", "delete", "--force", id); r.Code != 0 && r.Code != 128+int(unix.SIGKILL) {
						t.Errorf("delete %s: %s", id, r)
					}
					if r := d.Ctr("containers", "delete", id); r.Code != 0 {
						t.Errorf("delete %s: %s", id, r)
					}
				}
			})
		}
		for range n {
			work <- d.NewID()
		}
		close(work)
		workers.Wait()
	}
	run(warm)
	before := d.use(shim)
	run(many)
	after := d.use(shim)
	t.Logf("after %d: %+v; after %d more: %+v", warm, before, many, after)
	// A leak would be one of each for every container.
	if after.files > before.files+atATime || after.goroutines > before.goroutines+atATime || after.threads > before.threads+atATime {
		t.Errorf("grew from %+v to %+v", before, after)
	}
	if after.kilobytes > before.kilobytes+8*1024 {
		t.Errorf("grew from %d kB to %d kB", before.kilobytes, after.kilobytes)
	}
	for _, p := range processesOf([]string{d.Namespace}) {
		if strings.Contains(p.command, "containerd-shim") && p.pid != shim {
			t.Errorf("another shim: %s", p)
		}
	}
}
