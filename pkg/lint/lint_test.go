package lint

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

func archOf(t testing.TB, name string) *arch.Arch {
	t.Helper()
	a, ok := arch.ByName(name)
	if !ok {
		t.Fatal("no architecture ", name)
	}
	return a
}

// check reads a profile and looks at it, as on x86_64 where it names no
// architecture.
func check(t testing.TB, text string, off ...string) []Finding {
	t.Helper()
	p, err := spec.Parse([]byte(text), "p.json")
	if err != nil {
		t.Fatal(err)
	}
	return Check(p, []byte(text), Options{Native: archOf(t, "x86_64"), Off: off})
}

// lines are the findings without what all tests share.
func lines(findings []Finding) []string {
	list := []string{}
	for _, f := range findings {
		list = append(list, f.Rule.ID+": "+f.text())
	}
	return list
}

// profile puts rules around a list that is a program's least.
func profile(fallback string, rules ...string) string {
	return `{"defaultAction":"SCMP_ACT_` + fallback + `","architectures":["SCMP_ARCH_X86_64"],"syscalls":[` + strings.Join(rules, ",") + `]}`
}

// rule is one with a name, and conditions "index op value[:valueTwo]".
func rule(action, names string, conditions ...string) string {
	var args []string
	for _, text := range conditions {
		fields := strings.Fields(text)
		value, two, masked := strings.Cut(fields[2], ":")
		arg := `{"index":` + fields[0] + `,"op":"SCMP_CMP_` + fields[1] + `","value":` + value
		if masked {
			arg += `,"valueTwo":` + two
		}
		args = append(args, arg+`}`)
	}
	action, errno, given := strings.Cut(action, " ")
	if given {
		errno = `,"errnoRet":` + errno
	}
	return `{"names":["` + strings.ReplaceAll(names, " ", `","`) + `"],"action":"SCMP_ACT_` + action + `"` + errno + `,"args":[` + strings.Join(args, ",") + `]}`
}

