//go:build linux

package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// The filter is on every thread and not felt until the exec, by whatever
// thread, and live from the program's first instruction.
func TestSuspend(t *testing.T) {
	needSuspend(t)
	for _, tt := range []struct {
		act  string
		init string
	}{
		{"init", "init 0"},
		{"thread", "init 0 false"},
		{"churn", "init 0"},
		{"spin", "init 0"},
	} {
		t.Run(tt.act, func(t *testing.T) {
			v := newVictim(t, tt.act)
			result := mustInstall(t, v, request(denying(denied)))
			if result.Mode != ModeSuspend || result.Threads < 1 || result.Listener != nil {
				t.Errorf("result %+v", result)
			}
			v.proceed()
			v.expect(tt.init, "program 99 2 1 0")
		})
	}
}

func TestSuspendManyAtOnce(t *testing.T) {
	needSuspend(t)
	var group sync.WaitGroup
	victims := make([]*victim, 24)
	for i := range victims {
		victims[i] = newVictim(t, "init")
	}
	for _, v := range victims {
		group.Go(func() {
			if _, err := install(t, v, request(denying(denied))); err != nil {
				t.Error(err)
			}
			v.proceed()
		})
	}
	group.Wait()
	for _, v := range victims {
		v.expect("init 0", "program 99 2 1 0")
	}
}

// A program whose very first instruction is a denied call gets the filter's
// errno: 64-bit and i386, user 0 and another.
func TestFirstInstruction(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the programs are x86 machine code")
	}
	programs := map[string][]byte{"x86_64": elf64(firstDenied64), "x86": elf32(firstDenied32)}
	for name, image := range programs {
		path := executable(t, image, 0o755)
		for _, mode := range []Mode{ModeSuspend, ModeExec} {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				if errors.Is(exec.Command(path).Start(), unix.ENOEXEC) {
					t.Skip("this machine does not execute i386 programs")
				}
				v := newVictim(t, "init", executeVariable+"="+path, noNewPrivsVariable+"=1")
				r := request(denying(0))
				r.NoNewPrivileges = true
				var env []string
				if mode == ModeExec {
					env = append(env, confinedVariable+"=1")
				} else {
					needSuspend(t)
				}
				if result := mustInstall(t, v, r, env...); result.Mode != mode {
					t.Fatalf("mode %s", result.Mode)
				}
				v.proceed()
				v.expect("init 0")
				if said, status := v.ends(); status != verdict {
					t.Errorf("status %d %q, want the filter's errno %d", status, said, verdict)
				}
			})
		}
	}
}

// Tracing an exec must not take the effect of a setuid bit away.
func TestSetuid(t *testing.T) {
	needSuspend(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the program is x86 machine code")
	}
	path := executable(t, elf64(effectiveUser64), 0o755|os.ModeSetuid)
	native := exec.Command(path)
	native.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000, NoSetGroups: true}}
	if err := native.Run(); err != nil {
		t.Skipf("setuid programs do not work here: %v", err)
	}
	v := newVictim(t, "init", executeVariable+"="+path, userVariable+"=1000")
	mustInstall(t, v, request(denying(denied)))
	v.proceed()
	v.expect("init 0")
	if said, status := v.ends(); status != 0 {
		t.Errorf("effective user %d %q, want 0", status, said)
	}
}

// Where seccomp cannot be suspended, a process that will have no_new_privs
// gets its filter at the exec.
func TestModeExec(t *testing.T) {
	for _, act := range []string{"init", "churn"} {
		t.Run(act, func(t *testing.T) {
			v := newVictim(t, act, noNewPrivsVariable+"=1")
			r := request(denying(denied))
			r.NoNewPrivileges = true
			if result := mustInstall(t, v, r, confinedVariable+"=1"); result.Mode != ModeExec {
				t.Fatalf("mode %s", result.Mode)
			}
			v.proceed()
			v.expect("init 0", "program 99 2 1 0")
		})
	}
	t.Run("no_new_privs missing after all", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root needs no no_new_privs")
		}
		v := newVictim(t, "init")
		r := request(denying(denied))
		r.NoNewPrivileges = true
		mustInstall(t, v, r, confinedVariable+"=1")
		v.proceed()
		v.expect("init 0")
		if said, status := v.ends(); status != -int(unix.SIGKILL) {
			t.Errorf("status %d, %q", status, said)
		}
	})
	t.Run("installer killed", func(t *testing.T) {
		v := newVictim(t, "init", noNewPrivsVariable+"=1")
		i, err := Start(Command{Env: []string{confinedVariable + "=1"}}, v.pid())
		if err != nil {
			t.Fatal(err)
		}
		r := request(denying(denied))
		r.NoNewPrivileges = true
		if _, err := i.Install(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		_ = unix.Kill(i.PID(), unix.SIGKILL)
		if said, status := v.ends(); status != -int(unix.SIGKILL) {
			t.Errorf("status %d, %q", status, said)
		}
	})
}

