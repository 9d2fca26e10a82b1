//go:build integration && (amd64 || arm64 || s390x)

package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// puppet is a thread that never runs on its own: its tracer, the test, sets its
// registers and lets it make one system call at a time. So it can have any
// filter at all, and makes exactly the calls that the test wants to know about.
type puppet struct {
	t       testing.TB
	tid     int
	regs    unix.PtraceRegs
	stub    uint64 // address of stub
	scratch uint64 // address of scratchSize bytes for arguments
	threads []*puppet
	gone    bool // it was waited for: the id may be another's
}

// entry is a way into the kernel.
type entry struct {
	arch  uint32 // AUDIT_ARCH_*
	start uint64 // offset of the instruction in stub
}

// ip is what a filter sees as the instruction pointer.
func (p *puppet) ip(e entry) uint64 { return p.stub + e.start + callSize }

const scratchSize = 64 << 10

// Options for puppets: the filters of a suspended one are attached and do
// nothing.
const (
	awake     = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACECLONE
	suspended = awake | unix.PTRACE_O_SUSPEND_SECCOMP
)

// newPuppet starts a process, of which nothing but the address space is used,
// for as long as the test runs. The calling goroutine is its tracer and stays on
// its thread; a subtest, which is another goroutine, needs a puppet of its own.
func newPuppet(t testing.TB) *puppet {
	t.Helper()
	runtime.LockOSThread() // for good: ptrace is a matter between threads
	cmd := exec.Command("/proc/self/exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start puppet: %v", err)
	}
	p := &puppet{t: t, tid: cmd.Process.Pid}
	if s := p.wait(); s.StopSignal() != unix.SIGTRAP {
		t.Fatalf("puppet: %v at its exec", s)
	}
	t.Cleanup(p.kill)
	p.setOptions(suspended)
	p.getRegs()
	p.stub = programCounter(&p.regs)
	if _, err := unix.PtracePokeText(p.tid, uintptr(p.stub), stub); err != nil {
		t.Fatalf("puppet: write code: %v", err)
	}
	p.scratch = uint64(p.must(p.mmap(0, scratchSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uint64(0), 0)))
	p.must(p.call(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CORE, p.write(make([]byte, 16)), 0))
	return p
}

// fork makes another puppet of p, a process with the same filters.
func (p *puppet) fork() *puppet {
	p.t.Helper()
	// CLONE_PARENT: the test's own child, so that nothing remains of it once
	// the test has waited for it.
	return p.clone(unix.CLONE_PARENT | uint64(unix.SIGCHLD))
}

// thread makes another puppet, in the same process.
func (p *puppet) thread() *puppet {
	p.t.Helper()
	q := p.clone(unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM)
	p.threads = append(p.threads, q)
	return q
}

func (p *puppet) clone(flags uint64) *puppet {
	p.t.Helper()
	p.start(nativeEntry, unix.SYS_CLONE, cloneArgs(flags))
	s := p.resume()
	if e := s.TrapCause(); e != unix.PTRACE_EVENT_FORK && e != unix.PTRACE_EVENT_CLONE {
		p.t.Fatalf("puppet %d: %v instead of a clone", p.tid, describe(s))
	}
	tid, err := unix.PtraceGetEventMsg(p.tid)
	if err != nil {
		p.t.Fatalf("puppet %d: clone: %v", p.tid, err)
	}
	child := &puppet{t: p.t, tid: int(tid), stub: p.stub, scratch: p.scratch}
	if s := child.wait(); s.StopSignal() != unix.SIGSTOP {
		p.t.Fatalf("puppet %d: a new thread begins with %v", p.tid, describe(s))
	}
	if s := p.resume(); s.StopSignal() != unix.SIGTRAP {
		p.t.Fatalf("puppet %d: %v after a clone", p.tid, describe(s))
	}
	child.getRegs()
	return child
}

// kill ends the process, which may have ended already, and waits for it.
func (p *puppet) kill() {
	if !p.gone {
		_ = unix.Kill(p.tid, unix.SIGKILL) // it is not waited for: the id is its own
	}
	// The leader is the last one to be waited for.
	for _, q := range append(p.threads, p) {
		for !q.gone {
			q.wait()
		}
	}
}

// wake gives p's filters a say; until then it is suspended.
func (p *puppet) wake() { p.setOptions(awake) }

func (p *puppet) setOptions(o int) {
	p.t.Helper()
	if err := unix.PtraceSetOptions(p.tid, o); err != nil {
		p.t.Fatalf("puppet %d: options %#x: %v", p.tid, o, err)
	}
}

func (p *puppet) getRegs() {
	p.t.Helper()
	if err := unix.PtraceGetRegs(p.tid, &p.regs); err != nil {
		p.t.Fatalf("puppet %d: registers: %v", p.tid, err)
	}
}

// wait waits for p's next stop, or its end.
func (p *puppet) wait() unix.WaitStatus {
	p.t.Helper()
	var s unix.WaitStatus
	for {
		_, err := unix.Wait4(p.tid, &s, unix.WALL, nil)
		if err == nil {
			p.gone = s.Signaled() || s.Exited()
			return s
		}
		if err != unix.EINTR {
			p.t.Fatalf("wait for puppet %d: %v", p.tid, err)
		}
	}
}

