package verify

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/spec"
)

// narrow changes a program so that it sees two bits of four words and no more
// of a call: 256 calls are then all there are.
func narrow(p bpf.Program) bpf.Program {
	var q bpf.Program
	at := make([]int, len(p))
	for i, in := range p {
		at[i] = len(q)
		if in.Code == bpf.LD|bpf.W|bpf.ABS {
			in.K = narrowWords[in.K/4%4] * 4
			q = append(q, in, bpf.Mask(3))
			continue
		}
		q = append(q, in)
	}
	for i, in := range p {
		to := &q[at[i]]
		skip := func(n int) int { return at[i+1+n] - at[i] - 1 }
		switch {
		case in.Code == bpf.JMP|bpf.JA:
			to.K = uint32(skip(int(in.K)))
		case in.Code&bpf.ClassMask == bpf.JMP:
			to.Jt, to.Jf = uint8(skip(int(in.Jt))), uint8(skip(int(in.Jf)))
		}
	}
	return q
}

var narrowWords = [4]uint32{0, 1, 4, 9}

// everyNarrowCall calls f with all calls that narrow programs tell apart.
func everyNarrowCall(f func(w *bpf.Words)) {
	for bits := range uint32(256) {
		var w bpf.Words
		for i, word := range narrowWords {
			w[word] = bits >> (2 * i) & 3
		}
		f(&w)
	}
}

// smallConstants makes the constants of a program ones that two bits can meet.
func smallConstants(p bpf.Program) {
	for i, in := range p {
		switch in.Code {
		case bpf.JMP | bpf.JEQ | bpf.K, bpf.JMP | bpf.JGT | bpf.K, bpf.JMP | bpf.JGE | bpf.K, bpf.JMP | bpf.JSET | bpf.K:
			p[i].K = in.K%5 - in.K>>7&1
		case bpf.ALU | bpf.AND | bpf.K, bpf.ALU | bpf.OR | bpf.K, bpf.ALU | bpf.ADD | bpf.K, bpf.ALU | bpf.DIV | bpf.K:
			p[i].K = max(in.K%8, 1)
		}
	}
}

// TestProgramsAgainstEveryCall is the exact oracle: for programs that can tell
// only 256 calls apart, "equal" must mean that all 256 agree, and "different"
// that one does not.
func TestProgramsAgainstEveryCall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[Outcome]int{}
	for i := range 3000 {
		p := bpftest.Random(r, bpftest.Style(i%2), 3+r.IntN(25))
		smallConstants(p)
		p = narrow(p)
		q := mutateNarrow(r, p)
		for _, program := range []bpf.Program{p, q} {
			if err := program.Validate(); err != nil {
				t.Fatal(err)
			}
		}
		want := Equal
		everyNarrowCall(func(w *bpf.Words) {
			a, errA := p.Run(w)
			b, errB := q.Run(w)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if a != b {
				want = Different
			}
		})
		got, err := Programs(p, q, bpf.Little)
		if err != nil {
			t.Fatal(err)
		}
		if got.Outcome != want {
			t.Fatalf("got %v, all calls say %v\n%v\n%v", got, want, p, q)
		}
		checkWitness(t, got, programSide{p, bpf.Little}, programSide{q, bpf.Little})
		seen[want]++
	}
	t.Logf("%v", seen)
	if seen[Equal] < 500 || seen[Different] < 500 {
		t.Errorf("%v: one of the answers is hardly tested", seen)
	}
}

// mutateNarrow is mutate with every load still followed by its mask.
func mutateNarrow(r *rand.Rand, p bpf.Program) bpf.Program {
next:
	for {
		q := mutate(r, p)
		for i := range q {
			if q[i].Code == bpf.LD|bpf.W|bpf.ABS && (q[i] != p[i] || i+1 == len(q) || q[i+1] != bpf.Mask(3)) {
				continue next
			}
			// A jump between a load and its mask would let all 32 bits through.
			if q[i].Code&bpf.ClassMask == bpf.JMP && (q[i].Jt != p[i].Jt || q[i].Jf != p[i].Jf || q[i].Code == bpf.JMP|bpf.JA && q[i] != p[i]) {
				for _, skip := range []int{int(q[i].Jt), int(q[i].Jf), int(q[i].K)} {
					if to := i + 1 + skip; to < len(q) && to > 0 && q[to-1].Code == bpf.LD|bpf.W|bpf.ABS {
						continue next
					}
				}
			}
		}
		return q
	}
}

