// Package attached reads the seccomp filters of a thread back from the kernel.
// The thread must be stopped by the caller's own ptrace, and the caller needs
// CAP_SYS_ADMIN in the initial user namespace and no filter of its own.
//
// Filter 0 of a thread is its oldest. Past the newest the error is ENOENT;
// EINVAL where there is none at all.
package attached
