//go:build libseccomp

package differential

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/verify"
)

// corner is a profile written for one point.
type corner struct {
	name    string
	machine string // architectures, the native one first
	object  *specs.LinuxSeccomp
}

const (
	x86_64 = "x86_64"
	x86    = "x86"
	x32    = "x86_64+x32"
	docker = "x86_64+x86+x32"
	arm    = "aarch64+arm"
	s390x  = "s390x+s390"
	ppc    = "ppc64le"
	mips   = "mipsel64+mipsel+mipsel64n32"
	riscv  = "riscv64"
)

// profile returns an object with a default action.
func profile(fallback specs.LinuxSeccompAction, rules ...specs.LinuxSyscall) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{DefaultAction: fallback, Syscalls: rules, ListenerPath: "/run/agent.sock"}
}

func with(o *specs.LinuxSeccomp, change func(*specs.LinuxSeccomp)) *specs.LinuxSeccomp {
	change(o)
	return o
}

// rule returns a rule for names separated by spaces.
func rule(action specs.LinuxSeccompAction, names string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: strings.Fields(names), Action: action, Args: args}
}

// failing returns a rule that fails calls with an errno.
func failing(errno uint, names string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	r := rule(specs.ActErrno, names, args...)
	r.ErrnoRet = &errno
	return r
}

func arg(index uint, op specs.LinuxSeccompOperator, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Op: op, Value: value}
}

func masked(index uint, mask, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Op: specs.OpMaskedEqual, Value: mask, ValueTwo: value}
}

func number(n uint) *uint { return &n }

const (
	deny  = specs.ActErrno
	allow = specs.ActAllow

	eq = specs.OpEqualTo
	ne = specs.OpNotEqual
	lt = specs.OpLessThan
	le = specs.OpLessEqual
	gt = specs.OpGreaterThan
	ge = specs.OpGreaterEqual
)