// translate makes a program of a policy in the plainest way: every range of
// every architecture and every rule in turn, nothing shared and nothing clever.
// The tests use it to have programs for policies from a source that neither
// the verifier nor the compiler has any part in.
func translate(p *spec.Policy) bpf.Program {
	// when returns body behind a test; a call that does not pass goes on after
	// it, with other contents of A.
	when := func(op uint16, k uint32, wanted bool, body bpf.Program) bpf.Program {
		test := bpf.Jump(op, k, 1, 0)
		if !wanted {
			test.Jt, test.Jf = 0, 1
		}
		return append(bpf.Program{test, bpf.JumpAlways(uint32(len(body)))}, body...)
	}
	condition := func(c spec.Condition, body bpf.Program) bpf.Program {
		offset := bpf.OffArgs + 8*uint32(c.Arg)
		word := func(off uint32, mask uint64, p bpf.Program) bpf.Program {
			return append(bpf.Program{bpf.Load(off), bpf.Mask(uint32(mask))}, p...)
		}
		high := func(op uint16, wanted bool, body bpf.Program) bpf.Program {
			return word(p.Endian.High(offset), c.Mask>>32, when(op, uint32(c.Value>>32), wanted, body))
		}
		low := func(op uint16, wanted bool, body bpf.Program) bpf.Program {
			return word(p.Endian.Low(offset), c.Mask, when(op, uint32(c.Value), wanted, body))
		}
		switch c.Op {
		case spec.EQ:
			return high(bpf.JEQ, true, low(bpf.JEQ, true, body))
		case spec.NE:
			return append(high(bpf.JEQ, false, body), low(bpf.JEQ, false, body)...)
		case spec.GT:
			return append(high(bpf.JGT, true, body), high(bpf.JEQ, true, low(bpf.JGT, true, body))...)
		case spec.GE:
			return append(high(bpf.JGT, true, body), high(bpf.JEQ, true, low(bpf.JGE, true, body))...)
		case spec.LT:
			return append(high(bpf.JGE, false, body), high(bpf.JEQ, true, low(bpf.JGE, false, body))...)
		default: // LE
			return append(high(bpf.JGE, false, body), high(bpf.JEQ, true, low(bpf.JGT, false, body))...)
		}
	}
	var prog bpf.Program
	for _, t := range p.Tokens {
		var token bpf.Program
		for _, rg := range t.Ranges {
			var body bpf.Program
			for _, rule := range rg.Verdict.Rules {
				decided := bpf.Program{bpf.Ret(rule.Return)}
				for _, c := range rule.Conditions {
					decided = condition(c, decided)
				}
				body = append(body, decided...)
			}
			body = append(body, bpf.Ret(rg.Verdict.Default))
			token = append(token, append(bpf.Program{bpf.Load(bpf.OffNr)}, when(bpf.JGT, rg.Last, false, body)...)...)
		}
		// The last range ends at the last number, so nothing falls through;
		// the kernel wants to hear it.
		token = append(token, bpf.Ret(bpf.RetKillProcess))
		prog = append(prog, append(bpf.Program{bpf.Load(bpf.OffArch)}, when(bpf.JEQ, t.Audit, true, token)...)...)
	}
	return append(prog, bpf.Ret(p.Other))
}

// TestPolicyAgainstTranslation: a policy equals its plain translation, on both
// byte orders. With one field of either changed the answer may be anything
// that calls around all constants do not contradict.
func TestPolicyAgainstTranslation(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[Outcome]int{}
	policies := 300
	if testing.Short() {
		policies = 40
	}
	for range policies {
		p, numbers := randomPolicy(r)
		prog := translate(p)
		if len(prog) > bpf.MaxInstructions {
			continue
		}
		if got, err := Policy(p, prog); err != nil || got.Outcome != Equal {
			t.Fatalf("policy and translation: %v (%v)\n%v", got, err, prog)
		}
		for range 5 {
			changed, mutant := mutatePolicy(r, p), mutate(r, prog)
			for _, pair := range [][2]side{
				{policySide{changed}, programSide{prog, p.Endian}},
				{policySide{p}, programSide{mutant, p.Endian}},
				{policySide{p}, policySide{changed}},
			} {
				got, err := Budget{Nodes: 1 << 19, Steps: 1 << 20}.compare(pair[0], pair[1])
				if err != nil {
					t.Fatal(err)
				}
				checkWitness(t, got, pair[0], pair[1])
				seen[got.Outcome]++
				if got.Outcome != Equal {
					continue
				}
				checkAgreement(t, 300, func() bpf.Data { return policyCall(r, p, numbers) }, pair[0], pair[1])
			}
		}
	}
	t.Logf("%v", seen)
	// A mutant may divide an argument by a large constant, which is hard.
	if seen[Undecided] > 10 || seen[Different] < 3*policies || seen[Equal] < 3*policies {
		t.Errorf("%v: too much undecided, or one of the answers hardly tested", seen)
	}
}
