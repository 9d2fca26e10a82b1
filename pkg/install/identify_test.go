//go:build linux

package install

import "testing"

func TestRuntimeName(t *testing.T) {
	for _, tt := range []struct{ exe, argument0, comm, want string }{
		// Seen with runc 1.1.5 and 1.5.2 and crun 1.8.1.
		{"/", "/usr/sbin/runc", "runc:[2:INIT]", "runc"},
		{"/runc", "/usr/local/bin/runc", "runc:[2:INIT]", "runc"},
		{"/", "crun", "crun", "crun"},
		// Their other ways to protect their file.
		{"/memfd:runc_cloned:/proc/self/exe (deleted)", "runc", "runc:[2:INIT]", "runc"},
		{"/memfd:crun_cloned:/proc/self/exe (deleted)", "/usr/bin/crun", "3", "crun"},
		{"/run/runc/#1234 (deleted)", "docker-runc", "runc:[2:INIT]", "runc"},
		{"/run/runc/runc.x8Hs9Z (deleted)", "/usr/bin/runc", "runc:[2:INIT]", "runc"},
		{"/usr/sbin/runc (deleted)", "/usr/sbin/runc", "runc:[2:INIT]", "runc"}, // upgraded meanwhile
		{"/usr/bin/crun", "crun", "crun", "crun"},
		// What must not pass for one of them.
		{"/usr/bin/runsc", "runc", "runc:[2:INIT]", "runsc"},
		{"/usr/bin/bash", "/usr/sbin/runc", "runc", "bash"},
		{"/", "krun", "krun", "krun"}, // crun by the name that runs a virtual machine
		{"/memfd:payload (deleted)", "runc", "runc:[2:INIT]", "payload"},
		{"/", "", "", "."},
	} {
		got := runtimeName(tt.exe, tt.argument0, tt.comm)
		if got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
