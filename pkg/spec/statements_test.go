package spec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// The tests of this file go through what a profile means, statement by
// statement: each is named after the statement that it holds pkg/spec to.

func archs(t testing.TB, names ...string) []*arch.Arch {
	t.Helper()
	var list []*arch.Arch
	for _, name := range names {
		a, ok := arch.ByName(name)
		if !ok {
			t.Fatalf("no architecture %q", name)
		}
		list = append(list, a)
	}
	return list
}

func mustParse(t testing.TB, text string) *spec.Profile {
	t.Helper()
	p, err := spec.Parse([]byte(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mustResolve resolves a profile for architectures, the native one first.
func mustResolve(t testing.TB, text string, names ...string) *spec.Policy {
	t.Helper()
	policy, err := mustParse(t, text).Resolve(spec.Target{Archs: archs(t, names...)})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// resolveError returns the error of parsing or resolving a profile on x86_64.
func resolveError(t testing.TB, text string) error {
	t.Helper()
	p, err := spec.Parse([]byte(text), "test")
	if err == nil {
		_, err = p.Resolve(spec.Target{Native: archs(t, "x86_64")[0]})
	}
	return err
}

// call returns what a call by name gets, with arguments from the first on.
func call(t testing.TB, p *spec.Policy, archName, name string, args ...uint64) string {
	t.Helper()
	a := archs(t, archName)[0]
	nr, ok := a.Number(name)
	if !ok {
		t.Fatalf("%s has no call %q", archName, name)
	}
	return number(t, p, archName, nr, args...)
}

// number returns what a call by number gets.
func number(t testing.TB, p *spec.Policy, archName string, nr uint32, args ...uint64) string {
	t.Helper()
	d := bpf.Data{Nr: nr, Arch: archs(t, archName)[0].Audit}
	copy(d.Args[:], args)
	return p.Evaluate(&d).String()
}

func expect(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func expectError(t testing.TB, text, want string) {
	t.Helper()
	if err := resolveError(t, text); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error %v, want %q", text, err, want)
	}
}

func expectWarning(t testing.TB, p *spec.Policy, kind spec.WarningKind, rule int) {
	t.Helper()
	for _, w := range p.Warnings {
		if w.Kind == kind && w.Rule == rule {
			return
		}
	}
	t.Errorf("no warning %v of rule %d in %v", kind, rule, p.Warnings)
}

func TestStatement01Disabled(t *testing.T) {
	for _, test := range []struct {
		text             string
		disabled, absent bool
	}{
		{`{"ociVersion": "1.2.0"}`, true, true},
		{`{"ociVersion": "1.2.0", "linux": {}}`, true, true},
		{`{"ociVersion": "1.2.0", "linux": {"seccomp": null}}`, true, true},
		{`{"ociVersion": "1.2.0", "linux": null}`, true, true},
		{`{"ociVersion": "1.2.0", "linux": {"seccomp": {}}}`, true, false},
		{`{"defaultAction": ""}`, true, false},
		{`{"syscalls": []}`, true, false},
		{`{"defaultAction": "", "syscalls": [], "architectures": ["SCMP_ARCH_X86"]}`, true, false},
		{`{"defaultAction": "SCMP_ACT_ALLOW"}`, false, false},
	} {
		p := mustParse(t, test.text)
		if p.Disabled != test.disabled || p.Absent != test.absent {
			t.Errorf("%s: disabled %v, absent %v, want %v, %v",
				test.text, p.Disabled, p.Absent, test.disabled, test.absent)
		}
		if _, err := p.Resolve(spec.Target{Archs: archs(t, "x86_64")}); errors.Is(err, spec.ErrDisabled) != test.disabled {
			t.Errorf("%s: Resolve: %v", test.text, err)
		}
	}
	expectError(t, `{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`, "rules, but no defaultAction")
	expectError(t, `{"defaultAction": "", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`, "rules, but no defaultAction")
}

func TestStatement02Flags(t *testing.T) {
	for _, test := range []struct {
		flags string
		want  spec.Flags
	}{
		{``, spec.Flags{Unset: true}},
		{`, "flags": null`, spec.Flags{Unset: true}},
		{`, "flags": []`, spec.Flags{}},
		{`, "flags": ["SECCOMP_FILTER_FLAG_TSYNC"]`, spec.Flags{}},
		{`, "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]`, spec.Flags{Log: true, SpecAllow: true}},
		{`, "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]`, spec.Flags{WaitKillableRecv: true}},
	} {
		p := mustParse(t, `{"defaultAction": "SCMP_ACT_ALLOW"`+test.flags+`}`)
		if p.Flags != test.want {
			t.Errorf("%q: %+v, want %+v", test.flags, p.Flags, test.want)
		}
	}
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}`,
		`flags[0]: unknown flag "SECCOMP_FILTER_FLAG_NEW_LISTENER"`)
}

func TestStatement03UnknownWords(t *testing.T) {
	expectError(t, `{"defaultAction": "SCMP_ACT_DENY"}`, `line 1, column 19: defaultAction: unknown action "SCMP_ACT_DENY"`)
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_VAX"]}`,
		`architectures[0]: unknown architecture "SCMP_ARCH_VAX"`)
	rule := func(text string) string {
		return `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG"}, ` + text + `]}`
	}
	expectError(t, rule(`{"names": ["read"], "action": "SCMP_ACT_NONE"}`), `syscalls[1].action: unknown action "SCMP_ACT_NONE"`)
	expectError(t, rule(`{"names": ["read"]}`), `syscalls[1]: no action`)
	expectError(t, rule(`{"names": ["read", ""], "action": "SCMP_ACT_LOG"}`), `syscalls[1].names[1]: empty name`)
	arg := func(text string) string {
		return rule(`{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [` + text + `]}`)
	}
	expectError(t, arg(`{"index": 0, "value": 1, "op": "SCMP_CMP_IS"}`), `syscalls[1].args[0].op: unknown operator "SCMP_CMP_IS"`)
	expectError(t, arg(`{"index": 0, "value": 1}`), `syscalls[1].args[0]: no op`)
	expectError(t, arg(`{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}`), `syscalls[1].args[0].index: 6 is out of range, 0 to 5`)
}

func TestStatement04UnknownNames(t *testing.T) {
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["frobnicate", "read"], "action": "SCMP_ACT_ALLOW"}]}`, "x86_64")
	expect(t, "read", call(t, p, "x86_64", "read"), "ALLOW")
	expectWarning(t, p, spec.WarnName, 0)
	if err := p.Warnings.Strict(); !errors.Is(err, spec.ErrStrict) || !strings.Contains(err.Error(), `"frobnicate"`) {
		t.Errorf("strict: %v", err)
	}
}

func TestStatement05NativeArchitecture(t *testing.T) {
	p := mustParse(t, `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"]}`)
	policy, err := p.Resolve(spec.Target{Native: archs(t, "x86_64")[0]})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "x86_64", call(t, policy, "x86_64", "read"), "ALLOW")
	expect(t, "x86", call(t, policy, "x86", "read"), "ALLOW")
	if policy.Tokens[0].Audit != archs(t, "x86_64")[0].Audit {
		t.Error("the native architecture is not first")
	}
}

