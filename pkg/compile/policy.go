package compile

import (
	"cmp"
	"errors"
	"slices"
	"sync"

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
	reader  *reader
}

// builders are those that no compilation uses at the moment. What they have made
// room for takes longer to get than to use.
var builders = sync.Pool{New: func() any {
	c, d := newCode(), newDiagrams()
	tree := newSearch(c, 0)
	return &builder{
		code: c, search: tree, heirs: newSearch(c, 0), reader: newReader(d),
		planner: &planner{
			diagrams: d, code: c, search: tree,
			plans: make(map[function]plan), inBits: make(map[function]plan),
		},
	}
}}

// newBuilder returns a builder that is to be released.
func newBuilder(p *spec.Policy, o Options, thorough bool) *builder {
	b, goal := builders.Get().(*builder), balances[o.Optimize]
	b.policy, b.goal, b.weights, b.reader.thorough = p, goal, o.Weights, thorough
	b.search.perTest, b.heirs.perTest = goal.perInstruction, goal.perInstruction
	b.planner.endian, b.planner.goal = p.Endian, goal
	return b
}

// release gives b back, with all steps that came from it. Nothing of the
// compilation stays there but room.
func (b *builder) release() {
	if len(b.code.steps)+len(b.planner.diagrams.nodes)+len(b.reader.known) > 2*bpf.MaxInstructions {
		return // such policies are rare
	}
	b.code.reset()
	b.reader.reset()
	b.planner.reset()
	b.search.arms, b.heirs.arms, b.heirs.inherit = nil, nil, nil
	b.policy, b.weights, b.bases = nil, nil, nil
	builders.Put(b)
}

// build returns the program before passes and layout.
func (b *builder) build() (steps, error) {
	verdicts, err := b.read()
	if err != nil {
		return nil, err
	}
	weights := weigh(b.policy, b.goal, b.weights, func(i, j int) (bpf.Return, bool) {
		f := verdicts[i][j].function
		if f == noFunction || b.planner.diagrams.nodes[f].level != constant {
			return 0, false
		}
		return b.planner.diagrams.nodes[f].result, true
	})
	b.plan(verdicts, weights)
	tokens := make([]arm, len(verdicts))
	for i := range tokens {
		t := &b.policy.Tokens[i]
		arms := make([]arm, len(t.Ranges))
		for j := range arms {
			arms[j] = arm{t.Ranges[j].First, t.Ranges[j].Last, verdicts[i][j].root, weights[i].ranges[j]}
		}
		tokens[i] = arm{t.Audit, t.Audit, b.code.load(bpf.OffNr, b.token(arms)), weights[i].total}
	}
	p := b.code.from(b.code.load(bpf.OffArch, b.dispatch(tokens)))
	if len(p) > maxSteps {
		return nil, &TooLargeError{Instructions: len(p)}
	}
	return p, nil
}

// maxSteps is the number of steps from which on passes cannot be hoped to make a
// program short enough.
const maxSteps = 16 * bpf.MaxInstructions

// verdict is what the calls of one range get: a function, or code already
// where that would be too much work.
type verdict struct {
	function function
	root     ref
	terms    []term // what of its rules can decide
}

// read returns the policy's verdicts, by token and range.
func (b *builder) read() ([][]verdict, error) {
	r := b.reader
	verdicts := make([][]verdict, len(b.policy.Tokens))
	for i := range verdicts {
		ranges := b.policy.Tokens[i].Ranges
		verdicts[i] = make([]verdict, len(ranges))
		for j := range ranges {
			f, terms, err := r.verdict(&ranges[j].Verdict)
			if err == nil {
				verdicts[i][j] = verdict{f, none, terms}
				continue
			}
			if !errors.Is(err, errTooMuchWork) {
				return nil, err
			}
			if n := max(lengthOf(terms), len(b.code.steps)); n > maxSteps {
				return nil, &TooLargeError{Instructions: n}
			}
			verdicts[i][j] = verdict{noFunction, b.code.list(b.policy.Endian, terms, ranges[j].Verdict.Default, !r.thorough), terms}
		}
	}
	return verdicts, nil
}

// list is a function as the terms that it was made of.
type list struct {
	terms     []term
	otherwise bpf.Return
}

// plan makes code for all functions. Those that are called most choose first
// among the shapes of what they share with others.
func (b *builder) plan(verdicts [][]verdict, weights []weighing) {
	shares := make([]share, len(b.planner.diagrams.nodes))
	lists := make(map[function]list)
	var functions []function
	for i := range verdicts {
		for j, v := range verdicts[i] {
			if v.function == noFunction {
				continue
			}
			if _, seen := lists[v.function]; !seen {
				functions = append(functions, v.function)
				lists[v.function] = list{v.terms, b.policy.Tokens[i].Ranges[j].Verdict.Default}
			}
			shares[v.function] += weights[i].ranges[j]
		}
	}
	slices.SortStableFunc(functions, func(f, g function) int { return cmp.Compare(shares[g], shares[f]) })
	for _, f := range functions {
		// A diagram can be much larger than the rules that it is made from.
		made := b.planner.plan(f, shares[f])
		n := lengthOf(lists[f].terms)
		if n == 0 || n >= made.size {
			continue
		}
		if q := (plan{cost: n * instruction / 2, size: n}); b.goal.price(q, shares[f]) < b.goal.price(made, shares[f]) {
			q.root = b.code.list(b.policy.Endian, lists[f].terms, lists[f].otherwise, false)
			b.planner.plans[f] = q
		}
	}
	for i := range verdicts {
		for j := range verdicts[i] {
			if v := &verdicts[i][j]; v.function != noFunction {
				v.root = b.planner.plans[v.function].root
			}
		}
	}
}

// dispatch returns the search for the token in A.
func (b *builder) dispatch(tokens []arm) ref {
	other := b.code.ret(b.policy.Other)
	slices.SortFunc(tokens, func(a, b arm) int { return cmp.Compare(a.first, b.first) })
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
	return b.search.build(arms).root
}

// token returns the search for the number in A among the arms of one token.
func (b *builder) token(arms []arm) ref {
	arms = merge(arms)
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
