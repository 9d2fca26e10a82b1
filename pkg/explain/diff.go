package explain

import (
	"iter"
	"math"
	"reflect"
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// Difference is a run of call numbers that two policies treat differently.
type Difference struct {
	// Token is the AUDIT_ARCH_* token of the calls, Others for those of all
	// tokens that neither policy speaks of.
	Token  uint32
	Others bool
	// First and Last are the ends of the run, both included.
	First, Last uint32
	// Changes are how the verdicts differ: one for each pair of them that a call
	// of the run has. There are none where the proof's budget did not suffice.
	Changes []Change
}

// Change is a pair of verdicts, and a call that has them.
type Change struct {
	Call bpf.Data
	A, B bpf.Return
	// Args says that the verdict depends on arguments: Call's are an example.
	Args bool
}

// Direction says whether a second policy allows more or less than a first one.
type Direction uint8

// The directions. Two of them together are the bits of both.
const (
	// Same: every call has the same verdict.
	Same Direction = 0
	// Changed: some call has another verdict with the same action, such as
	// another errno, and none has another action.
	Changed Direction = 1
	// Tightened: some call has a sterner action, and none a milder one.
	Tightened Direction = 2
	// Loosened: some call has a milder action, and none a sterner one.
	Loosened Direction = 4
	// Both: some call has a sterner and some a milder action.
	Both = Tightened | Loosened
)

func (d Direction) String() string {
	switch {
	case d&Both == Both:
		return "both"
	case d&Loosened != 0:
		return "loosened"
	case d&Tightened != 0:
		return "tightened"
	case d&Changed != 0:
		return "changed"
	}
	return "equal"
}

// Direction returns the direction of one change, by the kernel's precedence of
// actions.
func (c Change) Direction() Direction {
	switch m := c.B.Milder(c.A); {
	case m > 0:
		return Loosened
	case m < 0:
		return Tightened
	case c.A != c.B:
		return Changed
	}
	return Same
}

// DirectionOf returns the direction of all differences together, and whether it
// is certain: false where one of them is undecided.
func DirectionOf(list []Difference) (d Direction, certain bool) {
	certain = true
	for i := range list {
		certain = certain && len(list[i].Changes) > 0
		for _, c := range list[i].Changes {
			d |= c.Direction()
		}
	}
	return d, certain
}

// Diff returns where a and b differ: by token, a's order first, and by number.
// It is empty exactly where they are proved equal.
func Diff(a, b *spec.Policy) ([]Difference, error) {
	var list []Difference
	for _, token := range tokensOf(a, b) {
		for part := range parts(rangesOf(a, token), rangesOf(b, token)) {
			d, differs, err := compare(token, part)
			if err != nil {
				return nil, err
			}
			if !differs {
				continue
			}
			if last := len(list) - 1; last >= 0 && list[last].continues(d) {
				list[last].Last = d.Last
			} else {
				list = append(list, d)
			}
		}
	}
	if a.Other != b.Other {
		list = append(list, Difference{Others: true, Last: math.MaxUint32, Changes: []Change{{A: a.Other, B: b.Other}}})
	}
	return list, nil
}

// continues reports whether e goes on where d ends, with the same verdicts.
func (d Difference) continues(e Difference) bool {
	if d.Token != e.Token || d.Last+1 != e.First || len(d.Changes) != 1 || len(e.Changes) != 1 {
		return false
	}
	x, y := d.Changes[0], e.Changes[0]
	return !x.Args && !y.Args && x.A == y.A && x.B == y.B
}

// tokensOf returns the tokens of both, a's order first.
func tokensOf(a, b *spec.Policy) []uint32 {
	var tokens []uint32
	for _, p := range [...]*spec.Policy{a, b} {
		for i := range p.Tokens {
			if token := p.Tokens[i].Audit; !slices.Contains(tokens, token) {
				tokens = append(tokens, token)
			}
		}
	}
	return tokens
}

// rangesOf returns what a policy says of a token.
func rangesOf(p *spec.Policy, token uint32) []spec.Range {
	for i := range p.Tokens {
		if p.Tokens[i].Audit == token {
			return p.Tokens[i].Ranges
		}
	}
	return []spec.Range{{First: 0, Last: math.MaxUint32, Verdict: spec.Verdict{Default: p.Other}}}
}

// part is a run of numbers with one verdict in each policy.
type part struct {
	first, last uint32
	a, b        *spec.Verdict
}

// parts splits the numbers where either of two coverings does.
func parts(a, b []spec.Range) iter.Seq[part] {
	return func(yield func(part) bool) {
		first := uint32(0)
		for i, j := 0, 0; i < len(a) && j < len(b); {
			last := min(a[i].Last, b[j].Last)
			if !yield(part{first, last, &a[i].Verdict, &b[j].Verdict}) {
				return
			}
			if a[i].Last == last {
				i++
			}
			if b[j].Last == last {
				j++
			}
			first = last + 1
		}
	}
}

// compare returns whether the two verdicts of a part differ for any arguments,
// and how.
func compare(token uint32, p part) (d Difference, differs bool, err error) {
	d = Difference{Token: token, First: p.first, Last: p.last}
	call := bpf.Data{Arch: token, Nr: p.first}
	a, constantA := constant(p.a)
	b, constantB := constant(p.b)
	if constantA && constantB {
		d.Changes = []Change{{Call: call, A: a, B: b}}
		return d, a != b, nil
	}
	if reflect.DeepEqual(p.a, p.b) {
		return d, false, nil
	}
	witnesses, outcome, err := verify.Differences(alone(token, p.a), alone(token, p.b))
	if err != nil || outcome == verify.Equal {
		return d, false, err
	}
	for _, w := range witnesses {
		call.Args = w.Call.Args
		d.Changes = append(d.Changes, Change{Call: call, A: w.First.Return, B: w.Second.Return, Args: true})
	}
	return d, true, nil
}

// constant returns what a verdict gives whatever the arguments are, and whether
// it is one that does.
func constant(v *spec.Verdict) (bpf.Return, bool) {
	if len(v.Rules) == 0 {
		return v.Default, true
	}
	return v.Rules[0].Return, len(v.Rules[0].Conditions) == 0
}

// alone is a policy that gives every call of a token one verdict.
func alone(token uint32, v *spec.Verdict) *spec.Policy {
	return &spec.Policy{Tokens: []spec.Token{{Audit: token, Ranges: []spec.Range{{First: 0, Last: math.MaxUint32, Verdict: *v}}}}}
}
