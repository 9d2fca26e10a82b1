package verify

import "sync"

// ref names a set of calls: the root of a reduced ordered binary decision
// diagram over the bits of struct seccomp_data (R. Bryant, "Graph-Based
// Algorithms for Boolean Function Manipulation", 1986). Within one forest
// every set has exactly one ref, so two sets are equal if and only if their
// refs are; that is what makes a comparison a proof.
type ref uint32

// The two sets without a node of their own.
const (
	none ref = 0 // no call
	all  ref = 1 // every call
)

// node tests one bit: the calls in its set are those of high where the bit is
// set, those of low where it is not.
type node struct {
	level     uint32 // which bit, by its place in the order; levels grow downwards
	low, high ref
}

// bottom is the level of none and all, below every bit.
const bottom = words * 32

// forest holds diagrams that share their nodes.
//
// Its operations fail like a bufio.Writer: once the budget is used up they
// return without working and exhausted stays set. Whoever draws a conclusion
// from a ref asks exhausted first.
type forest struct {
	nodes []node
	// unique finds a node by its contents: open addressing, none for empty,
	// a power of two long and at most half full.
	unique []ref
	// memo remembers results of choose; newer ones overwrite older ones.
	memo []choice

	budget    Budget
	steps     int
	exhausted bool
	trials    int // under way, see within
}

// choice is a remembered result: choose(f, g, h) is result. The zero value
// remembers nothing, as f is never none.
type choice struct{ f, g, h, result ref }

// A forest starts with room for the proof of a usual filter, as growing costs a
// process that makes just one proof as much as the proof, and doubles. memo
// stops growing where a miss in the processor's cache costs as much as a step.
const (
	firstNodes  = 1 << 15
	largestMemo = 1 << 18
)

// forests keeps memory for the next proof, but not that of large forests,
// which few filters need.
var forests = sync.Pool{New: func() any { return new(forest) }}

const largestKept = 16 * firstNodes

// reset empties the forest, whose refs mean nothing any more, and gives it a
// budget. A forest from the pool needs it first.
func (d *forest) reset(budget Budget) {
	d.nodes = append(resize(d.nodes, firstNodes)[:0], node{level: bottom}, node{level: bottom, low: all, high: all})
	d.unique = resize(d.unique, 2*firstNodes)
	d.memo = resize(d.memo, firstNodes)
	clear(d.unique)
	clear(d.memo)
	d.budget, d.steps, d.exhausted = budget, 0, false
}

// release gives the forest's memory back.
func (d *forest) release() {
	if cap(d.nodes) <= largestKept {
		forests.Put(d)
	}
}

// resize returns s with n elements, in the same memory if there is room. What
// the elements hold that s did not have is unknown.
func resize[E any](s []E, n int) []E {
	if n <= cap(s) {
		return s[:n]
	}
	return append(make([]E, 0, n), s...)[:n]
}

// node returns the set that tests the bit at level and goes on with low or
// high, both of which test lower bits only.
func (d *forest) node(level uint32, low, high ref) ref {
	if low == high {
		return low
	}
	mask := uint32(len(d.unique) - 1)
	at := hash(level, uint32(low), uint32(high)) & mask
	for d.unique[at] != none {
		r := d.unique[at]
		if n := &d.nodes[r]; n.level == level && n.low == low && n.high == high {
			return r
		}
		at = (at + 1) & mask
	}
	if len(d.nodes) >= d.budget.Nodes {
		d.exhausted = true
		return none
	}
	r := ref(len(d.nodes))
	d.nodes = append(d.nodes, node{level, low, high})
	d.unique[at] = r
	if 2*len(d.nodes) > len(d.unique) {
		d.grow()
	}
	return r
}

// grow doubles the tables.
func (d *forest) grow() {
	d.unique = resize(d.unique[:0], 2*len(d.unique))
	d.rehash()
	if n := len(d.memo); n < largestMemo {
		d.memo = resize(d.memo, 2*n)
		clear(d.memo[n:])
		for _, c := range d.memo[:n] { // half of them belong elsewhere now
			d.memo[d.slot(c.f, c.g, c.h)] = c
		}
	}
}

