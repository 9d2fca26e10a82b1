//go:build linux

package install

import (
	"os"
	"slices"
	"testing"
)

// Root of the host can suspend; others get a reason.
func TestModes(t *testing.T) {
	modes, err := Modes()
	if !slices.Contains(modes, ModeExec) {
		t.Fatalf("%v, %v", modes, err)
	}
	switch suspends := slices.Contains(modes, ModeSuspend); {
	case suspends != (err == nil):
		t.Errorf("%v, %v", modes, err)
	case suspends && modes[0] != ModeSuspend:
		t.Errorf("%v", modes)
	case suspends && os.Geteuid() != 0:
		t.Errorf("%v without CAP_SYS_ADMIN", modes)
	}
}