// statements are the points of what a profile means, one profile or more each.
func statements() []corner {
	return []corner{
		// Actions.
		{"no rules", docker, profile(deny)},
		{"no rules and allow", docker, profile(allow)},
		{"KILL is KILL_THREAD", x86_64, profile(deny, rule(specs.ActKill, "getppid"), rule(specs.ActKillThread, "getpid"))},
		{"KILL rule under KILL_THREAD default is dropped", x86_64, profile(specs.ActKillThread, rule(specs.ActKill, "getppid"), rule(allow, "getppid"))},
		{"every action", x86_64, profile(deny, rule(allow, "read"), rule(specs.ActLog, "open"), rule(specs.ActTrace, "close"), rule(specs.ActTrap, "stat"), rule(specs.ActKillProcess, "fstat"), rule(specs.ActNotify, "lstat"), failing(7, "poll"))},
		{"ERRNO without errnoRet is EPERM", x86_64, profile(allow, rule(deny, "getppid"))},
		{"TRACE without errnoRet is EPERM", x86_64, profile(allow, rule(specs.ActTrace, "getppid"))},
		{"default ERRNO without errnoRet is EPERM", x86_64, profile(deny, failing(1, "getppid"), failing(2, "getpid"))},
		{"errnoRet 0", x86_64, profile(allow, failing(0, "getppid"))},
		{"errnoRet 4094, libseccomp's highest", x86_64, profile(allow, failing(4094, "getppid"))},
		{"TRACE with all 16 bits", x86_64, profile(allow, specs.LinuxSyscall{Names: []string{"getppid"}, Action: specs.ActTrace, ErrnoRet: number(0xffff)})},
		{"errnoRet with another action is ignored", x86_64, profile(deny, specs.LinuxSyscall{Names: []string{"getppid"}, Action: allow, ErrnoRet: number(5)})},
		{"default errno of another action is ignored", x86_64, with(profile(specs.ActKillProcess, rule(allow, "getppid")), func(o *specs.LinuxSeccomp) { o.DefaultErrnoRet = number(5) })},
		{"default ENOSYS", x86_64, with(profile(deny, rule(allow, "getppid")), func(o *specs.LinuxSeccomp) { o.DefaultErrnoRet = number(38) })},
		{"default is NOTIFY's neighbour", x86_64, profile(specs.ActTrap, rule(specs.ActNotify, "getppid"))},

		// Names.
		{"unknown name is skipped", docker, profile(deny, rule(allow, "no_such_call getppid"))},
		{"only unknown names", docker, profile(deny, rule(allow, "no_such_call"))},
		{"several names and rules expand in order", x86_64, profile(deny, failing(2, "getppid getpid"), failing(3, "getpid getuid"))},
		{"a name twice in a rule", x86_64, profile(deny, rule(allow, "getppid getppid", arg(0, eq, 1)))},
		{"a call that only x86 has", docker, profile(deny, rule(allow, "chown32 getppid"))},
		{"a call that x86 lacks", docker, profile(deny, rule(allow, "arch_prctl getppid"))},
		{"a call that aarch64 lacks", arm, profile(deny, rule(allow, "open getppid"))},
		{"a call of arm's own", arm, profile(deny, rule(allow, "cacheflush breakpoint set_tls getppid"))},
		{"a call of s390's own", s390x, profile(deny, rule(allow, "s390_pci_mmio_read s390_runtime_instr getppid"))},
		{"a call of riscv's own", riscv, profile(deny, rule(allow, "riscv_flush_icache getppid"))},
		{"numbers of mips begin elsewhere", mips, profile(deny, rule(allow, "read getppid"))},
		{"write, call number 1", x86_64, profile(deny, rule(allow, "write"))},
		{"read, call number 0, alone", x86_64, profile(deny, rule(allow, "read"))},
		{"restart_syscall, call number 0 of x86, alone", x86, profile(deny, rule(allow, "restart_syscall"))},

		// Which rules count.
		{"rule with the default action is dropped", x86_64, profile(deny, failing(1, "getppid"), rule(allow, "getppid"))},
		{"a later dropped rule does not override", x86_64, profile(deny, rule(allow, "getppid"), failing(1, "getppid"))},
		{"another errno than the default's is kept", x86_64, profile(deny, rule(allow, "getppid", arg(0, eq, 1)), failing(2, "getppid"))},
		{"two conditions on two arguments: AND", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1), arg(1, eq, 2)))},
		{"two conditions on one argument: OR", x86_64, profile(deny, rule(allow, "ioctl", arg(1, eq, 1), arg(1, eq, 2)))},
		{"an index twice makes the others alternatives too", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 7), arg(1, eq, 1), arg(1, eq, 2)))},
		{"two NE on one argument are always true", x86_64, profile(allow, rule(deny, "socket", arg(0, ne, 1), arg(0, ne, 38)))},
		{"conditions out of order", x86_64, profile(deny, rule(allow, "ioctl", arg(2, eq, 3), arg(0, eq, 1), arg(1, eq, 2)))},
		{"all six arguments", x86_64, profile(deny, rule(allow, "mmap", arg(0, eq, 0), arg(1, eq, 1), arg(2, eq, 2), arg(3, eq, 3), arg(4, eq, 4), arg(5, eq, 5)))},
		{"same condition, same action", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1)), rule(allow, "ioctl", arg(0, eq, 1)))},
		{"same condition, another action: refused", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1)), failing(2, "ioctl", arg(0, eq, 1)))},
		{"same condition as the beginning of an earlier one: refused", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1), arg(1, eq, 2)), failing(2, "ioctl", arg(0, eq, 1)))},
		{"same condition as the beginning of a later one: that has no effect", x86_64, profile(deny, failing(2, "ioctl", arg(0, eq, 1)), rule(allow, "ioctl", arg(0, eq, 1), arg(1, eq, 2)))},
		{"same condition as the end of an earlier one", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1), arg(1, eq, 2)), failing(2, "ioctl", arg(1, eq, 2)))},
		{"same condition as the end of a later one", x86_64, profile(deny, failing(2, "ioctl", arg(1, eq, 2)), rule(allow, "ioctl", arg(0, eq, 1), arg(1, eq, 2)))},
		{"a covered rule cannot contradict", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1), arg(1, eq, 2)), rule(allow, "ioctl", arg(1, eq, 2)), failing(2, "ioctl", arg(0, eq, 1)))},
		{"EQ and a full MASKED_EQ are not the same", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1)), failing(2, "ioctl", masked(0, ^uint64(0), 1)))},
		{"a full MASKED_EQ and EQ are not the same", x86_64, profile(deny, failing(2, "ioctl", masked(0, ^uint64(0), 1)), rule(allow, "ioctl", arg(0, eq, 1)))},
		{"contradiction on x86 alone, where 64 bits are cut: refused", "x86_64+x86", profile(deny, rule(allow, "ioctl", arg(0, eq, 1)), failing(2, "ioctl", arg(0, eq, 1<<32|1)))},
		{"the same on x86_64 alone", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1)), failing(2, "ioctl", arg(0, eq, 1<<32|1)))},
		{"contradiction of a call that no architecture has: refused", x86_64, profile(deny, rule(allow, "chown32", arg(0, eq, 1)), failing(2, "chown32", arg(0, eq, 1)))},
		{"contradiction before an unconditional rule: refused", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1)), failing(2, "ioctl", arg(0, eq, 1)), failing(3, "ioctl"))},
		{"contradiction after an unconditional rule", x86_64, profile(deny, failing(3, "ioctl"), rule(allow, "ioctl", arg(0, eq, 1)), failing(2, "ioctl", arg(0, eq, 1)))},
		{"unconditional after conditional", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1)), failing(2, "ioctl"))},
		{"unconditional before conditional", x86_64, profile(deny, failing(2, "ioctl"), rule(allow, "ioctl", arg(0, eq, 1)))},
		{"the first of two unconditional rules", x86_64, profile(deny, failing(2, "ioctl"), rule(allow, "ioctl"))},

		// The order of overlapping rules.
		{"later arguments first", x86_64, profile(deny, rule(allow, "ioctl", arg(0, eq, 1)), failing(2, "ioctl", arg(1, eq, 2)))},
		{"equality before below before above", x86, profile(deny, failing(2, "ioctl", arg(0, gt, 1)), failing(3, "ioctl", arg(0, lt, 9)), failing(4, "ioctl", arg(0, eq, 5)))},
		{"the larger constant first", x86, profile(deny, failing(2, "ioctl", arg(0, gt, 1)), failing(3, "ioctl", arg(0, gt, 5)), failing(4, "ioctl", arg(0, gt, 3)))},
		{"of below the smaller constant first", x86, profile(deny, failing(2, "ioctl", arg(0, lt, 9)), failing(3, "ioctl", arg(0, lt, 5)), failing(4, "ioctl", arg(0, lt, 7)))},
		{"of NE the larger constant first", x86, profile(deny, failing(2, "ioctl", arg(0, ne, 5)), failing(3, "ioctl", arg(0, ne, 9)))},
		{"of two NE the first has the values beyond 32 bits", x86_64, profile(deny, failing(2, "ioctl", arg(0, ne, 5)), failing(3, "ioctl", arg(0, ne, 9)))},
		{"of two LT the first has the values below the high word", x86_64, profile(deny, failing(2, "ioctl", arg(0, lt, 1<<32|9)), failing(3, "ioctl", arg(0, lt, 1<<32|5)))},
		{"of two GT the larger has the values above the high word", x86_64, profile(deny, failing(2, "ioctl", arg(0, gt, 1<<32|5)), failing(3, "ioctl", arg(0, gt, 1<<32|9)))},
		{"GT and LE of one constant are one test", x86, profile(deny, failing(2, "ioctl", arg(0, le, 5)), failing(3, "ioctl", arg(0, gt, 9)), failing(4, "ioctl", arg(0, gt, 5)))},
		{"masks with one datum stay as they came", x86, profile(deny, failing(2, "ioctl", masked(0, 3, 1)), failing(3, "ioctl", masked(0, 5, 1)))},
		{"masks by their datum", x86, profile(deny, failing(2, "ioctl", masked(0, 3, 1)), failing(3, "ioctl", masked(0, 6, 2)))},

		// Widths and masks.
		{"64 bits on x86_64", x86_64, profile(deny, rule(allow, "ioctl", arg(1, eq, 1<<32|5)))},
		{"low 32 bits on x86", x86, profile(deny, rule(allow, "ioctl", arg(1, eq, 1<<32|5)))},
		{"low 32 bits on x32", x32, profile(deny, rule(allow, "ioctl", arg(1, eq, 1<<32|5)))},
		{"64 bits on big-endian", s390x, profile(deny, rule(allow, "ioctl", arg(1, eq, 1<<32|5)))},
		{"n32 compares 32 bits", mips, profile(deny, rule(allow, "ioctl", arg(1, eq, 1<<32|5)))},
		{"LE beyond 32 bits on 32-bit", "x86_64+x86", profile(deny, rule(allow, "ioctl", arg(1, le, 1<<40)))},
		{"GT of the highest value", x86_64, profile(deny, rule(allow, "ioctl", arg(1, gt, ^uint64(0))))},
		{"LT of 0", x86_64, profile(deny, rule(allow, "ioctl", arg(1, lt, 0)))},
		{"GE of 0 is always true but no unconditional rule", x86_64, profile(deny, rule(allow, "ioctl", arg(1, ge, 0)), failing(2, "ioctl", arg(0, eq, 1)))},
		{"MASKED_EQ: the datum is masked", docker, profile(deny, rule(allow, "clone", masked(0, 0x7e020000, 0xff)))},
		{"MASKED_EQ of a mask of 0 is unconditional", docker, profile(deny, rule(allow, "clone", masked(0, 0, 5)), failing(2, "clone", arg(1, eq, 1)))},
		{"MASKED_EQ of high bits is unconditional on 32-bit", docker, profile(deny, rule(allow, "ioctl", masked(1, 1<<32, 1<<32)))},
		{"a mask of 0 beside another condition", docker, profile(deny, rule(allow, "clone", masked(0, 0, 5), arg(1, eq, 1)))},
		{"a mask that crosses the words", x86_64, profile(deny, rule(allow, "ioctl", masked(1, 0xff000000ff, 0x11000000aa)))},
		{"ValueTwo of other operators is nothing", x86_64, profile(deny, rule(allow, "ioctl", specs.LinuxSeccompArg{Index: 1, Value: 5, ValueTwo: 7, Op: eq}))},

		// socketcall and ipc.
		{"socket also through socketcall", "x86_64+x86", profile(deny, rule(allow, "socket"))},
		{"recv, which x86 has only through socketcall", x86, profile(deny, rule(allow, "recv getppid"))},
		{"accept4 through number 18", x86, profile(deny, rule(allow, "accept4"))},
		{"the first argument is lost through socketcall", x86, profile(deny, rule(allow, "socket", arg(0, eq, 2)))},
		{"the others stay", x86, profile(deny, rule(allow, "socket", arg(1, eq, 2)))},
		{"alternatives through socketcall", x86, profile(deny, rule(allow, "socket", arg(0, eq, 2), arg(0, eq, 3)))},
		{"socketcall itself with a rule", x86, profile(deny, rule(allow, "socketcall", arg(0, eq, 1)))},
		{"socketcall itself and socket contradict: refused", x86, profile(deny, rule(allow, "socketcall", arg(0, eq, 1)), failing(2, "socket"))},
		{"socketcall unconditional before socket", x86, profile(deny, failing(2, "socketcall"), rule(allow, "socket"))},
		{"socketcall unconditional after socket", x86, profile(deny, rule(allow, "socket"), failing(2, "socketcall"))},
		{"semop also through ipc", s390x, profile(deny, rule(allow, "semop msgget shmat"))},
		{"semop on ppc64le", ppc, profile(deny, rule(allow, "semop msgget shmat socket recv"))},
		{"semop on mips", mips, profile(deny, rule(allow, "semop msgget shmat socket recv"))},
		{"ipc on arm, which does not multiplex", arm, profile(deny, rule(allow, "semop ipc socketcall"))},

		// Architectures.
		{"the native one need not be listed", "x86_64", with(profile(deny, rule(allow, "getppid")), func(o *specs.LinuxSeccomp) { o.Architectures = []specs.Arch{specs.ArchX86} })},
		{"listed twice", "x86_64", with(profile(deny, rule(allow, "getppid")), func(o *specs.LinuxSeccomp) {
			o.Architectures = []specs.Arch{specs.ArchX86, specs.ArchX86_64, specs.ArchX86}
		})},
		{"x32 before x86_64", "x86_64", with(profile(deny, rule(allow, "getppid")), func(o *specs.LinuxSeccomp) { o.Architectures = []specs.Arch{specs.ArchX32, specs.ArchX86_64} })},
		{"x86_64 without x32 under allow", x86_64, profile(allow, rule(deny, "getppid"))},
		{"x86_64 with x32 under allow", x32, profile(allow, rule(deny, "getppid"))},
		{"x86_64 without x32 and 0xffffffff", x86_64, profile(specs.ActLog, rule(allow, "getppid"))},
		{"x86 native", x86, profile(deny, rule(allow, "getppid"))},
		{"arm native, aarch64 listed", "arm+aarch64", profile(deny, rule(allow, "getppid open"))},

		// The -ENOSYS stub.
		{"stub under ERRNO", x86_64, profile(deny, rule(allow, "getppid"))},
		{"stub under KILL_PROCESS", x86_64, profile(specs.ActKillProcess, rule(allow, "getppid"))},
		{"stub under TRAP", x86_64, profile(specs.ActTrap, rule(allow, "getppid"))},
		{"no stub under LOG", x86_64, profile(specs.ActLog, failing(1, "getppid"))},
		{"no stub under TRACE", x86_64, profile(specs.ActTrace, rule(allow, "getppid"))},
		{"dropped rules count for the stub", x86_64, profile(deny, rule(allow, "getppid"), failing(1, "openat2"))},
		{"unresolved names do not count for the stub", x86_64, profile(deny, rule(allow, "getppid no_such_call"))},
		{"calls of other architectures count there", docker, profile(deny, rule(allow, "getppid chown32"))},
		{"multiplexed calls do not count for the stub", x86, profile(deny, rule(allow, "getppid socket"))},
		{"only multiplexed calls: no stub on x86", x86, profile(deny, rule(allow, "socket"))},
		{"call 0 of s390", s390x, profile(deny, rule(allow, "getppid"))},
		{"x32 has a maximum of its own", x32, profile(deny, rule(allow, "getppid preadv2"))},
		{"the native architecture takes part unlisted", "x86_64", with(profile(deny, rule(allow, "getppid")), func(o *specs.LinuxSeccomp) { o.Architectures = []specs.Arch{specs.ArchX86} })},
		{"ENOSYS of mips", mips, profile(deny, rule(allow, "getppid"))},
		{"more than 32 rules: libseccomp's tree over numbers", docker, profile(deny, rule(allow, "read write open close stat fstat lstat poll lseek mmap mprotect munmap brk ioctl pread64 pwrite64 readv writev access pipe select sched_yield mremap msync mincore madvise shmget shmat shmctl dup dup2 pause nanosleep getitimer alarm"), rule(allow, "personality", arg(0, eq, 8)))},
	}
}

