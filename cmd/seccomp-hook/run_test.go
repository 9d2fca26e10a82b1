package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"seccomp-hook/pkg/bpf"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Profiles of the tests. "deny" denies unshare, and mmap by its argument.
const (
	denyProfile = `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
		{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":7},
		{"names":["mmap"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":40,"op":"SCMP_CMP_EQ"}]}]}`
	allowProfile = `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":8}]}`
	oddProfile   = `{"defaultAction":"SCMP_ACT_ALLOW","vendor":1,"syscalls":[{"names":["unshare","nosuchcall"],"action":"SCMP_ACT_ERRNO"}]}`
)

// workspace makes a directory with the files that the tests name.
func workspace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	raw := func(p bpf.Program) string {
		b, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, text := range map[string]string{
		"deny.json": denyProfile, "allow.json": allowProfile, "odd.json": oddProfile, "cut.json": `{"defaultAction":`,
		"bounds.json": `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["statx"],"action":"SCMP_ACT_ALLOW"},
			{"names":["bpf"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_BPF"]}},{"names":["acct"],"action":"SCMP_ACT_ALLOW","excludes":{"minKernel":"5.10"}}]}`,
		"plain.json":   `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["statx"],"action":"SCMP_ACT_ALLOW"}]}`,
		"config.json":  `{"ociVersion":"1.2.0","process":{"capabilities":{"bounding":[]}},"linux":{"seccomp":` + denyProfile + `}}`,
		"nothing.json": `{"ociVersion":"1.2.0"}`,
		"deny.bpf":     raw(bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 39, 0, 1), bpf.Ret(bpf.Errno(3)), bpf.Ret(bpf.RetAllow)}),
		"kill.bpf":     raw(bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 40, 0, 1), bpf.Ret(bpf.RetKillProcess), bpf.Ret(bpf.RetAllow)}),
		"args.bpf":     raw(bpf.Program{bpf.Load(bpf.OffArgs), bpf.Jump(bpf.JEQ, 5, 0, 1), bpf.Ret(bpf.Errno(9)), bpf.Ret(bpf.RetAllow)}),
		"pointer.bpf":  raw(bpf.Program{bpf.Load(bpf.OffIP + 4), bpf.Jump(bpf.JEQ, 0x7fff, 0, 1), bpf.Ret(bpf.RetTrap), bpf.Ret(bpf.RetAllow)}),
		"invalid.bpf":  raw(bpf.Program{bpf.Load(bpf.OffNr)}),
		"odd.bpf":      "seven b",
		"empty.bpf":    "",
		"long.bpf":     strings.Repeat("\x06\x00\x00\x00\x00\x00\xff\x7f", bpf.MaxInstructions+1),
		"weights.bad":  "no weights",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// invoke runs a command line in which @name stands for a file of dir.
func invoke(dir, stdin string, args ...string) (stdout, stderr string, code int) {
	for i, arg := range args {
		args[i] = regexp.MustCompile(`@([a-z]+\.?[a-z]*)`).ReplaceAllString(arg, dir+"/$1")
	}
	var out, errs bytes.Buffer
	code = run(args, strings.NewReader(stdin), &out, &errs)
	return strings.ReplaceAll(out.String(), dir, "@"), strings.ReplaceAll(errs.String(), dir, "@"), code
}

