//go:build linux

package install

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Every pointer below becomes a uintptr inside the system call's own
// expression: a goroutine's stack may move at any other point.

// seize attaches to a thread without stopping it.
func seize(tid int, options uintptr) error {
	return control(unix.PTRACE_SEIZE, tid, 0, options)
}

// control makes a ptrace request whose arguments are numbers.
func control(request, tid int, addr, data uintptr) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// resume continues a stopped thread; request is PTRACE_CONT, PTRACE_SYSCALL,
// PTRACE_LISTEN or PTRACE_DETACH.
func resume(request, tid int, signal unix.Signal) error {
	return control(request, tid, 0, uintptr(signal))
}

// setOptions replaces the PTRACE_O_* options of a stopped thread.
func setOptions(tid int, options uintptr) error {
	return control(unix.PTRACE_SETOPTIONS, tid, 0, options)
}

// ntPRStatus selects the general-purpose registers (NT_PRSTATUS).
const ntPRStatus = 1

// getRegisters reads a stopped thread's registers. Their size tells the ABI
// that the thread is in: on x86_64 a 32-bit thread has the i386 layout, which
// PTRACE_GETREGS would not say.
func getRegisters(tid int, r *registers) error {
	iov := unix.Iovec{Base: &r.raw[0]}
	iov.SetLen(len(r.raw))
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(tid), ntPRStatus, uintptr(unsafe.Pointer(&iov)), 0, 0); errno != 0 {
		return errno
	}
	r.size = int(iov.Len)
	return nil
}

func setRegisters(tid int, r *registers) error {
	return setRegisterSet(tid, ntPRStatus, r.raw[:r.size])
}

func setRegisterSet(tid int, set uintptr, raw []byte) error {
	iov := unix.Iovec{Base: &raw[0]}
	iov.SetLen(len(raw))
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGSET, uintptr(tid), set, uintptr(unsafe.Pointer(&iov)), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// signalMask is the kernel's sigset_t: 64 signals on every architecture that
// this package knows.
type signalMask uint64

func getSignalMask(tid int) (signalMask, error) {
	var m signalMask
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGMASK, uintptr(tid), unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m)), 0, 0); errno != 0 {
		return 0, errno
	}
	return m, nil
}

func setSignalMask(tid int, m signalMask) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETSIGMASK, uintptr(tid), unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m)), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// callResult is what PTRACE_GET_SYSCALL_INFO (Linux 5.3) says at a
// syscall-exit stop: the same on every architecture, unlike the registers.
type callResult struct {
	op    uint8
	_     [3]uint8
	arch  uint32
	ip    uint64
	sp    uint64
	value int64
	fails uint8
	_     [7]uint8
	_     [6]uint64 // room for the entry form, which is longer
}

func getCallResult(tid int) (callResult, error) {
	var r callResult
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(r), uintptr(unsafe.Pointer(&r)), 0, 0); errno != 0 {
		return callResult{}, errno
	}
	return r, nil
}

// filterLength returns the number of instructions of a stopped thread's
// filter; index 0 is its oldest. Past the newest the error is ENOENT, without
// any filter EINVAL. Needs CAP_SYS_ADMIN in the initial user namespace and a
// tracer without seccomp, as suspending does.
func filterLength(tid, index int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SECCOMP_GET_FILTER, uintptr(tid), uintptr(index), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// readFilter reads a stopped thread's filter as the raw struct sock_filter
// array that was given to the kernel; n is its filterLength.
func readFilter(tid, index, n int) ([]byte, error) {
	raw := make([]byte, n*int(unsafe.Sizeof(unix.SockFilter{})))
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SECCOMP_GET_FILTER, uintptr(tid), uintptr(index), uintptr(unsafe.Pointer(&raw[0])), 0, 0)
	runtime.KeepAlive(raw)
	if errno != 0 {
		return nil, errno
	}
	return raw, nil
}

// stop is one answer of wait4(2) about a tracee.
type stop struct {
	tid    int
	status unix.WaitStatus
}

// await waits for the next stop or the end of one thread, or of any traced by
// this thread where tid is -1.
func await(tid int) (stop, error) {
	for {
		var s stop
		var err error
		// __WNOTHREAD: another thread's tracees and children are its own.
		s.tid, err = unix.Wait4(tid, &s.status, unix.WALL|unix.WNOTHREAD, nil)
		if err != unix.EINTR {
			return s, err
		}
	}
}

// ended reports whether the thread is no more.
func (s stop) ended() bool { return s.status.Exited() || s.status.Signaled() }

// event returns the PTRACE_EVENT_* of the stop, or 0.
func (s stop) event() int { return int(s.status >> 16) }

// signal returns the signal that the thread was stopped with.
func (s stop) signal() unix.Signal { return unix.Signal(s.status.StopSignal()) }

// groupStop reports whether the whole process was stopped by SIGSTOP, SIGTSTP,
// SIGTTIN or SIGTTOU.
func (s stop) groupStop() bool {
	return s.event() == unix.PTRACE_EVENT_STOP && s.signal() != unix.SIGTRAP
}

// call reports whether the stop is one at the entry or the exit of a system
// call (PTRACE_O_TRACESYSGOOD).
func (s stop) call() bool { return s.event() == 0 && s.signal() == unix.SIGTRAP|0x80 }

// delivery returns the signal that is about to be delivered to the thread, or
// 0 where the stop has another cause.
func (s stop) delivery() unix.Signal {
	if s.event() != 0 || s.call() {
		return 0
	}
	return s.signal()
}

// pass lets a thread go on from a stop that is none of the tracer's business,
// as if nobody traced it: signals are delivered, a process that was stopped
// stays so (PTRACE_LISTEN) until SIGCONT.
func (s stop) pass() error {
	if s.groupStop() {
		return resume(unix.PTRACE_LISTEN, s.tid, 0)
	}
	return resume(unix.PTRACE_CONT, s.tid, s.delivery())
}
