package spec

import "slices"

// maxNumber is the highest call number there can be.
const maxNumber = ^uint32(0)

// ranges are verdicts for call numbers, ascending and without overlap. There
// may be gaps.
type ranges []Range

// over returns what both say, and where both speak what r says.
func (r ranges) over(base ranges) ranges {
	if len(r) == 0 {
		return base
	}
	both := make(ranges, 0, 2*len(r)+len(base))
	for _, b := range base {
		for len(r) > 0 && r[0].Last < b.First {
			both = append(both, r[0])
			r = r[1:]
		}
		// What is left of b around the ranges of r that begin before it ends.
		first, done := b.First, false
		for len(r) > 0 && r[0].First <= b.Last {
			if first < r[0].First {
				both = append(both, Range{first, r[0].First - 1, b.Verdict})
			}
			if r[0].Last >= b.Last {
				done = true
				break
			}
			first = r[0].Last + 1
			both = append(both, r[0])
			r = r[1:]
		}
		if !done {
			both = append(both, Range{first, b.Last, b.Verdict})
		}
	}
	return append(both, r...)
}

// add appends a range to r, or makes r's last one longer where it has the same
// verdict.
func (r ranges) add(next Range) ranges {
	if n := len(r); n > 0 && r[n-1].Last+1 == next.First && r[n-1].Verdict.equal(&next.Verdict) {
		r[n-1].Last = next.Last
		return r
	}
	return append(r, next)
}

// merge joins neighbours with equal verdicts.
func (r ranges) merge() ranges {
	merged := r[:0]
	for _, next := range r {
		merged = merged.add(next)
	}
	return merged
}

// equal reports whether two verdicts are the same, the rules that they come
// from included.
func (v *Verdict) equal(w *Verdict) bool {
	if len(v.Rules) > 0 && len(v.Rules) == len(w.Rules) && &v.Rules[0] == &w.Rules[0] {
		return v.Default == w.Default
	}
	return v.Default == w.Default && slices.EqualFunc(v.Rules, w.Rules, func(a, b Rule) bool {
		return a.Return == b.Return && a.Origin == b.Origin && a.Source == b.Source && slices.Equal(a.Conditions, b.Conditions)
	})
}
