//go:build linux

package install

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// The test binary is also the installer, and the victims that are installed
// into: processes that behave like a runtime's init.
func TestMain(m *testing.M) {
	if Requested() {
		os.Exit(Serve())
	}
	if act, found := acts[filepath.Base(os.Args[0])]; found {
		act()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// acts are what a victim can do; the name is its argument 0.
var acts = map[string]func(){
	"init":        actInit,
	"init-thread": actInitThread,
	"program":     actProgram,
}

// denied is a system call that nothing here needs, and verdict what the
// tests' filter does to it.
const (
	denied  = unix.SYS_PERSONALITY
	verdict = 99
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

// probe makes the denied call and says what came of it.
func probe() string {
	_, _, errno := unix.RawSyscall(denied, 0xffffffff, 0, 0)
	return fmt.Sprintf("%d", int(errno))
}

// self returns a field of the calling thread's status.
func self(field string) string {
	st, err := ownStatus()
	if err != nil {
		return err.Error()
	}
	return st.field(field)
}

// actInit is an init: it has threads, says that it is ready, waits for a line,
// and executes the program. What the denied call gets is printed before and
// after.
func actInit() {
	ready := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	_, _ = ready.ReadString('\n')
	fmt.Println("init", probe())
	execProgram()
}

// actInitThread executes the program from another thread than the first.
func actInitThread() {
	runtime.LockOSThread()
	ready := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	_, _ = ready.ReadString('\n')
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		fmt.Println("init", probe(), unix.Gettid() != unix.Getpid())
		execProgram()
		close(done)
	}()
	<-done
}

func execProgram() {
	err := unix.Exec("/proc/self/exe", []string{"program"}, os.Environ())
	fmt.Println("exec:", err)
}

func actProgram() {
	fmt.Println("program", probe(), self("Seccomp"), self("Seccomp_filters"), self("TracerPid"))
}

// victim is a process to install into.
type victim struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

// newVictim starts a victim and waits until it is ready.
func newVictim(t *testing.T, act string, env ...string) *victim {
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
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v := &victim{t: t, cmd: cmd, in: in, lines: bufio.NewScanner(out)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	v.expect("ready")
	return v
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
			v.t.Fatalf("the victim ended (%v) instead of saying %q", v.lines.Err(), w)
		}
		if got := v.lines.Text(); got != w {
			v.t.Fatalf("the victim says %q, want %q", got, w)
		}
	}
}

// ends waits until the victim has ended and returns what it said last.
func (v *victim) ends() (string, error) {
	var rest []string
	for v.lines.Scan() {
		rest = append(rest, v.lines.Text())
	}
	return strings.Join(rest, "\n"), v.cmd.Wait()
}

// request returns a request for the test binary as runtime.
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
