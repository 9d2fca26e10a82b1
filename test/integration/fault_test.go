//go:build integration

package integration

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/deadline"
	"seccomp-hook/pkg/runtime"
)

// faultedStarts is a least number; every fault happens at least once anyhow.
var faultedStarts = flag.Int("faulted-starts", 1000, "how many starts TestFaults disturbs, at least")

// TestFaults disturbs starts at every numbered step of every process that takes
// part, in every way of starting a process in a container. The program that is
// started makes a denied call as its first instruction and says what it got. It
// never gets through; where nobody was killed, it gets the profile's errno. And
// afterwards nothing is left.
func TestFaults(t *testing.T) {
	stages := 0
	for _, d := range doors {
		for i, rt := range []Runtime{Runc(t), Crun(t)} {
			for _, f := range d.fronts[i] {
				stages++
				t.Run(filepath.Join(d.name, f, rt.Name), func(t *testing.T) {
					t.Parallel()
					newStage(t, d, f, rt).disturb((*faultedStarts + stages - 1) / stages)
				})
			}
		}
	}
}

// What stands in front of the real runtime: the front, a C program, with the Go
// program beside it, or the Go program alone, as it is where there is no C compiler.
const (
	frontInC  = "C"
	frontInGo = "Go"
)

// faultyPrograms builds the product's programs with faults, once a test run, and
// returns their directory.
func faultyPrograms(t testing.TB) (dir string) {
	t.Helper()
	if prebuilt() {
		return mustExist(t, filepath.Join(Root(t), "bin/faulty"))
	}
	dir, err := buildFaulty(Root(t))
	must(t, err)
	return dir
}

// faultyBuild is where they are, once they are built.
var faultyBuild struct {
	sync.Once
	err error
}

func buildFaulty(root string) (dir string, err error) {
	dir = filepath.Join(os.Getenv(insideEnv), "faulty")
	faultyBuild.Do(func() {
		for _, words := range [][]string{
			{"go", "-C", root, "build", "-buildvcs=false", "-tags", "faults", "-o", dir + "/", "./cmd/seccomp-hook", "./cmd/seccomp-hook-runtime"},
			{filepath.Join(root, "hack/build-front.sh"), filepath.Join(dir, runtime.Name), "-DFAULTS", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"},
		} {
			if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil && faultyBuild.err == nil {
				faultyBuild.err = fmt.Errorf("%q: %w: %s", words, err, out)
			}
		}
	})
	return dir, faultyBuild.err
}

// faultyFront returns a front with faults, and the program that is the hook and the attendant
// then.
func faultyFront(t testing.TB, kind string) (front, program string) {
	t.Helper()
	dir := faultyPrograms(t)
	if kind == frontInC {
		return filepath.Join(dir, runtime.Name), filepath.Join(dir, "seccomp-hook-runtime")
	}
	front, program = filepath.Join(t.TempDir(), runtime.Name), filepath.Join(dir, "seccomp-hook")
	must(t, os.Symlink(program, front))
	return front, program
}

// door is a way of starting a process in a container.
type door struct {
	name string
	// fronts are what stands in front of runc, and of crun.
	fronts [2][]string
	// passes are the steps that it passes; less those of leaves in C.
	passes, leaves []step
	// prepare makes the bundle, and the container where one must be there
	// before.
	prepare func(s *stage)
	// commands are what an engine would run, one after the other. The first
	// one has the fault in its environment.
	commands func(s *stage) [][]string
	// stays says that the container is there before and afterwards.
	stays bool
	// traced are the steps of a process that a follower has seized.
	traced []step
}

// step is a numbered step of pkg/install or pkg/runtime.
type step struct {
	variable string // of the environment, says where the fault is
	number   int
	name     string
}

func installSteps(list ...install.Step) (steps []step) {
	for _, s := range list {
		steps = append(steps, step{"SECCOMP_HOOK_FAULT", int(s), s.String()})
	}
	return steps
}

func runtimeSteps(list ...runtime.Step) (steps []step) {
	for _, s := range list {
		steps = append(steps, step{"SECCOMP_HOOK_RUNTIME_FAULT", int(s), s.String()})
	}
	return steps
}

// allSteps are those of both packages.
func allSteps() (steps []step) {
	for s := install.StepStart; s <= install.LastStep; s++ {
		steps = append(steps, installSteps(s)...)
	}
	for s := runtime.StepPrepare; s <= runtime.LastStep; s++ {
		steps = append(steps, runtimeSteps(s)...)
	}
	return steps
}

// wantNobody waits until no process of a program is left.
func wantNobody(t testing.TB, path string) {
	t.Helper()
	for _, p := range processes() {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); err == nil && exe == path && !waitExit(p.pid, graceful) {
			t.Errorf("left: %s", p)
		}
	}
}

