//go:build linux

package orphan

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// self is this executable, by a name that another program cannot use.
const self = "/proc/self/exe"

// spawn starts the process by the program of spawn/, which is executed from
// memory, so that it needs no place on a disk. It reports false where that
// cannot be done: on other architectures, and where the administrator does not
// let memory be executed (vm.memfd_noexec, Linux 6.3, or a security module).
func spawn(path string, argv, env []string, files []int) (started bool, err error) {
	if spawner == nil {
		return false, nil
	}
	program, err := spawnerFile(len(files))
	if err != nil {
		return false, nil // there is another way, and what is wrong may be wrong with this one alone
	}
	defer unix.Close(program)
	const closed = ^uintptr(0)
	descriptors := []uintptr{closed, closed, closed}
	for _, fd := range files {
		descriptors = append(descriptors, uintptr(fd))
	}
	if path == self {
		executable, err := unix.Open(self, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return false, nil // as above
		}
		defer unix.Close(executable)
		descriptors[0], path = uintptr(executable), "/proc/self/fd/0"
	}
	pid, err := syscall.ForkExec(descriptorPath(program), append([]string{"spawn", path}, argv...), &syscall.ProcAttr{
		Env:   env,
		Files: descriptors,
	})
	if err != nil {
		return false, nil // as above
	}
	return true, reap(pid)
}

// spawnerFile returns a descriptor of the program, above those that n files
// become.
func spawnerFile(n int) (int, error) {
	fd, err := unix.MemfdCreate("spawn", unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 all can be executed
		fd, err = unix.MemfdCreate("spawn", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	if written, err := unix.Write(fd, spawner); err != nil || written != len(spawner) {
		return -1, fmt.Errorf("%d bytes written: %w", written, err)
	}
	return above(fd, n)
}

func descriptorPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }
