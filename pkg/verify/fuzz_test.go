package verify

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
)

// fuzzBudget keeps one try short.
var fuzzBudget = Budget{Nodes: 1 << 16, Steps: 1 << 17}

// FuzzPrograms reads two programs from raw bytes. An "equal" that any call
// around their constants contradicts, and a "different" whose witness does not
// show it, are failures.
func FuzzPrograms(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 30 {
		p := bpftest.Random(r, bpftest.Style(i%2), 4+r.IntN(20))
		q := p
		if i%3 > 0 {
			q = mutate(r, p)
		}
		raw, _ := p.MarshalBinary()
		other, _ := q.MarshalBinary()
		f.Add(raw, other, i%5 == 0, uint64(i))
	}
	f.Fuzz(func(t *testing.T, raw, other []byte, big bool, seed uint64) {
		var p, q bpf.Program
		if p.UnmarshalBinary(raw) != nil || q.UnmarshalBinary(other) != nil || len(p)+len(q) > 200 {
			return
		}
		e := bpf.Little
		if big {
			e = bpf.Big
		}
		got, err := fuzzBudget.Programs(p, q, e)
		if valid := p.Validate() == nil && q.Validate() == nil; valid != (err == nil) {
			t.Fatalf("programs valid: %v, error: %v", valid, err)
		}
		if err != nil {
			return
		}
		first, second := programSide{p, e}, programSide{q, e}
		checkWitness(t, got, first, second)
		if got.Outcome == Equal {
			sampler := bpftest.NewSampler(e, p, q)
			r := rand.New(rand.NewPCG(seed, 0))
			checkAgreement(t, 200, func() bpf.Data { return sampler.Call(r) }, first, second)
		}
	})
}

// FuzzPolicy makes a policy and a program for it from a seed, changes one of
// them, and asks the same.
func FuzzPolicy(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, change uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		p, numbers := randomPolicy(r)
		prog := translate(p)
		if len(prog) > bpf.MaxInstructions {
			return
		}
		switch change % 3 {
		case 0:
			p = mutatePolicy(r, p)
		case 1:
			prog = mutate(r, prog)
		}
		got, err := fuzzBudget.Policy(p, prog)
		if err != nil {
			t.Fatal(err)
		}
		first, second := policySide{p}, programSide{prog, p.Endian}
		checkWitness(t, got, first, second)
		if change%3 == 2 && got.Outcome == Different {
			t.Fatalf("a policy and its translation: %v", got)
		}
		if got.Outcome == Equal {
			sampler := bpftest.NewSampler(p.Endian, prog)
			checkAgreement(t, 200, func() bpf.Data { return policyCall(r, p, numbers) }, first, second)
			checkAgreement(t, 200, func() bpf.Data { return sampler.Call(r) }, first, second)
		}
	})
}

// checkAgreement asks for n calls that both sides give them the same.
func checkAgreement(t testing.TB, n int, next func() bpf.Data, first, second side) {
	t.Helper()
	for range n {
		call := next()
		a, errA := first.verdict(&call)
		b, errB := second.verdict(&call)
		if errA != nil || errB != nil || a.Return != b.Return {
			t.Fatalf("equal, but %+v gets %v and %v (%v, %v)", call, a, b, errA, errB)
		}
	}
}
