package verify

import (
	"fmt"
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Filter is something that gives every system call a return value: a policy, a
// program, or several of them together.
type Filter struct{ side }

// OfPolicy returns a policy as a Filter.
func OfPolicy(p *spec.Policy) Filter { return Filter{policySide{p}} }

// OfProgram returns a program as a Filter, on a machine of that byte order.
func OfProgram(p bpf.Program, endian bpf.Endian) Filter { return Filter{programSide{p, endian}} }

// Stack returns what the kernel makes of filters that one thread has, the
// oldest first: the strictest action counts, and of filters that agree on it
// the newest, whose data the caller sees (kernel/seccomp.c,
// seccomp_run_filters).
func Stack(oldestFirst ...Filter) Filter {
	return Filter{several{oldestFirst, Stricter}}
}

// Union returns what any of the filters allows: the mildest action counts, and
// of filters that agree on it the last. It is no rule of the kernel's.
func Union(filters ...Filter) Filter { return Filter{several{filters, Milder}} }

// Stricter returns which of two return values the kernel takes, b being of the
// newer filter. Actions are compared as signed numbers, without their data.
func Stricter(a, b bpf.Return) bpf.Return {
	if int32(a.Action()) < int32(b.Action()) {
		return a
	}
	return b
}

// Milder returns the value that loses to the other one, b where the actions are
// the same.
func Milder(a, b bpf.Return) bpf.Return {
	if int32(a.Action()) > int32(b.Action()) {
		return a
	}
	return b
}

// Compare decides whether two filters return the same for every call.
func Compare(a, b Filter) (Result, error) { return Budget{}.Compare(a, b) }

// Compare is the function Compare within budget.
func (budget Budget) Compare(a, b Filter) (Result, error) { return budget.compare(a.side, b.side) }

// several is filters whose return values are put together.
type several struct {
	filters []Filter
	choose  func(a, b bpf.Return) bpf.Return
}

func (s several) check() error {
	if len(s.filters) == 0 {
		return fmt.Errorf("no filter")
	}
	for i, f := range s.filters {
		if err := f.check(); err != nil {
			return fmt.Errorf("filter %d: %w", i, err)
		}
	}
	return nil
}

func (s several) outcomes(d *forest, o *order) *outcomes {
	together := d.settle(s.filters[0].outcomes(d, o))
	for _, f := range s.filters[1:] {
		next := d.settle(f.outcomes(d, o))
		both := newOutcomes(d)
		for _, p := range together.parts {
			for _, q := range next.parts {
				a, _ := p.value.number()
				b, _ := q.value.number()
				value := constant(uint32(s.choose(bpf.Return(a), bpf.Return(b))))
				both.add(d.and(p.calls, q.calls), &value)
			}
		}
		together = both
	}
	return together
}

func (s several) verdict(call *bpf.Data) (Verdict, error) {
	var together Verdict
	for i, f := range s.filters {
		v, err := f.verdict(call)
		if err != nil {
			return Verdict{}, err
		}
		if i == 0 || s.choose(together.Return, v.Return) == v.Return {
			together = v
		}
	}
	return together, nil
}

func (s several) conditions() int {
	n := 0
	for _, f := range s.filters {
		n += f.conditions()
	}
	return n
}

func (s several) tokens() []uint32 {
	var tokens []uint32
	for _, f := range s.filters {
		for _, t := range f.tokens() {
			if !slices.Contains(tokens, t) {
				tokens = append(tokens, t)
			}
		}
	}
	return tokens
}

// mostReturns bounds the return values that settle tells apart. A policy has a
// handful; a program that returns what it computed can have 2^32.
const mostReturns = 1 << 10

// settle returns outcomes with a part for each value that is returned. With
// more than mostReturns of them the forest counts as exhausted.
func (d *forest) settle(o *outcomes) *outcomes {
	if len(o.varying) == 0 {
		return o
	}
	settled := newOutcomes(d)
	for i := range o.parts {
		p := &o.parts[i]
		d.enumerate(p.calls, &p.value, 0, 0, settled)
	}
	return settled
}

// enumerate files the calls by what v is for them; bits below bit are k.
func (d *forest) enumerate(calls ref, v *vector, bit int, k uint32, into *outcomes) {
	if calls == none || d.exhausted {
		return
	}
	if len(into.parts) > mostReturns {
		d.exhausted = true
		return
	}
	if bit == len(v) {
		value := constant(k)
		into.add(calls, &value)
		return
	}
	d.enumerate(d.without(calls, v[bit]), v, bit+1, k, into)
	d.enumerate(d.and(calls, v[bit]), v, bit+1, k|1<<bit, into)
}
