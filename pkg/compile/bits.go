package compile

import (
	"math/bits"

	"seccomp-hook/pkg/bpf"
)

const (
	// maxBitwise is the most arms that a JSET is tried on, and maxKinds the most
	// steps that they may lead to.
	maxBitwise = 8
	maxKinds   = 4
	// maxLeft is the most arms that may be left where none of its bits is set.
	maxLeft = 3
)

// kinds are the steps that some arms lead to, and the bits that any of the
// numbers have that lead there.
type kinds struct {
	n    int
	to   [maxKinds]ref
	bits [maxKinds]uint32
	arm  [maxKinds]int // the first that leads there
}

func (k *kinds) reset() { k.n = 0 }

// add adds an arm, and reports whether there was room for its kind and those
// of all before.
func (k *kinds) add(arms []arm, j int) bool {
	if k.n > maxKinds {
		return false
	}
	a := &arms[j]
	numbers := anyBit(a.first, a.last)
	for i := range k.n {
		if k.to[i] == a.to {
			k.bits[i] |= numbers
			return true
		}
	}
	if k.n < maxKinds {
		k.to[k.n], k.bits[k.n], k.arm[k.n] = a.to, numbers, j
	}
	k.n++
	return k.n <= maxKinds
}

// mask returns the bits that only numbers of kind i have.
func (k *kinds) mask(i int) uint32 {
	mask := k.bits[i]
	for m := range k.n {
		if m != i {
			mask &^= k.bits[m]
		}
	}
	return mask
}

// improveByBits makes best a tree with a JSET on top if there is one that costs
// less than the given cost, and returns the cost of best. s.kinds has the arms i
// to j.
func (s *search) improveByBits(best *cell, cost share, i, j int) share {
	weight := s.weight[j+1] - s.weight[i]
	for k := range s.kinds.n {
		if weight+s.perTest >= cost {
			break
		}
		mask := s.kinds.mask(k)
		if mask == 0 {
			continue
		}
		if left, n := s.without(mask, s.kinds.to[k], i, j); n > 0 {
			if sum := weight + s.perTest + s.costOfFew(left[:n]); sum < cost {
				cost, best.top, best.rest = sum, bitwise, int16(s.kinds.arm[k])
			}
		}
	}
	return cost
}

// without returns the arms i to j that are left where a number has no bit of
// mask, a mask for numbers that lead to the step to. There are n of them; 0 if
// they are too many or all.
func (s *search) without(mask uint32, to ref, i, j int) (left [maxLeft]arm, n int) {
	useful := false
	for k := i; k <= j; k++ {
		a := &s.arms[k]
		if a.to == to {
			if free, some := withoutBits(a.first, mask); !some || free > a.last {
				useful = true
				continue
			}
		}
		switch {
		case n > 0 && left[n-1].to == a.to:
			left[n-1].last = a.last
			left[n-1].weight += a.weight
		case n == maxLeft:
			return left, 0
		default:
			left[n] = *a
			n++
		}
	}
	if !useful {
		return left, 0
	}
	return left, n
}

// bits returns the mask for the numbers of the arms i to j that lead where the
// arm set does, and what is left without it: improveByBits found that it pays.
func (s *search) bits(i, j, set int) (mask uint32, left [maxLeft]arm, n int) {
	s.kinds.reset()
	for k := i; k <= j; k++ {
		s.kinds.add(s.arms, k)
	}
	for k := range s.kinds.n {
		if s.kinds.to[k] == s.arms[set].to {
			mask = s.kinds.mask(k)
		}
	}
	left, n = s.without(mask, s.arms[set].to, i, j)
	return mask, left, n
}

// costOfFew returns the cost of the tree that emitFew makes.
func (s *search) costOfFew(arms []arm) share {
	switch weight := weightOf(arms); {
	case len(arms) == 1:
		return 0
	case len(arms) == 2, oneAmongOthers(arms):
		return weight + s.perTest
	default:
		return weight + arms[1].weight + min(arms[0].weight, arms[2].weight) + 2*s.perTest
	}
}

// emitFew returns the code of the best tree of cuts, or of one JEQ, for at most
// maxLeft arms.
func (s *search) emitFew(arms []arm) ref {
	switch {
	case len(arms) == 1:
		return s.leaf(arms[0].to, arms[0].first, arms[0].last)
	case len(arms) == 2:
		return s.code.jump(bpf.JGE, arms[1].first, s.emitFew(arms[1:]), s.emitFew(arms[:1]))
	case oneAmongOthers(arms):
		return s.code.jump(bpf.JEQ, arms[1].first, s.emitFew(arms[1:2]), s.leaf(arms[0].to, arms[0].first, arms[2].last))
	case arms[0].weight < arms[2].weight:
		return s.code.jump(bpf.JGE, arms[2].first, s.emitFew(arms[2:]), s.emitFew(arms[:2]))
	default:
		return s.code.jump(bpf.JGE, arms[1].first, s.emitFew(arms[1:]), s.emitFew(arms[:1]))
	}
}

// oneAmongOthers reports whether three arms are one number and, on both sides,
// numbers that lead to the same step.
func oneAmongOthers(arms []arm) bool {
	return arms[1].first == arms[1].last && arms[0].to == arms[2].to
}

// anyBit returns the bits that any number from first to last has.
func anyBit(first, last uint32) uint32 {
	return last | below(first^last)
}

// below returns all bits from the highest one of x down.
func below(x uint32) uint32 { return 1<<bits.Len32(x) - 1 }

// withoutBits returns the smallest number from first on that has no bit of
// mask; false if there is none.
func withoutBits(first, mask uint32) (uint32, bool) {
	for first&mask != 0 {
		// The highest common bit has to go, so a bit above it comes.
		step := below(first&mask) + 1
		if step == 0 {
			return 0, false
		}
		next := (first | (step - 1)) + 1
		if next == 0 {
			return 0, false
		}
		first = next
	}
	return first, true
}
