package verify

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/spec"
)

const (
	x86_64  = 0xc000003e // AUDIT_ARCH_X86_64
	i386    = 0x40000003
	aarch64 = 0xc00000b7
)

// randomPolicy returns a policy of up to three architectures, and the numbers
// that decide in it, for bpftest.Call.
func randomPolicy(r *rand.Rand) (*spec.Policy, []uint32) {
	verdicts := []bpf.Return{bpf.RetAllow, bpf.Errno(1), bpf.Errno(38), bpf.RetKillThread, bpf.RetLog, bpf.RetTrap}
	verdict := func() bpf.Return { return verdicts[r.IntN(len(verdicts))] }
	numbers := bpftest.Constants()
	number := func() uint32 {
		n := []uint32{uint32(r.IntN(4)), uint32(r.IntN(500)), 1 << r.IntN(32), r.Uint32(), ^uint32(0)}[r.IntN(5)]
		numbers = append(numbers, n-1, n, n+1)
		return n
	}
	rules := func() []spec.Rule {
		var rules []spec.Rule
		for range r.IntN(4) {
			rule := spec.Rule{Return: verdict(), Origin: r.IntN(100)}
			for range r.IntN(4) {
				c := spec.Condition{Arg: uint8(r.IntN(6)), Op: spec.Op(r.IntN(6)), Mask: ^uint64(0)}
				c.Value = uint64(number())
				if r.IntN(2) == 0 {
					c.Value |= uint64(number()) << 32
				}
				switch r.IntN(4) {
				case 0:
					c.Mask = uint64(number()) | uint64(number())<<32
					if r.IntN(4) > 0 {
						c.Value &= c.Mask
					}
				case 1: // as 32-bit architectures compare
					c.Mask, c.Value = 0xffffffff, c.Value&0xffffffff
				}
				rule.Conditions = append(rule.Conditions, c)
			}
			rules = append(rules, rule)
		}
		return rules
	}
	p := &spec.Policy{Endian: bpf.Endian(r.IntN(2)), Other: verdict()}
	audits := []uint32{x86_64, i386, aarch64}
	for _, audit := range audits[:r.IntN(4)] {
		t := spec.Token{Audit: audit}
		starts := []uint32{0}
		for range r.IntN(12) {
			starts = append(starts, number())
		}
		slices.Sort(starts)
		starts = slices.Compact(starts)
		for i, first := range starts {
			rg := spec.Range{First: first, Last: ^uint32(0), Verdict: spec.Verdict{Default: verdict()}}
			if i+1 < len(starts) {
				rg.Last = starts[i+1] - 1
			}
			if r.IntN(3) == 0 {
				rg.Verdict.Rules = rules()
			}
			t.Ranges = append(t.Ranges, rg)
		}
		p.Tokens = append(p.Tokens, t)
	}
	slices.Sort(numbers)
	return p, slices.Compact(numbers)
}

// policyCall is bpftest.Call, mostly with an architecture of the policy.
func policyCall(r *rand.Rand, p *spec.Policy, numbers []uint32) bpf.Data {
	call := bpftest.Call(r, numbers)
	if len(p.Tokens) > 0 && r.IntN(8) > 0 {
		call.Arch = p.Tokens[r.IntN(len(p.Tokens))].Audit
	}
	return call
}

// The diagrams of a policy and its definition in pkg/spec agree.
func TestPolicyIsItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 500 {
		p, numbers := randomPolicy(r)
		if err := checkPolicy(p); err != nil {
			t.Fatal(err)
		}
		o := []*order{wordwise, bitwise}[i/10%10/9] // mostly the first
		d := newForest(Budget{Nodes: 1 << 20, Steps: 1 << 22})
		result := d.policy(p, o)
		if d.exhausted && o == wordwise {
			t.Error("undecided")
		}
		for range 200 {
			call := policyCall(r, p, numbers)
			if d.exhausted {
				break
			}
			if got, want := result.returned(t, o, &call), p.Evaluate(&call); got != want {
				t.Fatalf("policy %d, call %+v: got %v, want %v", i, call, got, want)
			}
		}
		d.release()
	}
}

// Each operator at its border, for masks of all widths.
func TestConditions(t *testing.T) {
	d := newTestForest(t)
	reads := reader{forest: d, order: wordwise, conditions: map[spec.Condition]ref{}}
	masks := []uint64{0, 1, 0xff, 0xf0f0, 0xffffffff, 0xffffffff00000000, 0x00ffff0000ffff00, 1 << 63, ^uint64(0)}
	values := []uint64{0, 1, 0x80, 0xf0, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000005, 1 << 63, ^uint64(0) - 1, ^uint64(0)}
	for op := spec.EQ; op <= spec.GE; op++ {
		for _, mask := range masks {
			for _, value := range values {
				for arg := range uint8(6) {
					c := spec.Condition{Arg: arg, Op: op, Mask: mask, Value: value}
					set := reads.condition(c)
					for _, near := range values {
						for _, v := range []uint64{near - 1, near, near + 1, near &^ mask, near | value} {
							var call bpf.Data
							call.Args[arg] = v
							if d.contains(wordwise, set, &call) != c.Holds(&call.Args) {
								t.Fatalf("args[%d]&%#x %s %#x is wrong for %#x", arg, mask, op, value, v)
							}
						}
					}
				}
			}
		}
	}
}

// What is not a total function is refused, with words that say where.
func TestCheckPolicy(t *testing.T) {
	const last = ^uint32(0)
	token := func(ranges ...spec.Range) *spec.Policy {
		return &spec.Policy{Tokens: []spec.Token{{Audit: x86_64, Ranges: ranges}}}
	}
	rule := func(c spec.Condition) *spec.Policy {
		return token(spec.Range{Last: last, Verdict: spec.Verdict{Rules: []spec.Rule{{Origin: 7, Conditions: []spec.Condition{c}}}}})
	}
	tests := []struct {
		name   string
		policy *spec.Policy
		want   string // part of the error, "" for none
	}{
		{"no architecture", &spec.Policy{}, ""},
		{"one range", token(spec.Range{Last: last}), ""},
		{"two ranges", token(spec.Range{Last: 4}, spec.Range{First: 5, Last: last}), ""},
		{"no range", token(), "ranges end before number 0"},
		{"missing start", token(spec.Range{First: 1, Last: last}), "does not start at 0"},
		{"gap", token(spec.Range{Last: 4}, spec.Range{First: 6, Last: last}), "range 6-4294967295 does not start at 5"},
		{"overlap", token(spec.Range{Last: 4}, spec.Range{First: 4, Last: last}), "does not start at 5"},
		{"missing end", token(spec.Range{Last: last - 1}), "ranges end before number 4294967295"},
		{"more after the end", token(spec.Range{Last: last}, spec.Range{First: 0, Last: 1}), "does not start at 4294967296"},
		{"range without numbers", token(spec.Range{Last: 4}, spec.Range{First: 5, Last: 3}), "has no number"},
		{"argument 5", rule(spec.Condition{Arg: 5}), ""},
		{"argument 6", rule(spec.Condition{Arg: 6}), "architecture 0xc000003e: numbers 0-4294967295: rule 7 compares argument 6"},
		{"unknown operator", rule(spec.Condition{Op: spec.GE + 1}), "by Op(6)"},
		{"architecture twice", &spec.Policy{Tokens: []spec.Token{{Audit: i386, Ranges: []spec.Range{{Last: last}}}, {Audit: i386}}}, "0x40000003 is there twice"},
		{"byte order", &spec.Policy{Endian: 2}, "unknown byte order 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkPolicy(tt.policy)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
