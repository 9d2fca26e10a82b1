package verify

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Calls are the calls of one architecture token with numbers from First to Last,
// or, where Elsewhere is set, all those of other tokens.
type Calls struct {
	Audit       uint32
	Elsewhere   bool
	First, Last uint32
}

// String names the calls: "ioctl (16) on x86_64", "numbers 5 to 7 of token 0x28".
func (c Calls) String() string {
	if c.Elsewhere {
		return "calls of architectures that are not listed"
	}
	if c.First != c.Last {
		return fmt.Sprintf("numbers %d to %d of architecture token %#x", c.First, c.Last, c.Audit)
	}
	for _, a := range arch.All() {
		if a.Audit == c.Audit {
			if name := a.CallName(c.First); name != "" {
				return fmt.Sprintf("%s (%d) on %s", name, c.First, a)
			}
		}
	}
	return fmt.Sprintf("number %d of architecture token %#x", c.First, c.Audit)
}

// walker compares a filter with a policy, one stretch of numbers after the other.
type walker struct {
	policy *spec.Policy
	sides  [2]side
	walks  map[walkKey]*walk
	graphs map[verdictKey]verdictGraph
	steps  int

	result Result
}

// verdictKey tells verdicts apart, walkKey what a walk compares.
type (
	verdictKey struct {
		rules *spec.Rule
		n     int
		ret   bpf.Return
	}
	walkKey struct {
		*graph
		verdictKey
	}
	verdictGraph struct {
		*graph
		root int
	}
)

func keyOf(v *spec.Verdict) verdictKey {
	k := verdictKey{n: len(v.Rules), ret: v.Default}
	if k.n > 0 {
		k.rules = &v.Rules[0]
	}
	return k
}

// walks compares by walking, if one side is a policy and the other can be walked
// over, in at most that many steps. Undecided says where it was.
func walks(first, second side, steps int) Result {
	other, policy := first, second
	if _, ok := second.(policySide); !ok {
		other, policy = second, first
	}
	reference, ok := policy.(policySide)
	if !ok {
		return Result{}
	}
	w := walker{
		policy: reference.Policy, sides: [2]side{first, second}, steps: steps,
		walks: make(map[walkKey]*walk), graphs: make(map[verdictKey]verdictGraph),
	}
	w.result.Outcome = Equal
	switch s := other.(type) {
	case programSide:
		g, root, err := graphOf(s.prog, s.endian)
		if err != nil {
			return Result{}
		}
		w.all(nil, func(spec.Verdict) verdictGraph { return verdictGraph{g, root} })
	case policySide:
		w.all(s.Policy, w.graph)
	default:
		return Result{} // several filters together are for the diagrams
	}
	w.result.Effort.Steps = steps - w.steps
	return w.result
}

// graph returns the graph of a verdict.
func (w *walker) graph(v spec.Verdict) verdictGraph {
	key := keyOf(&v)
	g, ok := w.graphs[key]
	if !ok {
		g.graph, g.root = graphOfVerdict(&v)
		w.graphs[key] = g
	}
	return g
}

// all walks over all calls. other is the policy that the graphs come from, nil
// where there is one graph for all numbers.
func (w *walker) all(other *spec.Policy, graph func(spec.Verdict) verdictGraph) {
	one := []spec.Range{{Last: ^uint32(0)}}
	var audits []uint32
	for _, p := range []*spec.Policy{w.policy, other} {
		if p != nil {
			for i := range p.Tokens {
				if !slices.Contains(audits, p.Tokens[i].Audit) {
					audits = append(audits, p.Tokens[i].Audit)
				}
			}
		}
	}
	rangesOf := func(p *spec.Policy, audit uint32) []spec.Range {
		if p == nil {
			return one
		}
		for i := range p.Tokens {
			if p.Tokens[i].Audit == audit {
				return p.Tokens[i].Ranges
			}
		}
		return []spec.Range{{Last: ^uint32(0), Verdict: spec.Verdict{Default: p.Other}}}
	}
	for _, audit := range audits {
		theirs := rangesOf(other, audit)
		for _, r := range rangesOf(w.policy, audit) {
			for first := r.First; ; {
				for theirs[0].Last < first {
					theirs = theirs[1:]
				}
				last := min(r.Last, theirs[0].Last)
				if !w.stretch(Calls{Audit: audit, First: first, Last: last}, audits, graph(theirs[0].Verdict), &r.Verdict) {
					return
				}
				if last == r.Last {
					break
				}
				first = last + 1
			}
		}
	}
	elsewhere := spec.Verdict{}
	if other != nil {
		elsewhere.Default = other.Other
	}
	w.stretch(Calls{Elsewhere: true, Last: ^uint32(0)}, audits, graph(elsewhere), &spec.Verdict{Default: w.policy.Other})
}

