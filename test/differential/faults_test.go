//go:build libseccomp

package differential

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/verify"
)

// Where libseccomp gets a profile wrong this project follows the profile. Each
// entry is a decision, with a call that shows it: what the profile says of it,
// and what libseccomp's program does. The harmless neighbour, a profile that
// differs in as little as possible, is equal on both sides. An entry fails when
// libseccomp no longer errs, and when this project begins to.
func TestFaults(t *testing.T) {
	for _, f := range []struct {
		name      string
		fault     fault
		machine   string
		object    *specs.LinuxSeccomp
		call      string
		args      [6]uint64
		says      bpf.Return // the profile, and so this project
		does      bpf.Return // libseccomp
		neighbour *specs.LinuxSeccomp
	}{
		{
			name:  "the high word is compared with what was loaded for the low one",
			fault: faultProgram, machine: x86_64,
			object: profile(deny, rule(allow, "ioctl", arg(0, lt, 0x100000005)), rule(allow, "ioctl", arg(0, gt, 0x300000007))),
			call:   "ioctl", args: [6]uint64{0x100000005}, says: bpf.Errno(1), does: bpf.RetAllow,
			neighbour: profile(deny, rule(allow, "ioctl", arg(0, lt, 0x100000005)), rule(allow, "ioctl", arg(0, gt, 0x100000007))),
		},
		{
			name:  "so it is within one operator",
			fault: faultProgram, machine: x86_64,
			object: profile(deny, rule(allow, "ioctl", arg(0, lt, 5)), rule(allow, "ioctl", arg(0, lt, 0x300000002))),
			call:   "ioctl", args: [6]uint64{5}, says: bpf.RetAllow, does: bpf.Errno(1),
			neighbour: profile(deny, rule(allow, "ioctl", arg(0, gt, 5)), rule(allow, "ioctl", arg(0, gt, 0x300000002))),
		},
		{
			name:  "so it is with another argument, on 32 bits too",
			fault: faultProgram, machine: x86,
			object: profile(deny, rule(allow, "ioctl", arg(0, le, 2), arg(1, le, 3)), rule(allow, "ioctl", arg(0, le, 3))),
			call:   "ioctl", args: [6]uint64{0, 4}, says: bpf.RetAllow, does: bpf.Errno(1),
			neighbour: profile(deny, rule(allow, "ioctl", arg(0, ge, 2), arg(1, ge, 3)), rule(allow, "ioctl", arg(0, ge, 3))),
		},
		{
			name:  "so it can be with equalities, where two calls end in the same tests",
			fault: faultProgram, machine: docker,
			object: profile(deny,
				rule(allow, "sendto", arg(1, eq, 0), arg(2, eq, 5)),
				rule(allow, "sendto", arg(0, eq, 8)), rule(allow, "sendto socket", arg(0, eq, 0)), rule(allow, "sendto socket", arg(2, eq, 8)),
				rule(allow, "socket", arg(0, eq, 5), arg(1, eq, 8), arg(2, eq, 5))),
			call: "x32 socket", args: [6]uint64{5}, says: bpf.Errno(1), does: bpf.RetAllow,
			neighbour: profile(deny,
				rule(allow, "sendto", arg(1, eq, 0), arg(2, eq, 5)),
				rule(allow, "sendto", arg(0, eq, 8)), rule(allow, "socket", arg(0, eq, 0)), rule(allow, "sendto socket", arg(2, eq, 8)),
				rule(allow, "socket", arg(0, eq, 5), arg(1, eq, 8), arg(2, eq, 5))),
		},
		{
			name:  "the number is not loaded: a rule for a call that x86_64 lacks turns off those for calls that it has",
			fault: faultProgram, machine: docker,
			object: profile(allow, failing(1, "socketcall"), failing(1, "socket", arg(0, eq, 38))),
			call:   "socket", args: [6]uint64{38}, says: bpf.Errno(1), does: bpf.RetAllow,
			neighbour: profile(allow, failing(1, "socketcall"), failing(1, "socket", arg(0, eq, 38)), failing(1, "getppid")),
		},
		{
			name:  "rules that go on after a 64-bit test mix: one is applied that does not apply",
			fault: faultBranches, machine: x86_64,
			object: profile(deny, rule(allow, "ioctl", arg(0, gt, 5), arg(1, eq, 1)), rule(allow, "ioctl", arg(0, gt, 9), arg(1, eq, 2))),
			call:   "ioctl", args: [6]uint64{7, 2}, says: bpf.Errno(1), does: bpf.RetAllow,
			neighbour: profile(deny, rule(allow, "ioctl", arg(0, eq, 5), arg(1, eq, 1)), rule(allow, "ioctl", arg(0, gt, 9), arg(1, eq, 2))),
		},
		{
			name:  "where a shorter rule has the values of other high words, the rest of a longer one is dropped",
			fault: faultBranches, machine: x86_64,
			object: profile(deny, failing(2, "ioctl", arg(0, gt, 5)), rule(allow, "ioctl", arg(0, gt, 3), arg(1, eq, 1))),
			call:   "ioctl", args: [6]uint64{4, 1}, says: bpf.RetAllow, does: bpf.Errno(1),
			neighbour: profile(deny, rule(allow, "ioctl", arg(0, gt, 3), arg(1, eq, 1)), failing(2, "ioctl", arg(1, gt, 5))),
		},
		{
			name:  "a rule is dropped as covered by one that wants the opposite",
			fault: faultLost, machine: x86,
			object: profile(deny, failing(2, "ioctl", arg(1, le, 5)), rule(allow, "ioctl", arg(0, eq, 1), arg(1, gt, 5))),
			call:   "ioctl", args: [6]uint64{1, 6}, says: bpf.RetAllow, does: bpf.Errno(1),
			neighbour: profile(deny, failing(2, "ioctl", arg(1, le, 5)), rule(allow, "ioctl", arg(0, eq, 1), arg(1, gt, 6))),
		},
	} {
		t.Run(f.name, func(t *testing.T) {
			archs := architectures(t, strings.Split(f.machine, "+"))
			for _, o := range []*specs.LinuxSeccomp{f.object, f.neighbour} {
				for _, a := range archs {
					o.Architectures = append(o.Architectures, specs.Arch(a.OCI))
				}
			}
			if o := compare(t, f.object, archs[0], allFaults...); o.fault != f.fault {
				t.Errorf("it is %v", o)
			}
			if o := compare(t, f.neighbour, archs[0]); !o.proved {
				t.Errorf("the neighbour is %v", o)
			}
			d := callOf(t, archs[0], f.call, f.args)
			c := both(t, f.object, archs[0])
			words := d.Words(archs[0].Endian)
			does, err := c.program.Run(&words)
			if err != nil {
				t.Fatal(err)
			}
			if says := c.policy.Evaluate(&d); says != f.says || does != f.does {
				t.Errorf("%s: ours is %v, want %v; libseccomp's is %v, was %v", call(&d), says, f.says, does, f.does)
			}
			if possible := c.verdicts(&d); !slices.Contains(possible, f.says) || slices.Contains(possible, f.does) {
				t.Errorf("%s: the rules say %v", call(&d), possible)
			}
		})
	}
}