func TestStatement06Errno(t *testing.T) {
	for _, test := range []struct{ action, errno, want string }{
		{"SCMP_ACT_KILL", ``, "KILL_THREAD"},
		{"SCMP_ACT_KILL_THREAD", ``, "KILL_THREAD"},
		{"SCMP_ACT_KILL_PROCESS", ``, "KILL_PROCESS"},
		{"SCMP_ACT_TRAP", ``, "TRAP"},
		{"SCMP_ACT_LOG", ``, "LOG"},
		{"SCMP_ACT_ERRNO", ``, "ERRNO(1)"},
		{"SCMP_ACT_TRACE", ``, "TRACE(1)"},
		{"SCMP_ACT_ERRNO", `, "errnoRet": null`, "ERRNO(1)"},
		{"SCMP_ACT_ERRNO", `, "errnoRet": 0`, "ERRNO(0)"},
		{"SCMP_ACT_ERRNO", `, "errnoRet": 4094`, "ERRNO(4094)"},
		{"SCMP_ACT_TRACE", `, "errnoRet": 65535`, "TRACE(65535)"},
		{"SCMP_ACT_KILL", `, "errnoRet": 5`, "KILL_THREAD"},
	} {
		p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
			{"names": ["read"], "action": "`+test.action+`"`+test.errno+`}]}`, "x86_64")
		expect(t, test.action+test.errno, call(t, p, "x86_64", "read"), test.want)
		byDefault := mustResolve(t, `{"defaultAction": "`+test.action+`"`+
			strings.Replace(test.errno, "errnoRet", "defaultErrnoRet", 1)+`}`, "x86_64")
		expect(t, "default "+test.action+test.errno, call(t, byDefault, "x86_64", "read"), test.want)
		if test.want == "KILL_THREAD" && test.errno != "" {
			expectWarning(t, p, spec.WarnErrno, 0)
			expectWarning(t, byDefault, spec.WarnErrno, -1)
			if !errors.Is(p.Warnings.Strict(), spec.ErrStrict) {
				t.Error("an errnoRet that is ignored is allowed under strict")
			}
		}
	}
	expectError(t, `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 65536}`, "defaultErrnoRet: 65536 is out of range, 0 to 65535")
	expectError(t, `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1}`, "-1 is out of range")
	// The kernel would cap an errno at 4095, but libseccomp takes none from
	// there on, and runc does not create the container.
	expectError(t, `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4095}`, "defaultAction: errno 4095 is more than 4094")
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4095}]}`, `rule 0 ("read"): errno 4095 is more than 4094`)
}

