//go:build linux

package live

import (
	"math"
	"os"
	"os/exec"
	"testing"

	"seccomp-hook/pkg/install"
)

func TestDescribeDispatch(t *testing.T) {
	for _, tt := range []struct {
		dispatch install.Dispatch
		want     string
	}{
		{install.Dispatch{On: true, Area: install.Area{Start: 0x401000, End: 0x402000}}, "calls pass from 00401000-00402000"},
		{install.Dispatch{On: true, Area: install.Area{Start: 0x402000, End: 0x401000}}, "calls pass from all but 00401000-00402000"},
		{install.Dispatch{On: true, Area: install.Area{Start: 1, End: math.MaxUint64}, Selector: 0x1234},
			"calls pass from 00000001-ffffffffffffffff, and from anywhere while the byte at 0x1234 says so"},
	} {
		if got := describe(tt.dispatch).String(); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.dispatch, got, tt.want)
		}
	}
}

// A process without a dispatch has none, whatever the kernel's age.
func TestNoDispatch(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	if os.Geteuid() != 0 {
		t.Skip("the programs of a process are root's to read")
	}
	if _, dispatch, err := inspectStopped(cmd.Process.Pid); err != nil || dispatch != nil {
		t.Errorf("%v, %v", dispatch, err)
	}
}
