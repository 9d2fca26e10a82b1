//go:build linux

package live

import "errors"

// Why the kernel could not be read. Errors of this package wrap one of them, or
// an errno.
var (
	// ErrKernelTooOld: the kernel has no BPF iterator for a single thread
	// (Linux 6.1), or no cache of constant actions (5.11).
	ErrKernelTooOld = errors.New("the kernel is too old")
	// ErrNoBTF: the kernel does not describe its types in
	// /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF).
	ErrNoBTF = errors.New("the kernel has no BTF")
	// ErrPermission: the caller has not the capabilities it takes. Reading the
	// cache takes CAP_BPF and CAP_PERFMON, reading programs CAP_SYS_ADMIN in
	// the initial user namespace and a caller without filters of its own.
	ErrPermission = errors.New("permission denied")
	// ErrNoThread: there is no such thread.
	ErrNoThread = errors.New("no such thread")
	// ErrTraced: the thread has a tracer already, and there can be only one.
	ErrTraced = errors.New("the thread is traced already")
)