// TestCheck is what each rule finds, and what it is silent about.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string // beginnings of lines; of a line that ends with $ the whole
	}{
		{"nothing to say", profile("ERRNO", rule("ALLOW", "read write"), rule("ERRNO 38", "clone3"), rule("ALLOW", "personality", "0 EQ 8")), nil},

		// Rules without effect.
		{"void: conditional, the default action", profile("ERRNO", rule("ALLOW", "ioctl read statx"), rule("ERRNO", "ioctl", "1 EQ 21522")),
			[]string{"void-deny: rule 1: ioctl: it is not denied: ioctl(0x0, 0x5412) gets ALLOW by rule 0$"}},
		{"void: conditional, another errno", profile("ERRNO", rule("ALLOW", "ioctl read"), rule("ERRNO 25", "ioctl", "1 EQ 21522")),
			[]string{"void-deny: rule 1: ioctl: it is not denied: ioctl(0x0, 0x5412) gets ALLOW by rule 0$"}},
		{"void: before the one that allows", profile("ERRNO", rule("ERRNO 5", "clone", "0 MASKED_EQ 268435456:268435456"), rule("ALLOW", "clone read")),
			[]string{"void-deny: rule 0: clone: it is not denied: clone(0x10000000) gets ALLOW by rule 1$"}},
		{"void: a second unconditional rule", profile("ERRNO", rule("ALLOW", "ptrace"), rule("KILL", "ptrace")),
			[]string{"void-deny: rule 1: ptrace: it is not denied: every call gets ALLOW by rule 0$"}},
		{"void: every call of an allowed one", profile("ERRNO", rule("ALLOW", "ptrace statx"), rule("ERRNO", "ptrace")),
			[]string{"void-deny: rule 1: ptrace: it is not denied: every call gets ALLOW by rule 0$"}},
		{"overruled: allowed after denied", profile("ERRNO", rule("KILL", "ptrace"), rule("ALLOW", "ptrace")),
			[]string{"overruled: rule 1: ptrace: it does not get ALLOW: every call gets KILL_THREAD by rule 0$"}},
		{"overruled: another errno", profile("ALLOW", rule("ERRNO 1", "uselib"), rule("ERRNO 2", "uselib")),
			[]string{"overruled: rule 1: uselib: it does not get ERRNO(2): every call gets ERRNO(1) by rule 0$"}},
		{"redundant: the default action", profile("ERRNO", rule("ALLOW", "read statx"), rule("ERRNO", "ptrace")),
			[]string{"redundant: rule 1: ptrace: ERRNO(1) is the default action$"}},
		{"redundant: in another rule", profile("ERRNO", rule("ALLOW", "read write statx"), rule("ALLOW", "pread64 read write")),
			[]string{"redundant: rule 1: read, write: it gets ALLOW by rule 0 already$"}},
		{"redundant: a narrower condition", profile("ERRNO", rule("ALLOW", "personality", "0 LT 8"), rule("ALLOW", "personality", "0 EQ 7")),
			[]string{"redundant: rule 1: personality: other rules give ALLOW to all of these calls already$"}},
		{"redundant: twice in one rule", profile("ERRNO", rule("ALLOW", "read read")), []string{"redundant: rule 0: read: the rule names it twice$"}},
		{"redundant: denied, and allowed under conditions", profile("ERRNO", rule("ERRNO", "clone"), rule("ALLOW", "clone", "0 EQ 17"), rule("ALLOW", "statx")),
			[]string{"redundant: rule 0: clone: ERRNO(1) is the default action; rule 1 gives ALLOW to some of these calls all the same$"}},
		{"effect: lets the -ENOSYS stub begin later", profile("ERRNO", rule("ALLOW", "read"), rule("ERRNO", "statx")), nil},
		{"effect: an exception", profile("ALLOW", rule("ERRNO 5", "personality", "0 EQ 8"), rule("ERRNO", "personality", "0 GT 8")), nil},
		{"never true: less than 0", profile("ERRNO", rule("ALLOW", "prctl", "0 LT 0"), rule("ALLOW", "read")),
			[]string{"never-true: rule 0: prctl: the conditions never hold, and so no call gets ALLOW by this rule$"}},
		{"never true: greater than all", profile("ERRNO", rule("ALLOW", "read"), rule("ALLOW", "write", "1 GT 18446744073709551615")),
			[]string{"never-true: rule 1: write: "}},
		{"idle condition", profile("ERRNO", rule("ALLOW", "write", "1 GE 0", "2 EQ 7")), []string{"idle-condition: rule 0: the comparison of argument 1 changes nothing$"}},
		{"idle condition: an alternative within another", profile("ERRNO", rule("ALLOW", "write", "1 EQ 5", "1 LT 7")),
			[]string{"idle-condition: rule 0: the comparison of argument 1 changes nothing$"}},

		// Values.
		{"unused value", profile("ERRNO", rule("ALLOW", "write", "1 EQ 5:6")), []string{"unused-value: rule 0: valueTwo 6 is for SCMP_CMP_MASKED_EQ only$"}},
		{"a value that is used, or 0", profile("ERRNO", rule("ALLOW", "write", "1 MASKED_EQ 6:2"), rule("ALLOW", "read", "1 EQ 5:0")), nil},
		{"outside the mask", profile("ERRNO", rule("ALLOW", "write", "1 MASKED_EQ 6:3")), []string{"unused-value: rule 0: the bits 0x1 of valueTwo are outside the mask 0x6$"}},
		{"empty mask", profile("ERRNO", rule("ALLOW", "clone", "0 MASKED_EQ 0:268435456")),
			[]string{"empty-mask: rule 0: argument 0 is compared with 0x10000000 under a mask of 0, which always holds$"}},

		// Constants.
		{"two rules", profile("ERRNO", rule("ALLOW", "mmap", "0 NE 40"), rule("ALLOW", "mmap", "0 NE 38")),
			[]string{"always-true: rule 0: mmap: every call gets ALLOW: together with rule 1, whose conditions"}},
		{"one rule that repeats an argument", profile("ERRNO", rule("ALLOW", "mmap", "0 NE 40", "0 NE 38")),
			[]string{"always-true: rule 0: mmap: every call gets ALLOW: an argument is repeated"}},
		{"two halves of a bit", profile("ERRNO", rule("ALLOW", "mmap", "0 MASKED_EQ 1:0"), rule("ALLOW", "mmap", "0 MASKED_EQ 1:1")), []string{"always-true: rule 0: mmap: "}},
		{"at least 0", profile("ERRNO", rule("ALLOW", "mmap", "0 GE 0")), []string{"always-true: rule 0: mmap: every call gets ALLOW: its conditions always hold$"}},
		{"the same alternative twice", profile("ERRNO", rule("ALLOW", "mmap", "2 NE 38", "2 NE 38")), []string{"idle-condition: rule 0: the comparison of argument 2 changes nothing$"}},
		{"two ranges that leave one out", profile("ERRNO", rule("ALLOW", "mmap", "2 GT 20", "2 LT 20")), nil},
		{"two ranges that meet", profile("ERRNO", rule("ALLOW", "mmap", "2 GE 20", "2 LT 20")), []string{"always-true: rule 0: mmap: "}},

		// Order.
		{"overlap", profile("ERRNO", rule("LOG", "mmap", "0 EQ 4"), rule("ALLOW", "mmap", "1 EQ 4")),
			[]string{"overlap: rule 1: mmap: rule 0 comes first, but this one decides where both apply: mmap(0x4, 0x4) gets ALLOW, not LOG$"}},
		{"no overlap", profile("ERRNO", rule("LOG", "mmap", "0 EQ 4"), rule("ALLOW", "mmap", "0 EQ 5")), nil},
		{"refused", profile("ERRNO", rule("LOG", "mmap", "0 EQ 4"), rule("ALLOW", "mmap", "0 EQ 4")),
			[]string{"refused: rule 1: rules 0 and 1 have the same condition but different actions, LOG and ALLOW on x86_64$"}},

		// Words.
		{"truncated: neighbours decide", profile("ERRNO", rule("ALLOW", "ioctl read"), rule("ERRNO 25", "ioctl", "1 EQ 21522")), []string{"void-deny: "}},
		{"truncated: allowed above", profile("ERRNO", rule("ALLOW", "getpriority", "0 GT 40")),
			[]string{"truncated-argument: rule 0: getpriority: getpriority(0x100000000) gets ALLOW by rule 0, but the kernel takes 32 bits of argument 0 and makes getpriority(0x0), which gets ERRNO(1) by the default action$"}},
		{"truncated: avoids a denial", profile("ALLOW", rule("ERRNO", "getpriority", "0 EQ 40")), []string{"truncated-argument: rule 0: getpriority: getpriority(0x100000028) gets ALLOW by the default action"}},
		{"truncated: a mask", profile("ALLOW", rule("ERRNO", "getpriority", "0 MASKED_EQ 4294967295:40")), nil},
		{"truncated: a mask of 64 bits", profile("ALLOW", rule("ERRNO", "getpriority", "0 MASKED_EQ 18446744073709551615:40")), []string{"truncated-argument: rule 0: getpriority: "}},
		{"truncated: only sterner", profile("ERRNO", rule("ALLOW", "getpriority", "0 EQ 2"), rule("ALLOW", "personality", "0 LT 40")), nil},
		{"truncated: an argument of 64 bits", profile("ALLOW", rule("ERRNO", "mmap", "0 EQ 40")), nil},
		{"truncated: KILL_PROCESS is the sternest action", profile("KILL_PROCESS", rule("KILL", "getpriority", "0 GT 40"), rule("ALLOW", "read")), []string{"truncated-argument: rule 0: getpriority: "}},
		{"sign: AT_FDCWD", profile("ERRNO", rule("ALLOW", "openat", "0 EQ 4294967196")),
			[]string{"sign-extension: rule 0: openat: argument 0 is an int, and programs pass -100 as 0xffffffffffffff9c, which gets ERRNO(1); 0xffffff9c gets ALLOW$"}},
		{"sign: both", profile("ERRNO", rule("ALLOW", "openat", "0 EQ 4294967196"), rule("ALLOW", "openat", "0 EQ 18446744073709551516")), nil},
		{"sign: an unsigned argument", profile("ERRNO", rule("ALLOW", "personality", "0 EQ 4294967295")), nil},
		{"sign: a mask", profile("ERRNO", rule("ALLOW", "openat", "0 MASKED_EQ 4294967295:4294967196")), nil},

		// What is written.
		{"unknown names", profile("ERRNO", rule("ALLOW", "read mountt frobnicate __NR_open sys_close Write")), []string{
			`unknown-syscall: rule 0: call "mountt" is unknown and ignored: did you mean "mount"?$`, `unknown-syscall: rule 0: call "frobnicate" is unknown and ignored$`,
			`unknown-syscall: rule 0: call "__NR_open" is unknown and ignored: did you mean "open"?$`, `unknown-syscall: rule 0: call "sys_close" is unknown and ignored: did you mean "close"?$`,
			`unknown-syscall: rule 0: call "Write" is unknown and ignored: did you mean "write"?$`}},
		{"behind capabilities", `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","mountt"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["SYS_ADMIN","CAP_SYSADMIN"],"arches":["x86_64"]}}]}`, []string{
			`unknown-syscall: rule 0: call "mountt" `, `unknown-capability: rule 0: capability "SYS_ADMIN" is unknown: no container has it: did you mean "CAP_SYS_ADMIN"?$`,
			`unknown-capability: rule 0: capability "CAP_SYSADMIN" is unknown: no container has it: did you mean "CAP_SYS_ADMIN"?$`,
			`unknown-architecture: rule 0: architecture "x86_64" is unknown: no machine is called so in includes and excludes: did you mean "amd64"?$`}},
		{"a conflict behind a capability", `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mmap"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
			{"names":["mmap"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}],"includes":{"caps":["CAP_SYS_ADMIN"]}}]}`,
			[]string{"refused: rule 1: rules 0 and 1 have the same condition but different actions, ALLOW and LOG on x86_64 with CAP_SYS_ADMIN$"}},
		{"effect for some targets", `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","statx"],"action":"SCMP_ACT_ALLOW"},{"names":["bpf"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_BPF"]}},
			{"names":["bpf"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}]}`, nil},
		{"no effect for any target", `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","bpf"],"action":"SCMP_ACT_ALLOW"},{"names":["bpf"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_BPF"]}}]}`,
			[]string{"redundant: rule 1: bpf: it gets ALLOW by rule 0 already$"}},
		{"errno of ALLOW", profile("ERRNO", rule("ALLOW 5", "read")), []string{"errno-ignored: rule 0: errno 5 is ignored"}},
		{"errno 0", profile("ERRNO", rule("ERRNO 0", "chown"), rule("ALLOW", "read")), []string{"errno-zero: rule 0: chown: the calls are not made and report success$"}},
		{"no names", `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":[],"action":"SCMP_ACT_ALLOW"},{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`, []string{"empty-rule: rule 0: there are no names$"}},
		{"nothing allowed", profile("ERRNO", rule("ERRNO 5", "read")), []string{"nothing-allowed: every call gets ERRNO(1) or another denial$"}},
		{"an unknown property", `{"defaultAction":"SCMP_ACT_ERRNO","vendor":1,"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`, []string{"unknown-property: property vendor is unknown and ignored$"}},
		{"flags", `{"defaultAction":"SCMP_ACT_ERRNO","flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],"listenerPath":"/run/x","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`,
			[]string{"unused-flag: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is about", "unused-listener: "}},
		{"through socketcall", `{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"],"syscalls":[{"names":["read","socket","statx"],"action":"SCMP_ACT_ALLOW"},{"names":["socketcall"],"action":"SCMP_ACT_ERRNO"}]}`,
			[]string{"void-deny: rule 1: socketcall: it is not denied: socketcall(0x1) gets ALLOW by rule 0, which names socket and so speaks of socketcall too"}},
		{"no filter", `{}`, nil},
	} {
		if test.text == `{}` {
			test.text = `{"ociVersion":"1.2.0"}`
		}
		// What a whole profile leaves open has tests of its own.
		got := lines(check(t, test.text, leftOpen...))
		fits := len(got) == len(test.want)
		for i := 0; fits && i < len(got); i++ {
			whole, exact := strings.CutSuffix(test.want[i], "$")
			fits = slices.ContainsFunc(got, func(line string) bool { return line == whole || !exact && strings.HasPrefix(line, whole) })
		}
		if !fits {
			t.Errorf("%s:\n\t%s\nwant\n\t%s", test.name, strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
		}
	}
}

