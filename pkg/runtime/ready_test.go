package runtime

import "testing"

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