// The reasons for which nothing is installed, and that the process is as it
// was.
func TestRefused(t *testing.T) {
	listening := denying(denied)
	listening.Flags = NewListener
	for _, tt := range []struct {
		name string
		env  []string // of the installer
		edit func(*Request)
		want error
		step Step
	}{
		{"another program", nil, func(r *Request) { r.Runtimes = nil }, ErrNotRuntime, StepIdentify},
		{"another parent", nil, func(r *Request) { r.Parent = 1 }, ErrNotRuntime, StepIdentify},
		{"under seccomp itself", []string{confinedVariable + "=1"}, func(*Request) {}, ErrSuspend, StepSeize},
		{"under seccomp itself, with a listener", []string{confinedVariable + "=1"},
			func(r *Request) { r.Filter, r.NoNewPrivileges = listening, true }, ErrSuspend, StepSeize},
		{"invalid program", nil, func(r *Request) { r.Filter.Program = r.Filter.Program[:2] }, new(bpf.InstructionError), StepRequest},
		{"unknown flag", nil, func(r *Request) { r.Filter.Flags = 1 << 31 }, unix.EINVAL, StepAttach},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == unix.EINVAL {
				needSuspend(t)
			}
			v := newVictim(t, "init")
			r := request(denying(denied))
			tt.edit(&r)
			_, err := install(t, v, r, tt.env...)
			var failure *Error
			if !errors.As(err, &failure) || failure.Step != tt.step || failure.PID != v.pid() {
				t.Fatalf("error %v", err)
			}
			if instruction := (*bpf.InstructionError)(nil); !errors.Is(err, tt.want) && !errors.As(err, &instruction) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			t.Log(err)
			v.proceed()
			v.expect("init 0", "program 0 0 0 0")
		})
	}
}

func TestGone(t *testing.T) {
	v := newVictim(t, "init")
	i, err := Start(Command{}, v.pid())
	if err != nil {
		t.Fatal(err)
	}
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
	if _, err := i.Install(t.Context(), request(denying(denied))); !errors.Is(err, ErrGone) {
		t.Errorf("error %v", err)
	}
	if _, err := Start(Command{}, v.pid()); !errors.Is(err, ErrGone) {
		t.Errorf("error %v", err)
	}
}

func TestTraced(t *testing.T) {
	v := newVictim(t, "init")
	done := make(chan struct{})
	seized := make(chan error)
	go func() {
		runtime.LockOSThread() // and end the thread, which lets go of the victim
		seized <- seize(v.pid(), 0)
		<-done
	}()
	if err := <-seized; err != nil {
		t.Fatal(err)
	}
	_, err := install(t, v, request(denying(denied)))
	close(done)
	if !errors.Is(err, ErrTraced) {
		t.Errorf("error %v", err)
	}
}

func TestNoInstaller(t *testing.T) {
	v := newVictim(t, "init")
	if _, err := Start(Command{Path: "/nonexistent"}, v.pid()); !errors.Is(err, unix.ENOENT) {
		t.Errorf("error %v", err)
	}
	i, err := Start(Command{Path: "/bin/true"}, v.pid())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Install(t.Context(), request(denying(denied))); !errors.Is(err, ErrLost) {
		t.Errorf("error %v", err)
	}
}

// Close ends an installer that has nothing to do.
func TestClose(t *testing.T) {
	v := newVictim(t, "init")
	i, err := Start(Command{}, v.pid())
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(i.PID(), 0); err != unix.ESRCH {
		t.Errorf("the installer is still there: %v", err)
	}
	v.proceed()
	v.expect("init 0", "program 0 0 0 0")
}

// A context that ends takes the installer with it, even a stopped one.
func TestContext(t *testing.T) {
	v := newVictim(t, "init")
	i, err := Start(Command{Env: []string{fmt.Sprintf("%s=%d %d 0", faultVariable, StepRequest, unix.SIGSTOP)}}, v.pid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitStopped(t, i.PID())
		cancel()
	}()
	_, err = i.Install(ctx, request(denying(denied)))
	if !errors.Is(err, ErrLost) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := unix.Kill(i.PID(), 0); err != unix.ESRCH {
		t.Errorf("the installer is still there: %v", err)
	}
}

