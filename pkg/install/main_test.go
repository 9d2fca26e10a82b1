//go:build linux

package install

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// The test binary is also the installer, and the victims that are installed
// into: processes that do what a runtime's init does.

func init() {
	// The victims' first goroutine is on their first thread.
	if _, found := acts[filepath.Base(os.Args[0])]; found {
		runtime.LockOSThread()
	}
	fault = testFault
}

func TestMain(m *testing.M) {
	if Requested() {
		if os.Getenv(confinedVariable) != "" {
			_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
			if _, err := Self(denying(unusedCall)); err != nil {
				os.Exit(2)
			}
		}
		os.Exit(Serve())
	}
	if act, found := acts[filepath.Base(os.Args[0])]; found {
		act()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// testFault does what faultVariable says, "STEP SIGNAL PID": send a signal at
// the beginning of a step, to a process's first thread, 0 being the installer;
// or, with a minus, let a victim go on. With "STEP SIGNAL PID THREAD" that thread of
// the victim is seized before, and has ended afterwards.
func testFault(step Step) {
	var at Step
	var signal, pid, thread int
	if n, _ := fmt.Sscan(os.Getenv(faultVariable), &at, &signal, &pid, &thread); n < 3 || at != step {
		return
	}
	if thread != 0 {
		if err := seize(thread, suspended); err != nil {
			panic(err)
		}
		defer func() {
			for unix.Waitid(unix.P_PID, thread, nil, unix.WEXITED|unix.WNOWAIT|unix.WALL, nil) == unix.EINTR {
			}
		}()
	}
	switch {
	case pid == 0:
		_ = unix.Kill(os.Getpid(), unix.Signal(signal))
	case pid < 0:
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/fd/0", -pid), []byte("\n"), 0)
	default:
		_ = unix.Tgkill(pid, pid, unix.Signal(signal))
	}
}

// confinedVariable, set for an installer, puts it under a seccomp filter
// itself, as systemd's SystemCallFilter= does: the kernel then refuses to
// suspend seccomp.
const confinedVariable = "TEST_CONFINED"

// acts are what a victim can do; the name is its argument 0.
var acts = map[string]func(){
	"self":     actSelf,
	"init":     actInit,
	"thread":   actThread,
	"churn":    actChurn,
	"spin":     actSpin,
	"blocked":  actBlocked,
	"children": actChildren,
	"spawner":  actSpawner,
	"racers":   actRacers,
	"pair":     actPair,
	"program":  actProgram,
	"vdso":     actVDSO,
	"armed":    actArmed,

	"runtime":        actRuntime,
	"followed":       actFollowed,
	"runtime-itself": actRuntimeItself,
}

// denied is a system call that nothing here needs, verdict the errno that the
// tests' filters give it, and unusedCall a call that nobody makes.
const (
	denied     = unix.SYS_PERSONALITY
	verdict    = 99
	unusedCall = 0x7fff
)

// denying returns a filter that lets everything pass but one call.
func denying(number uint32) Filter {
	return Filter{Program: bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, number, 0, 1),
		bpf.Ret(bpf.Errno(verdict)),
		bpf.Ret(bpf.RetAllow),
	}}
}

// probe makes the denied call and returns its errno.
func probe() int {
	_, _, errno := unix.RawSyscall(denied, 0xffffffff, 0, 0)
	return int(errno)
}

// self returns a field of the calling thread's status.
func self(field string) string {
	st, err := ownStatus()
	if err != nil {
		return err.Error()
	}
	return st.field(field)
}

// Where a victim's environment has these, it sets no_new_privs; executes that
// file instead of the test binary, or as another act than program; becomes that
// user before.
const (
	noNewPrivsVariable = "TEST_NO_NEW_PRIVS"
	executeVariable    = "TEST_EXECUTE"
	actVariable        = "TEST_ACT"
	userVariable       = "TEST_USER"
)

// waitForGo says that the victim is ready, and waits until it may go on.
func waitForGo() {
	if os.Getenv(noNewPrivsVariable) != "" {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			fmt.Println("no_new_privs:", err)
		}
	}
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// execProgram does what an init does last.
func execProgram() {
	if user, err := strconv.Atoi(os.Getenv(userVariable)); err == nil {
		if err := syscall.Setuid(user); err != nil {
			fmt.Println("setuid:", err)
		}
	}
	path := "/proc/self/exe"
	if p := os.Getenv(executeVariable); p != "" {
		path = p
	}
	act := "program"
	if a := os.Getenv(actVariable); a != "" {
		act = a
	}
	fmt.Println("exec:", unix.Exec(path, []string{act}, os.Environ()))
}

