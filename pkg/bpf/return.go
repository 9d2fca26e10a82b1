package bpf

import (
	"cmp"
	"fmt"
)

// Return is the 32-bit value a filter returns: an action in the upper half,
// data for it in the lower half (seccomp(2), <linux/seccomp.h>).
type Return uint32

// Actions, from the one that wins over all others to the one that loses to
// all. KILL_PROCESS wins because the kernel compares them as signed numbers.
const (
	RetKillProcess Return = 0x80000000
	RetKillThread  Return = 0x00000000
	RetTrap        Return = 0x00030000 // data: si_errno
	RetErrno       Return = 0x00050000 // data: the errno, at most 4095
	RetUserNotif   Return = 0x7fc00000
	RetTrace       Return = 0x7ff00000 // data: PTRACE_GETEVENTMSG
	RetLog         Return = 0x7ffc0000
	RetAllow       Return = 0x7fff0000

	ActionMask Return = 0xffff0000 // SECCOMP_RET_ACTION_FULL
	DataMask   Return = 0x0000ffff // SECCOMP_RET_DATA
)

// Errno returns the action that makes a call fail with errno n.
func Errno(n uint16) Return { return RetErrno | Return(n) }

// Action returns r without its data.
func (r Return) Action() Return { return r & ActionMask }

// Data returns the action's data.
func (r Return) Data() uint16 { return uint16(r & DataMask) }

// Milder is positive where r allows more than s by the kernel's precedence of
// actions (kernel/seccomp.c, ACTION_ONLY: signed numbers), negative where it
// allows less, and 0 where both have the same action.
func (r Return) Milder(s Return) int {
	return cmp.Compare(int32(r.Action()), int32(s.Action()))
}

var actionNames = map[Return]string{
	RetKillProcess: "KILL_PROCESS",
	RetKillThread:  "KILL_THREAD",
	RetTrap:        "TRAP",
	RetErrno:       "ERRNO",
	RetUserNotif:   "USER_NOTIF",
	RetTrace:       "TRACE",
	RetLog:         "LOG",
	RetAllow:       "ALLOW",
}

// String returns the action's name, with the data in parentheses where the
// action uses it or the data is not 0: "ALLOW", "ERRNO(1)", "ALLOW(7)".
// A value that is no action of the kernel's is "UNKNOWN(0x12345678)"; the
// kernel kills the process on it.
func (r Return) String() string {
	name, known := actionNames[r.Action()]
	switch {
	case !known:
		return fmt.Sprintf("UNKNOWN(%#08x)", uint32(r))
	case r.Data() != 0 || r.Action() == RetErrno:
		return fmt.Sprintf("%s(%d)", name, r.Data())
	default:
		return name
	}
}
