package compile_test

import (
	"errors"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
)

// TestRandomPolicies compares programs with the definition of the policies
// that they were made from.
func TestRandomPolicies(t *testing.T) {
	for seed := range uint64(2000) {
		g := newGenerator(seed)
		p := g.policy()
		program, err := compile.Compile(p, compile.Options{Optimize: compile.Goal(seed % 3)})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := program.Validate(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, d := range g.calls(p, 300) {
			w := d.Words(p.Endian)
			got, err := program.Run(&w)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if want := p.Evaluate(&d); got != want {
				t.Fatalf("seed %d: call %#x of token %#x with %#x gets %s, want %s\n%s", seed, d.Nr, d.Arch, d.Args, got, want, program)
			}
		}
	}
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
		w := d.Words(p.Endian)
		got, err := program.Run(&w)
		if want := p.Evaluate(&d); err != nil || got != want {
			t.Fatalf("call %d gets %s (%v), want %s", nr, got, err, want)
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

func TestInvalidPolicy(t *testing.T) {
	whole := []spec.Range{{First: 0, Last: ^uint32(0)}}
	for name, p := range map[string]*spec.Policy{
		"byte order":     {Endian: 2},
		"token twice":    {Tokens: []spec.Token{{Audit: 1, Ranges: whole}, {Audit: 1, Ranges: whole}}},
		"no ranges":      {Tokens: []spec.Token{{Audit: 1}}},
		"gap":            {Tokens: []spec.Token{{Audit: 1, Ranges: []spec.Range{{First: 0, Last: 1}, {First: 3, Last: ^uint32(0)}}}}},
		"overlap":        {Tokens: []spec.Token{{Audit: 1, Ranges: []spec.Range{{First: 0, Last: 1}, {First: 1, Last: ^uint32(0)}}}}},
		"ends too early": {Tokens: []spec.Token{{Audit: 1, Ranges: []spec.Range{{First: 0, Last: 1}}}}},
		"argument 6": {Tokens: []spec.Token{{Audit: 1, Ranges: []spec.Range{{First: 0, Last: ^uint32(0), Verdict: spec.Verdict{
			Rules: []spec.Rule{{Conditions: []spec.Condition{{Arg: 6}}}}}}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compile.Compile(p, compile.Options{})
			var invalid *compile.PolicyError
			if !errors.As(err, &invalid) {
				t.Fatalf("error is %v, want a PolicyError", err)
			}
		})
	}
}
