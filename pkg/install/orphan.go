//go:build linux

package install

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// startOrphan starts an installer process that is a grandchild of this one and
// whose parent has ended: it belongs to the nearest subreaper or to the
// system's init. Another Go process in between would do that too, and cost a
// millisecond; here it is two fork(2)s.
func startOrphan(command Command, socket, pidfd int) error {
	path, err := unix.BytePtrFromString(command.path())
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings([]string{Arg0})
	if err != nil {
		return err
	}
	envv, err := syscall.SlicePtrFromStrings(command.environment())
	if err != nil {
		return err
	}
	// Above the descriptors that they become.
	if socket, err = unix.FcntlInt(uintptr(socket), unix.F_DUPFD_CLOEXEC, 2*pidfdFD); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	defer unix.Close(socket)
	if pidfd, err = unix.FcntlInt(uintptr(pidfd), unix.F_DUPFD_CLOEXEC, 2*pidfdFD); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	defer unix.Close(pidfd)

	// No signal may reach a fork: its Go runtime has no other thread. The
	// lock is os/exec's against descriptors that are not close-on-exec yet.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	syscall.ForkLock.Lock()
	all, old := ^signalMask(0), signalMask(0)
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(all), 0, 0)
	if errno != 0 {
		syscall.ForkLock.Unlock()
		return os.NewSyscallError("rt_sigprocmask", errno)
	}
	child, errno := forkTwice(path, &argv[0], &envv[0], socket, pidfd, &old)
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, unsafe.Sizeof(old), 0, 0)
	syscall.ForkLock.Unlock()
	if errno != 0 {
		return os.NewSyscallError("clone", errno)
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(int(child), &status, 0, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("wait4", err)
		case status.ExitStatus() != 0:
			return fmt.Errorf("fork: %w", unix.Errno(status.ExitStatus()))
		}
		return nil
	}
}

// forkTwice forks a child that forks the installer and ends, with an errno as
// status. In the forks this is the only goroutine and the only thread, with a
// copy of the memory: they make raw system calls and nothing else, neither
// growing a stack nor allocating, as in syscall.forkAndExecInChild1.
//
//go:norace
//go:nosplit
//go:noinline
func forkTwice(path *byte, argv, envv **byte, socket, pidfd int, mask *signalMask) (uintptr, unix.Errno) {
	child, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || child != 0 {
		return child, errno
	}
	grandchild, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || grandchild != 0 {
		for {
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
		}
	}
	_, _, _ = unix.RawSyscall(unix.SYS_SETSID, 0, 0, 0)
	_, _, e1 := unix.RawSyscall(unix.SYS_DUP3, uintptr(socket), socketFD, 0)
	_, _, e2 := unix.RawSyscall(unix.SYS_DUP3, uintptr(pidfd), pidfdFD, 0)
	if e1 == 0 && e2 == 0 {
		// Not the caller's output, which someone may read to its end. The Go
		// runtime opens /dev/null in their place.
		for fd := range uintptr(3) {
			_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
		}
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(mask)), 0, unsafe.Sizeof(*mask), 0, 0)
		_, _, _ = unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(argv)), uintptr(unsafe.Pointer(envv)))
	}
	// The caller learns it from the socket, which closes.
	for {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
	}
}