func TestStatement07Notify(t *testing.T) {
	expectError(t, `{"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/agent"}`, "cannot be the default action")
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent", "syscalls": [
		{"names": ["mkdir", "write"], "action": "SCMP_ACT_NOTIFY"}]}`, `rule 0 ("write"): SCMP_ACT_NOTIFY cannot be used for the write syscall`)
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}`, "needs a listenerPath")
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}`, "listenerMetadata needs a listenerPath")

	const profile = `{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent", "listenerMetadata": "x", "syscalls": [
		{"names": [%s], "action": "SCMP_ACT_NOTIFY"}]}`
	p := mustResolve(t, fmt.Sprintf(profile, `"mkdir"`), "x86_64")
	expect(t, "mkdir", call(t, p, "x86_64", "mkdir"), "USER_NOTIF")
	if !p.Listener {
		t.Error("no listener for a rule that notifies")
	}
	if p := mustResolve(t, fmt.Sprintf(profile, `"frobnicate"`), "x86_64"); !p.Listener {
		t.Error("no listener where the call is unknown: runc makes one")
	}
	if p := mustResolve(t, fmt.Sprintf(profile, ``), "x86_64"); p.Listener {
		t.Error("a listener for a rule without calls")
	}
}

func TestStatement08DroppedRules(t *testing.T) {
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5, "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5},
		{"names": ["write"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5},
		{"names": ["write"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["open"], "action": "SCMP_ACT_ERRNO", "errnoRet": 6}]}`, "x86_64")
	expect(t, "read, dropped later", call(t, p, "x86_64", "read"), "ALLOW")
	expect(t, "write, dropped earlier", call(t, p, "x86_64", "write"), "ALLOW")
	expect(t, "open, another errno", call(t, p, "x86_64", "open"), "ERRNO(6)")
}

func TestStatement09RepeatedArguments(t *testing.T) {
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
			{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"},
			{"index": 1, "value": 7, "op": "SCMP_CMP_EQ"}]},
		{"names": ["bind"], "action": "SCMP_ACT_ALLOW", "args": [
			{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]}]}`, "x86_64")
	expect(t, "first", call(t, p, "x86_64", "socket", 1, 0), "ALLOW")
	expect(t, "second", call(t, p, "x86_64", "socket", 2, 0), "ALLOW")
	expect(t, "the one that is not repeated", call(t, p, "x86_64", "socket", 3, 7), "ALLOW")
	expect(t, "none", call(t, p, "x86_64", "socket", 3, 0), "ERRNO(1)")
	expect(t, "both", call(t, p, "x86_64", "bind", 1, 2), "ALLOW")
	expect(t, "one of two", call(t, p, "x86_64", "bind", 1, 3), "ERRNO(1)")
}

func TestStatement11Unconditional(t *testing.T) {
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
		{"names": ["read"], "action": "SCMP_ACT_LOG"},
		{"names": ["read"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["write"], "action": "SCMP_ACT_LOG"},
		{"names": ["write"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}`, "x86_64")
	expect(t, "conditional first", call(t, p, "x86_64", "read", 1), "LOG")
	expect(t, "conditional last", call(t, p, "x86_64", "write", 1), "LOG")
}