// TestRun: what each command line writes and how it ends. Where stdout or
// stderr are empty here, they are empty.
func TestRun(t *testing.T) {
	dir := workspace(t)
	const decided = `diff: decided for x86_64 with the default capabilities on Linux \d`
	for _, c := range []struct {
		args   string // split at spaces
		stdin  string
		code   int
		stdout string // a regular expression
		stderr string // a regular expression, of one line
	}{
		{args: "", code: 64, stderr: `^seccomp-hook: a command is missing`},
		{args: "nothing", code: 64, stderr: `^seccomp-hook: unknown command "nothing"`},
		{args: "--nothing", code: 64, stderr: `^seccomp-hook: unknown flag: --nothing`},
		{args: "--help", stdout: `(?s)Exit codes:.*64`},
		{args: "version", stdout: `^seccomp-hook \S+\ncompiler \S+\ngo`},
		{args: "version x", code: 64, stderr: `unknown command "x"`},

		{args: "compile @deny.json", stdout: `(?s)^.{8}`},
		{args: "compile --format asm @deny.json", stdout: `(?s)^ *0: a = arch\n.*return ERRNO\(7\)`},
		{args: "compile --format c @config.json", stdout: `(?s)struct sock_filter filter\[\] = \{\n.*\};\n$`},
		{args: "compile --format json --arch x86_64 builtin:docker", stdout: `(?s)"io.seccomp-hook.verified": "true"`},
		{args: "compile --format raw @odd.json", stdout: `(?s).`, stderr: `warning: `},
		{args: "compile --arch s390x,s390 --caps CAP_SYS_ADMIN,CAP_BPF --format asm --optimize size builtin:containerd", stdout: `arch`},
		{args: "compile @odd.json --format asm", stdout: `arch`, stderr: `^(seccomp-hook compile: warning: profile @/odd.json: .*\n)+$`},
		{args: "compile --strict @odd.json", code: 1, stderr: `^seccomp-hook compile: profile @/odd.json: .*not allowed under strict`},
		{args: "compile", code: 64, stderr: `^seccomp-hook compile: accepts 1 arg`},
		{args: "compile a b", code: 64, stderr: `accepts 1 arg`},
		{args: "compile --format elf @deny.json", code: 64, stderr: `--format "elf": must be raw, asm, c or json`},
		{args: "compile --caps CAP_NOTHING @deny.json", code: 64, stderr: `--caps: .*CAP_NOTHING`},
		{args: "compile --arch vax @deny.json", code: 64, stderr: `--arch: unknown architecture "vax", known are x86_64, `},
		{args: "compile --compiler gcc @deny.json", code: 64, stderr: `--compiler "gcc": must be seccomp-hook or libseccomp`},
		{args: "compile --optimize beauty @deny.json", code: 64, stderr: `--optimize: .*beauty`},
		{args: "compile --weights @none @deny.json", code: 1, stderr: `@/none: no such file`},
		{args: "compile -o @none/x @deny.json", code: 1, stderr: `@/none/x: no such file`},
		{args: "compile @none.json", code: 1, stderr: `@/none.json: no such file`},
		{args: "compile @cut.json", code: 1, stderr: `^seccomp-hook compile: .*@/cut.json: .*line 1`},
		{args: "compile @nothing.json", code: 1, stderr: `asks for no filter`},
		{args: "compile builtin:nothing", code: 1, stderr: `builtin:nothing`},
		{args: "compile .", code: 1, stderr: `is a directory`},

		{args: "eval --filter @deny.bpf", stdin: "x86_64\tgetpid\nx86_64\t40\t1\t2\t3\t4\t5\t6\nx86\t0x27\n", stdout: "^0x00050003\tERRNO\\(3\\)\n0x7fff0000\tALLOW\n0x00050003\tERRNO\\(3\\)\n$"},
		{args: "eval --filter @deny.bpf --filter @kill.bpf", stdin: "x86_64\tgetpid\nx86_64\tsendfile\n0xdead\t0\n", stdout: "^0x00050003\tERRNO\\(3\\)\n0x80000000\tKILL_PROCESS\n0x7fff0000\tALLOW\n$"},
		{args: "eval --filter @args.bpf", stdin: "x86_64\tread\t5\ns390x\tread\t0x500000000\ns390x\tread\t5", stdout: "^0x00050009\tERRNO\\(9\\)\n0x00050009\tERRNO\\(9\\)\n0x7fff0000\tALLOW\n$"},
		{args: "eval --filter @deny.bpf", stdin: ""},
		{args: "eval --filter @deny.bpf", stdin: "x86_64\t0\nx86_64 0\n", code: 1, stdout: "^0x7fff0000\tALLOW\n$", stderr: `line 2: 1 fields separated by tabs`},
		{args: "eval --filter @deny.bpf", stdin: "\n", code: 1, stderr: `line 1: 1 fields`},
		{args: "eval --filter @deny.bpf", stdin: "x86_64\tnothing\n", code: 1, stderr: `line 1: x86_64 has no call "nothing"`},
		{args: "eval --filter @deny.bpf", stdin: "x86_64\t0\n" + strings.Repeat("9", 1<<16), code: 1, stdout: "^0x7fff0000\tALLOW\n$", stderr: `line 2: longer than 65536 bytes`},
		{args: "eval --filter @deny.bpf", stdin: "vax\tread\n", code: 1, stderr: `line 1: unknown architecture "vax"`},
		{args: "eval --filter @deny.bpf", stdin: "x86_64\t0x100000000\n", code: 1, stderr: `line 1: x86_64 has no call`},
		{args: "eval --filter @args.bpf", stdin: "x86_64\t0\t-1\n", stdout: `ALLOW`},
		{args: "eval --filter @deny.bpf", stdin: "x86_64\t0\t--1\n", code: 1, stderr: `line 1: argument 0: "--1" is not a number`},
		{args: "eval --filter @deny.bpf", stdin: "x86_64\t0\t1\t2\t3\t4\t5\t6\t7\n", code: 1, stderr: `line 1: 9 fields`},
		{args: "eval", code: 64, stderr: `--filter is missing`},
		{args: "eval --filter @none.bpf", code: 1, stderr: `@/none.bpf: no such file`},
		{args: "eval --filter @invalid.bpf", code: 1, stderr: `@/invalid.bpf: .*must be RET`},
		{args: "eval --filter @odd.bpf", code: 1, stderr: `@/odd.bpf: .*not a whole number`},
		{args: "eval --filter @empty.bpf", code: 1, stderr: `@/empty.bpf: .*empty program`},
		{args: "eval --filter @long.bpf", code: 1, stderr: `@/long.bpf: .*4097 instructions`},

		{args: "cache --filter @deny.bpf --kernel 6.12 --arch x86_64", stdout: `(?s)^x86_64 0 ALLOW\n.*x86_64 39 FILTER\n.*x86_64 462 ALLOW\nia32 0 ALLOW\n.*ia32 462 ALLOW\n$`},
		{args: "cache --filter @deny.bpf --filter @kill.bpf --kernel 6.1 --arch x86_64 --summary", stdout: `^x86_64 ALLOW 449 FILTER 2\nia32 ALLOW 449 FILTER 2\n$`},
		{args: "cache --filter @args.bpf --kernel 6.18 --arch x86_64 --summary", stdout: `^x86_64 ALLOW 2 FILTER 468\nia32 ALLOW 0 FILTER 470\n$`},
		{args: "cache --filter @deny.bpf --filter @pointer.bpf --kernel 6.18 --arch x86_64 --summary", stdout: `^x86_64 ALLOW 2 FILTER 468\nia32 ALLOW 0 FILTER 470\nfilter 1 looks at the instruction pointer \(instruction 0\), not cached for that: x86_64 470 ia32 470\n$`},
		{args: "cache --filter @pointer.bpf --kernel 6.18 --arch x86_64", stdout: `^x86_64 0 FILTER\n`, stderr: `^seccomp-hook cache: warning: filter 0 looks at the instruction pointer \(instruction 0\): .*\n$`},
		{args: "eval --filter @deny.bpf --filter @pointer.bpf", stdin: "x86_64\tgetpid\n", stdout: `^0x00050003\tERRNO\(3\)\n$`, stderr: `^seccomp-hook eval: warning: filter 1 looks at .*\n$`},
		{args: "cache --profile @odd.json --kernel 6.18 --arch x86_64 --summary", stdout: `ALLOW 469`, stderr: `^(seccomp-hook cache: warning: .*\n){2}$`},
		{args: "cache --profile @deny.json --kernel 6.18 --arch x86_64 --summary", stdout: `^x86_64 ALLOW 468 FILTER 2\nia32 ALLOW 0 FILTER 470\n$`},
		{args: "cache", code: 64, stderr: `profile filter pid`},
		{args: "cache --pid 1 --kernel 6.1", code: 64, stderr: `none of the others can be`},
		{args: "cache --pid 1 --filter @deny.bpf", code: 64, stderr: `takes --diff`},
		{args: "cache --diff --filter @deny.bpf", code: 64, stderr: `--diff takes --pid`},
		{args: "cache --pid 1 --diff --summary", code: 64, stderr: `none of the others can be`},
		{args: "cache --pid x", code: 64, stderr: `invalid argument "x"`},
		{args: "cache --pid 4194305 --diff", code: 3, stderr: `^seccomp-hook cache: `},
		{args: "inspect", code: 64, stderr: `"pid" not set`},
		{args: "inspect --pid 1 --format xml", code: 64, stderr: `--format "xml": must be text or json`},
		{args: "inspect --root @ --pid 4194305", code: 1, stderr: `^seccomp-hook inspect: .*no such thread`},
		{args: "cache --filter @deny.bpf --profile @deny.json", code: 64, stderr: `none of the others can be`},
		{args: "cache --filter @deny.bpf --kernel six", code: 64, stderr: `--kernel: .*"six"`},
		{args: "cache --profile @odd.json --kernel six", code: 64, stderr: `--kernel: .*"six"`},
		{args: "cache --filter @deny.bpf --kernel 5.10 --arch x86_64", code: 1, stderr: `kernel 5.10 on x86_64: .*no cache`},
		{args: "cache --filter @deny.bpf --kernel 6.18 --arch mipsel64", code: 1, stderr: `kernel 6.18 on mipsel64: .*no cache`},
		{args: "cache --filter @invalid.bpf", code: 1, stderr: `must be RET`},
		{args: "cache --profile @cut.json", code: 1, stderr: `cut.json`},
		{args: "cache --filter @deny.bpf --arch vax", code: 64, stderr: `--arch: unknown`},

		{args: "explain --arch x86_64 @deny.json mmap mmap(40) mmap(0x100000028) unshare read x86:read 9999", stdout: strings.Join([]string{
			`^x86_64:mmap:`, `  arg0 == 0x28: ERRNO\(1\): rule 1`, `  otherwise: ALLOW: default action`,
			`x86_64:mmap\(0x28, 0, 0, 0, 0, 0\): ERRNO\(1\): rule 1`, `x86_64:mmap\(0x100000028, 0, 0, 0, 0, 0\): ALLOW: default action`,
			`x86_64:unshare: ERRNO\(7\): rule 0`, `x86_64:read: ALLOW: default action`,
			`x86:read: KILL_THREAD: the profile does not list the architecture`, `x86_64:9999: ALLOW: default action`, `$`}, "\n")},
		{args: "explain --arch x86_64 builtin:docker 9999", stdout: `^x86_64:9999: ERRNO\(38\): newer than every call that the profile names\n$`},
		{args: "explain @deny.json", code: 64, stderr: `requires at least 2 arg`},
		{args: "explain --arch x86_64,x86 @deny.json nothing waitpid read", code: 64, stdout: `^x86:waitpid: ALLOW: default action\nx86_64:read: `, stderr: `has no call "nothing"`},
		{args: "explain @deny.json nothing", code: 64, stderr: `call "nothing": \S+ has no call "nothing"`},
		{args: "explain @deny.json read(1", code: 64, stderr: `parenthesis is not closed`},
		{args: "explain @deny.json read(x)", code: 64, stderr: `argument 0: "x" is not a number`},
		{args: "explain @deny.json read(1,2,3,4,5,6,7)", code: 64, stderr: `7 arguments`},
		{args: "explain @cut.json read", code: 1, stderr: `cut.json`},

		{args: "diff --arch x86_64 @deny.json @config.json", stderr: decided},
		{args: "diff --arch x86_64 @deny.json @allow.json", code: 1, stdout: `^x86_64:mmap\(0x28\): ERRNO\(1\), ALLOW\nx86_64:unshare: ERRNO\(7\), ERRNO\(8\)\n$`, stderr: decided},
		{args: "diff --arch x86_64 --direction @deny.json @config.json", stdout: `^equal\n$`, stderr: decided},
		{args: "diff --arch x86_64 --direction @deny.json @allow.json", code: 1, stdout: `^loosened\n$`, stderr: decided},
		{args: "diff --arch x86_64 --direction @allow.json @deny.json", stdout: `^tightened\n$`, stderr: decided},
		{args: "diff --arch x86_64 --format json @deny.json @allow.json", code: 1, stdout: `(?s)^{\n  "version": 1,\n  "direction": "loosened".*"call": "mmap",.*"0x28"`, stderr: decided},
		{args: "diff --arch x86_64 --format markdown @deny.json @allow.json", code: 1, stdout: `(?s)^\*\*loosened\*\*\n.*\| .unshare. \| x86_64 \| ERRNO\(7\) \| ERRNO\(8\) \| changed \|\n`, stderr: decided},
		{args: "diff --arch x86_64 @bounds.json @plain.json", stderr: decided},
		{args: "diff --arch x86_64 --all-targets @bounds.json @plain.json", code: 1, stdout: `^x86_64:acct: ALLOW, ERRNO\(1\) \(x86_64 without capabilities on Linux 5\.9; 2 of 4 targets\)\nx86_64:bpf: ALLOW, ERRNO\(1\) \(x86_64 with CAP_BPF.*; 2 of 4 targets\)\n$`, stderr: `decided for 4 targets`},
		{args: "diff --arch x86_64 --kernel 5.10 @bounds.json @plain.json", stderr: `with the default capabilities on Linux 5\.10\n$`},
		{args: "diff --arch x86_64 --kernel 5.9 @bounds.json @plain.json", code: 1, stdout: `^x86_64:acct: ALLOW, ERRNO\(1\)\n$`, stderr: `on Linux 5\.9\n$`},
		{args: "diff --arch x86_64 --kernel-range 5.4-6.1 @bounds.json @plain.json", code: 1, stdout: `^x86_64:acct: ALLOW, ERRNO\(1\) \(.* on Linux 5\.4; 1 of 2 targets\)\n$`, stderr: `decided for 2 targets`},
		{args: "diff --arch x86_64 --kernel-range 5.11-6.1 @bounds.json @plain.json", stderr: `on Linux 5\.11\n$`},
		{args: "diff --kernel-range 6.1-5.4 @bounds.json @plain.json", code: 64, stderr: `must be FIRST-LAST`},
		{args: "diff --kernel-range 6 @bounds.json @plain.json", code: 64, stderr: `--kernel-range`},
		{args: "diff --kernel six @bounds.json @plain.json", code: 64, stderr: `--kernel: `},
		{args: "diff --all-targets --caps all @bounds.json @plain.json", code: 64, stderr: `none of the others can be`},
		{args: "diff --format xml @deny.json @allow.json", code: 64, stderr: `must be text, json or markdown`},
		{args: "diff @deny.json", code: 64, stderr: `accepts 2 arg`},
		{args: "diff @deny.json @none.json", code: 3, stderr: `no such file`},
		{args: "diff @cut.json @deny.json", code: 3, stderr: `cut.json`},
		{args: "diff @deny.json @nothing.json", code: 3, stderr: `asks for no filter`},

		{args: "lint @deny.json --arch x86 --only refused,redundant,void-deny"},
		{args: "lint @odd.json", code: 1, stdout: `(?s)^@/odd.json:1:35: warning: unknown-property: .*unknown-syscall: .*nosuchcall.*\n\tSpell it`},
		{args: "lint @odd.json @nothing.json @deny.json --only unknown-syscall", code: 1, stdout: `(?s)^@/odd.json:\d+:\d+: warning: unknown-syscall: [^\n]*\n\t[^\n]*\n$`},
		{args: "lint @odd.json --off unknown-syscall,unknown-property,sibling", stdout: `default-allow`},
		{args: "lint @odd.json --only unknown-syscall --fail-on error", stdout: `nosuchcall`},
		{args: "lint @odd.json --only unknown-syscall --format json", code: 1, stdout: `(?s)^{\n  "version": 1,.*"path": "syscalls\[0\].names\[1\]"`},
		{args: "lint @odd.json --only unknown-syscall --format sarif", code: 1, stdout: `"version": "2.1.0"`},
		{args: "lint @odd.json --format xml", code: 64, stderr: `must be text, json or sarif`},
		{args: "lint @odd.json --fail-on never", code: 64, stderr: `must be note, warning or error`},
		{args: "lint @odd.json --off nothing", code: 64, stderr: `unknown rule "nothing"`},
		{args: "lint @odd.json --only nothing", code: 64, stderr: `unknown rule "nothing"`},
		{args: "lint @cut.json", code: 3, stderr: `cut.json`},
		{args: "lint @cut.json @odd.json", code: 3, stdout: `unknown-syscall`, stderr: `cut.json`},
		{args: "lint", code: 64, stderr: `requires at least 1 arg`},

		{args: "verify --arch x86_64 @deny.json --against @config.json", stdout: `^equal \(.*s\)\n$`, stderr: `verify: decided for x86_64 `},
		{args: "verify --arch x86_64 @deny.json --against @allow.json", code: 1, stdout: `^different: x86_64:\w+\(.*\): first \S+ \(rule \d\), second \S+.* \(.*s\)\n$`, stderr: `verify: decided for x86_64 `},
		{args: "verify --arch x86_64 @bounds.json --against @plain.json", stdout: `^equal `, stderr: `verify: decided for x86_64 `},
		{args: "verify --arch x86_64 @bounds.json --against @plain.json --all-targets", code: 1, stdout: `^different: `, stderr: `verify: decided for x86_64 `},
		{args: "verify @deny.json --program @deny.bpf --all-targets", code: 64, stderr: `none of the others can be`},
		{args: "verify --arch x86_64 @deny.json --program @deny.bpf", code: 1, stdout: `^different: `},
		{args: "verify @deny.json", code: 64, stderr: `program against`},
		{args: "verify @deny.json --program @deny.bpf --against @deny.json", code: 64, stderr: `none of the others can be`},
		{args: "verify @deny.json --program @none.bpf", code: 3, stderr: `no such file`},
		{args: "verify @deny.json --program @invalid.bpf", code: 3, stderr: `must be RET`},
		{args: "verify @deny.json --against @none.json", code: 3, stderr: `no such file`},
		{args: "verify @cut.json --against @deny.json", code: 3, stderr: `cut.json`},

		{args: "state", code: 64, stderr: `accepts 1 arg`},
		{args: "state --root @ c1", code: 1, stderr: `^seccomp-hook state: container c1: no such container`},
		{args: "state --root @ ../c1", code: 1, stderr: `"../c1" is not the id of a container`},
		{args: "poststop --root @", stdin: `{"id":"c1"}`},
		{args: "poststop --root @", stdin: `{"id":"c/1"}`, code: 1, stderr: `not the id`},
		{args: "doctor --format xml", code: 64, stderr: `--format "xml": must be text or json`},
		{args: "doctor x", code: 64, stderr: `unknown command "x"`},
		{args: "completion bash", stdout: `__start_seccomp-hook`},
		{args: "completion zsh", stdout: `^#compdef seccomp-hook\n`},
		{args: "completion fish", stdout: `complete -c seccomp-hook`},
		{args: "__complete st", stdout: `^state\t`, stderr: `^Completion ended`},
		{args: "__complete lint builtin:d", stdout: `^builtin:docker\n`, stderr: `^Completion ended`},
		{args: "prestart x", code: 64, stderr: `unknown command "x"`},
		{args: "prestart --root @", code: 1, stderr: `^seccomp-hook prestart: state: empty`},
		{args: "createRuntime --root @", stdin: `{"id":"c1"`, code: 1, stderr: `^seccomp-hook createRuntime: state: unexpected EOF`},
		{args: "prestart --log-format xml", code: 64, stderr: `--log-format "xml": must be text or json`},
		{args: "prestart --log-level loud", code: 64, stderr: `--log-level "loud": no such level`},
		{args: "prestart --log @none/log", code: 1, stderr: `@/none/log: no such file`},
	} {
		t.Run(c.args, func(t *testing.T) {
			stdout, stderr, code := invoke(dir, c.stdin, strings.Fields(c.args)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for name, text := range map[string][2]string{"stdout": {stdout, c.stdout}, "stderr": {stderr, c.stderr}} {
				if got, want := text[0], text[1]; want == "" && got != "" || !regexp.MustCompile(want).MatchString(got) {
					t.Errorf("%s is %.2000q, want %q", name, got, want)
				}
			}
			if c.code != 0 && c.stderr != "" && strings.Count(stderr, "\n") != 1 {
				t.Errorf("stderr is not one line: %q", stderr)
			}
		})
	}
}

func TestCompiledProgramVerifies(t *testing.T) {
	dir := workspace(t)
	for _, profile := range []string{"@deny.json", "@config.json", "builtin:docker", "builtin:containerd"} {
		if _, stderr, code := invoke(dir, "", "compile", "-o", "@out.bpf", "--arch", "x86_64,x86", profile); code != 0 {
			t.Fatalf("compile %s: %s", profile, stderr)
		}
		if stdout, stderr, code := invoke(dir, "", "verify", "--arch", "x86_64,x86", profile, "--program", "@out.bpf"); code != 0 || !strings.HasPrefix(stdout, "equal") {
			t.Errorf("verify %s: %d: %s%s", profile, code, stdout, stderr)
		}
	}
}

// TestLogLevelFromEnvironment: the flag decides over the environment.
func TestLogLevelFromEnvironment(t *testing.T) {
	dir := workspace(t)
	t.Setenv(levelEnv, "loud")
	if _, stderr, code := invoke(dir, "", "prestart"); code != 64 || !strings.Contains(stderr, levelEnv+` "loud"`) {
		t.Errorf("%d: %s", code, stderr)
	}
	if _, stderr, code := invoke(dir, "", "prestart", "--log-level", "info"); code != 1 || !strings.Contains(stderr, "state: empty") {
		t.Errorf("%d: %s", code, stderr)
	}
}

// TestHookWithoutProfile runs the whole hook where there is nothing to
// install: it logs, publishes, and ends well.
func TestHookWithoutProfile(t *testing.T) {
	dir := workspace(t)
	bundle := t.TempDir()
	if err := os.WriteFile(bundle+"/config.json", []byte(`{"ociVersion":"1.2.0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	state := `{"ociVersion":"1.2.0","id":"c1","pid":1,"status":"creating","bundle":"` + bundle + `","annotations":{"mine":"1"}}`
	for _, format := range []string{"text", "json"} {
		stdout, stderr, code := invoke(dir, state, "createRuntime", "--root", "@run", "--log", "@log", "--log-format", format, "--log-level", "info")
		if code != 0 || stdout+stderr != "" {
			t.Fatalf("%d: %s%s", code, stdout, stderr)
		}
	}
	log, err := os.ReadFile(dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `msg="no profile, no filter installed" container=c1 hook=createRuntime install.mode=none`) || !strings.Contains(lines[1], `"install.mode":"none"`) {
		t.Errorf("the log is %q", lines)
	}
	want := `{"ociVersion":"1.2.0","id":"c1","status":"creating","pid":1,"bundle":"` + bundle + `","annotations":{"io.seccomp-hook.install.mode":"none","mine":"1"}}` + "\n"
	if stdout, stderr, code := invoke(dir, "", "state", "--root", "@run", "c1"); code != 0 || stdout != want {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
	if stdout, _, _ := invoke(dir, "", "__complete", "state", "--root", "@run", ""); stdout != "c1\n:4\n" {
		t.Errorf("the completion is %q", stdout)
	}
	if _, stderr, code := invoke(dir, state, "poststop", "--root", "@run"); code != 0 {
		t.Errorf("%d: %s", code, stderr)
	}
	if _, _, code := invoke(dir, "", "state", "--root", "@run", "c1"); code != 1 {
		t.Error("the state is still there after poststop")
	}
}
