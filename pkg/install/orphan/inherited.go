//go:build linux

package orphan

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// CloseInherited closes the descriptors from first on that this process was
// started with. They are the ones that are not close-on-exec, as the Go runtime
// makes those that it opens itself: its poller (which it may need before main
// begins, and does not survive the loss of), and the limits of its cgroup. So
// it is for a process that has opened none itself yet; close_range(2) would
// close all.
func CloseInherited(first int) error {
	const path = "/proc/self/fd"
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if closeErr := dir.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if fd < first {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == unix.EBADF { // the directory's own
			continue
		}
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		if flags&unix.FD_CLOEXEC == 0 {
			if err := unix.Close(fd); err != nil {
				return os.NewSyscallError("close", err)
			}
		}
	}
	return nil
}