// waitStopped waits until a child of the test is stopped.
func waitStopped(t *testing.T, pid int) {
	t.Helper()
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WNOWAIT, nil)
		if err == nil {
			return
		}
		if err != unix.EINTR {
			t.Error(err)
			return
		}
	}
}

// The calls that the installation interrupts go on as if it had not been
// there.
func TestInterruptedCalls(t *testing.T) {
	needSuspend(t)
	for _, tt := range []struct {
		call     string
		number   int
		argument string         // the one that tells the test's own call from the Go runtime's
		signal   syscall.Signal // sent while the thread has the installer's registers
		want     string
	}{
		{"read", unix.SYS_READ, "", 0, "read 1 errno 0"},                                // ERESTARTSYS
		{"nanosleep", unix.SYS_NANOSLEEP, "", 0, "nanosleep 0 errno 0"},                 // ERESTART_RESTARTBLOCK
		{"futex", unix.SYS_FUTEX, fmt.Sprintf("%#x", futexValue), 0, "futex 0 errno 0"}, // ERESTART_RESTARTBLOCK
		{"pause", unix.SYS_PPOLL, "", unix.SIGUSR1, "pause -1 errno 4"},                 // ERESTARTNOHAND: a handler ends it
		{"read", unix.SYS_READ, "", unix.SIGUSR1, "read 1 errno 0"},                     // SA_RESTART
		{"read", unix.SYS_READ, "", unix.SIGSTOP, "stopped read 1 errno 0"},             // cannot be blocked
	} {
		t.Run(fmt.Sprintf("%s/%d", tt.call, tt.signal), func(t *testing.T) {
			if tt.call == "pause" && runtime.GOARCH == "arm64" {
				t.Skip("there the signal counts as one that came just before the call")
			}
			v := newVictim(t, "blocked", "TEST_CALL="+tt.call)
			waitInCall(t, v.pid(), tt.number, tt.argument)
			mustInstall(t, v, request(denying(denied)), fmt.Sprintf("%s=%d %d %d", faultVariable, StepWrite, tt.signal, v.pid()))
			want, stopped := strings.CutPrefix(tt.want, "stopped ")
			if stopped {
				waitStopped(t, v.pid())
				_ = unix.Kill(v.pid(), unix.SIGCONT)
			}
			if tt.call != "pause" && tt.call != "nanosleep" {
				v.proceed()
			}
			v.expect(want, "init 0", "program 99 2 1 0")
		})
	}
}

// waitInCall waits until the process's first thread is blocked in a call with
// that argument.
func waitInCall(t *testing.T, pid, number int, argument string) {
	t.Helper()
	for {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(b), strconv.Itoa(number)+" ") && strings.Contains(string(b), argument) {
			return
		}
		runtime.Gosched()
	}
}

// actBlocked makes one blocking call on its first thread.
func actBlocked() {
	say := func(r uintptr, errno syscall.Errno) {
		fmt.Println(os.Getenv("TEST_CALL"), int(r), "errno", int(errno))
	}
	fmt.Println("ready")
	var b [1]byte
	switch os.Getenv("TEST_CALL") {
	case "read":
		catch(unix.SIGUSR1)
		r, _, errno := unix.Syscall(unix.SYS_READ, 0, uintptr(unsafe.Pointer(&b[0])), 1)
		say(r, errno)
	case "nanosleep":
		start := time.Now()
		rest := unix.Timespec{Nsec: 300e6}
		r, _, errno := unix.Syscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&rest)), 0, 0)
		if d := time.Since(start); d < 300*time.Millisecond {
			fmt.Println("slept only", d)
		}
		say(r, errno)
	case "futex":
		word := int32(futexValue)
		go func() {
			_, _ = os.Stdin.Read(b[:])
			for woken := uintptr(0); woken == 0; {
				woken, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), futexWake, 1, 0, 0, 0)
			}
		}()
		limit := unix.Timespec{Sec: 3600}
		r, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), futexWait, futexValue, uintptr(unsafe.Pointer(&limit)), 0, 0)
		say(r, errno)
	case "pause": // amd64 and arm64 both have ppoll
		catch(unix.SIGUSR1)
		r, _, errno := unix.Syscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		say(r, errno)
	}
	fmt.Println("init", probe())
	execProgram()
}

