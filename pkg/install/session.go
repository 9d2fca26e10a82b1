//go:build linux

package install

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/deadline"
	"seccomp-hook/pkg/install/orphan"
)

// Serve is the installer process: it reads one request, installs, answers, and
// waits until it can let go of the container. It returns the exit status.
func Serve() int {
	// A tracee belongs to one thread of its tracer.
	runtime.LockOSThread()
	// Nothing that the hook inherited stays open here: a runtime reads its
	// hooks' output to the end. The Go runtime opens /dev/null in the place of
	// 0, 1 and 2.
	if err := orphan.CloseInherited(pidfdFD + 1); err != nil {
		return 1
	}
	if err := os.Chdir("/"); err != nil { // keep no file system busy
		return 1
	}
	s := &session{deliver: answerHook}
	deadline.Stay() // as long as the filter is being made
	s.at(StepStart)
	message, outcome, err := receive(socketFD)
	if err != nil {
		return 1
	}
	if len(message) == 0 {
		return 0 // the hook has nothing to install
	}
	if outcome >= 0 {
		s.outcome = os.NewFile(uintptr(outcome), "outcome")
	}
	if err := s.serve(message); err != nil {
		// The hook may have had its answer, and be gone.
		_ = send(socketFD, (&answer{failure: s.fail(err)}).encode(), -1)
		return 1
	}
	return 0
}

// answerHook sends the result, and with it the only descriptor of the
// listener.
func answerHook(r *Result, listener int) error {
	err := send(socketFD, (&answer{result: *r}).encode(), listener)
	if listener >= 0 {
		unix.Close(listener)
	}
	unix.Close(socketFD)
	return err
}

// session is the installation of one filter.
type session struct {
	tracer
	step    Step
	order   *order
	process *process
	begin   time.Time
	mode    Mode
	options uintptr // of the threads in ModeSuspend
	result  Result
	// deliver is given the result, and the listener or -1, which becomes its
	// own, before the process can execute a program.
	deliver func(r *Result, listener int) error
	// entered, where there is one, is told of a process that is about to be
	// let go of. An error kills it.
	entered func(pid int) error
	// outcome, where there is one, is where the Outcome goes.
	outcome *os.File
	// stays says whether a process that has executed a program keeps its
	// filter suspended.
	stays func(pid int) bool
	// unsafe is set while init is seized and does not have the filter for
	// certain: it must not outlive a failure then. (In ModeExec the kernel sees
	// to that.)
	unsafe bool
}

// at notes that a step begins.
func (s *session) at(step Step) {
	s.step = step
	fault(step)
}

// fail says why nothing was installed.
func (s *session) fail(err error) *Error {
	if s.unsafe || errors.Is(err, ErrEarlyExec) {
		s.process.kill()
	}
	if seccomp := (*SeccompError)(nil); errors.Is(err, unix.ESRCH) && !errors.As(err, &seccomp) {
		err = ErrGone // what a ptrace request says of a stopped thread that was killed
	}
	failure := &Error{Step: s.step, Err: err}
	if s.order != nil {
		failure.PID = s.order.pid
	}
	return failure
}

func (s *session) serve(message []byte) error {
	s.at(StepRequest)
	s.begin = time.Now()
	var err error
	if s.order, err = decodeOrder(message); err != nil {
		return err
	}
	return s.install(pidfdFD)
}

// install installs into the process that pidfd refers to, and waits.
func (s *session) install(pidfd int) error {
	deadline.Set(deadline.Limit)
	s.at(StepIdentify)
	var err error
	if s.process, err = openProcess(s.order.pid, pidfd); err != nil {
		return err
	}
	if s.order.container != 0 {
		return s.followCaller()
	}
	return s.installInit()
}

// installInit installs into a container's init. Hooks that init runs itself
// (createContainer, startContainer) are its children and have its filter;
// natively the former are not filtered and the latter are. The difference is in
// their root, which changes between the two (pivot_root).
func (s *session) installInit() error {
	p, r := s.process, &s.order.Request
	if err := p.identify(r, 0); err != nil {
		return err
	}
	root, err := p.root()
	if err != nil {
		return err
	}
	if err := s.seize(); err != nil {
		return err
	}
	// What was identified could have executed another program until it was
	// seized. From here on that cannot go unseen.
	s.unsafe = s.mode == ModeSuspend
	s.at(StepConfirm)
	if err := p.identify(r, unix.Gettid()); err != nil {
		return err
	}
	s.result.Seize = time.Since(s.begin)
	if r.Dispatch != nil {
		if err := s.probeDispatch(); err != nil {
			return err
		}
	}
	s.stays = func(pid int) bool {
		if pid == p.pid {
			return false
		}
		now, err := rootOf(pid)
		return err == nil && now == root
	}
	if s.mode == ModeSuspend {
		if err := s.suspend(); err != nil {
			return err
		}
	} else if err := s.report(-1); err != nil {
		return err
	}
	return s.wait()
}