var operators = []specs.LinuxSeccompOperator{eq, ne, lt, le, gt, ge, specs.OpMaskedEqual}

func condition(index uint, op specs.LinuxSeccompOperator, value uint64) specs.LinuxSeccompArg {
	if op == specs.OpMaskedEqual {
		return masked(index, 0xff000000ff, value)
	}
	return arg(index, op, value)
}

func short(op specs.LinuxSeccompOperator) string { return strings.TrimPrefix(string(op), "SCMP_CMP_") }

// pairs are two rules with each two operators: on one argument with constants in
// every relation, on two arguments, and where one continues the other. Constants
// that differ in their high words, and longer rules, are left to those drawn at
// random.
func pairs() []corner {
	var list []corner
	add := func(name string, rules ...specs.LinuxSyscall) {
		for _, machine := range []string{x86_64, x86} {
			list = append(list, corner{fmt.Sprintf("%s on %s", name, machine), machine, profile(deny, rules...)})
		}
	}
	for _, a := range operators {
		for _, b := range operators {
			for _, c := range []struct {
				name         string
				first, other uint64
			}{{"one constant", 5, 5}, {"the second above", 5, 9}, {"the second below", 9, 5}} {
				add(fmt.Sprintf("%s then %s, %s", short(a), short(b), c.name),
					failing(2, "ioctl", condition(0, a, c.first)), failing(3, "ioctl", condition(0, b, c.other)))
			}
			add(fmt.Sprintf("%s of a0 then %s of a1", short(a), short(b)),
				failing(2, "ioctl", condition(0, a, 5)), failing(3, "ioctl", condition(1, b, 7)))
			add(fmt.Sprintf("%s of a0 then the same and %s of a1", short(a), short(b)),
				failing(2, "ioctl", condition(0, a, 5)), failing(3, "ioctl", condition(0, a, 5), condition(1, b, 7)))
			add(fmt.Sprintf("%s of a0 and %s of a1 then the second alone", short(a), short(b)),
				failing(2, "ioctl", condition(0, a, 5), condition(1, b, 7)), failing(3, "ioctl", condition(1, b, 7)))
		}
	}
	return list
}

