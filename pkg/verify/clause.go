package verify

import (
	"math"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// order3 is a set of what a comparison of two numbers can come to.
type order3 uint8

const (
	less order3 = 1 << iota
	equal
	greater
	unordered = less | equal | greater
)

var holding = [...]order3{
	spec.EQ: equal, spec.NE: less | greater,
	spec.LT: less, spec.LE: less | equal, spec.GT: greater, spec.GE: greater | equal,
}

// clause is a condition of a rule in the words of a call: a comparison of the
// high word, and of the low word where the high ones are equal.
type clause struct {
	high, low half
	holds     order3
}

// half is a word under a mask, and what it is compared with.
type half struct {
	word        uint8
	mask, value uint32
}

func newClause(c spec.Condition) clause {
	low := uint8((bpf.OffArgs + 8*int(c.Arg)) / 4)
	return clause{
		high:  half{low + 1, uint32(c.Mask >> 32), uint32(c.Value >> 32)},
		low:   half{low, uint32(c.Mask), uint32(c.Value)},
		holds: holding[c.Op],
	}
}

func (h half) is() literal { return literal{word: h.word, mask: h.mask, value: h.value} }

func (h half) atLeast() literal {
	return literal{word: h.word, atLeast: true, mask: h.mask, value: h.value}
}

// above returns the literal that h's word is above the value; one that never
// holds where no word is.
func (h half) above() literal {
	if h.value == math.MaxUint32 {
		return literal{word: h.word, mask: 0, value: 1}
	}
	return literal{word: h.word, atLeast: true, mask: h.mask, value: h.value + 1}
}

// possible returns what the comparison of h can come to under facts about its
// word.
func (h half) possible(f *facts, others int) order3 {
	possible := unordered
	if f.positive(h.is(), others) == never {
		possible &^= equal
	}
	switch f.positive(h.atLeast(), others) {
	case always:
		possible &^= less
	case never:
		return less
	}
	switch f.positive(h.above(), others) {
	case always:
		return greater
	case never:
		possible &^= greater
	}
	return possible
}

// excluding returns literals that together say that the comparison of h comes to
// nothing in out.
func (h half) excluding(out order3) []literal {
	switch out {
	case 0:
		return nil
	case less:
		return []literal{h.atLeast()}
	case less | equal:
		return []literal{h.above()}
	case greater:
		return []literal{h.above().opposite()}
	case greater | equal:
		return []literal{h.atLeast().opposite()}
	case equal:
		return []literal{h.is().opposite()}
	default:
		return []literal{h.is()}
	}
}

// truth returns whether c holds, high and low being what the comparisons of its
// words can come to.
func (c *clause) truth(high, low order3) truth {
	possible := high &^ equal
	if high&equal != 0 {
		possible |= low
	}
	switch {
	case possible&^c.holds == 0:
		return always
	case possible&c.holds == 0:
		return never
	}
	return depends
}

// because returns literals that make c hold, or not hold, and are true themselves
// where that is known of the words.
func (c *clause) because(holds bool, high order3) []literal {
	out := c.holds
	if holds {
		out = unordered &^ c.holds
	}
	if more := out | equal; out != 0 && high&more == 0 {
		return c.high.excluding(more) // the low word is not asked
	}
	if out == 0 {
		return nil
	}
	return append(c.high.excluding(out&^equal), c.low.excluding(out)...)
}

// pending returns a literal about c's words of which it depends whether c holds.
func (c *clause) pending(high, low *facts) (literal, bool) {
	for _, side := range [...]struct {
		half
		*facts
	}{{c.high, high}, {c.low, low}} {
		for _, l := range [...]literal{side.is(), side.atLeast(), side.above()} {
			if side.truth(l, every) == depends {
				return l, true
			}
		}
	}
	return literal{}, false
}
