package precompute

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Set is a set of call numbers as intervals: ascending, neither overlapping nor
// touching. The zero value is the empty set. It is exact over all 2^32 numbers;
// Bitmap gives the part of it that fits a table.
type Set []Span

// Span is the call numbers from First to Last, both included.
type Span struct{ First, Last uint32 }

// Contains reports whether nr is in s.
func (s Set) Contains(nr uint32) bool {
	_, found := slices.BinarySearchFunc(s, nr, func(p Span, nr uint32) int {
		switch {
		case p.Last < nr:
			return -1
		case p.First > nr:
			return 1
		}
		return 0
	})
	return found
}

// Count returns how many numbers s has, at most 2^32.
func (s Set) Count() uint64 {
	n := uint64(0)
	for _, p := range s {
		n += uint64(p.Last-p.First) + 1
	}
	return n
}

// Union returns the numbers that are in s or in t.
func (s Set) Union(t Set) Set {
	return s.combine(t, func(inS, inT bool) bool { return inS || inT })
}

// Intersect returns the numbers that are in s and in t.
func (s Set) Intersect(t Set) Set {
	return s.combine(t, func(inS, inT bool) bool { return inS && inT })
}

// Minus returns the numbers that are in s and not in t.
func (s Set) Minus(t Set) Set {
	return s.combine(t, func(inS, inT bool) bool { return inS && !inT })
}

// combine returns the numbers for which keep is true. It goes from one end of
// an interval to the next: in between, nothing changes.
func (s Set) combine(t Set, keep func(inS, inT bool) bool) Set {
	var out Set
	for lo := uint64(0); lo <= math.MaxUint32; {
		inS, endS := s.at(&s, lo)
		inT, endT := t.at(&t, lo)
		hi := min(endS, endT)
		if keep(inS, inT) {
			out = out.extend(uint32(lo), uint32(hi))
		}
		lo = hi + 1
	}
	return out
}

// at reports whether nr is in s, and up to which number that does not change.
// It drops from rest the intervals below nr.
func (s Set) at(rest *Set, nr uint64) (in bool, end uint64) {
	for len(*rest) > 0 && uint64((*rest)[0].Last) < nr {
		*rest = (*rest)[1:]
	}
	switch {
	case len(*rest) == 0:
		return false, math.MaxUint32
	case uint64((*rest)[0].First) > nr:
		return false, uint64((*rest)[0].First) - 1
	default:
		return true, uint64((*rest)[0].Last)
	}
}

// extend adds the numbers lo to hi, all of them above those of s.
func (s Set) extend(lo, hi uint32) Set {
	if n := len(s); n > 0 && s[n-1].Last == lo-1 {
		s[n-1].Last = hi
		return s
	}
	return append(s, Span{lo, hi})
}

// Bitmap returns the numbers below size as the kernel keeps them: bit nr%64 of
// word nr/64.
func (s Set) Bitmap(size int) []uint64 {
	b := make([]uint64, (size+63)/64)
	for _, p := range s {
		for nr := uint64(p.First); nr <= uint64(p.Last) && nr < uint64(size); nr++ {
			b[nr/64] |= 1 << (nr % 64)
		}
	}
	return b
}

// String returns s as "0-334,337,0x40000000-0x40000208": decimal up to
// 0x3fffffff, so that x32 and negative numbers can be told, and "-" for none.
func (s Set) String() string {
	if len(s) == 0 {
		return "-"
	}
	var b strings.Builder
	number := func(nr uint32) string {
		if nr < 0x40000000 {
			return strconv.FormatUint(uint64(nr), 10)
		}
		return fmt.Sprintf("%#x", nr)
	}
	for i, p := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(number(p.First))
		if p.Last != p.First {
			b.WriteString("-" + number(p.Last))
		}
	}
	return b.String()
}

// ParseSet reads what String writes.
func ParseSet(text string) (Set, error) {
	if text == "-" {
		return nil, nil
	}
	var s Set
	for i, item := range strings.Split(text, ",") {
		from, to, isSpan := strings.Cut(item, "-")
		if !isSpan {
			to = from
		}
		first, err := strconv.ParseUint(from, 0, 32)
		if err != nil {
			return nil, fmt.Errorf("precompute: set of calls: %w", err)
		}
		last, err := strconv.ParseUint(to, 0, 32)
		if err != nil {
			return nil, fmt.Errorf("precompute: set of calls: %w", err)
		}
		if last < first || i > 0 && first <= uint64(s[len(s)-1].Last) {
			return nil, fmt.Errorf("precompute: set of calls: %q is not ascending", item)
		}
		s = s.extend(uint32(first), uint32(last))
	}
	return s, nil
}