// actInit makes the denied call and executes the program.
func actInit() {
	waitForGo()
	fmt.Println("init", probe())
	execProgram()
}

// actThread is actInit, but another thread than the first executes.
func actThread() {
	waitForGo()
	go func() {
		runtime.LockOSThread()
		fmt.Println("init", probe(), unix.Gettid() == unix.Getpid())
		execProgram()
	}()
	select {}
}

// actChurn is actInit while threads come and go: a goroutine that ends on a
// locked thread takes the thread with it.
func actChurn() {
	for range 4 {
		go func() {
			for {
				done := make(chan int)
				go func() {
					runtime.LockOSThread()
					done <- probe()
				}()
				if errno := <-done; errno != 0 {
					fmt.Println("thread", errno)
				}
			}
		}()
	}
	actInit()
}

// actSpin has its first thread in no system call, and for a moment none that
// a tracer could use.
func actSpin() {
	go func() {
		waitForGo()
		fmt.Println("init", probe())
		execProgram()
	}()
	for { //nolint:staticcheck // it is to be busy
	}
}

// catch has a handler for a signal that does nothing, with SA_RESTART as all
// of Go's have.
func catch(s os.Signal) { signal.Notify(make(chan os.Signal, 1), s) }

// actProgram is the container's program.
func actProgram() {
	fmt.Println("program", probe(), self("Seccomp"), self("Seccomp_filters"), self("TracerPid"))
}

// victim is a process to install into.
type victim struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

// newVictim starts a victim and waits until it is ready.
func newVictim(t testing.TB, act string, env ...string) *victim {
	t.Helper()
	v := prepareVictim(t, act, env...)
	v.start()
	v.expect("ready")
	return v
}

// prepareVictim makes a victim that start starts.
func prepareVictim(t testing.TB, act string, env ...string) *victim {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{act}
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return &victim{t: t, cmd: cmd, in: in, lines: bufio.NewScanner(out)}
}

func (v *victim) start() {
	v.t.Helper()
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() {
		_ = v.cmd.Process.Kill()
		_ = v.cmd.Wait()
	})
}

func (v *victim) pid() int { return v.cmd.Process.Pid }

// proceed lets the victim go on.
func (v *victim) proceed() {
	v.t.Helper()
	if _, err := io.WriteString(v.in, "\n"); err != nil {
		v.t.Fatal(err)
	}
}

// expect reads lines and compares them.
func (v *victim) expect(want ...string) {
	v.t.Helper()
	for _, w := range want {
		if !v.lines.Scan() {
			v.t.Fatalf("the victim ended (%v, %v) instead of saying %q", v.lines.Err(), v.cmd.Wait(), w)
		}
		if got := v.lines.Text(); got != w {
			v.t.Fatalf("the victim says %q, want %q", got, w)
		}
	}
}

// ends waits until the victim has ended, and returns what else it said and its
// exit status, or minus the signal that it died of.
func (v *victim) ends() (said []string, status int) {
	v.t.Helper()
	for v.lines.Scan() {
		said = append(said, v.lines.Text())
	}
	err := v.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		v.t.Fatal(err)
	}
	ws := v.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return said, -int(ws.Signal())
	}
	return said, ws.ExitStatus()
}

// ranUnfiltered reports whether the container's program has run unfiltered: the one
// thing that must never be.
func ranUnfiltered(said []string) bool {
	return slices.ContainsFunc(said, func(line string) bool { return strings.HasPrefix(line, "program 0") })
}

// request returns a request with the test binary as runtime.
func request(f Filter) Request {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Request{Filter: f, Runtimes: []string{filepath.Base(exe)}, Parent: os.Getpid()}
}

// needSuspend skips where the kernel would not suspend seccomp.
func needSuspend(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("suspending seccomp needs CAP_SYS_ADMIN in the initial user namespace")
	}
}

// install starts an installer for the victim and installs.
func install(t *testing.T, v *victim, r Request, env ...string) (*Result, error) {
	t.Helper()
	i, err := Start(Command{Env: env}, v.pid())
	if err != nil {
		return nil, err
	}
	return i.Install(t.Context(), r)
}

// mustInstall fails the test where that fails.
func mustInstall(t *testing.T, v *victim, r Request, env ...string) *Result {
	t.Helper()
	result, err := install(t, v, r, env...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}