// stretch compares for some calls, and reports whether it found them equal.
func (w *walker) stretch(c Calls, audits []uint32, g verdictGraph, v *spec.Verdict) bool {
	var known [words]*facts
	for i := range known {
		known[i] = anything
	}
	learn := func(l literal) {
		if f, possible := known[l.word].with(l); possible {
			known[l.word] = f
		}
	}
	const nr, token = bpf.OffNr / 4, bpf.OffArch / 4
	if c.Elsewhere {
		for _, audit := range audits {
			learn(literal{word: token, not: true, mask: ^uint32(0), value: audit})
		}
	} else {
		learn(literal{word: token, mask: ^uint32(0), value: c.Audit})
		learn(literal{word: nr, atLeast: true, mask: ^uint32(0), value: c.First})
		if c.Last < ^uint32(0) {
			learn(literal{word: nr, atLeast: true, not: true, mask: ^uint32(0), value: c.Last + 1})
		}
	}
	key := walkKey{g.graph, keyOf(v)}
	of := w.walks[key]
	if of == nil {
		of = newWalk(g.graph, v, &w.steps, func(r *region) bool { return w.differ(r.call()) })
		of.sample = func() bool { return w.sample(c, v) }
		w.walks[key] = of
	}
	if of.from(g.root, &known) {
		return true
	}
	if w.result.Outcome == Equal { // and there is no witness
		w.result.Outcome, w.result.At = Undecided, &c
	}
	return false
}

// differ reports whether a call shows a difference, for which both sides are
// evaluated.
func (w *walker) differ(call bpf.Data) bool {
	witness, err := evaluate(call, w.sides[0], w.sides[1])
	if err != nil || witness.First.Return == witness.Second.Return {
		return false
	}
	found := witness // what stays is made only here
	w.result.Outcome, w.result.Witness = Different, &found
	return true
}

// samplesOfRule is how many calls sample makes for each rule, and mostSamples how
// many at most.
const (
	samplesOfRule = 50
	mostSamples   = 4000
)

// sample reports whether one of some calls that are at the constants of rules
// shows a difference. A walk looks for a proof, and where there is none it can
// take long to find out.
func (w *walker) sample(c Calls, v *spec.Verdict) bool {
	if len(v.Rules) == 0 {
		return false
	}
	r := rand.New(rand.NewPCG(1, 15))
	near := func(args *[6]uint64, c *spec.Condition) {
		args[c.Arg] = c.Value + r.Uint64N(3) - 1 | r.Uint64()&^c.Mask
	}
	for range min(samplesOfRule*len(v.Rules), mostSamples) {
		call := bpf.Data{Nr: c.First, Arch: c.Audit}
		for i := range call.Args {
			call.Args[i] = r.Uint64() >> r.IntN(64)
		}
		rule := &v.Rules[r.IntN(len(v.Rules))]
		for i := range rule.Conditions {
			for range 4 {
				if !rule.Conditions[i].Holds(&call.Args) {
					near(&call.Args, &rule.Conditions[i])
				}
			}
		}
		if w.differ(call) {
			return true
		}
	}
	return false
}