// The steps of an installation into a container's init; StepListener is for
// profiles with SCMP_ACT_NOTIFY, StepDispatch for a dispatch.
var initSteps = installSteps(install.StepRequest, install.StepIdentify, install.StepSeize, install.StepConfirm, install.StepStop, install.StepMap,
	install.StepWrite, install.StepAttach, install.StepUnmap, install.StepRestore, install.StepVerify, install.StepReport, install.StepWait,
	install.StepExec, install.StepRelease)

var createSteps = slices.Concat(initSteps, runtimeSteps(runtime.StepPrepare, runtime.StepLock, runtime.StepDecide, runtime.StepAttend, runtime.StepReplace,
	runtime.StepBecome, runtime.StepAwait, runtime.StepAnnounce, runtime.StepGiveBack, runtime.StepInstall, runtime.StepFinish, runtime.StepAnswer,
	runtime.StepReturn, runtime.StepLeave))

// followedSteps are those of a start that nothing but the front takes part in. The
// Go program, which has made the ready filter, has passed the first one before.
var followedSteps = slices.Concat(
	installSteps(install.StepStart, install.StepSeize, install.StepReport, install.StepWait, install.StepExec, install.StepRelease),
	runtimeSteps(runtime.StepPrepare, runtime.StepLock, runtime.StepReady, runtime.StepReplace, runtime.StepFollow, runtime.StepBecome,
		runtime.StepGiveBack, runtime.StepFinish, runtime.StepLeave))

var doors = []door{
	{
		name:    "hook",
		fronts:  [2][]string{{""}, {""}},
		passes:  slices.Concat(installSteps(install.StepStart), initSteps),
		prepare: (*stage).prepareHook,
		commands: func(s *stage) [][]string {
			return [][]string{{"run", "--bundle", s.b.Dir, s.c.ID}}
		},
	},
	{
		name:    "run",
		fronts:  [2][]string{{frontInC}, {}},
		passes:  followedSteps,
		traced:  runtimeSteps(runtime.StepReplace, runtime.StepFollow, runtime.StepBecome),
		prepare: (*stage).prepareRuntime,
		commands: func(s *stage) [][]string {
			return [][]string{{"run", "--bundle", s.b.Dir, s.c.ID}}
		},
	},
	{
		name:    "create",
		fronts:  [2][]string{{frontInC}, {}},
		passes:  followedSteps,
		traced:  runtimeSteps(runtime.StepReplace, runtime.StepFollow, runtime.StepBecome),
		prepare: (*stage).prepareRuntime,
		commands: func(s *stage) [][]string {
			return [][]string{{"create", "--bundle", s.b.Dir, "--pid-file", s.c.pidPath(), s.c.ID}, {"start", s.c.ID}}
		},
	},
	{
		name:    "run by crun itself",
		fronts:  [2][]string{{}, {frontInC}},
		passes:  runtimeSteps(runtime.StepPrepare, runtime.StepLock, runtime.StepReady, runtime.StepReplace, runtime.StepBecome),
		prepare: (*stage).prepareRuntime,
		commands: func(s *stage) [][]string {
			return [][]string{{"run", "--bundle", s.b.Dir, s.c.ID}}
		},
	},
	{
		name:    "attended run",
		fronts:  [2][]string{{frontInC, frontInGo}, {frontInC}},
		passes:  createSteps,
		prepare: (*stage).prepareAttended,
		commands: func(s *stage) [][]string {
			return [][]string{{"run", "--bundle", s.b.Dir, s.c.ID}}
		},
	},
	{
		name:    "attended create",
		fronts:  [2][]string{{frontInC}, {frontInC, frontInGo}},
		passes:  createSteps,
		prepare: (*stage).prepareAttended,
		commands: func(s *stage) [][]string {
			return [][]string{{"create", "--bundle", s.b.Dir, "--pid-file", s.c.pidPath(), s.c.ID}, {"start", s.c.ID}}
		},
	},
	{
		name:   "exec",
		fronts: [2][]string{{frontInC, frontInGo}, {frontInC, frontInGo}},
		leaves: installSteps(install.StepRequest, install.StepIdentify), // its follower is a fork of it, and knows
		passes: slices.Concat(
			runtimeSteps(runtime.StepPrepare, runtime.StepIdentify, runtime.StepFollow, runtime.StepBecome),
			installSteps(install.StepStart, install.StepRequest, install.StepIdentify, install.StepSeize, install.StepReport, install.StepWait,
				install.StepExec, install.StepRelease)),
		prepare: (*stage).prepareExec,
		commands: func(s *stage) [][]string {
			return [][]string{{"exec", s.c.ID, s.program}}
		},
		stays:  true,
		traced: runtimeSteps(runtime.StepBecome),
	},
}