func TestStatement13Widths(t *testing.T) {
	const profile = `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 4294967301, "op": "SCMP_CMP_EQ"}]}]}`
	p := mustResolve(t, profile, "x86_64", "x86", "x32")
	for _, test := range []struct {
		arch string
		arg  uint64
		want string
	}{
		{"x86_64", 0x100000005, "ALLOW"}, {"x86_64", 5, "ERRNO(1)"},
		{"x86", 0x100000005, "ALLOW"}, {"x86", 5, "ALLOW"}, {"x86", 0xf00000005, "ALLOW"}, {"x86", 6, "ERRNO(1)"},
		{"x32", 0x100000005, "ALLOW"}, {"x32", 5, "ALLOW"}, {"x32", 6, "ERRNO(1)"},
	} {
		expect(t, fmt.Sprintf("%s %#x", test.arch, test.arg), call(t, p, test.arch, "read", 0, test.arg), test.want)
	}
}

func TestStatement14MaskedEqual(t *testing.T) {
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 240, "valueTwo": 255, "op": "SCMP_CMP_MASKED_EQ"}]},
		{"names": ["write"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 0, "valueTwo": 7, "op": "SCMP_CMP_MASKED_EQ"}]},
		{"names": ["open"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 4294967296, "valueTwo": 4294967296, "op": "SCMP_CMP_MASKED_EQ"}]}]}`,
		"x86_64", "x86")
	expect(t, "in the mask", call(t, p, "x86_64", "read", 0xff3), "ALLOW")
	expect(t, "not in the mask", call(t, p, "x86_64", "read", 0xe0), "ERRNO(1)")
	expect(t, "zero mask", call(t, p, "x86_64", "write", 99), "ALLOW")
	expect(t, "high bit", call(t, p, "x86_64", "open", 1<<32), "ALLOW")
	expect(t, "no high bit", call(t, p, "x86_64", "open", 1), "ERRNO(1)")
	expect(t, "zero mask on 32 bits", call(t, p, "x86", "open", 1), "ALLOW")
}

func TestStatement15Multiplexed(t *testing.T) {
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["socket", "recv", "shmat"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["connect"], "action": "SCMP_ACT_LOG", "args": [
			{"index": 0, "value": 9, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 16, "op": "SCMP_CMP_LE"}]},
		{"names": ["rseq_slice_yield"], "action": "SCMP_ACT_LOG"}]}`, "x86_64", "x86")
	for _, test := range []struct {
		name string
		args []uint64
		want string
	}{
		{"socket", nil, "ALLOW"},
		{"socketcall", []uint64{1}, "ALLOW"},
		{"socketcall", []uint64{10}, "ALLOW"},
		{"socketcall", []uint64{2}, "ERRNO(1)"},
		{"ipc", []uint64{21}, "ALLOW"},
		{"ipc", []uint64{1}, "ERRNO(1)"},
		{"connect", []uint64{9, 0, 16}, "LOG"},
		{"connect", []uint64{8, 0, 16}, "ERRNO(1)"},
		// The condition on the first argument gives way to the call's number.
		{"socketcall", []uint64{3, 0, 16}, "LOG"},
		{"socketcall", []uint64{3, 0, 17}, "ERRNO(1)"},
		{"socketcall", []uint64{9, 0, 16}, "ERRNO(1)"},
	} {
		expect(t, fmt.Sprint(test.name, test.args), call(t, p, "x86", test.name, test.args...), test.want)
	}
	for _, native := range []string{"s390x", "ppc64le", "mips", "m68k", "sh"} {
		p := mustResolve(t, `{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["semop"], "action": "SCMP_ACT_ERRNO"}]}`, native)
		expect(t, native+" ipc(SEMOP)", call(t, p, native, "ipc", 1), "ERRNO(1)")
		expect(t, native+" ipc(SEMGET)", call(t, p, native, "ipc", 2), "LOG")
	}
}

