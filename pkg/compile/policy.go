package compile

import (
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// builder turns a policy into code.
type builder struct {
	policy  *spec.Policy
	code    *code
	planner *planner
	search  *search
	heirs   *search // for numbers that inherit while search is in use
	goal    balance
	weights *Weights
	bases   []base
}

// build returns the first step of the program.
func (b *builder) build() ref {
	weighed := weigh(b.policy, b.goal, b.weights)
	arms := b.verdicts(weighed)
	tokens := make([]arm, 0, len(arms))
	for i := range arms {
		tokens = append(tokens, arm{
			first: b.policy.Tokens[i].Audit, last: b.policy.Tokens[i].Audit,
			to:     b.code.load(bpf.OffNr, b.token(arms[i])),
			weight: weighed[i].total,
		})
	}
	return b.code.load(bpf.OffArch, b.dispatch(tokens))
}

// verdicts returns for each token the arms of the search for a number, with
// code for every verdict.
func (b *builder) verdicts(weighed []weighing) [][]arm {
	read := newReader(b.planner.diagrams)
	// A verdict is a function or, where that would be too much work, its
	// rules one after the other.
	type wanted struct {
		function function
		share    float64
	}
	var functions []wanted
	index := map[function]int{}
	arms := make([][]arm, len(b.policy.Tokens))
	of := make([][]function, len(b.policy.Tokens))
	for i := range b.policy.Tokens {
		t := &b.policy.Tokens[i]
		arms[i] = make([]arm, len(t.Ranges))
		of[i] = make([]function, len(t.Ranges))
		for j := range t.Ranges {
			r := &t.Ranges[j]
			a := &arms[i][j]
			*a = arm{first: r.First, last: r.Last, weight: weighed[i].ranges[j]}
			f, err := read.verdict(&r.Verdict)
			if err != nil {
				of[i][j] = noFunction
				a.to = b.code.rules(b.policy.Endian, &r.Verdict)
				continue
			}
			of[i][j] = f
			at, known := index[f]
			if !known {
				at = len(functions)
				index[f] = at
				functions = append(functions, wanted{function: f})
			}
			functions[at].share += a.weight
		}
	}
	// The calls that are made most choose first among the shapes of what they
	// share with others.
	slices.SortStableFunc(functions, func(a, b wanted) int {
		switch {
		case a.share > b.share:
			return -1
		case a.share < b.share:
			return 1
		}
		return 0
	})
	for _, w := range functions {
		b.planner.plan(w.function, w.share)
	}
	for i := range arms {
		for j := range arms[i] {
			if f := of[i][j]; f != noFunction {
				arms[i][j].to = b.planner.plans[f].root
			}
		}
	}
	return arms
}

// dispatch returns the search for the token in A.
func (b *builder) dispatch(tokens []arm) ref {
	other := b.code.ret(b.policy.Other)
	slices.SortFunc(tokens, func(a, b arm) int { return compare(a.first, b.first) })
	arms := make([]arm, 0, 2*len(tokens)+1)
	next := uint64(0)
	for _, t := range tokens {
		if uint64(t.first) > next {
			arms = append(arms, arm{first: uint32(next), last: t.first - 1, to: other})
		}
		arms = append(arms, t)
		next = uint64(t.last) + 1
	}
	if next < 1<<32 {
		arms = append(arms, arm{first: uint32(next), last: ^uint32(0), to: other})
	}
	b.search.perTest = b.goal.perInstruction
	return b.search.build(arms).root
}

// token returns the search for the number in A among the arms of one token.
func (b *builder) token(arms []arm) ref {
	arms = merge(arms)
	b.search.perTest = b.goal.perInstruction
	if root, ok := b.inherit(arms); ok {
		return root
	}
	if root, ok := b.halves(arms); ok {
		return root
	}
	root := b.search.build(arms).root
	b.bases = append(b.bases, base{arms, root})
	return root
}