// strike is what happens at a step.
type strike struct {
	name string
	// signal is what the process that comes to the step sends itself.
	signal unix.Signal
	// kills says whom to kill while it is stopped; it is continued then.
	kills func(s *stage, stopped int) []int
	ours  bool // a process of the product's is killed
	// limit, where it is not 0, is what the processes of the start are given, and
	// one that has stopped itself stays so, unless it is the engine's own.
	limit time.Duration
}

// The first one finds out whether a step is passed.
var strikes = []strike{
	{name: "stopped and continued", signal: unix.SIGSTOP, kills: func(*stage, int) []int { return nil }, ours: false},
	{name: "killed", signal: unix.SIGKILL, ours: true},
	{name: "stopped, the runtime killed, continued", signal: unix.SIGSTOP, kills: func(s *stage, _ int) []int { return []int{int(s.runtime.Load())} }, ours: false},
	{name: "stopped, the hook killed, continued", signal: unix.SIGSTOP, kills: func(s *stage, stopped int) []int {
		hook, _ := s.children()
		return slices.DeleteFunc(hook, func(pid int) bool { return pid == stopped })
	}, ours: true},
	{name: "stopped, init killed, continued", signal: unix.SIGSTOP, kills: func(s *stage, _ int) []int {
		_, init := s.children()
		return init
	}, ours: false},
}

// stage is where the starts of one door under one runtime take place, one after
// the other: the same bundle and the same id, so that one start also meets what
// the last one has left.
type stage struct {
	door
	kind    string // of the front
	t       *testing.T
	rt      Runtime // as the engine starts it
	b       *Bundle
	c       *Container
	binary  string       // the product's Go program, with faults
	program string       // in the container
	config  []byte       // config.json
	setHook func(string) // registers the hook with a fault
	runtime atomic.Int32 // the process of the running command
	front   int          // that of the first one, which seccomp-runc's attendant is named after
	serial  int
	killed  []int // the fronts whose attendants may have been killed; a later one removes their sockets
}

func newStage(t *testing.T, d door, kind string, rt Runtime) *stage {
	s := &stage{door: d, kind: kind, t: t, rt: rt, binary: filepath.Join(faultyPrograms(t), "seccomp-hook")}
	s.prepare(s)
	return s
}

// prepareHook makes a bundle whose filter comes from the plain hook.
func (s *stage) prepareHook() {
	h := newHooked(s.t, "", "deny.json", WithVictim(FirstTold(nrUnshare)))
	s.b = h.Bundle
	s.setHook = func(fault string) {
		h.register(s.binary, "createRuntime")
		h.hooks().CreateRuntime[0].Env = strings.Split(fault, "\n")
		h.Save()
	}
	s.setHook("")
	s.c = s.b.NewContainer(s.rt)
}

