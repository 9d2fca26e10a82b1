package decompile

import (
	"fmt"

	"seccomp-hook/pkg/bpf"
)

// highestErrno is the highest that libseccomp takes.
const highestErrno = 4094

// sayable returns the return value that a profile can ask for and that does no
// more than r, and why it is not r; "" where it is.
func sayable(r bpf.Return) (bpf.Return, string) {
	switch r.Action() {
	case bpf.RetErrno:
		if r.Data() > highestErrno {
			return bpf.Errno(highestErrno), fmt.Sprintf("no profile has an errno of %d", r.Data())
		}
		return r, ""
	case bpf.RetTrace:
		return r, ""
	case bpf.RetAllow, bpf.RetLog, bpf.RetTrap, bpf.RetUserNotif, bpf.RetKillProcess, bpf.RetKillThread:
		if r.Data() != 0 {
			return r.Action(), fmt.Sprintf("no profile has data for %s", r.Action())
		}
		return r, ""
	}
	// The kernel's default branch (__seccomp_filter).
	return bpf.RetKillProcess, "it is no action that the kernel knows, which kills the process"
}
