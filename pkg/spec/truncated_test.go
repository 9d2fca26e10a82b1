package spec

import (
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
)

// TestTakes32 checks the table of narrow arguments: searched by name, so it
// must be sorted, and every name must be a call's.
func TestTakes32(t *testing.T) {
	if !slices.IsSortedFunc(takes32[:], func(a, b narrow) int { return strings.Compare(a.call, b.call) }) {
		t.Error("the table is not sorted")
	}
	for _, n := range takes32 {
		if _, ok := arch.FindCall(n.call); !ok || n.args == 0 || n.args >= 1<<6 || n.signed&^n.args != 0 {
			t.Errorf("%s, arguments %06b", n.call, n.args)
		}
	}
	for _, test := range []struct {
		call        string
		arg         uint8
		low, signed bool
	}{
		{"socket", 0, true, true}, {"socket", 2, true, true}, {"socket", 3, false, false},
		{"ioctl", 1, true, false}, {"ioctl", 2, false, false}, {"mmap", 0, false, false},
		{"openat", 0, true, true}, {"openat", 3, true, false}, {"personality", 0, true, false},
		{"prctl", 0, true, true}, {"clone", 0, true, false}, {"", 0, false, false}, {"zzz", 0, false, false},
	} {
		if low, signed := TakesLow(test.call, test.arg); low != test.low || signed != test.signed {
			t.Errorf("%s, argument %d: %v, %v", test.call, test.arg, low, signed)
		}
	}
}