// leftOpen are the rules about what a whole profile leaves open.
var leftOpen = []string{"sibling", "multiplexed", "missing-stand-in", "default-allow", "grant-user-namespace", "grant-ptrace", "grant-bpf", "grant-af-vsock", "grant-af-alg"}

// TestLeftOpen is what is found of ways round a profile and of what it grants.
func TestLeftOpen(t *testing.T) {
	with := func(archs, fallback string, rules ...string) string {
		return `{"defaultAction":"SCMP_ACT_` + fallback + `","architectures":["SCMP_ARCH_` + strings.ReplaceAll(archs, " ", `","SCMP_ARCH_`) + `"],"syscalls":[` + strings.Join(rules, ",") + `]}`
	}
	const restricted = "restricted, but "
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		// Siblings.
		{"the newer call is left", with("X86_64", "ALLOW", rule("ERRNO", "chmod fchmod fchmodat")), []string{"sibling: rule 0: chmod, fchmod, fchmodat: " + restricted + "fchmodat2 can change a file's mode as well and is allowed"}},
		{"all are denied", with("X86_64", "ALLOW", rule("ERRNO", "chmod fchmod fchmodat fchmodat2")), nil},
		{"the newer call is not there", with("X86_64", "ALLOW", rule("ERRNO 38", "fchmodat2")), nil},
		{"a deny list leaves another call", with("X86_64", "ALLOW", rule("ERRNO", "ptrace process_vm_readv")), []string{"sibling: rule 0: ptrace, process_vm_readv: " + restricted + "process_vm_writev can read and write another process"}},
		{"mount", with("X86_64", "ALLOW", rule("ERRNO", "mount")), []string{"sibling: rule 0: mount: " + restricted + "fsopen, fsmount, move_mount, open_tree, mount_setattr can attach"}},
		{"by an argument", with("X86_64", "ERRNO", rule("ALLOW", "clone", "0 MASKED_EQ 268435456:0"), rule("ALLOW", "clone3")),
			[]string{"sibling: rule 0: clone: " + restricted + "clone3 can make namespaces as well and is allowed", "grant-user-namespace: rule 1: clone3: it is allowed"}},
		{"by an argument, answered with ENOSYS", with("X86_64", "ERRNO", rule("ALLOW", "clone", "0 MASKED_EQ 268435456:0"), rule("ERRNO 38", "clone3")), nil},
		{"an allow list that has one of them", with("X86_64", "ERRNO", rule("ALLOW", "fchmodat2 process_vm_readv openat")), nil},
		{"where the other ABI has more", with("X86_64 X86", "ALLOW", rule("ERRNO", "setgroups")), []string{"sibling: rule 0: setgroups: " + restricted + "setgroups32 can change supplementary groups"}},
		{"fork and what makes namespaces are not the same", with("X86_64", "ERRNO", rule("ALLOW", "clone", "0 MASKED_EQ 268435456:0"), rule("ALLOW", "fork vfork")), nil},

		// Multiplexers.
		{"socketcall is allowed", with("X86_64 X86", "ERRNO", rule("ALLOW", "socket", "0 EQ 2"), rule("ALLOW", "socketcall statx")),
			[]string{"multiplexed: rule 1: socketcall: socket is restricted by rule 0, but socketcall(1) makes it too, and rule 1 allows it on x86"}},
		{"socketcall comes by itself", with("X86_64 X86", "ERRNO", rule("ALLOW", "socket", "0 EQ 2"), rule("ALLOW", "statx")),
			[]string{"multiplexed: rule 0: socketcall: socket is restricted by rule 0, but socketcall(1) makes it too, and there the filter does not see what is compared on x86"}},
		{"socketcall is denied", with("X86_64 X86", "ERRNO", rule("ALLOW", "socket", "0 EQ 2"), rule("ERRNO 38", "socketcall"), rule("ALLOW", "statx")), nil},
		{"there is none", with("X86_64", "ERRNO", rule("ALLOW", "socket", "0 EQ 2"), rule("ALLOW", "socketcall statx")), nil},
		{"nothing is restricted", with("X86_64 X86", "ERRNO", rule("ALLOW", "bind socketcall statx")), nil},

		// Stand-ins.
		{"made on x86_64", with("AARCH64", "ERRNO", rule("ALLOW", "open dup2 fork poll read")),
			[]string{"missing-stand-in: rule 0: dup3, clone, openat, ppoll: not allowed, though programs make them in place of dup2, fork, open, poll on aarch64"}},
		{"made for both", with("AARCH64", "ERRNO", rule("ALLOW", "open openat dup2 dup3 read")), nil},
		{"for x86_64", with("X86_64", "ERRNO", rule("ALLOW", "open dup2 fork poll read")), nil},

		// Grants.
		{"a deny list", with("X86_64", "ALLOW", rule("ERRNO", "uselib")), []string{"default-allow: what no rule names is allowed, calls of newer kernels too, among them clone, unshare, clone3, "}},
		{"namespaces", with("X86_64", "ERRNO", rule("ALLOW", "clone unshare")),
			[]string{"grant-user-namespace: rule 0: clone: it is allowed with a0&0x10000000 == 0x10000000", "grant-user-namespace: rule 0: unshare: "}},
		{"no namespaces", with("X86_64", "ERRNO", rule("ALLOW", "clone", "0 MASKED_EQ 268435456:0")), nil},
		{"bpf", with("X86_64", "ERRNO", rule("ALLOW", "bpf")), []string{"grant-bpf: rule 0: bpf: it is allowed"}},
		{"bpf, some of it", with("X86_64", "ERRNO", rule("ALLOW", "bpf", "0 MASKED_EQ 4294967295:5")), nil},
		{"bpf behind a capability", `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["bpf"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_BPF"]}}]}`, nil},
		{"bpf with the capability", `{"ociVersion":"1.2.0","process":{"capabilities":{"bounding":["CAP_BPF"]}},"linux":{"seccomp":` + profile("ERRNO", rule("ALLOW", "bpf")) + `}}`, nil},
		{"ptrace", with("X86_64", "ERRNO", rule("ALLOW", "ptrace")), []string{"grant-ptrace: "}},
		{"ptrace from 4.8 on", `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["ptrace"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}}]}`, nil},
		{"families one by one", with("X86_64", "ERRNO", rule("ALLOW", "socket", "0 EQ 1"), rule("ALLOW", "socket", "0 EQ 2")), nil},
		{"every family", with("X86_64", "ERRNO", rule("ALLOW", "socket")), []string{"grant-af-alg: rule 0: socket: it is allowed with a0 == 0x26", "grant-af-vsock: "}},
	} {
		var off []string
		for _, r := range Rules() {
			if !slices.Contains(leftOpen, r.ID) || r.ID == "default-allow" && test.name != "a deny list" {
				off = append(off, r.ID)
			}
		}
		got := lines(check(t, test.text, off...))
		if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
			t.Errorf("%s:\n\t%s\nwant\n\t%s", test.name, strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
		}
	}
}