// Every corner comes to what testdata says: equal for every input, or refused by
// both.
func TestCorners(t *testing.T) {
	corners := append(statements(), pairs()...)
	if len(corners) < 300 {
		t.Errorf("only %d corners", len(corners))
	}
	var got bytes.Buffer
	seen := map[string]bool{}
	var n tally
	for _, c := range corners {
		if seen[c.name] {
			t.Errorf("two corners are called %q", c.name)
		}
		seen[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			archs := architectures(t, strings.Split(c.machine, "+"))
			if c.object.Architectures == nil {
				for _, a := range archs {
					c.object.Architectures = append(c.object.Architectures, specs.Arch(a.OCI))
				}
			}
			o := compare(t, c.object, archs[0])
			n.add(o)
			fmt.Fprintf(&got, "%s: %v\n", c.name, o)
		})
	}
	t.Logf("%d corners: %v", len(corners), n)
	golden(t, "corners.golden", got.Bytes())
}

func (o outcome) String() string {
	switch {
	case o.conflict:
		return "refused"
	case o.proved:
		return "equal"
	default:
		return "libseccomp errs"
	}
}

// golden holds got to a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		var g, w string
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Errorf("%s, line %d:\n got %s\nwant %s", path, i+1, g, w)
		}
	}
}

// libseccomp takes no errno of 4095 or more, although the kernel would: both
// refuse the container.
func TestHighErrno(t *testing.T) {
	native := architectures(t, []string{x86_64})[0]
	object := profile(allow, failing(4095, "getppid"))
	answer, err := ask(t, object, native)
	if err != nil || !strings.Contains(answer.Error, "two checks on same syscall argument") { // libseccomp-golang's words for EINVAL
		t.Errorf("libseccomp: %q %v", answer.Error, err)
	}
	if _, err := resolve(t, object, native); err == nil {
		t.Error("this project takes it")
	}
}

