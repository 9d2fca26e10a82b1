package bpf

import "testing"

func TestReturnString(t *testing.T) {
	for r, want := range map[Return]string{
		0x80000000: "KILL_PROCESS",
		0x00000000: "KILL_THREAD",
		0x00000007: "KILL_THREAD(7)",
		0x00030000: "TRAP",
		0x00030005: "TRAP(5)",
		0x00050000: "ERRNO(0)", // makes the call return 0 without doing it
		0x00050026: "ERRNO(38)",
		0x0005ffff: "ERRNO(65535)",
		0x7fc00000: "USER_NOTIF",
		0x7ff00000: "TRACE",
		0x7ff00010: "TRACE(16)",
		0x7ffc0000: "LOG",
		0x7fff0000: "ALLOW",
		0x7fff0007: "ALLOW(7)",
		0x00010000: "UNKNOWN(0x00010000)",
		0xffffffff: "UNKNOWN(0xffffffff)",
	} {
		if got := r.String(); got != want {
			t.Errorf("%#08x: got %q, want %q", uint32(r), got, want)
		}
	}
}

func TestReturnParts(t *testing.T) {
	r := Errno(38)
	if r != 0x00050026 || r.Action() != RetErrno || r.Data() != 38 {
		t.Errorf("Errno(38) = %#x, action %#x, data %d", uint32(r), uint32(r.Action()), r.Data())
	}
}

// The kernel takes, of several filters' returns, the lowest action as a signed
// number (kernel/seccomp.c, ACTION_ONLY); the constants are in that order.
func TestActionsAreInPrecedence(t *testing.T) {
	order := []Return{RetKillProcess, RetKillThread, RetTrap, RetErrno, RetUserNotif, RetTrace, RetLog, RetAllow}
	for i := 1; i < len(order); i++ {
		if int32(order[i-1]) >= int32(order[i]) {
			t.Errorf("%v does not win over %v", order[i-1], order[i])
		}
	}
}
