package compile_test

import (
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
)

// TestTargets holds the programs of Docker's default profile, and of one that
// looks into the arguments of 23 calls, to figures of length and depth.
func TestTargets(t *testing.T) {
	three := builtin(t, "builtin:docker", nil, "x86_64", "x86", "x32")
	one := builtin(t, "builtin:docker", nil, "x86_64")
	heavy := profile(t, "../../test/bench/compile/testdata/argument-heavy.json")
	for _, test := range []struct {
		name   string
		policy *spec.Policy
		goal   compile.Goal
		// Limits; 0 is none. all, uncached and checked are the instructions
		// executed until the verdict, on average over the native calls.
		length                 int
		all, uncached, checked float64
	}{
		{"default", three, compile.Cache, 196, 9.4, 9.0, 11.6},
		{"depth", three, compile.Depth, 201, 9.05, 0, 0},
		{"size", three, compile.Size, 188, 0, 0, 0},
		{"default, one architecture", one, compile.Cache, 66, 9.4, 9.0, 11.6},
		{"size, one architecture", one, compile.Size, 62, 0, 0, 0},
		{"default, many arguments", heavy, compile.Cache, 230, 10.7, 11, 15},
		{"depth, many arguments", heavy, compile.Depth, 235, 10, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			program, err := compile.Compile(test.policy, compile.Options{Optimize: test.goal})
			if err != nil {
				t.Fatal(err)
			}
			m := measure(t, test.policy, program)
			t.Logf("%d instructions; executed: %.2f of all calls, %.2f uncached, %.2f argument-checked", len(program), m.all, m.uncached, m.checked)
			for _, figure := range []struct {
				name       string
				got, limit float64
			}{
				{"length", float64(len(program)), float64(test.length)},
				{"mean", m.all, test.all},
				{"mean of uncached calls", m.uncached, test.uncached},
				{"mean of argument-checked calls", m.checked, test.checked},
			} {
				if figure.limit != 0 && figure.got > figure.limit {
					t.Errorf("%s is %.2f, limit %.2f", figure.name, figure.got, figure.limit)
				}
			}
		})
	}
}

// measures are instructions executed until the verdict: averages over the
// native architecture's calls.
type measures struct{ all, uncached, checked float64 }

// measure runs every native call: once if its verdict is constant, else with
// arguments for every rule of the policy and with some that no rule is about.
func measure(t testing.TB, policy *spec.Policy, program bpf.Program) measures {
	t.Helper()
	token := &policy.Tokens[0]
	table, err := precompute.NewTable(program, token.Audit)
	if err != nil {
		t.Fatal(err)
	}
	var all, uncached, checked average
	a, _ := arch.ByAudit(token.Audit)
	for nr := range a.Calls() {
		d := bpf.Data{Nr: nr, Arch: token.Audit}
		for i := range d.Args {
			d.Args[i] = 0x12345678
		}
		var one average
		outcome := table.Lookup(nr)
		if !outcome.Constant {
			for _, r := range token.Lookup(nr).Rules {
				matching := d
				for _, c := range r.Conditions {
					matching.Args[c.Arg] = satisfying(c)
				}
				_, n := run(t, program, policy.Endian, &matching)
				one.add(float64(n))
			}
		}
		_, n := run(t, program, policy.Endian, &d)
		one.add(float64(n))
		all.add(one.mean())
		if !outcome.Constant {
			checked.add(one.mean())
		}
		if !outcome.Cached() {
			uncached.add(one.mean())
		}
	}
	return measures{all.mean(), uncached.mean(), checked.mean()}
}

// satisfying returns a value for which c holds.
func satisfying(c spec.Condition) uint64 {
	switch c.Op {
	case spec.NE, spec.GT:
		return c.Value + 1
	case spec.LT:
		return c.Value - 1
	default:
		return c.Value
	}
}

type average struct {
	sum   float64
	count int
}

func (a *average) add(v float64) { a.sum, a.count = a.sum+v, a.count+1 }

func (a *average) mean() float64 {
	if a.count == 0 {
		return 0
	}
	return a.sum / float64(a.count)
}