// rehash fills unique with all nodes.
func (d *forest) rehash() {
	clear(d.unique)
	mask := uint32(len(d.unique) - 1)
	for r := 2; r < len(d.nodes); r++ {
		n := &d.nodes[r]
		at := hash(n.level, uint32(n.low), uint32(n.high)) & mask
		for d.unique[at] != none {
			at = (at + 1) & mask
		}
		d.unique[at] = ref(r)
	}
}

// slot returns where memo remembers choose(f, g, h).
func (d *forest) slot(f, g, h ref) uint32 {
	return hash(uint32(f), uint32(g), uint32(h)) & uint32(len(d.memo)-1)
}

// hash mixes three words; the multipliers are large odd numbers without
// pattern, the shift brings the high bits down to where masks look.
func hash(a, b, c uint32) uint32 {
	h := uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)*0xc2b2ae3d27d4eb4f ^ uint64(c)*0x165667b19e3779f9
	return uint32(h >> 32)
}

// choose returns the calls that are in f and g, or not in f but in h:
// if-then-else, from which all other operations are made.
func (d *forest) choose(f, g, h ref) ref {
	if f == all {
		return g
	}
	if f == none {
		return h
	}
	if g == f {
		g = all
	}
	if h == f {
		h = none
	}
	if g == h {
		return g
	}
	if g == all && h == none {
		return f
	}
	// And and or commute; one order of the two is enough to remember.
	if h == none && g < f {
		f, g = g, f
	} else if g == all && h < f {
		f, h = h, f
	}
	nf, ng, nh := d.nodes[f], d.nodes[g], d.nodes[h]
	if nf.low == none && nf.high == all && nf.level < min(ng.level, nh.level) {
		return d.node(nf.level, h, g) // f is the bit above g and h
	}
	at := d.slot(f, g, h)
	if c := &d.memo[at]; c.f == f && c.g == g && c.h == h {
		return c.result
	}
	d.steps++
	if d.steps > d.budget.Steps {
		d.exhausted = true
	}
	if d.exhausted {
		return none
	}
	level := min(nf.level, ng.level, nh.level)
	f0, f1 := nf.below(level, f)
	g0, g1 := ng.below(level, g)
	h0, h1 := nh.below(level, h)
	low := d.choose(f0, g0, h0)
	high := d.choose(f1, g1, h1)
	r := d.node(level, low, high)
	if !d.exhausted {
		d.memo[d.slot(f, g, h)] = choice{f, g, h, r}
	}
	return r
}

// below returns the two halves of the set r, whose root is n, where the bit at
// level is not set and where it is.
func (n node) below(level uint32, r ref) (low, high ref) {
	if n.level == level {
		return n.low, n.high
	}
	return r, r
}

func (d *forest) and(f, g ref) ref     { return d.choose(f, g, none) }
func (d *forest) or(f, g ref) ref      { return d.choose(f, all, g) }
func (d *forest) without(f, g ref) ref { return d.choose(g, none, f) }
func (d *forest) xor(f, g ref) ref     { return d.choose(f, d.choose(g, none, all), g) }

// member returns a call of the set, which is not empty: of each bit on the way
// down 0 where there is a choice, so that the call has no bit set that it does
// not need.
func (d *forest) member(r ref, set func(level uint32)) {
	for r != all {
		n := d.nodes[r]
		r = n.low
		if r == none {
			set(n.level)
			r = n.high
		}
	}
}

// within does some work within a budget of its own, whatever is left of the
// forest's, and reports whether that was enough. If not, what the work returned is
// not to be used, and the forest is as it was before.
func (d *forest) within(budget Budget, work func()) bool {
	outer, exhausted, mark := d.budget, d.exhausted, len(d.nodes)
	d.budget, d.exhausted = Budget{mark + budget.Nodes, d.steps + budget.Steps}, false
	d.trials++
	work()
	d.trials--
	failed := d.exhausted
	d.budget, d.exhausted = outer, exhausted
	if failed && len(d.nodes) > mark {
		d.nodes = d.nodes[:mark]
		clear(d.memo) // it knows of nodes that are no more
		d.rehash()
	}
	return !failed
}