// The order of rules shows only where their actions differ: the same rules with
// one action are the same filter in every order, on both sides.
func TestOrderOfOneAction(t *testing.T) {
	native := architectures(t, []string{x86_64})[0]
	rules := []specs.LinuxSyscall{
		rule(allow, "ioctl", arg(0, eq, 1)), rule(allow, "ioctl", arg(1, eq, 2)), rule(allow, "ioctl", arg(0, eq, 1), arg(1, eq, 3)),
	}
	first, _ := ours(t, profile(deny, rules...), native)
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		object := profile(deny, rules[order[0]], rules[order[1]], rules[order[2]])
		if o := compare(t, object, native); !o.proved {
			t.Errorf("%v: %v", order, o)
		}
		p, _ := ours(t, object, native)
		if r, err := verify.Policies(first, p); err != nil || r.Outcome != verify.Equal {
			t.Errorf("%v: %v %v", order, r, err)
		}
	}
}

// Calls through socketcall that a profile allows fail with ENOSYS where it names
// no call of x86 above socketcall's number: runc's stub stands before the filter
// and does not count multiplexed names. So it is with runc, whose program this
// reference is (TestRuncInstallsTheReference), and so it is here. A profile
// under which a container can start names higher calls.
func TestSocketcallBehindTheStub(t *testing.T) {
	native := architectures(t, []string{x86})[0]
	for names, want := range map[string]bpf.Return{
		"getppid socket":            bpf.Errno(38),
		"getppid socket exit_group": bpf.RetAllow,
	} {
		object := profile(deny, rule(allow, names))
		if o := compare(t, object, native); !o.proved {
			t.Errorf("%s: %v", names, o)
		}
		answer, err := ask(t, object, native)
		if err != nil || answer.Error != "" {
			t.Fatal(err, answer.Error)
		}
		nr, _ := native.Number("socketcall")
		d := bpf.Data{Nr: nr, Arch: native.Audit, Args: [6]uint64{1}}
		words := d.Words(native.Endian)
		if got, err := answer.Program.Run(&words); err != nil || got != want {
			t.Errorf("%s: runc's program gives %v %v, want %v", names, got, err, want)
		}
	}
}
