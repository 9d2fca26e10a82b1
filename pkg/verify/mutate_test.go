package verify

import (
	"math/rand/v2"
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// codes are all operations that seccomp accepts, by asking the validator.
var codes = func() []uint16 {
	var list []uint16
	for code := range uint16(256) {
		p := bpf.Program{{Code: bpf.ST}, {Code: code, K: 0}, bpf.Ret(0)}
		if code == bpf.ALU|bpf.DIV|bpf.K {
			p[1].K = 1
		}
		if p.Validate() == nil {
			list = append(list, code)
		}
	}
	return list
}()

// mutants returns every valid change of one field of instruction i of prog
// that a slip could make: other operations with the same or the other operand,
// neighbouring and exchanged jump targets, constants one or one bit off.
func mutants(prog bpf.Program, i int) []bpf.Program {
	in := prog[i]
	var list []bpf.Instruction
	for _, code := range codes {
		list = append(list, bpf.Instruction{Code: code, Jt: in.Jt, Jf: in.Jf, K: in.K})
	}
	for _, jump := range []bpf.Instruction{
		{Jt: in.Jt + 1, Jf: in.Jf}, {Jt: in.Jt - 1, Jf: in.Jf}, {Jt: in.Jt, Jf: in.Jf + 1}, {Jt: in.Jt, Jf: in.Jf - 1},
		{Jt: in.Jf, Jf: in.Jt}, {Jt: 0, Jf: in.Jf}, {Jt: in.Jt, Jf: 0},
	} {
		list = append(list, bpf.Instruction{Code: in.Code, Jt: jump.Jt, Jf: jump.Jf, K: in.K})
	}
	for _, k := range []uint32{in.K + 1, in.K - 1, in.K + 4, in.K - 4, in.K ^ 1, in.K ^ 0x40000000, in.K ^ 0x80000000, in.K | 0x10, in.K << 1, ^in.K, 0} {
		list = append(list, bpf.Instruction{Code: in.Code, Jt: in.Jt, Jf: in.Jf, K: k})
	}
	var mutants []bpf.Program
	for n, changed := range list {
		if changed.String() == in.String() || slices.Contains(list[:n], changed) {
			continue // of these fields the operation makes no use
		}
		p := slices.Clone(prog)
		p[i] = changed
		if p.Validate() == nil {
			mutants = append(mutants, p)
		}
	}
	return mutants
}

// mutate returns one of the mutants of prog.
func mutate(r *rand.Rand, prog bpf.Program) bpf.Program {
	for {
		if m := mutants(prog, r.IntN(len(prog))); len(m) > 0 {
			return m[r.IntN(len(m))]
		}
	}
}

// mutatePolicy returns p with one field changed, which may not change its
// meaning.
func mutatePolicy(r *rand.Rand, p *spec.Policy) *spec.Policy {
	q := &spec.Policy{Endian: p.Endian, Other: p.Other}
	for _, t := range p.Tokens {
		t.Ranges = slices.Clone(t.Ranges)
		for i := range t.Ranges {
			rules := slices.Clone(t.Ranges[i].Verdict.Rules)
			for j := range rules {
				rules[j].Conditions = slices.Clone(rules[j].Conditions)
			}
			t.Ranges[i].Verdict.Rules = rules
		}
		q.Tokens = append(q.Tokens, t)
	}
	if len(q.Tokens) == 0 || r.IntN(20) == 0 {
		q.Other ^= 1
		return q
	}
	t := &q.Tokens[r.IntN(len(q.Tokens))]
	i := r.IntN(len(t.Ranges))
	v := &t.Ranges[i].Verdict
	switch r.IntN(4) {
	case 0:
		if i > 0 && t.Ranges[i-1].First < t.Ranges[i-1].Last {
			t.Ranges[i].First--
			t.Ranges[i-1].Last--
		}
	case 1:
		v.Default ^= 1
	default:
		if len(v.Rules) == 0 {
			break
		}
		rule := &v.Rules[r.IntN(len(v.Rules))]
		if len(rule.Conditions) == 0 || r.IntN(4) == 0 {
			rule.Return ^= 1
			break
		}
		c := &rule.Conditions[r.IntN(len(rule.Conditions))]
		switch r.IntN(4) {
		case 0:
			c.Op = spec.Op(r.IntN(6))
		case 1:
			c.Value ^= 1 << r.IntN(64)
		case 2:
			c.Mask ^= 1 << r.IntN(64)
		case 3:
			c.Arg = uint8(r.IntN(6))
		}
	}
	return q
}
