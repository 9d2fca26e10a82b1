package verify

import (
	"math/bits"
	"slices"
)

// join returns facts that all words meet that meet f or g.
func (f *facts) join(g *facts) *facts {
	if f == g {
		return f
	}
	h := facts{low: min(f.low, g.low), high: max(f.high, g.high)}
	h.known = f.known & g.known &^ (f.value ^ g.value)
	h.value = f.value & h.known
	for _, pair := range [...]struct{ from, of *facts }{{g, f}, {f, g}} {
		for o := pair.from.others; o != nil; o = o.older {
			if pair.of.truth(o.literal, every) == always && h.truth(o.literal, every) != always {
				h.others = &fact{o.literal, h.others}
			}
		}
	}
	for _, same := range [...]*facts{f, g, anything} {
		if h == *same {
			return same
		}
	}
	return &h
}

// join returns a region that has all calls of r and s.
func (r *region) join(s *region) *region {
	joined := &region{marks: slices.Clone(r.marks)}
	for i := range joined.words {
		joined.words[i] = r.words[i].join(s.words[i])
	}
	for i := range joined.marks {
		joined.marks[i] &= s.marks[i]
	}
	return joined
}

// spread finds for each node that calls of r can come to from root what is known
// of all of them, on whatever way they come. This is one pass, as nodes lead to
// those before them only. It reports whether that proved each end: then no way
// needs to be followed alone. Where it did not, what it found says for which calls a
// proof of a node is worth trying.
//
// What is known of a word is lost where ways meet of which each knows something
// else. What is not lost is which rules no longer apply and which of their
// conditions hold, whatever the reason was on each way: the rules of a list are
// decided so.
func (w *walk) spread(root int, r *region) (proved bool) {
	w.joined = make(map[int]*region)
	open := make([]uint64, root/64+1) // the nodes still to be left
	proved = true
	arrive := func(node int, r *region) {
		if q := &w.graph.nodes[node]; q.test == nil {
			proved = proved && w.try(node, r, func(_ int, r *region) *lemma { return w.conclude(q.ret, r) }) != nil
			return
		}
		if before := w.joined[node]; before != nil {
			w.look(words + len(r.marks))
			r = before.join(r)
		}
		w.joined[node] = r
		open[node/64] |= 1 << (node % 64)
	}
	arrive(root, r)
	for at := root / 64; at >= 0; at-- {
		for open[at] != 0 {
			node := 64*at + bits.Len64(open[at]) - 1
			open[at] &^= 1 << (node % 64)
			if !w.step() {
				return false
			}
			q := &w.graph.nodes[node]
			r := w.joined[node]
			if part, possible := w.narrow(r, *q.test); possible {
				arrive(q.yes, part)
			}
			if part, possible := w.narrow(r, q.test.opposite()); possible {
				arrive(q.no, part)
			}
		}
	}
	return proved
}

// narrow is with for a region whose marks can know more than its words: false also
// where a clause would hold that does not, or not hold that does, or all clauses of
// a rule would that does not apply.
func (w *walk) narrow(r *region, l literal) (*region, bool) {
	part, possible := w.with(r, l)
	if !possible || part == r {
		return part, possible
	}
	for _, k := range w.byWord[l.word] {
		holds, fails := part.marks.has(w.holds(k)), part.marks.has(w.fails(k))
		if !holds && !fails {
			continue
		}
		if t := w.truth(&w.clauses[k], part); holds && t == never || fails && t == always {
			return nil, false
		}
		if !holds || r.marks.has(w.holds(k)) {
			continue
		}
		for _, i := range w.within[k] {
			if part.marks.has(i) && !slices.ContainsFunc(w.rules[i].clauses, func(k int) bool { return !part.marks.has(w.holds(k)) }) {
				return nil, false
			}
		}
	}
	return part, true
}
