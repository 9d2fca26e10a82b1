package verify

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// TestDifferences: of random verdicts on two small arguments every pair of
// return values that occurs among all calls has its witness, and no other.
func TestDifferences(t *testing.T) {
	const token, width = 0xc000003e, 8
	returns := []bpf.Return{bpf.RetAllow, bpf.Errno(1), bpf.Errno(2)}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		random := func() *spec.Policy {
			v := spec.Verdict{Default: returns[r.IntN(len(returns))]}
			for range r.IntN(4) {
				rule := spec.Rule{Return: returns[r.IntN(len(returns))]}
				for arg := range uint8(2) {
					if r.IntN(2) == 0 {
						rule.Conditions = append(rule.Conditions, spec.Condition{Arg: arg, Op: spec.Op(r.IntN(6)), Mask: width - 1, Value: r.Uint64N(width)})
					}
				}
				v.Rules = append(v.Rules, rule)
			}
			return &spec.Policy{Tokens: []spec.Token{{Audit: token, Ranges: []spec.Range{{First: 0, Last: ^uint32(0), Verdict: v}}}}}
		}
		a, b := random(), random()
		want := map[[2]bpf.Return]bool{}
		for x := range uint64(width) {
			for y := range uint64(width) {
				call := bpf.Data{Arch: token, Args: [6]uint64{x, y}}
				if p, q := a.Evaluate(&call), b.Evaluate(&call); p != q {
					want[[2]bpf.Return{p, q}] = true
				}
			}
		}
		got, outcome, err := Differences(a, b)
		if err != nil || (outcome == Equal) != (len(want) == 0) || outcome == Undecided || len(got) != len(want) {
			t.Fatalf("seed %d: %v, %v, %d of %d pairs", seed, outcome, err, len(got), len(want))
		}
		for _, w := range got {
			if !want[[2]bpf.Return{w.First.Return, w.Second.Return}] || w.Call.Arch != token {
				t.Errorf("seed %d: %s", seed, &w)
			}
			if p, q := a.Evaluate(&w.Call), b.Evaluate(&w.Call); p != w.First.Return || q != w.Second.Return {
				t.Errorf("seed %d: %s gets %s and %s", seed, &w, p, q)
			}
		}
		if _, outcome, err := (Budget{Nodes: 1}).Differences(a, b); err != nil || outcome == Equal && len(want) > 0 {
			t.Errorf("seed %d: %v, %v with a budget of one node", seed, outcome, err)
		}
	}
}
