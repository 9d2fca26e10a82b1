package verify

import (
	"errors"
	"fmt"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Budget bounds what a comparison may take. Where it is used up the outcome
// is Undecided. It counts work and not time, so that the same question has the
// same answer on every machine. A zero field means the default.
type Budget struct {
	// Nodes bounds the memory: nodes of the diagrams, of at most 48 bytes
	// each, tables included.
	Nodes int
	// Steps bounds the time: recursion steps, some millions a second.
	Steps int
}

// DefaultBudget is what a zero Budget means: less than 200 MiB, and some ten
// seconds. Docker's default profile takes about a hundredth of it.
var DefaultBudget = Budget{Nodes: 2 << 20, Steps: 50_000_000}

// Policy decides whether prog gives every system call what policy says, on a
// machine of the policy's byte order. The error says that prog or policy is
// not valid; an undecided comparison is not an error.
func Policy(policy *spec.Policy, prog bpf.Program) (Result, error) {
	return Budget{}.Policy(policy, prog)
}

// Programs decides whether a and b return the same value for every system call
// on a machine of the given byte order.
func Programs(a, b bpf.Program, endian bpf.Endian) (Result, error) {
	return Budget{}.Programs(a, b, endian)
}

// Policies decides whether a and b give every system call the same verdict.
// Their byte orders have no part in that.
func Policies(a, b *spec.Policy) (Result, error) {
	return Budget{}.Policies(a, b)
}

// Policy is the function Policy within budget.
func (budget Budget) Policy(policy *spec.Policy, prog bpf.Program) (Result, error) {
	return budget.compare(policySide{policy}, programSide{prog, policy.Endian})
}

// Programs is the function Programs within budget.
func (budget Budget) Programs(a, b bpf.Program, endian bpf.Endian) (Result, error) {
	return budget.compare(programSide{a, endian}, programSide{b, endian})
}

// Policies is the function Policies within budget.
func (budget Budget) Policies(a, b *spec.Policy) (Result, error) {
	return budget.compare(policySide{a}, policySide{b})
}

// compare decides whether the two sides are equal.
func (budget Budget) compare(first, second side) (Result, error) {
	for i, s := range []side{first, second} {
		if err := s.check(); err != nil {
			return Result{}, fmt.Errorf("verify: %s side: %w", [...]string{"first", "second"}[i], err)
		}
	}
	if budget.Nodes <= 0 {
		budget.Nodes = DefaultBudget.Nodes
	}
	if budget.Steps <= 0 {
		budget.Steps = DefaultBudget.Steps
	}
	// Diagrams do for nearly all filters, a walk for lists of rules that no
	// diagram can hold. Neither that nor which order of the bits suits the two
	// sides is known before, and the wrong way can take the whole budget. So all
	// are tried with a small part of it before any gets more.
	var total Effort
	var at *Calls
	d := forests.Get().(*forest)
	defer d.release()
	for _, try := range []struct {
		order                  *order // nil: a walk
		nodesShare, stepsShare int
	}{
		{wordwise, 64, 256}, {nil, 0, 8 * stepsOfWalk},
		{wordwise, 4, 4}, {bitwise, 4, 4}, {nil, 0, stepsOfWalk},
		{wordwise, 1, 1}, {bitwise, 1, 1},
	} {
		var r Result
		var err error
		if try.order == nil {
			r = walks(first, second, budget.Steps/try.stepsShare)
			r.Effort.Steps *= stepsOfWalk
			at = r.At
		} else {
			d.reset(budget.share(try.nodesShare, try.stepsShare, first.conditions()+second.conditions()))
			r, err = d.attempt(first, second, try.order)
		}
		total.Nodes = max(total.Nodes, r.Effort.Nodes)
		total.Steps += r.Effort.Steps
		if err != nil || r.Outcome != Undecided {
			r.Effort = total
			return r, err
		}
	}
	return Result{Outcome: Undecided, At: at, Effort: total}, nil
}

// share returns a part of the budget, but at least what reading so many conditions
// can take.
func (budget Budget) share(nodes, steps, conditions int) Budget {
	return Budget{
		Nodes: min(budget.Nodes, max(budget.Nodes/nodes, nodesOfCondition*conditions)),
		Steps: min(budget.Steps, max(budget.Steps/steps, stepsOfCondition*conditions)),
	}
}

// nodesOfCondition and stepsOfCondition are what a diagram of a condition on all
// 64 bits takes, and as much again for those of what rules before it left.
const (
	nodesOfCondition = 128
	stepsOfCondition = 256
)

// stepsOfWalk is how many steps on diagrams cost as much as one of a walk.
const stepsOfWalk = 100

// attempt is compare within the forest's budget, with the bits in order o.
func (d *forest) attempt(first, second side, o *order) (Result, error) {
	a := first.outcomes(d, o)
	b := second.outcomes(d, o)
	differ := d.difference(a, b)
	result := Result{Effort: Effort{Nodes: len(d.nodes), Steps: d.steps}}
	switch {
	case d.exhausted:
		return result, nil
	case differ == none:
		result.Outcome = Equal
		return result, nil
	}
	call := d.witness(differ, o, append(first.tokens(), second.tokens()...))
	w, err := confirm(call, first, second)
	if err != nil {
		return Result{}, err
	}
	result.Outcome, result.Witness = Different, w
	return result, nil
}

// errWrong says that this package has a defect.
var errWrong = errors.New("verify: internal error: the witness does not show a difference")

// confirm evaluates the call on both sides. A difference is never reported on
// the word of the diagrams alone.
func confirm(call bpf.Data, first, second side) (*Witness, error) {
	w, err := evaluate(call, first, second)
	if err == nil && w.First.Return == w.Second.Return {
		return nil, fmt.Errorf("%w: %s", errWrong, &w)
	}
	return &w, err
}

// evaluate returns what both sides say of the call, the same or not.
func evaluate(call bpf.Data, first, second side) (w Witness, err error) {
	w.Call = call
	if w.First, err = first.verdict(&call); err == nil {
		w.Second, err = second.verdict(&call)
	}
	if err != nil {
		return w, fmt.Errorf("verify: %w", err)
	}
	return w, nil
}

// witness returns a call of the set differ, which is not empty, if possible
// one that carries one of the tokens.
func (d *forest) witness(differ ref, o *order, tokens []uint32) bpf.Data {
	arch := d.word(o, bpf.OffArch/4)
	for _, t := range tokens {
		token := constant(t)
		if there := d.and(differ, d.compare(bpf.JEQ, arch[:], token[:])); there != none && !d.exhausted {
			differ = there
			break
		}
	}
	var w [words]uint32
	d.member(differ, func(level uint32) {
		at := o.bit[level]
		w[at.word] |= 1 << at.bit
	})
	return callOf(&w)
}