// followCaller follows the caller, which is going to attach the filter itself and to
// execute a runtime. The runtime's own processes execute programs in the
// caller's mount namespace; whoever does so in another is in the container.
func (s *session) followCaller() error {
	host, err := mountsOf(s.order.pid)
	if err != nil {
		return err
	}
	container, err := mountsOf(s.order.container)
	if err != nil {
		return fmt.Errorf("container's init, process %d: %w", s.order.container, err)
	}
	if container == host {
		return ErrHostMounts
	}
	if err := s.seize(); err != nil {
		return err
	}
	s.result.Seize = time.Since(s.begin)
	s.stays = func(pid int) bool {
		now, err := mountsOf(pid)
		if err != nil || now != host {
			return false
		}
		if s.doubtful(pid, host) {
			_ = unix.Kill(pid, unix.SIGKILL) // it is stopped, so the number is its own
		}
		return true
	}
	if err := s.report(-1); err != nil {
		return err
	}
	return s.wait()
}

// doubtful reports whether a process that has executed a program in the host's
// mount namespace might not be the runtime's own: the container's init has gone
// there, or is not to be seen, or the process is among the container's processes.
func (s *session) doubtful(pid int, host fileID) bool {
	container, err := mountsOf(s.order.container)
	if err != nil || container == host {
		return true
	}
	own, err := processesOf(unix.Getpid())
	if err != nil {
		return true
	}
	its, err := processesOf(pid)
	return err != nil || its != own
}

// seize attaches to every thread of the process, and chooses the mode.
func (s *session) seize() error {
	s.at(StepSeize)
	s.mode = ModeSuspend
	s.options = suspended
	if s.order.Dispatch != nil {
		// A filter that is attached goes live if this process dies; a dispatch
		// that is not armed yet would be lost.
		s.options |= guarded
	}
	var err error
	s.result.Threads, err = s.seizeAll(s.process, s.options)
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	// Is it the suspending that is refused, or all of it?
	s.mode = ModeExec
	possible := s.order.NoNewPrivileges && !s.order.Filter.Listens()
	options := uintptr(follow)
	if possible {
		options = guarded
	}
	var plain error
	s.result.Threads, plain = s.seizeAll(s.process, options)
	if plain == nil && !possible {
		return refusal(err, &s.order.Filter)
	}
	return plain
}

// suspend attaches the filter while init is still the runtime, which neither
// has given its capabilities away nor feels the filter, and waits.
func (s *session) suspend() error {
	p, f := s.process, &s.order.Filter
	s.at(StepStop)
	attaching := time.Now()
	tid, err := s.stopOne()
	if err != nil {
		return err
	}
	// While the thread has strange registers, and until the kernel has
	// confirmed the filter, init must not outlive this process.
	if err := setOptions(tid, suspended|guarded); err != nil {
		return err
	}
	in, err := s.inject(p, tid)
	if err != nil {
		return err
	}
	done, err := in.attach(p, f, s.at)
	if err != nil {
		return err
	}
	listener, refused := f.outcome(done.result, done.errno)
	if refused == nil && f.Listens() {
		s.at(StepListener)
		if listener, err = in.takeListener(p, listener); err != nil {
			return err
		}
	}
	s.at(StepRestore)
	if err := in.end(); err != nil {
		return err
	}
	stopped, err := s.settle(tid)
	if err != nil {
		return err
	}
	if refused == nil {
		s.at(StepVerify)
		if s.result.Threads, err = p.verify(tid, f); err != nil {
			return err
		}
		s.result.Attach = time.Since(attaching)
		if err := s.report(listener); err != nil {
			return err
		}
	}
	// From the answer on another thread may execute the container's program,
	// which ends this one (fs/exec.c, de_thread), and its options with it. Then
	// it is ESRCH, and the exec is reported next.
	if err := setOptions(tid, s.options); err != nil && err != unix.ESRCH {
		return err
	}
	s.unsafe = false
	if err := stopped.pass(); err != nil && err != unix.ESRCH {
		return err
	}
	if refused != nil {
		s.step = StepAttach
	}
	return refused
}

// stopOne stops one thread of init: the first, unless that has ended.
func (s *session) stopOne() (tid int, err error) {
	if err := s.interrupt(s.process.pid); err != unix.ESRCH {
		return s.process.pid, err
	}
	tids, _, err := s.process.threads()
	if err != nil {
		return 0, err
	}
	for _, tid := range tids {
		if err := s.interrupt(tid); err != unix.ESRCH {
			return tid, err
		}
	}
	return 0, ErrGone
}

// probeDispatch finds out whether the dispatch can be armed at the exec, when the
// runtime has long said that the container is created.
func (s *session) probeDispatch() error {
	s.at(StepProbe)
	tid, err := s.stopOne()
	if err != nil {
		return err
	}
	// The thread does not run in between.
	for _, d := range []Dispatch{{On: true, Area: Area{0, addressSpace}}, {}} {
		if err := d.arm(tid); err != nil {
			return err
		}
	}
	stopped, err := s.settle(tid)
	if err != nil {
		return err
	}
	return stopped.pass()
}

// report delivers the result.
func (s *session) report(listener int) error {
	s.at(StepReport)
	s.result.Mode = s.mode
	return s.deliver(&s.result, listener)
}

// takeListener moves the listener from the tracee to this process.
func (in *injection) takeListener(p *process, fd int) (int, error) {
	listener, err := unix.PidfdGetfd(p.pidfd, fd, 0)
	if err != nil {
		return -1, fmt.Errorf("pidfd_getfd of the listener: %w", err)
	}
	r, err := in.call(in.abi.numbers.close, uint64(fd))
	if err == nil && errno(r) != 0 {
		err = fmt.Errorf("close of the listener in thread %d: %w", in.tid, errno(r))
	}
	if err != nil {
		unix.Close(listener)
		return -1, err
	}
	return listener, nil
}