// prepareRuntime makes a bundle with linux.seccomp, for seccomp-runc.
func (s *stage) prepareRuntime() {
	var front string
	front, s.binary = faultyFront(s.t, s.kind)
	s.rt = s.rt.Behind(s.rt.Name, front, "--real-runtime", s.rt.Argv[0])
	s.b = NewBundle(s.t, WithVictim(FirstTold(nrUnshare)), Seccomp(denied(s.t)))
	s.program = s.b.Spec.Process.Args[0]
	s.b.Save()
	s.c = s.b.NewContainer(s.rt)
}

// prepareAttended makes a bundle that needs an attendant.
func (s *stage) prepareAttended() {
	s.prepareRuntime()
	needsAttendant(s.b)
	s.b.Save()
}

// prepareExec starts a container for execs.
func (s *stage) prepareExec() {
	s.prepareAttended() // crun needs nobody for the execs in the others
	s.b.Spec.Process.Args = []string{"/bin/sleep", "1000000"}
	s.c = s.b.Create(s.rt)
	s.c.Start()
}

// disturb runs all faults, and goes on until there were enough.
func (s *stage) disturb(starts int) {
	var err error
	s.config, err = os.ReadFile(s.b.ConfigPath())
	must(s.t, err)
	s.undisturbed()
	outcomes, passed := map[string]int{}, map[step]bool{}
	for round := 0; s.serial < starts || round == 0; round++ {
		for _, where := range allSteps() {
			if round > 0 && !passed[where] {
				continue
			}
			for _, how := range strikes {
				if s.stays && how.name == "stopped, init killed, continued" {
					continue // natively the same as killing what is being started
				}
				outcome, reached := s.start(where, how)
				if outcome == "" {
					return
				}
				outcomes[outcome]++
				passed[where] = passed[where] || reached
				if !passed[where] {
					break // the other strikes do not reach it either
				}
			}
		}
	}
	s.undisturbed()
	for _, path := range socketsOf(s.killed...) {
		s.t.Errorf("left behind, also by the last start: %s", path)
	}
	s.t.Logf("%d starts: %v", s.serial, outcomes)
	for _, where := range allSteps() {
		want := slices.Contains(s.passes, where) && !(s.kind == frontInC && slices.Contains(s.leaves, where))
		if passed[where] != want {
			s.t.Errorf("step %q (%s): passed %v, want %v", where.name, where.variable, passed[where], want)
		}
	}
	for _, outcome := range []string{filtered, notStarted} {
		if outcomes[outcome] < s.serial/10 {
			s.t.Errorf("only %d of %d starts were %s", outcomes[outcome], s.serial, outcome)
		}
	}
}

// Outcomes of a start.
const (
	filtered   = "filtered"
	notStarted = "not started"
)

// undisturbed starts the program without a fault.
func (s *stage) undisturbed() {
	s.t.Helper()
	if outcome, _ := s.start(step{variable: "NOTHING"}, strike{name: "undisturbed"}); outcome != filtered {
		s.t.Fatalf("undisturbed: %s", outcome)
	}
}

// start starts the program with a fault. An outcome of "" has failed the test.
func (s *stage) start(where step, how strike) (outcome string, reached bool) {
	s.serial++
	mark := fmt.Sprintf("%s-fault%d", s.c.ID, s.serial)
	fault := fmt.Sprintf("%s=%d %d %s", where.variable, where.number, how.signal, mark)
	if how.limit != 0 {
		fault += fmt.Sprintf("\n%s=%d", deadline.LimitVariable, how.limit.Milliseconds())
	}
	if s.setHook != nil {
		s.setHook(fault)
		var err error
		s.config, err = os.ReadFile(s.b.ConfigPath())
		must(s.t, err)
	}
	run := s.run(fault)
	struck, reached := s.strike(run, mark, where, how)
	result := <-run.done
	said := result.Stdout
	name := fmt.Sprintf("%s at %q (%s)", how.name, where.name, mark)
	s.cleanUp(name, mark, how)
	// An attendant's guard may say what happened when the runtime has ended already.
	result.Stderr = readBack(s.t, run.errs) + result.Stderr
	switch {
	case strings.Contains(said, "\x00"):
		s.t.Errorf("%s: the program ran unfiltered: %q", name, said)
		return "", reached
	case said == string(rune(denyErrno)):
		outcome = filtered
	case said != "":
		s.t.Errorf("%s: the program said %q", name, said)
		return "", reached
	default:
		outcome = notStarted
	}
	switch {
	case !struck && how.signal != unix.SIGKILL && how.limit == 0 && (outcome != filtered || result.Code != s.exitCode()):
		s.t.Errorf("%s: nobody was killed, and the start fails: %s", name, result)
	case outcome == notStarted && result.Code == 0:
		s.t.Errorf("%s: the program did not start, and the runtime does not say so", name)
	case outcome == notStarted && how.ours && !telling.MatchString(result.Stderr) && result.Code < 128:
		s.t.Errorf("%s: the error does not say what happened: %s", name, result)
	}
	return outcome, reached
}