// resume lets p run until its next stop, or its end.
func (p *puppet) resume() unix.WaitStatus {
	p.t.Helper()
	if err := unix.PtraceCont(p.tid, 0); err != nil {
		p.t.Fatalf("continue puppet %d: %v", p.tid, err)
	}
	return p.wait()
}

// start sets p's registers to where it is about to make a call.
func (p *puppet) start(e entry, nr uint32, args [6]uint64) {
	p.t.Helper()
	prepareCall(&p.regs, p.stub, e, nr, args)
	if err := unix.PtraceSetRegs(p.tid, &p.regs); err != nil {
		p.t.Fatalf("puppet %d: registers: %v", p.tid, err)
	}
}

// call makes a native system call and returns its result, which may be a
// negative errno.
func (p *puppet) call(nr uint32, args ...uint64) int64 {
	p.t.Helper()
	var a [6]uint64
	copy(a[:], args)
	p.start(nativeEntry, nr, a)
	if s := p.resume(); s.StopSignal() != unix.SIGTRAP {
		p.t.Fatalf("puppet %d: call %d: %v", p.tid, nr, describe(s))
	}
	p.getRegs()
	return returned(&p.regs)
}

// must fails the test where the result of a call is an errno.
func (p *puppet) must(result int64) int64 {
	p.t.Helper()
	if result < 0 && result > -4096 {
		p.t.Fatalf("puppet %d: %v", p.tid, unix.Errno(-result))
	}
	return result
}

// write writes into p's scratch memory and returns the address.
func (p *puppet) write(b []byte) uint64 {
	p.t.Helper()
	local := []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}
	remote := []unix.RemoteIovec{{Base: uintptr(p.scratch), Len: len(b)}}
	if n, err := unix.ProcessVMWritev(p.tid, local, remote, 0); err != nil || n != len(b) {
		p.t.Fatalf("puppet %d: write %d bytes: %d, %v", p.tid, len(b), n, err)
	}
	return p.scratch
}

// install makes p call seccomp(2) and returns the result.
func (p *puppet) install(program bpf.Program, flags uint64) int64 {
	p.t.Helper()
	const header = 16 // struct sock_fprog
	b := binary.NativeEndian.AppendUint16(nil, uint16(len(program)))
	b = append(b, make([]byte, 6)...)
	b = binary.NativeEndian.AppendUint64(b, p.scratch+header)
	for _, in := range program {
		b = binary.NativeEndian.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = binary.NativeEndian.AppendUint32(b, in.K)
	}
	return p.call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, p.write(b))
}

// ending is what became of a call.
type ending struct {
	traced  bool   // PTRACE_EVENT_SECCOMP came, with message
	message uint64 // PTRACE_GETEVENTMSG
	signal  bool   // SIGSYS came, with info
	info    sigsysInfo
	died    unix.Signal // the thread or process is gone: the signal it died of
	result  int64       // what is in the return register, unless it is gone
}

func (e ending) String() string {
	switch {
	case e.died != 0:
		return fmt.Sprintf("died of %v", e.died)
	case e.signal:
		return fmt.Sprintf("SIGSYS %+v, then %#x", e.info, e.result)
	case e.traced:
		return fmt.Sprintf("traced with message %d, then %#x", e.message, e.result)
	default:
		return fmt.Sprintf("returned %#x", e.result)
	}
}

// sigsysInfo is siginfo_t of SIGSYS on 64-bit machines.
type sigsysInfo struct {
	Signo, Errno, Code, _ int32
	CallAddr              uint64
	Syscall               int32
	Arch                  uint32
	_                     [96]byte
}

// try makes a call, whatever the filters make of it.
func (p *puppet) try(e entry, nr uint32, args [6]uint64) ending {
	p.t.Helper()
	p.start(e, nr, args)
	var out ending
	for {
		s := p.resume()
		switch {
		case s.Signaled():
			out.died = s.Signal()
			return out
		case s.Exited():
			p.t.Fatalf("puppet %d exited with %d", p.tid, s.ExitStatus())
		case s.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
			message, err := unix.PtraceGetEventMsg(p.tid)
			if err != nil {
				p.t.Fatal(err)
			}
			out.traced, out.message = true, uint64(message)
		case s.StopSignal() == unix.SIGSYS:
			out.signal = true
			if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGINFO, uintptr(p.tid), 0, uintptr(unsafe.Pointer(&out.info)), 0, 0); errno != 0 {
				p.t.Fatal(errno)
			}
		case s.StopSignal() == unix.SIGTRAP:
			p.getRegs()
			out.result = returned(&p.regs)
			return out
		default:
			p.t.Fatalf("puppet %d: %v", p.tid, describe(s))
		}
	}
}

// describe renders a wait status.
func describe(s unix.WaitStatus) error {
	switch {
	case s.Exited():
		return fmt.Errorf("exit %d", s.ExitStatus())
	case s.Signaled():
		return fmt.Errorf("death of %v", s.Signal())
	case s.Stopped():
		return fmt.Errorf("stop by %v, event %d", s.StopSignal(), s.TrapCause())
	}
	return errors.New("no change")
}