func TestStatement16NamesByArchitecture(t *testing.T) {
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["open", "chown32"], "action": "SCMP_ACT_ERRNO"}]}`,
		"x86_64", "x86")
	expect(t, "open", call(t, p, "x86_64", "open"), "ERRNO(1)")
	expect(t, "open", call(t, p, "x86", "open"), "ERRNO(1)")
	expect(t, "chown32", call(t, p, "x86", "chown32"), "ERRNO(1)")
	expect(t, "its number elsewhere", number(t, p, "x86_64", 212), "LOG")
	if len(p.Warnings) > 0 {
		t.Errorf("warnings about a name that one architecture has: %v", p.Warnings)
	}
	p = mustResolve(t, `{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["open"], "action": "SCMP_ACT_ERRNO"}]}`, "aarch64", "arm")
	expect(t, "open", call(t, p, "arm", "open"), "ERRNO(1)")
}

func TestStatement18UnlistedArchitecture(t *testing.T) {
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ALLOW"}`, "x86_64", "x86")
	expect(t, "aarch64", call(t, p, "aarch64", "read"), "KILL_THREAD")
	expect(t, "x86", call(t, p, "x86", "read"), "ALLOW")
	expect(t, "nothing's token", p.Evaluate(&bpf.Data{}).String(), "KILL_THREAD")
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_S390X"]}`, "x86_64 and s390x have different byte orders")
}

func TestStatement19X32(t *testing.T) {
	const profile = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG"}]}`
	alone := mustResolve(t, profile, "x86_64")
	both := mustResolve(t, profile, "x86_64", "x32")
	for _, test := range []struct {
		number      uint32
		alone, both string
	}{
		{0, "LOG", "LOG"},
		{1, "ALLOW", "ALLOW"},
		{0x3fffffff, "ALLOW", "ALLOW"},
		{0x40000000, "KILL_THREAD", "LOG"},
		{0x40000001, "KILL_THREAD", "ALLOW"},
		{0x80000000, "KILL_THREAD", "ALLOW"},
		{0xfffffffe, "KILL_THREAD", "ALLOW"},
		{0xffffffff, "ALLOW", "ALLOW"},
	} {
		expect(t, fmt.Sprintf("alone %#x", test.number), number(t, alone, "x86_64", test.number), test.alone)
		expect(t, fmt.Sprintf("both %#x", test.number), number(t, both, "x86_64", test.number), test.both)
	}
	// On a machine whose own ABI is x32, x86_64 is the stranger.
	x32 := mustResolve(t, profile, "x32")
	expect(t, "x86_64 call", number(t, x32, "x32", 0), "KILL_THREAD")
	expect(t, "x32 call", call(t, x32, "x32", "read"), "LOG")
}