// telling matches errors that tell of the death of a process of ours.
var telling = regexp.MustCompile(`installer|attendant|follower|ended|killed|signal|exit status|EOF|closed|reset|broken pipe`)

// exitCode is what the first command ends with where all went well.
func (s *stage) exitCode() int {
	if strings.HasSuffix(s.name, "create") {
		return 0
	}
	return denyErrno
}

// running is a start in progress.
type running struct {
	done chan Result // gets one, without what is in errs
	errs *os.File    // standard error
	over chan struct{}
}

// run runs the door's commands, the first one with the fault.
func (s *stage) run(fault string) *running {
	r := &running{make(chan Result, 1), tempFile(s.t), make(chan struct{})}
	out := tempFile(s.t)
	log := filepath.Join(s.b.Dir, "log")
	must(s.t, os.WriteFile(log, nil, 0o600))
	_ = os.Remove(s.c.pidPath())
	go func() {
		defer close(r.over)
		result := Result{}
		for i, args := range s.commands(s) {
			cmd := s.c.command(append([]string{"--log", log}, args...)...)
			cmd.Stdout, cmd.Stderr = out, r.errs
			cmd.Env = os.Environ()
			if i == 0 {
				cmd.Env = append(cmd.Env, strings.Split(fault, "\n")...)
			}
			result.Code = s.wait(cmd, i == 0)
			if result.Code != 0 {
				break
			}
		}
		if pid, err := os.ReadFile(s.c.pidPath()); err == nil && result.Code == 0 && !s.stays {
			number, _ := strconv.Atoi(string(pid))
			waitExit(number, commandTimeout)
		}
		logged, _ := os.ReadFile(log)
		hookLog, _ := os.ReadFile(filepath.Join(s.b.Dir, "hook.log"))
		_ = os.Remove(filepath.Join(s.b.Dir, "hook.log"))
		result.Stdout, result.Stderr = readBack(s.t, out), string(logged)+string(hookLog)
		r.done <- result
	}()
	return r
}

// wait runs a command to its end.
func (s *stage) wait(cmd *exec.Cmd, first bool) int {
	if err := cmd.Start(); err != nil {
		s.t.Error(err)
		return -1
	}
	s.runtime.Store(int32(cmd.Process.Pid))
	if first {
		s.front = cmd.Process.Pid
	}
	_ = cmd.Wait() // the exit code says it
	return exitCode(cmd.ProcessState)
}

// strike waits until a process has stopped itself, and strikes; it gives up when
// the start is over and none of its processes is left. It reports whether
// anybody was killed, and whether the step was reached.
func (s *stage) strike(r *running, mark string, where step, how strike) (struck, reached bool) {
	if how.signal != unix.SIGSTOP {
		<-r.over
		return false, false
	}
	states := "T"
	if slices.Contains(s.traced, where) {
		states = "Tt" // the follower's tracee by then
	}
	var deadline time.Time
	for {
		for _, stopped := range stoppedOf(mark, states) {
			reached = true
			if how.limit != 0 && !s.engines(stopped) {
				struck = true
				continue
			}
			for _, pid := range how.kills(s, stopped) {
				struck = unix.Kill(pid, unix.SIGKILL) == nil || struck
			}
			_ = unix.Kill(stopped, unix.SIGCONT) // it may be among the killed
		}
		select {
		case <-r.over:
			if deadline.IsZero() {
				deadline = time.Now().Add(graceful)
			}
			if time.Now().After(deadline) || len(processesOf([]string{mark})) == 0 {
				return struck, reached
			}
		case <-time.After(2 * time.Millisecond): // there is no event for a stop of somebody else's child
		}
	}
}

