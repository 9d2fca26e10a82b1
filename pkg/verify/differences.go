package verify

import (
	"fmt"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Differences returns one call for every pair of return values that the two
// policies give to one call and that are not the same: so it says in which
// directions they differ, where Policies says that they do. It is empty exactly
// where they are equal. Undecided says that the budget did not suffice; the
// outcome is Equal or Different otherwise.
func Differences(a, b *spec.Policy) ([]Witness, Outcome, error) {
	return Budget{}.Differences(a, b)
}

// Differences is the function Differences within budget.
func (budget Budget) Differences(a, b *spec.Policy) ([]Witness, Outcome, error) {
	first, second := policySide{a}, policySide{b}
	for i, s := range []policySide{first, second} {
		if err := s.check(); err != nil {
			return nil, Undecided, fmt.Errorf("verify: %s side: %w", [...]string{"first", "second"}[i], err)
		}
	}
	if budget.Nodes <= 0 {
		budget.Nodes = DefaultBudget.Nodes
	}
	if budget.Steps <= 0 {
		budget.Steps = DefaultBudget.Steps
	}
	d := forests.Get().(*forest)
	defer d.release()
	// As in compare, with a small part of the budget before either order gets more.
	for _, share := range []int{4, 1} {
		for _, o := range []*order{wordwise, bitwise} {
			d.reset(Budget{budget.Nodes / share, budget.Steps / share})
			witnesses, err := d.differences(first, second, o)
			if err != nil {
				return nil, Undecided, err
			}
			switch {
			case d.exhausted:
			case len(witnesses) == 0:
				return nil, Equal, nil
			default:
				return witnesses, Different, nil
			}
		}
	}
	return nil, Undecided, nil
}

// differences is Differences within the forest's budget. What it returns says
// something only where the forest is not exhausted.
func (d *forest) differences(first, second policySide, o *order) ([]Witness, error) {
	a, b := first.outcomes(d, o), second.outcomes(d, o)
	tokens := append(first.tokens(), second.tokens()...)
	var list []Witness
	for i := range a.parts {
		for j := range b.parts {
			p, q := &a.parts[i], &b.parts[j]
			x, _ := p.value.number() // a policy's values are constants
			if y, _ := q.value.number(); x == y {
				continue
			}
			both := d.and(p.calls, q.calls)
			if both == none {
				continue
			}
			call := d.witness(both, o, tokens)
			if d.exhausted {
				return nil, nil
			}
			w, err := confirm(call, first, second)
			if err != nil {
				return nil, err
			}
			if w.First.Return != bpf.Return(x) {
				return nil, fmt.Errorf("%w: %s", errWrong, w)
			}
			list = append(list, *w)
		}
	}
	return list, nil
}
