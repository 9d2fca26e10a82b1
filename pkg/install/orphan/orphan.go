//go:build linux

package orphan

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FirstFile is the descriptor that the first of Start's files becomes.
const FirstFile = 3

// Start executes a program in a session of its own, without standard input and
// output, and with files as descriptors FirstFile and on; it has no other
// descriptor of the caller's that is not inheritable. The error says that
// there is no such process. That path cannot be executed is not among them:
// the process then ends with status 1, which the caller learns by its files.
//
// Another Go process in between would do that too, and cost two milliseconds;
// here it is a program that does nothing else, or two fork(2)s.
func Start(path string, argv, env []string, files ...int) error {
	// Above the descriptors that they become.
	moved := make([]int, 0, len(files))
	defer func() {
		for _, fd := range moved {
			unix.Close(fd)
		}
	}()
	for _, fd := range files {
		duplicate, err := above(fd, len(files))
		if err != nil {
			return err
		}
		moved = append(moved, duplicate)
	}
	started, err := spawn(path, argv, env, moved)
	if !started && err == nil {
		err = fork(path, argv, env, moved)
	}
	return err
}

// above duplicates a descriptor to one above all that n files become.
func above(fd, n int) (int, error) {
	duplicate, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, FirstFile+n)
	return duplicate, os.NewSyscallError("fcntl", err)
}

// fork starts the process by forking this one twice.
func fork(path string, argv, env []string, files []int) error {
	path0, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	argv0, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	env0, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
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
	child, errno := forkTwice(path0, &argv0[0], &env0[0], files, &old)
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, unsafe.Sizeof(old), 0, 0)
	syscall.ForkLock.Unlock()
	if errno != 0 {
		return os.NewSyscallError("clone", errno)
	}
	return reap(int(child))
}

// reap waits for the process in between, whose exit status is an errno.
func reap(pid int) error {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("wait4", err)
		case status.Signaled():
			return fmt.Errorf("fork: the process in between was ended by a signal: %s", status.Signal())
		case status.ExitStatus() != 0:
			return fmt.Errorf("fork: %w", unix.Errno(status.ExitStatus()))
		}
		return nil
	}
}

// signalMask is the kernel's sigset_t.
type signalMask uint64

// forkTwice forks a child that forks the process and ends, with an errno as
// status. In the forks this is the only goroutine and the only thread, with a
// copy of the memory: they make raw system calls and nothing else, neither
// growing a stack nor allocating, as in syscall.forkAndExecInChild1.
//
//go:norace
//go:nosplit
//go:noinline
func forkTwice(path *byte, argv, env **byte, files []int, mask *signalMask) (uintptr, unix.Errno) {
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
	var failed unix.Errno
	for i, fd := range files {
		if _, _, errno := unix.RawSyscall(unix.SYS_DUP3, uintptr(fd), uintptr(FirstFile+i), 0); errno != 0 {
			failed = errno
		}
	}
	if failed == 0 {
		// Not the caller's output, which someone may read to its end. The Go
		// runtime opens /dev/null in their place.
		for fd := range uintptr(FirstFile) {
			_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
		}
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(mask)), 0, unsafe.Sizeof(*mask), 0, 0)
		_, _, _ = unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(argv)), uintptr(unsafe.Pointer(env)))
	}
	for {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
	}
}
