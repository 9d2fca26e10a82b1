//go:build linux

package attached

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// Length returns the number of instructions of a filter, as it was installed.
func Length(tid, index int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SECCOMP_GET_FILTER, uintptr(tid), uintptr(index), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Program returns a filter as it was installed.
func Program(tid, index int) (bpf.Program, error) {
	n, err := Length(tid, index)
	if err != nil {
		return nil, err
	}
	p := make(bpf.Program, n) // bpf.Instruction is struct sock_filter
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SECCOMP_GET_FILTER, uintptr(tid), uintptr(index), uintptr(unsafe.Pointer(unsafe.SliceData(p))), 0, 0)
	runtime.KeepAlive(p)
	if errno != 0 {
		return nil, errno
	}
	return p, nil
}
