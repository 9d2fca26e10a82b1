package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What crun reads in the place of linux.seccomp denies all calls without the program,
// or there is nothing in its place.
func TestDenying(t *testing.T) {
	for seccomp, want := range map[string]string{
		`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 7, "flags": ["SECCOMP_FILTER_FLAG_LOG"], "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`: `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":7,"flags":["SECCOMP_FILTER_FLAG_LOG"]}`,
		`{"defaultAction": "SCMP_ACT_KILL_PROCESS"}`:                                                                        `{"defaultAction":"SCMP_ACT_KILL_PROCESS"}`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO"}]}`:                "",
		`{"defaultAction": "SCMP_ACT_LOG"}`:                                                                                 "",
		`{"defaultaction": "SCMP_ACT_ERRNO"}`:                                                                               "", // crun would not read it
		`{"defaultAction": "SCMP_ACT_ALLOW", "DefaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": [], "action": ""}]}`: "",
	} {
		if got := string(denying([]byte(seccomp))); got != want {
			t.Errorf("%s: %s, want %s", seccomp, got, want)
		}
	}
}

// A crun is known by what is in its file, and otherwise asked for its version.
func TestTakesProgram(t *testing.T) {
	const annotation, seccomp = "\x00run.oci.seccomp_bpf_data\x00", "\x00+SECCOMP \x00"
	says := func(text string) string { return "#!/bin/sh\ncat <<END\n" + text + "\nEND\n" }
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"its own file", "\x7fELF" + seccomp + annotation, true},
		{"in two pieces", "\x7fELF" + strings.Repeat("x", 1<<16-20) + annotation + strings.Repeat("x", 1<<16-30) + seccomp, true},
		{"without seccomp", "\x7fELF" + annotation, false},
		{"without the annotation", "\x7fELF" + seccomp, false},
		{"a longer annotation", "\x7fELF" + seccomp + "\x00run.oci.seccomp_bpf_data_file\x00", false},
		{"no program", seccomp + annotation, false},
		{"empty", "", false},
		{"a script before the oldest", says("crun version 0.18\ncommit: x\n+SYSTEMD +SECCOMP +EBPF"), true},
		{"a script before another", says("crun version 1.20.rc1\n+SECCOMP"), true},
		{"too old", says("crun version 0.17\n+SECCOMP"), false},
		{"asked, without seccomp", says("crun version 1.8.1\n+SYSTEMD -SECCOMP"), false},
		{"another program", says("runc version 1.8.1\n+SECCOMP"), false},
		{"a script with the strings", says("runc version 1\n" + "run.oci.seccomp_bpf_data +SECCOMP "), false},
	} {
		path := filepath.Join(t.TempDir(), "crun")
		if err := os.WriteFile(path, []byte(c.text), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := takesProgram(path); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
