package compile_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
)

// TestRandomPolicies compares programs with the definition of the policies
// that they were made from: all by calls, some by proof.
func TestRandomPolicies(t *testing.T) {
	for seed := range uint64(3000) {
		checkPolicy(t, newGenerator(rand.NewPCG(seed, 0)), compile.Goal(seed%3), seed%10 == 0)
	}
}

// FuzzPolicy is TestRandomPolicies with the fuzzer's luck.
func FuzzPolicy(f *testing.F) {
	for seed := range byte(50) {
		f.Add([]byte(strings.Repeat(string([]byte{seed, 3 * seed, 7 * seed}), 200)), seed%3)
	}
	f.Fuzz(func(t *testing.T, data []byte, goal byte) {
		checkPolicy(t, newGenerator(&tape{data: data}), compile.Goal(goal%3), len(data) < 500)
	})
}

// tape is a source of random numbers that the fuzzer can turn. Behind its end
// it goes on without, because math/rand tries again as long as it gets zeros.
type tape struct {
	data []byte
	rest rand.PCG
}

func (t *tape) Uint64() uint64 {
	if len(t.data) < 8 {
		return t.rest.Uint64()
	}
	v := binary.LittleEndian.Uint64(t.data)
	t.data = t.data[8:]
	return v
}

func checkPolicy(t *testing.T, g generator, goal compile.Goal, proof bool) {
	t.Helper()
	p := g.policy()
	program, err := compile.Compile(p, compile.Options{Optimize: goal})
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, d := range g.calls(p, 200) {
		if got, _ := run(t, program, p.Endian, &d); got != p.Evaluate(&d) {
			t.Fatalf("call %#x of token %#x with %#x gets %s, want %s\n%s", d.Nr, d.Arch, d.Args, got, p.Evaluate(&d), program)
		}
	}
	checkCached(t, p, program)
	if proof {
		prove(t, p, program)
	}
}

// checkCached fails the test unless the kernel's cache will serve every call
// whose verdict is always ALLOW.
func checkCached(t testing.TB, p *spec.Policy, program bpf.Program) {
	t.Helper()
	for i := range p.Tokens {
		token := &p.Tokens[i]
		table, err := precompute.NewTable(program, token.Audit)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range token.Ranges {
			if !alwaysAllows(&r.Verdict) {
				continue
			}
			for _, nr := range [...]uint32{r.First, r.Last} {
				if o := table.Lookup(nr); !o.Cached() {
					t.Fatalf("call %#x of token %#x is not cached: %s\n%s", nr, token.Audit, table.Why(o), program)
				}
			}
		}
	}
}

// alwaysAllows reports whether a verdict is ALLOW on the face of it.
func alwaysAllows(v *spec.Verdict) bool {
	for _, r := range v.Rules {
		if r.Return != bpf.RetAllow {
			return false
		}
		if len(r.Conditions) == 0 {
			return true
		}
	}
	return v.Default == bpf.RetAllow
}

// TestLongJumps makes a program in which no byte can hold the distance from
// its beginning to its end.
func TestLongJumps(t *testing.T) {
	p := alternating(1500, 100)
	program, err := compile.Compile(p, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(program) < 4*255 {
		t.Fatalf("%d instructions are too few for this test", len(program))
	}
	for nr := range uint32(1502) {
		d := bpf.Data{Nr: nr, Arch: p.Tokens[0].Audit}
		if got, _ := run(t, program, p.Endian, &d); got != p.Evaluate(&d) {
			t.Fatalf("call %d gets %s, want %s", nr, got, p.Evaluate(&d))
		}
	}
}

func TestTooLarge(t *testing.T) {
	_, err := compile.Compile(alternating(20000, 1000), compile.Options{})
	var tooLarge *compile.TooLargeError
	if !errors.As(err, &tooLarge) || tooLarge.Instructions <= bpf.MaxInstructions {
		t.Fatalf("error is %v, want a TooLargeError", err)
	}
}

// alternating returns a policy in which n numbers one after the other fail, each
// with another one of some errnos than its neighbours.
func alternating(n, errnos uint32) *spec.Policy {
	var ranges []spec.Range
	for nr := range n {
		v := spec.Verdict{Default: bpf.Errno(uint16(1 + nr*7919%errnos))}
		ranges = append(ranges, spec.Range{First: nr, Last: nr, Verdict: v})
	}
	ranges[n-1].Last = ^uint32(0)
	return &spec.Policy{Tokens: []spec.Token{{Audit: 0xc000003e, Ranges: ranges}}}
}

func TestParseGoal(t *testing.T) {
	for _, goal := range goals {
		if got, err := compile.ParseGoal(goal.String()); err != nil || got != goal {
			t.Errorf("%s is read as %s (%v)", goal, got, err)
		}
	}
	const want = `compile: unknown goal "speed": must be cache, depth or size`
	if _, err := compile.ParseGoal("speed"); err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	const unknown = "compile: unknown goal Goal(3)"
	if _, err := compile.Compile(&spec.Policy{}, compile.Options{Optimize: 3}); err == nil || err.Error() != unknown {
		t.Errorf("error is %v, want %s", err, unknown)
	}
}

func TestInvalidPolicy(t *testing.T) {
	whole := []spec.Range{{First: 0, Last: ^uint32(0)}}
	for name, p := range map[string]*spec.Policy{
		"unknown byte order 2":         {Endian: 2},
		"token 0x1: is there twice":    {Tokens: []spec.Token{{Audit: 1, Ranges: whole}, {Audit: 1, Ranges: whole}}},
		"token 0x1: ranges end at 0x0": {Tokens: []spec.Token{{Audit: 1}}},
		"token 0x1: range 1 (0x3 to 0xffffffff) does not begin at 0x2": {Tokens: []spec.Token{{Audit: 1, Ranges: []spec.Range{
			{First: 0, Last: 1}, {First: 3, Last: ^uint32(0)}}}}},
		"token 0x1: range 1 (0x1 to 0xffffffff) does not begin at 0x2": {Tokens: []spec.Token{{Audit: 1, Ranges: []spec.Range{
			{First: 0, Last: 1}, {First: 1, Last: ^uint32(0)}}}}},
		"token 0x1: ranges end at 0x2": {Tokens: []spec.Token{{Audit: 1, Ranges: []spec.Range{{First: 0, Last: 1}}}}},
		"token 0x1: range 0: rule 0 compares argument 6 with ==": {Tokens: []spec.Token{{Audit: 1, Ranges: []spec.Range{
			{First: 0, Last: ^uint32(0), Verdict: spec.Verdict{Rules: []spec.Rule{{Conditions: []spec.Condition{{Arg: 6}}}}}}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compile.Compile(p, compile.Options{})
			var invalid *compile.PolicyError
			if want := "compile: invalid policy: " + name; !errors.As(err, &invalid) || err.Error() != want {
				t.Fatalf("error is %v, want %s", err, want)
			}
		})
	}
}