// TestBuiltins: the rules are silent on the builtins, but for what is listed.
func TestBuiltins(t *testing.T) {
	for name, want := range builtinFindings {
		text, err := spec.BuiltinText(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := spec.Parse(text, name)
		if err != nil {
			t.Fatal(err)
		}
		got := lines(Check(p, text, Options{Native: archOf(t, "x86_64")}))
		for _, line := range got {
			if !slices.ContainsFunc(want, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
				t.Errorf("%s: %s", name, line)
			}
		}
		for _, prefix := range want {
			if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, prefix) }) {
				t.Errorf("%s: there is no %s", name, prefix)
			}
		}
	}
}

// builtinFindings are what is true of the builtins, each with its reason.
var builtinFindings = map[string][]string{
	"builtin:docker": {
		// The rule is > 40, as if the kernel took 64 bits of a family.
		"truncated-argument: rule 4: socket: ",
		// It allows socketcall, for programs from before Linux 4.3.
		"multiplexed: rule 0: socketcall: socket is restricted by rule 2, but socketcall(1) makes it too, and rule 0 allows it on x86",
		// It lists x32 with x86_64.
		"x32: x32 is listed",
	},
	"builtin:containerd": {
		// The same as Docker's.
		"multiplexed: rule 0: socketcall: socket is restricted by rule 1, but socketcall(1) makes it too, and rule 0 allows it on x86",
		"x32: x32 is listed",
	},
}

