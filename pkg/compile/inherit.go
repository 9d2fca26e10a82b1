package compile

import (
	"math/bits"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// Some ABIs number their calls like another one: x32 like x86_64, with one bit
// set; s390 like s390x. The search for such a number need not be made twice:
// it looks for the differences, and then goes on in the middle of the other
// search, where that has narrowed the numbers down as far.

// base is a search that others may lead into: with A any number of the arms,
// root finds it.
type base struct {
	arms []arm
	root ref
}

// x32Bit makes the numbers of x32 (__X32_SYSCALL_BIT).
const x32Bit = 0x40000000

// minInherit is the number of arms from which on it is worth to compare.
const minInherit = 4

// inherit returns a search among arms that leads into that of another token,
// if that is cheaper than one of its own.
func (b *builder) inherit(arms []arm) (ref, bool) {
	if len(arms) < minInherit {
		return none, false
	}
	own := b.estimate(arms, len(arms), 0)
	var best *base
	var bestArms []arm
	for i := range b.bases {
		shared := b.bases[i].mark(arms)
		if price := b.estimate(arms, len(shared), len(b.bases[i].arms)); price < own {
			best, bestArms, own = &b.bases[i], shared, price
		}
	}
	if best == nil {
		return none, false
	}
	return b.lead(bestArms, best), true
}

// lead returns the search among arms, of which some lead where to does.
func (b *builder) lead(arms []arm, to *base) ref {
	b.heirs.inherit = func(first, last uint32) ref { return b.code.narrow(to.root, first, last) }
	return b.heirs.build(arms).root
}

// halves returns a search among arms in which the numbers with the bit of x32
// lead into the search for those without, if that is cheaper.
func (b *builder) halves(arms []arm) (ref, bool) {
	numbers := 0
	for i := range arms {
		if last := arms[i].last; last >= x32Bit && last < 2*x32Bit-1 {
			numbers++
		}
	}
	if numbers < minInherit {
		return none, false
	}
	low, high, rest := split(arms)
	// One table has the search for the low numbers and the one for all.
	if len(low)+1+len(rest) > 2*maxArms {
		return none, false
	}
	for i := range high {
		high[i].first &^= x32Bit
		high[i].last &^= x32Bit
	}
	// What the differences are depends only on where arms lead, so it is known
	// before there is a search to lead into.
	to := &base{arms: low}
	shared := to.mark(high)
	if b.estimate(high, len(shared), len(low)) >= b.estimate(high, len(high), 0) {
		return none, false
	}
	arms = append(slices.Clone(low), arm{first: x32Bit, last: high[len(high)-1].last | x32Bit, to: pending, weight: weightOf(high)})
	arms = append(arms, rest...)
	b.search.solve(arms)
	to.root = b.search.emit(0, len(low)-1)
	b.bases = append(b.bases, *to)
	arms[len(low)].to = b.code.mask(^uint32(x32Bit), b.lead(shared, to))
	return b.search.emit(0, len(arms)-1), true
}

// pending stands for a step that is not made yet.
const pending ref = -3

// split returns the arms of the numbers below those of x32, of x32, and of the
// rest. The last numbers with the bit of x32 are no calls, and lead where those
// after them do: they count as rest.
func split(arms []arm) (low, high, rest []arm) {
	for _, a := range arms {
		if a.first < x32Bit {
			l := a
			l.last = min(a.last, x32Bit-1)
			low = append(low, l)
			if a.last < x32Bit {
				continue
			}
			a.first, a.weight = x32Bit, 0
		}
		if a.last < 2*x32Bit-1 {
			high = append(high, a)
		} else {
			rest = append(rest, a)
		}
	}
	return low, high, rest
}

func weightOf(arms []arm) share {
	sum := share(0)
	for _, a := range arms {
		sum += a.weight
	}
	return sum
}

// mark returns arms with those numbers inherited that lead where t leads
// them.
func (t *base) mark(arms []arm) []arm {
	shared := make([]arm, 0, len(arms))
	at := 0
	for _, a := range arms {
		numbers := uint64(a.last-a.first) + 1
		for first := a.first; ; {
			for at < len(t.arms)-1 && t.arms[at].last < first {
				at++
			}
			part := arm{first: first, last: a.last, to: a.to}
			if b := &t.arms[at]; first >= b.first && first <= b.last {
				part.last = min(a.last, b.last)
				if a.to == b.to {
					part.to = inherited
				}
			}
			high, low := bits.Mul64(uint64(a.weight), uint64(part.last-part.first)+1)
			weight, _ := bits.Div64(high, low, numbers)
			part.weight = share(weight)
			shared = append(shared, part)
			if part.last == a.last {
				break
			}
			first = part.last + 1
		}
	}
	return merge(shared)
}

// estimate returns about what a search among arms costs if it is one among
// tests arms only and then goes on among more.
func (b *builder) estimate(arms []arm, tests, more int) share {
	depth := bits.Len(uint(tests)) + bits.Len(uint(more))
	return weightOf(arms)*share(depth) + b.goal.perInstruction*share(tests)
}

// narrow returns the step that a search from root comes to for all numbers from
// first to last, as far as they take the same way.
func (c *code) narrow(root ref, first, last uint32) ref {
	known := state{word: bpf.OffNr}
	known.facts[bpf.OffNr/4] = fact{low: first, high: last}
	for {
		s := &c.steps[root]
		if !s.branches() {
			return root
		}
		holds, is := known.test(s)
		if !is {
			return root
		}
		root = s.otherwise
		if holds {
			root = s.then
		}
	}
}
