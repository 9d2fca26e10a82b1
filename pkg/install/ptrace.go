//go:build linux

package install

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Every pointer below becomes a uintptr inside the system call's own
// expression: a goroutine's stack may move at any other point.

// seize attaches to a thread without stopping it. It can take as long as an exec of
// the process takes; other goroutines run meanwhile.
func seize(tid int, options uintptr) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, options, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// control makes a ptrace request whose only argument is a number.
func control(request, tid int, data uintptr) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// resume continues a stopped thread; request is PTRACE_CONT, PTRACE_SYSCALL,
// PTRACE_LISTEN or PTRACE_DETACH.
func resume(request, tid int, signal unix.Signal) error {
	return control(request, tid, uintptr(signal))
}

// setOptions replaces the PTRACE_O_* options of a stopped thread.
func setOptions(tid int, options uintptr) error {
	return control(unix.PTRACE_SETOPTIONS, tid, options)
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