// callOf returns the call of that name, with an architecture before it where it
// is not the native one's.
func callOf(t *testing.T, native *arch.Arch, name string, args [6]uint64) bpf.Data {
	t.Helper()
	a := native
	if other, rest, ok := strings.Cut(name, " "); ok {
		a, name = architectures(t, []string{other})[0], rest
	}
	nr, ok := a.Number(name)
	if !ok {
		t.Fatalf("%v has no %s", a, name)
	}
	return bpf.Data{Nr: nr, Arch: a.Audit, Args: args}
}

// libseccomp does not come back from rules that share a 64-bit test other than
// == and go on to different tests of another argument: a list of its tree is
// tied into a ring. This project's program is the profile's.
func TestHangs(t *testing.T) {
	if testing.Short() {
		t.Skipf("waits %v for what does not come", patience)
	}
	native := architectures(t, []string{x86_64})[0]
	object := profile(deny, rule(allow, "ioctl", arg(0, gt, 5), arg(1, eq, 1)), rule(allow, "ioctl", arg(0, gt, 5), arg(1, eq, 1<<32)))
	if _, err := ask(t, object, native); !errors.Is(err, errHangs) {
		t.Errorf("libseccomp came back: %v", err)
	}
	if o := compare(t, profile(deny, object.Syscalls[1], object.Syscalls[0]), native); !o.proved {
		t.Errorf("in the other order: %v", o)
	}
	p, compiled := ours(t, object, native)
	if r, err := verify.Policy(p, compiled); err != nil || r.Outcome != verify.Equal {
		t.Errorf("%v %v", r, err)
	}
	for args, want := range map[[6]uint64]bpf.Return{
		{6, 1}: bpf.RetAllow, {6, 1 << 32}: bpf.RetAllow, {1 << 32, 1}: bpf.RetAllow,
		{5, 1}: bpf.Errno(1), {6, 2}: bpf.Errno(1), {6, 1<<32 | 1}: bpf.Errno(1),
	} {
		d := callOf(t, native, "ioctl", args)
		if got := p.Evaluate(&d); got != want {
			t.Errorf("%s: %v, want %v", call(&d), got, want)
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
