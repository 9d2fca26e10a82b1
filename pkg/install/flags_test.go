//go:build linux

package install

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

func TestParseFlags(t *testing.T) {
	fallback := Flags(0)
	if SpecAllow.Available() {
		fallback = SpecAllow
	}
	for _, tt := range []struct {
		names []string
		want  Flags
		err   string
	}{
		{nil, fallback, ""},
		{[]string{}, 0, ""},
		{[]string{"SECCOMP_FILTER_FLAG_TSYNC"}, TSync, ""},
		{[]string{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"}, Log | SpecAllow, ""},
		{[]string{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_LOG"}, Log, ""},
		{[]string{"SECCOMP_FILTER_FLAG_NEW_LISTENER"}, 0, "unknown flag"},
		{[]string{"seccomp_filter_flag_log"}, 0, "unknown flag"},
		{[]string{""}, 0, "unknown flag"},
	} {
		got, err := ParseFlags(tt.names)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: %v, %v; want %v, %q", tt.names, got, err, tt.want, tt.err)
		}
	}
}

// The probes answer what the kernel's version says, and change nothing.
func TestAvailable(t *testing.T) {
	before := self("Seccomp_filters")
	defer func() {
		if after := self("Seccomp_filters"); after != before {
			t.Errorf("%s filters, before %s", after, before)
		}
	}()
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		t.Fatal(err)
	}
	release := unix.ByteSliceToString(uts.Release[:])
	for _, f := range []Flags{TSync, Log, SpecAllow, NewListener, TSync | NewListener, WaitKillableRecv} {
		t.Logf("%s: %s: %v", release, f, f.Available())
	}
	if !TSync.Available() || !Log.Available() {
		t.Error("flags of Linux 4.14 are not there")
	}
	if Flags(1 << 30).Available() {
		t.Error("a flag that no kernel has is there")
	}
	if !ActionAvailable(bpf.Errno(7)) || !ActionAvailable(bpf.RetKillThread) || ActionAvailable(0x12340000) {
		t.Error("actions")
	}
	names := OCIFlags()
	if !slices.Contains(names, "SECCOMP_FILTER_FLAG_TSYNC") || slices.Contains(names, "SECCOMP_FILTER_FLAG_NEW_LISTENER") {
		t.Errorf("OCI flags %q", names)
	}
}
