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
// those before them only. It says for which calls a proof of the node is worth
// trying, and no proof depends on it.
func (w *walk) spread(root int, r *region) {
	w.joined = make(map[int]*region)
	open := make([]uint64, root/64+1) // the nodes still to be left
	arrive := func(node int, r *region) {
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
			q := &w.graph.nodes[node]
			if q.test == nil || !w.step() {
				continue
			}
			r := w.joined[node]
			if part, possible := w.with(r, *q.test); possible {
				arrive(q.yes, part)
			}
			if part, possible := w.with(r, q.test.opposite()); possible {
				arrive(q.no, part)
			}
		}
	}
}
