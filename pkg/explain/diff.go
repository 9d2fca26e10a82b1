package explain

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"seccomp-hook/pkg/arch"
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
	// Call is one of the calls, and A and B its verdicts.
	Call bpf.Data
	A, B bpf.Return
	// Args says that the verdict depends on arguments: Call's are an example.
	Args bool
	// Undecided says that the proof's budget did not suffice for this run.
	// Call, A and B say nothing then.
	Undecided bool
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
		list = append(list, Difference{Others: true, Last: math.MaxUint32, A: a.Other, B: b.Other})
	}
	return list, nil
}

// continues reports whether e goes on where d ends, with the same verdicts.
func (d Difference) continues(e Difference) bool {
	return d.Token == e.Token && d.Last+1 == e.First && !d.Args && !e.Args && !d.Undecided && !e.Undecided && d.A == e.A && d.B == e.B
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
	d = Difference{Token: token, First: p.first, Last: p.last, Call: bpf.Data{Arch: token, Nr: p.first}}
	var constantA, constantB bool
	d.A, constantA = constant(p.a)
	d.B, constantB = constant(p.b)
	if constantA && constantB {
		return d, d.A != d.B, nil
	}
	if reflect.DeepEqual(p.a, p.b) {
		return d, false, nil
	}
	result, err := verify.Policies(alone(token, p.a), alone(token, p.b))
	if err != nil {
		return d, false, err
	}
	switch result.Outcome {
	case verify.Equal:
		return d, false, nil
	case verify.Different:
		d.Args = true
		d.Call.Args = result.Witness.Call.Args
		d.A, d.B = result.Witness.First.Return, result.Witness.Second.Return
	default:
		d.Undecided = true
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

// Lines returns the difference for people, one line for each call that has a
// name and for each run of numbers that have none.
func (d Difference) Lines() []string {
	verdicts := fmt.Sprintf("%s, %s", d.A, d.B)
	if d.Undecided {
		verdicts = "undecided"
	}
	if d.Others {
		return []string{"other architectures: " + verdicts}
	}
	var lines []string
	line := func(first, last uint32) {
		name := Name(d.Token, first)
		if d.Args {
			name += Arguments(d.Call.Args)
		}
		if last > first {
			name += fmt.Sprintf(" to %#x", last)
		}
		lines = append(lines, name+": "+verdicts)
	}
	next := uint64(d.First)
	for _, nr := range named(d) {
		if uint64(nr) > next {
			line(uint32(next), nr-1)
		}
		line(nr, nr)
		next = uint64(nr) + 1
	}
	if next <= uint64(d.Last) {
		line(uint32(next), d.Last)
	}
	return lines
}

// named returns the numbers in a run that are calls with a name, ascending.
func named(d Difference) []uint32 {
	set := map[uint32]bool{}
	for _, a := range arch.All() {
		if a.Audit != d.Token {
			continue
		}
		for nr := range a.Calls() {
			if d.First <= nr && nr <= d.Last {
				set[nr] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Arguments renders arguments as ParseCall reads them, without the zeros at the
// end: "(0x28, 0x1)".
func Arguments(args [6]uint64) string {
	n := len(args)
	for n > 0 && args[n-1] == 0 {
		n--
	}
	texts := make([]string, n)
	for i, v := range args[:n] {
		texts[i] = fmt.Sprintf("%#x", v)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}
