package compile

import (
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
//   - a chain of JEQ that names every number but those that lead to one step, if
//     it is few (chain);
//   - one JSET that finds numbers that lead to one step by their bits, among few
//     arms, and leaves very few (kinds).
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

	table
	chain chain
	kinds kinds
}

// table is where a search keeps what it has found, and what it takes most of a
// compilation's memory for.
type table struct {
	weight []share // of the arms before the i-th
	// cells and costs are of the intervals of arms i to j, at i*stride+j. The
	// costs are at j*stride+i as well, so that those which end in the same arm
	// are neighbours, like those which begin with the same one.
	cells []cell
	costs []share
	// stride is the number of arms, or one more: it is odd, because what is a
	// power of two apart competes for the same line of the processor's cache.
	stride int
}

func newSearch(c *code, perTest share) *search { return &search{code: c, perTest: perTest} }

// cell is the best tree for an interval of arms.
type cell struct {
	cut  int16 // first arm of the upper part in the best cut
	rest int16 // an arm that leads where the rest of a chain does, or a JSET
	top  top
}

// top is what stands on top of a tree.
type top uint8

const (
	single top = iota
	cutting
	chaining
	bitwise
)

const (
	// slack is by how many arms the best cut may lie outside Knuth's bounds.
	slack = 3
	// maxArms is up to how many arms all trees are looked at. More are first
	// cut into parts of equal weight: so far above the leaves it hardly matters
	// where.
	maxArms = 96
)

// outcome is what a search came to.
type outcome struct {
	root  ref
	cost  share // tests executed, each arm's times its weight
	tests int   // tests there are
}

// build returns the tree for the given arms, ascending.
func (s *search) build(arms []arm) outcome {
	return s.halve(merge(arms))
}

// best returns the best tree for the given arms, of which neighbours differ.
func (s *search) best(arms []arm) outcome {
	s.solve(arms)
	last := len(arms) - 1
	tests := s.tests(0, last)
	return outcome{s.emit(0, last), s.costs[last] - s.perTest*share(tests), tests}
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

// halve cuts too many arms where their weights are equal on both sides, or
// nearly, but never so that a part is less than a quarter of the arms.
func (s *search) halve(arms []arm) outcome {
	if len(arms) <= maxArms {
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

func (s *search) cell(i, j int) cell { return s.cells[i*s.stride+j] }

// solve fills the table for the given arms, of which neighbours differ. The
// trees can then be had from emit, and an arm may be led elsewhere before.
func (s *search) solve(arms []arm) {
	s.arms = arms
	n := len(arms)
	s.weight = append(s.weight[:0], 0)
	for _, a := range s.arms {
		s.weight = append(s.weight, s.weight[len(s.weight)-1]+a.weight)
	}
	s.stride = n | 1
	if size := n * s.stride; cap(s.cells) < size {
		s.cells, s.costs = make([]cell, size), make([]share, size)
	}
	for i := range n {
		at := i*s.stride + i
		s.cells[at], s.costs[at] = cell{top: single, cut: int16(i)}, 0
	}
	for i := n - 2; i >= 0; i-- {
		// The best trees that begin with this arm, and with the next one.
		cells, next := s.cells[i*s.stride:][:n], s.cells[(i+1)*s.stride:][:n]
		costs := s.costs[i*s.stride:][:n]
		s.chain.reset()
		possible := s.chain.extend(s.arms, i)
		s.kinds.reset()
		s.kinds.add(s.arms, i)
		for j := i + 1; j < n; j++ {
			// Knuth's bounds.
			low := max(i+1, int(cells[j-1].cut)-slack)
			high := min(j, max(low, int(next[j].cut)+slack))
			at, cost := cheapest(costs[low-1:high], s.costs[j*s.stride+low:])
			cost += s.weight[j+1] - s.weight[i] + s.perTest
			best := cell{top: cutting, cut: int16(low + at)}
			if possible = possible && s.chain.extend(s.arms, j); possible {
				cost = s.improveByChain(&best, cost, i, j)
			}
			if j-i < maxBitwise && s.kinds.add(s.arms, j) {
				cost = s.improveByBits(&best, cost, i, j)
			}
			cells[j], costs[j], s.costs[j*s.stride+i] = best, cost, cost
		}
	}
}

// cheapest returns the cut for which the costs of the lower and the upper part are
// least, and what they are.
func cheapest(lower, upper []share) (at int, best share) {
	upper = upper[:len(lower)]
	best = lower[0] + upper[0]
	for k := 1; k < len(lower); k++ {
		if cost := lower[k] + upper[k]; cost < best {
			best, at = cost, k
		}
	}
	return at, best
}

// improveByChain makes best a chain if that costs less than the given cost, and
// returns the cost of best.
func (s *search) improveByChain(best *cell, cost share, i, j int) share {
	rest := s.chain.common(s.perTest)
	left := s.weight[j+1] - s.weight[i]
	sum := share(0)
	for _, l := range s.chain.links {
		if l.to != s.arms[rest].to {
			sum += left + s.perTest
			left -= l.weight
		}
	}
	if sum >= cost {
		return cost
	}
	best.top, best.rest = chaining, int16(rest)
	return sum
}

// tests returns the number of tests in the tree for the arms i to j.
func (s *search) tests(i, j int) int {
	switch c := s.cell(i, j); c.top {
	case single:
		return 0
	case bitwise:
		_, left, n := s.bits(i, j, int(c.rest))
		if n == maxLeft && oneAmongOthers(left[:]) {
			return 2
		}
		return n
	case chaining:
		n := 0
		for k := i; k <= j; k++ {
			if a := &s.arms[k]; a.to != s.arms[c.rest].to {
				n += int(a.last - a.first + 1)
			}
		}
		return n
	default:
		return 1 + s.tests(i, int(c.cut)-1) + s.tests(int(c.cut), j)
	}
}

// emit returns the code of the tree for the arms i to j.
func (s *search) emit(i, j int) ref {
	c := s.cell(i, j)
	switch c.top {
	case single:
		return s.leaf(s.arms[i].to, s.arms[i].first, s.arms[i].last)
	case chaining:
		rest := int(c.rest)
		to := s.leaf(s.arms[rest].to, s.arms[i].first, s.arms[j].last)
		s.chain.reset()
		for k := i; k <= j; k++ {
			s.chain.extend(s.arms, k)
		}
		for _, l := range slices.Backward(s.chain.links) {
			if l.to != s.arms[rest].to {
				to = s.code.jump(bpf.JEQ, l.number, s.leaf(l.to, l.number, l.number), to)
			}
		}
		return to
	case bitwise:
		mask, left, n := s.bits(i, j, int(c.rest))
		set := s.leaf(s.arms[c.rest].to, s.arms[i].first, s.arms[j].last)
		return s.code.jump(bpf.JSET, mask, set, s.emitFew(left[:n]))
	default:
		k := int(c.cut)
		return s.code.jump(bpf.JGE, s.arms[k].first, s.emit(k, j), s.emit(i, k-1))
	}
}

// leaf returns the step that an arm leads to, which the numbers from first to
// last reach.
func (s *search) leaf(to ref, first, last uint32) ref {
	if to != inherited {
		return to
	}
	return s.inherit(first, last)
}