// TestRules: ids are unique and documented, each rule says what to do, and each
// id that the code reports is in the table.
func TestRules(t *testing.T) {
	docs, err := os.ReadFile("../../docs/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var table strings.Builder
	for _, r := range Rules() {
		if seen[r.ID] || r.Summary == "" || r.Advice == "" || r.Source == "" {
			t.Errorf("%+v", r)
		}
		seen[r.ID] = true
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", r.ID, r.Severity, r.Summary, r.Advice, r.Source)
	}
	const head = "| --- | --- | --- | --- | --- |\n"
	before, rest, found := strings.Cut(string(docs), head)
	end := strings.Index(rest, "\n\n") + 1
	if !found || end == 0 {
		t.Fatal("docs/lint.md has no table of rules")
	}
	if rest[:end] != table.String() {
		if !*update {
			t.Error("the table of docs/lint.md is not that of the rules (go test ./pkg/lint -update)")
		} else if err := os.WriteFile("../../docs/lint.md", []byte(before+head+table.String()+rest[end:]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`c\.report\("([a-z-]+)"|return "([a-z]+-?[a-z]*)", fmt`).FindAllStringSubmatch(string(source), -1) {
			if id := match[1] + match[2]; !seen[id] {
				t.Errorf("%s: rule %q is not in the table", file, id)
			}
		}
	}
	for k := range spec.WarnKernel + 1 {
		if !seen[k.String()] {
			t.Errorf("no rule for the warning %s", k)
		}
	}
}

// TestWrite compares what the formats write with testdata.
func TestWrite(t *testing.T) {
	text, err := os.ReadFile("testdata/holes.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Parse(text, "holes.json")
	if err != nil {
		t.Fatal(err)
	}
	findings := Check(p, text, Options{Native: archOf(t, "x86_64")})
	for name, write := range map[string]func(*bytes.Buffer) error{
		"holes.text":   func(b *bytes.Buffer) error { return WriteText(b, findings) },
		"holes.report": func(b *bytes.Buffer) error { return WriteJSON(b, findings) },
		"holes.sarif":  func(b *bytes.Buffer) error { return WriteSARIF(b, findings, "1.0") },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if name != "holes.text" && !json.Valid(b.Bytes()) {
			t.Errorf("%s is no JSON", name)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(want, b.Bytes()) {
			t.Errorf("%s differs (go test ./pkg/lint -update, then look at the difference): %v\n%s", golden, err, &b)
		}
	}
}

func BenchmarkDocker(b *testing.B) {
	text, err := spec.BuiltinText("builtin:docker")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p, err := spec.Parse(text, "builtin:docker")
		if err != nil {
			b.Fatal(err)
		}
		Check(p, text, Options{Native: archOf(b, "x86_64")})
	}
}