// futexValue tells the test's own wait from the Go runtime's.
const futexWait, futexWake, futexValue = 0, 1, 0x5ecc

// A process that was stopped stays so, and goes on with SIGCONT.
func TestGroupStop(t *testing.T) {
	needSuspend(t)
	v := newVictim(t, "init")
	_ = unix.Kill(v.pid(), unix.SIGSTOP)
	waitStopped(t, v.pid())
	mustInstall(t, v, request(denying(denied)))
	v.proceed()
	if st, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.pid())); err != nil || !strings.Contains(string(st), ") t ") {
		t.Errorf("not stopped any more: %s %v", st, err)
	}
	_ = unix.Kill(v.pid(), unix.SIGCONT)
	v.expect("init 0", "program 99 2 1 0")
}

// Children of init keep the filter suspended as long as their root is the one
// that init had, and feel it behind pivot_root (here: chroot).
func TestChildren(t *testing.T) {
	needSuspend(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the program is x86 machine code")
	}
	path := executable(t, elf64(firstDenied64), 0o755)
	v := newVictim(t, "children", "TEST_ROOT="+filepath.Dir(path), executeVariable+"=/program")
	mustInstall(t, v, request(denying(0)))
	v.proceed()
	v.expect("init 0", "before chroot: status 0", "after chroot: status 99")
	if said, status := v.ends(); status != verdict {
		t.Errorf("status %d %q, want %d", status, said, verdict)
	}
}

func actChildren() {
	waitForGo()
	fmt.Println("init", probe())
	child := func(path string) int {
		pid, err := syscall.ForkExec(path, []string{"child"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
		if err != nil {
			return -1
		}
		var ws unix.WaitStatus
		_, _ = unix.Wait4(pid, &ws, 0, nil)
		return ws.ExitStatus()
	}
	root := os.Getenv("TEST_ROOT")
	fmt.Println("before chroot: status", child(root+"/program"))
	if err := unix.Chroot(root); err != nil {
		fmt.Println(err)
	}
	fmt.Println("after chroot: status", child("/program"))
	execProgram()
}

// The listener goes to the caller, and nothing of it stays in the process.
func TestListener(t *testing.T) {
	needSuspend(t)
	v := newVictim(t, "init")
	before := descriptors(t, v.pid())
	f := Filter{Flags: NewListener | WaitKillableRecv, Program: bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, denied, 0, 1),
		bpf.Ret(bpf.RetUserNotif),
		bpf.Ret(bpf.RetAllow),
	}}
	if !f.Flags.Available() {
		f.Flags = NewListener
	}
	result := mustInstall(t, v, request(f))
	if result.Listener == nil {
		t.Fatal("no listener")
	}
	defer result.Listener.Close()
	if after := descriptors(t, v.pid()); after != before {
		t.Errorf("descriptors %s, before %s", after, before)
	}
	v.proceed()
	v.expect("init 0")
	if nr := notification(t, result.Listener.Fd()); nr != denied {
		t.Errorf("notified of call %d", nr)
	}
	v.expect("program 99 2 1 0")
}

func descriptors(t *testing.T, pid int) string {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(entries)
}

// notification answers one notification with the errno verdict.
func notification(t *testing.T, listener uintptr) int {
	t.Helper()
	var n struct { // struct seccomp_notif
		id         uint64
		pid, flags uint32
		nr, arch   uint32
		ip         uint64
		args       [6]uint64
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
		t.Fatal(errno)
	}
	r := struct { // struct seccomp_notif_resp
		id    uint64
		value int64
		error int32
		flags uint32
	}{id: n.id, error: -verdict}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r))); errno != 0 {
		t.Fatal(errno)
	}
	return int(n.nr)
}

// A waiting installer ends with init, and is small.
func TestInstallerEnds(t *testing.T) {
	needSuspend(t)
	v := newVictim(t, "init")
	i, err := Start(Command{}, v.pid())
	if err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(i.PID(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if _, err := i.Install(t.Context(), request(denying(denied))); err != nil {
		t.Fatal(err)
	}
	links, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", i.PID()))
	if err != nil {
		t.Fatal(err)
	}
	t.Log("descriptors of the waiting installer:", links)
	_ = v.cmd.Process.Kill()
	poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 30_000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			t.Error("the installer does not end with init")
		}
		return
	}
}