// engines reports whether a process is one that the engine or the runtime waits
// for by itself: the command, and its hook. Whoever can stop them can stop runc.
func (s *stage) engines(pid int) bool {
	hooks, _ := s.children()
	return pid == int(s.runtime.Load()) || slices.Contains(hooks, pid)
}

// stoppedOf returns the processes with this mark in their environment that are
// in one of the states.
func stoppedOf(mark, states string) (found []int) {
	for _, p := range processes() {
		if !strings.ContainsRune(states, rune(p.state)) {
			continue
		}
		environ, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "environ"))
		if bytes.Contains(environ, []byte(mark)) {
			found = append(found, p.pid)
		}
	}
	return found
}

// children returns the children of the running command: hooks and others, which
// are the container's init and what the runtime makes it of.
func (s *stage) children() (hooks, inits []int) {
	for _, p := range processes() {
		if p.parent != int(s.runtime.Load()) {
			continue
		}
		if exe, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.pid), "exe")); exe == s.binary {
			hooks = append(hooks, p.pid)
		} else {
			inits = append(inits, p.pid)
		}
	}
	return hooks, inits
}

// cleanUp does what an engine does after a start that has failed or ended, and
// then looks for what is left.
func (s *stage) cleanUp(name, mark string, how strike) {
	if s.stays {
		if state := s.c.StateJSON(); state.Status != "running" {
			s.t.Errorf("%s: the container is %s", name, state.Status)
		}
	} else {
		_ = s.c.command("delete", "--force", s.c.ID).Run() // there may be none
	}
	if strings.Contains(how.name, "runtime killed") {
		// Natively, too, an init that waits for its start outlives a runtime that
		// was killed before it noted the container, and no delete finds it.
		s.killInit()
	}
	names := []string{mark}
	if !s.stays {
		names = append(names, s.c.ID) // the cgroup's: an init whose runtime was killed
	}
	for _, p := range processesOf(names) {
		if !waitExit(p.pid, graceful) {
			s.t.Errorf("%s: leaked process %s", name, p)
		}
	}
	if text, err := os.ReadFile(s.b.ConfigPath()); err != nil || !bytes.Equal(text, s.config) {
		s.t.Errorf("%s: config.json is not what it was: %v %s", name, err, text)
	}
	left, _ := filepath.Glob(filepath.Join(s.b.Dir, ".config.json*"))
	if how.signal == unix.SIGKILL || how.limit != 0 {
		s.killed = append(s.killed, s.front)
	} else {
		left = append(left, socketsOf(s.front)...)
	}
	if !s.stays {
		left = append(left, runFiles(s.c.ID)...)
	}
	for _, path := range left {
		s.t.Errorf("%s: left behind %s", name, path)
	}
	if !s.stays && (how.signal == unix.SIGKILL || strings.Contains(how.name, "runtime killed")) {
		// What a killed runtime leaves natively.
		Eventually(s.t, name+": an init without a runtime ends", func() bool {
			for _, cgroup := range cgroupsOf(s.c.ID) {
				_ = os.Remove(cgroup) // refused until it is empty
			}
			return len(cgroupsOf(s.c.ID)) == 0
		})
		_ = os.RemoveAll(filepath.Join(s.c.State, s.c.ID))
	}
}

// killInit kills what is in the container's cgroup. Attendants are not.
func (s *stage) killInit() {
	for _, p := range processes() {
		cgroup, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "cgroup"))
		if !s.stays && bytes.Contains(cgroup, []byte(s.c.ID)) {
			_ = unix.Kill(p.pid, unix.SIGKILL) // it may end by itself
		}
	}
}

// socketsOf returns the sockets of attendants, by the fronts that started them.
// One whose front lives is of another start.
func socketsOf(fronts ...int) (found []string) {
	for _, front := range fronts {
		path := filepath.Join(filepath.Dir(stateDir), "attendants", strconv.Itoa(front))
		if _, err := os.Lstat(path); err == nil && unix.Kill(front, 0) == unix.ESRCH {
			found = append(found, path)
		}
	}
	return found
}