func TestStatement20DockerConditions(t *testing.T) {
	p := mustParse(t, `{"defaultAction": "SCMP_ACT_ERRNO",
		"archMap": [
			{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
			{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
			{"architecture": "SCMP_ARCH_VAX", "subArchitectures": ["SCMP_ARCH_PDP11"]}],
		"syscalls": [
			{"name": "read", "action": "SCMP_ACT_ALLOW", "comment": "old style"},
			{"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}},
			{"names": ["acct"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}},
			{"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
			{"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "5.10"}},
			{"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": ""}},
			{"names": ["getpid"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "s390x"]}},
			{"names": ["getuid"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
			{"names": ["write"], "action": "SCMP_ACT_ALLOW", "includes": {}, "excludes": {}}]}`)
	allowed := func(native, kernel string, caps ...string) string {
		t.Helper()
		version := spec.KernelVersion{}
		if kernel != "" {
			var err error
			if version, err = spec.ParseKernelVersion(kernel); err != nil {
				t.Fatal(err)
			}
		}
		policy, err := p.Resolve(spec.Target{Native: archs(t, native)[0], Kernel: version, Capabilities: caps})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, name := range []string{"read", "mount", "acct", "ptrace", "bpf", "chroot", "getpid", "getuid", "write"} {
			if call(t, policy, native, name) == "ALLOW" {
				names = append(names, name)
			}
		}
		return strings.Join(names, " ")
	}
	for _, test := range []struct {
		native, kernel string
		caps           []string
		want           string
	}{
		{"x86_64", "6.1", []string{}, "read acct ptrace getpid write"},
		{"x86_64", "", []string{}, "read acct ptrace getpid write"},
		{"x86_64", "4.7.10-gentoo", []string{}, "read acct bpf getpid write"},
		{"x86_64", "4.8.0", []string{}, "read acct ptrace bpf getpid write"},
		{"x86_64", "5.10-rc1", []string{"CAP_CHOWN"}, "read ptrace getpid write"},
		{"x86_64", "5.10", []string{"CAP_CHOWN", "CAP_SYS_ADMIN"}, "read mount ptrace getpid write"},
		{"x86_64", "5.10", nil, "read ptrace getpid write"}, // Docker's have CAP_CHOWN
		{"aarch64", "5.10", []string{}, "read acct ptrace getuid write"},
		{"s390x", "5.10", []string{}, "read acct ptrace getpid getuid write"},
	} {
		expect(t, fmt.Sprint(test.native, " ", test.kernel, " ", test.caps), allowed(test.native, test.kernel, test.caps...), test.want)
	}
	for native, want := range map[string]int{"x86_64": 2, "aarch64": 2, "s390x": 1} {
		policy, err := p.Resolve(spec.Target{Native: archs(t, native)[0]})
		if err != nil || len(policy.Tokens) != want {
			t.Errorf("%s: %d architectures, %v, want %d", native, len(policy.Tokens), err, want)
		}
	}
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_VAX"]}]}`,
		`unknown architecture "SCMP_ARCH_VAX"`)
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}`,
		"both architectures and archMap")
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_LOG"}]}`,
		"syscalls[0]: both name and names")
	for _, version := range []string{"4", "4.8.1.1", "4.x", "0.0", "256.1", "-4.8", " 4.8"} {
		expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
			{"names": ["a"], "action": "SCMP_ACT_LOG", "includes": {"minKernel": "`+version+`"}}]}`,
			fmt.Sprintf("syscalls[0].includes.minKernel: invalid kernel version %q", version))
	}
}

// In a config.json Docker's properties have no meaning: runc does not know
// them.
func TestStatement20OnlyInDockerProfiles(t *testing.T) {
	p := mustParse(t, `{"ociVersion": "1.2.0", "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]}}}`)
	policy, err := p.Resolve(spec.Target{Archs: archs(t, "x86_64"), Capabilities: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "mount", call(t, policy, "x86_64", "mount"), "ALLOW")
	expectWarning(t, policy, spec.WarnProperty, 0)
}

func TestStatement21StubOnlyWhereDenied(t *testing.T) {
	for action, want := range map[string]string{
		"SCMP_ACT_ALLOW": "ALLOW", "SCMP_ACT_LOG": "LOG", "SCMP_ACT_TRACE": "TRACE(1)",
		"SCMP_ACT_ERRNO": "ERRNO(38)", "SCMP_ACT_KILL": "ERRNO(38)",
		"SCMP_ACT_KILL_PROCESS": "ERRNO(38)", "SCMP_ACT_TRAP": "ERRNO(38)",
	} {
		p := mustResolve(t, `{"defaultAction": "`+action+`", "syscalls": [
			{"names": ["openat2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7}]}`, "aarch64")
		expect(t, action, number(t, p, "aarch64", 100000), want)
	}
}

func TestStatement22HighestNumber(t *testing.T) {
	for _, test := range []struct {
		name, names string
		number      uint32
		want        string
	}{
		{"at the highest", `"read", "openat2"`, 437, "ALLOW"},
		{"above it", `"read", "openat2"`, 438, "ERRNO(38)"},
		{"below it", `"read", "openat2"`, 436, "ERRNO(1)"},
		{"a name that is unknown does not count", `"read", "write", "frobnicate"`, 2, "ERRNO(38)"},
		{"a profile that names call 0 alone has no stub", `"read"`, 2, "ERRNO(1)"},
		{"nor has one without names", ``, 2, "ERRNO(1)"},
		{"the last number", `"openat2"`, 0x3fffffff, "ERRNO(38)"},
	} {
		p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
			{"names": [`+test.names+`], "action": "SCMP_ACT_ALLOW"}]}`, "x86_64")
		expect(t, test.name, number(t, p, "x86_64", test.number), test.want)
	}
	dropped := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["openat2"], "action": "SCMP_ACT_ERRNO"}]}`, "x86_64", "x86")
	expect(t, "a dropped rule counts", number(t, dropped, "x86_64", 437), "ERRNO(1)")
	expect(t, "a dropped rule counts", number(t, dropped, "x86_64", 438), "ERRNO(38)")

	// Multiplexed calls have a number of libseccomp's own, which does not
	// count; the stub then hides their rules.
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["socket", "exit"], "action": "SCMP_ACT_ALLOW"}]}`, "x86_64", "x86")
	expect(t, "x86 socket", call(t, p, "x86", "socket"), "ERRNO(38)")
	expect(t, "x86 socketcall", call(t, p, "x86", "socketcall", 1), "ERRNO(38)")
	expect(t, "x86 exit", call(t, p, "x86", "exit"), "ALLOW")
	expect(t, "x86_64 socket", call(t, p, "x86_64", "socket"), "ALLOW")
}

func TestStatement23ABIsOfTheirOwn(t *testing.T) {
	for _, native := range []string{"s390", "s390x"} {
		p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`, native)
		expect(t, native+" 0", number(t, p, native, 0), "ERRNO(38)")
		expect(t, native+" 1", number(t, p, native, 1), "ERRNO(1)")
		expect(t, native+" read", number(t, p, native, 3), "ALLOW")
		expect(t, native+" 4", number(t, p, native, 4), "ERRNO(38)")
	}
	const profile = `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["exit"], "action": "SCMP_ACT_ALLOW"}]}`
	alone := mustResolve(t, profile, "x86_64")
	both := mustResolve(t, profile, "x86_64", "x32")
	for _, test := range []struct {
		number      uint32
		alone, both string
	}{
		{60, "ALLOW", "ALLOW"},
		{61, "ERRNO(38)", "ERRNO(38)"},
		{0x40000000, "KILL_THREAD", "ERRNO(1)"},
		{0x4000003c, "KILL_THREAD", "ALLOW"},
		{0x4000003d, "KILL_THREAD", "ERRNO(38)"},
		{0x7fffffff, "KILL_THREAD", "ERRNO(38)"},
		// runc asks for one bit of the number to tell the ABIs apart.
		{0x80000000, "ERRNO(38)", "ERRNO(38)"},
		{0xbfffffff, "ERRNO(38)", "ERRNO(38)"},
		{0xc0000000, "KILL_THREAD", "ERRNO(38)"},
		{0xffffffff, "ERRNO(1)", "ERRNO(38)"},
	} {
		expect(t, fmt.Sprintf("alone %#x", test.number), number(t, alone, "x86_64", test.number), test.alone)
		expect(t, fmt.Sprintf("both %#x", test.number), number(t, both, "x86_64", test.number), test.both)
	}
	// read is call 0 of x86_64, which does not count, but not of x32.
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`, "x86_64", "x32")
	expect(t, "x86_64 1", number(t, p, "x86_64", 1), "ERRNO(1)")
	expect(t, "x32 1", number(t, p, "x32", 0x40000001), "ERRNO(38)")
	// ENOSYS is another number on mips and parisc.
	for native, want := range map[string]string{"mips": "ERRNO(89)", "mipsel64": "ERRNO(89)", "parisc": "ERRNO(251)"} {
		expect(t, native, number(t, mustResolve(t, profile, native), native, 0x10000), want)
	}
}

func TestStatement24UnlistedFallsThrough(t *testing.T) {
	p := mustResolve(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["exit"], "action": "SCMP_ACT_ALLOW"}]}`, "x86_64")
	expect(t, "x86, a number above", number(t, p, "x86", 100000), "KILL_THREAD")
}

// TestManyUnknownNames has one warning for as many unknown names as a profile can
// hold.
func TestManyUnknownNames(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ERRNO", "names": ["no_such_call"`)
	const names = 200_000
	for i := range names - 1 {
		fmt.Fprintf(&b, `,"no_such_%d"`, i)
	}
	b.WriteString(`]}]}`)
	p, err := spec.Parse([]byte(b.String()), "p")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := arch.ByName("x86_64")
	start := time.Now()
	policy, err := p.Resolve(spec.Target{Archs: []*arch.Arch{a}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d KiB: resolved in %v", b.Len()>>10, time.Since(start))
	if len(policy.Warnings) != 1 || !strings.Contains(policy.Warnings[0].Text, `200000 names of calls are unknown and ignored, "no_such_call" the first`) {
		t.Errorf("%d warnings, the first: %v", len(policy.Warnings), policy.Warnings[0])
	}
}
