package compile

import (
	"math/bits"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// arm is one way out of a search: the numbers from first to last lead to the
// step to. Numbers between the arms of a search do not occur.
type arm struct {
	first, last uint32
	to          ref
	weight      share // of the calls that take it
}

// inherited is where arms lead that lead where an older search does:
// search.inherit knows.
const inherited ref = -2

// search finds a number in A among arms by the best tree of tests, best by
//
//	the tests executed, each arm's times its weight + perTest * the tests there are
//
// among all trees that are made of three kinds of nodes:
//
//   - one JGE that cuts the arms in two, anywhere;
//   - a chain of JEQ that names every number that is not of the most common
//     kind, if these are few;
//   - one JSET that tells two kinds of arms apart by their bits.
//
// The best tree over some arms with a cut on top is made of the best trees over
// both parts, so they are found by dynamic programming, the short intervals of
// arms before the long ones. With cuts alone the best cut of an interval lies
// between those of the intervals that are one arm shorter (Knuth 1971), which
// makes it O(n^2); the other two kinds break that rule slightly, so it is
// applied with some slack.
type search struct {
	code *code
	arms []arm
	// perTest is the price of a test's presence.
	perTest share
	// inherit returns the step for the numbers first to last of an inherited
	// arm.
	inherit func(first, last uint32) ref

	weight []share // of the arms before the i-th
	cells  []cell  // of the intervals of arms i to j, at i*len(arms)+j
	chain  chain
}

// cell is the best tree for an interval of arms.
type cell struct {
	cost  share // with perTest
	tests int16
	cut   int16 // first arm of the upper part in the best cut
	rest  int16 // chains: an arm of the most common kind
	kind  kind
}

// kind is what stands on top of a tree.
type kind uint8

const (
	single kind = iota
	cutting
	chaining
	bitwise
)

const (
	// maxBitwise is the most arms that one JSET is tried on.
	maxBitwise = 8
	// slack is by how many arms the best cut may lie outside Knuth's bounds.
	slack = 3
	// maxArms is up to how many arms all trees are looked at. More are first
	// cut into parts of equal weight of at most maxPart arms each: so far above
	// the leaves it hardly matters where.
	maxArms = 192
	maxPart = 48
)

// outcome is what a search came to.
type outcome struct {
	root  ref
	cost  share // tests executed, each arm's times its weight
	tests int   // tests there are
}

// build returns the tree for the given arms, ascending.
func (s *search) build(arms []arm) outcome {
	arms = merge(arms)
	if len(arms) > maxArms {
		return s.halve(arms)
	}
	return s.best(arms)
}

func (s *search) best(arms []arm) outcome {
	s.solve(arms)
	c := s.cell(0, len(arms)-1)
	return outcome{s.emit(0, len(arms)-1), c.cost - s.perTest*share(c.tests), int(c.tests)}
}

// merge joins neighbours that lead to the same step.
func merge(arms []arm) []arm {
	merged := arms[:1]
	for _, a := range arms[1:] {
		if m := &merged[len(merged)-1]; m.to == a.to {
			m.last = a.last
			m.weight += a.weight
			continue
		}
		merged = append(merged, a)
	}
	return merged
}

// halve cuts the arms where their weights are equal on both sides, or nearly,
// but never so that a part is less than a quarter of the arms.
func (s *search) halve(arms []arm) outcome {
	if len(arms) <= maxPart {
		return s.best(arms)
	}
	total := weightOf(arms)
	quarter, at, below := len(arms)/4, 0, share(0)
	for at < len(arms)-quarter && (at < quarter || below+arms[at].weight/2 < total/2) {
		below += arms[at].weight
		at++
	}
	number := arms[at].first
	lower, upper := s.halve(arms[:at:at]), s.halve(arms[at:])
	return outcome{
		s.code.jump(bpf.JGE, number, upper.root, lower.root),
		total + lower.cost + upper.cost,
		1 + lower.tests + upper.tests,
	}
}

func (s *search) cell(i, j int) *cell { return &s.cells[i*len(s.arms)+j] }

// solve fills the table for the given arms, of which neighbours differ. The
// trees can then be had from emit, and an arm may be led elsewhere before.
func (s *search) solve(arms []arm) {
	s.arms = arms
	n := len(arms)
	s.weight = append(s.weight[:0], 0)
	for _, a := range s.arms {
		s.weight = append(s.weight, s.weight[len(s.weight)-1]+a.weight)
	}
	if cap(s.cells) < n*n {
		s.cells = make([]cell, n*n)
	}
	s.cells = s.cells[:n*n]
	for i := range n {
		*s.cell(i, i) = cell{kind: single, cut: int16(i)}
	}
	for i := n - 2; i >= 0; i-- {
		s.chain.reset()
		possible := s.chain.extend(s.arms, i)
		for j := i + 1; j < n; j++ {
			best := s.cutBest(i, j)
			if possible = possible && s.chain.extend(s.arms, j); possible {
				s.improveByChain(best, i, j)
			}
			if j-i < maxBitwise {
				s.improveByBits(best, i, j)
			}
		}
	}
}

// cutBest finds the best cut of the arms i to j.
func (s *search) cutBest(i, j int) *cell {
	n := len(s.arms)
	low := max(i+1, int(s.cells[i*n+j-1].cut)-slack)
	high := min(j, max(low, int(s.cells[(i+1)*n+j].cut)+slack))
	row := s.cells[i*n : i*n+j]
	best, at := share(0), -1
	for k, below := low, (low)*n+j; k <= high; k, below = k+1, below+n {
		if cost := row[k-1].cost + s.cells[below].cost; at < 0 || cost < best {
			best, at = cost, k
		}
	}
	c := &s.cells[i*n+j]
	*c = cell{
		cost:  best + s.weight[j+1] - s.weight[i] + s.perTest,
		tests: s.cells[i*n+at-1].tests + s.cells[at*n+j].tests + 1,
		kind:  cutting,
		cut:   int16(at),
	}
	return c
}

// improveByChain makes best a chain if that is better.
func (s *search) improveByChain(best *cell, i, j int) {
	rest := s.chain.common(s.perTest)
	left := s.weight[j+1] - s.weight[i]
	cost, tests := share(0), int16(0)
	for _, l := range s.chain.links {
		if l.to != s.arms[rest].to {
			cost += left + s.perTest
			left -= l.weight
			tests++
		}
	}
	if cost < best.cost && tests <= maxChain {
		best.cost, best.tests, best.kind, best.rest = cost, tests, chaining, int16(rest)
	}
}

// improveByBits makes best a single JSET if that is better and possible.
func (s *search) improveByBits(best *cell, i, j int) {
	cost := s.weight[j+1] - s.weight[i] + s.perTest
	if cost >= best.cost {
		return
	}
	if _, _, ok := s.bits(i, j); ok {
		best.cost, best.tests, best.kind = cost, 1, bitwise
	}
}

// bits returns a mask that has a bit in common with every number that leads
// where set does, and none with every number that leads where clear does, where
// the arms i to j lead to two steps and there is such a mask.
func (s *search) bits(i, j int) (mask uint32, setArm int, ok bool) {
	first := s.arms[i].to
	second := s.arms[i+1].to
	for k := i + 2; k <= j; k++ {
		if to := s.arms[k].to; to != first && to != second {
			return 0, 0, false
		}
	}
	for _, clear := range [...]ref{first, second} {
		// All bits that the numbers of the one kind never have is the mask
		// that has most bits in common with the others.
		mask = ^uint32(0)
		for k := i; k <= j; k++ {
			if a := &s.arms[k]; a.to == clear {
				mask &^= anyBit(a.first, a.last)
			}
		}
		setArm = i
		if clear == first {
			setArm = i + 1
		}
		ok = mask != 0
		used := uint32(0)
		for k := i; k <= j && ok; k++ {
			if a := &s.arms[k]; a.to != clear {
				used |= anyBit(a.first, a.last)
				free, some := withoutBits(a.first, mask)
				ok = !some || free > a.last
			}
		}
		if ok {
			return mask & used, setArm, true
		}
	}
	return 0, 0, false
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

// emit returns the code of the tree for the arms i to j.
func (s *search) emit(i, j int) ref {
	c := *s.cell(i, j)
	switch c.kind {
	case single:
		return s.leaf(i, s.arms[i].first, s.arms[i].last)
	case chaining:
		rest := int(c.rest)
		to := s.leaf(rest, s.arms[i].first, s.arms[j].last)
		s.chain.reset()
		for k := i; k <= j; k++ {
			s.chain.extend(s.arms, k)
		}
		for _, l := range slices.Backward(s.chain.links) {
			if l.to != s.arms[rest].to {
				to = s.code.jump(bpf.JEQ, l.number, s.leaf(l.arm, l.number, l.number), to)
			}
		}
		return to
	case bitwise:
		mask, set, _ := s.bits(i, j)
		clear := i
		if set == i {
			clear = i + 1
		}
		return s.code.jump(bpf.JSET, mask, s.leaf(set, s.arms[i].first, s.arms[j].last), s.leaf(clear, s.arms[i].first, s.arms[j].last))
	default:
		k := int(c.cut)
		return s.code.jump(bpf.JGE, s.arms[k].first, s.emit(k, j), s.emit(i, k-1))
	}
}

func (s *search) leaf(i int, first, last uint32) ref {
	if to := s.arms[i].to; to != inherited {
		return to
	}
	return s.inherit(first, last)
}
