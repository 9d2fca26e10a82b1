package verify

import "math/bits"

// literal says of one word of a call that word&mask is equal to value, or, where
// atLeast is set, that it is at least value; or the opposite of it.
type literal struct {
	word        uint8 // as wordAt numbers them
	atLeast     bool
	not         bool
	mask, value uint32
}

func (l literal) opposite() literal {
	l.not = !l.not
	return l
}

// truth is whether a literal holds for a set of calls.
type truth uint8

const (
	depends truth = iota // for some of them, as far as is known
	always
	never
)

func (t truth) opposite() truth {
	switch t {
	case always:
		return never
	case never:
		return always
	}
	return depends
}

// facts are what is known of one word. They may be too weak, so that a word
// meets them for which a literal that they came from does not hold, but never
// too strong. They do not change.
type facts struct {
	low, high    uint32 // the bounds
	known, value uint32 // bits that are known, and what they are
	// others are the literals that bounds and bits do not express in full.
	others *fact
}

// fact is a list of literals, the newest first.
type fact struct {
	literal
	older *fact
}

// anything are the facts of a word of which nothing is known.
var anything = &facts{high: ^uint32(0)}

// prefix reports whether a mask keeps the high bits alone, so that the words that
// are equal under it are an interval.
func prefix(mask uint32) bool { return mask != 0 && mask|(mask-1) == ^uint32(0) }

// truth returns whether l, about this word, holds. It asks the first of the
// others only.
func (f *facts) truth(l literal, others int) truth {
	t := f.positive(l, others)
	if l.not {
		return t.opposite()
	}
	return t
}

// every is a number of facts that is more than there are.
const every = 1 << 30

func (f *facts) positive(l literal, others int) truth {
	mask, value := l.mask, l.value
	if l.atLeast {
		least, most := f.value&mask, (f.value|^f.known)&mask
		if prefix(mask) {
			least, most = max(least, f.low&mask), min(most, f.high&mask)
		}
		switch {
		case least >= value:
			return always
		case min(most, f.high) < value:
			return never
		}
		for o := f.others; o != nil && others > 0; o, others = o.older, others-1 {
			if o.atLeast && o.mask == mask {
				if !o.not && o.literal.value >= value {
					return always
				}
				if o.not && o.literal.value <= value {
					return never
				}
			}
		}
		return depends
	}
	switch {
	case value&^mask != 0, (value^f.value)&mask&f.known != 0:
		return never
	case mask&^f.known == 0:
		return always
	}
	if prefix(mask) && (f.high < value || f.low > value|^mask) {
		return never
	}
	for o := f.others; o != nil && others > 0; o, others = o.older, others-1 {
		if !o.atLeast && o.mask&^mask == 0 && (o.literal.value^value)&o.mask == 0 {
			return never // what is excluded is more
		}
	}
	return depends
}

// with returns the facts of the words for which l holds too; false if there is
// none.
func (f *facts) with(l literal) (*facts, bool) {
	switch f.truth(l, every) {
	case never:
		return nil, false
	case always:
		return f, true
	}
	g := *f
	switch {
	case !l.atLeast && !l.not:
		g.known |= l.mask
		g.value |= l.value
	case !l.atLeast:
		g.others = &fact{l, f.others}
		if !g.exclude(l) {
			return nil, false
		}
		if g.low == f.low && g.high == f.high && g.known == f.known {
			return &g, true
		}
	case prefix(l.mask):
		// What is at least value under the mask begins where the mask has the
		// next value.
		first := uint64(l.value)
		if l.value&^l.mask != 0 {
			first = uint64(l.value|^l.mask) + 1
		}
		switch {
		case !l.not && first >= 1<<32, l.not && first == 0:
			return nil, false
		case !l.not:
			g.low = max(g.low, uint32(first))
		default:
			g.high = min(g.high, uint32(first-1))
		}
	default:
		g.others = &fact{l, f.others}
	}
	return &g, g.settle()
}

// settle draws conclusions until there are no more, and returns false if no
// word is left.
func (f *facts) settle() bool {
	for {
		before := *f
		if f.low > f.high {
			return false
		}
		// Bounds that begin alike make bits known, and bits make bounds.
		alike := ^uint32(0)
		if differ := f.low ^ f.high; differ != 0 {
			alike = ^uint32(1<<bits.Len32(differ) - 1)
		}
		if (f.low^f.value)&alike&f.known != 0 {
			return false
		}
		f.known |= alike
		f.value |= f.low & alike
		var least, most bool
		f.low, least = atLeast(f.low, f.known, f.value)
		f.high, most = atLeast(^f.high, f.known, ^f.value&f.known)
		f.high = ^f.high
		if !least || !most {
			return false
		}
		for o := f.others; o != nil; o = o.older {
			if o.atLeast {
				bare := facts{f.low, f.high, f.known, f.value, nil}
				if bare.truth(o.literal, 0) == never {
					return false
				}
			} else if !f.exclude(o.literal) {
				return false
			}
		}
		if f.low == before.low && f.high == before.high && f.known == before.known {
			return true
		}
	}
}

// exclude takes what is equal to l's value off bits and bounds where that can
// be, and returns false if no word is left.
func (f *facts) exclude(l literal) bool {
	if (l.value^f.value)&l.mask&f.known != 0 {
		return true // excluded already
	}
	left := l.mask &^ f.known
	switch {
	case left == 0:
		return false
	case left&(left-1) == 0:
		f.known |= left
		f.value |= ^l.value & left
		return true
	case !prefix(l.mask):
		return true
	}
	last := l.value | ^l.mask
	if f.low >= l.value && f.low <= last {
		if last == ^uint32(0) {
			return false
		}
		f.low = last + 1
	}
	if f.high >= l.value && f.high <= last {
		if l.value == 0 {
			return false
		}
		f.high = l.value - 1
	}
	return true
}

// atLeast returns the smallest word from low on whose known bits have a value;
// false if there is none.
func atLeast(low, known, value uint32) (uint32, bool) {
	differ := (low ^ value) & known
	if differ == 0 {
		return low, true
	}
	at := uint32(1) << (bits.Len32(differ) - 1)
	if low&at != 0 {
		// A bit above has to become 1, the lowest that may.
		free := ^low &^ known &^ (at | (at - 1))
		if free == 0 {
			return 0, false
		}
		at = free & -free
	}
	return low&^(at|(at-1)) | at | value&(at-1), true
}

// literals returns what is known of the given word, as literals.
func (f *facts) literals(word uint8) []literal {
	var list []literal
	if f.low > 0 {
		list = append(list, literal{word: word, atLeast: true, mask: ^uint32(0), value: f.low})
	}
	if f.high < ^uint32(0) {
		list = append(list, literal{word: word, atLeast: true, not: true, mask: ^uint32(0), value: f.high + 1})
	}
	if f.known != 0 {
		list = append(list, literal{word: word, mask: f.known, value: f.value})
	}
	for o := f.others; o != nil; o = o.older {
		list = append(list, o.literal)
	}
	return list
}

// example returns a word that meets the facts; false if there is none. It takes
// at most effort tries, and is at 0 where they did not do.
func (f *facts) example(effort *int) (uint32, bool) {
	free := ^f.known
	if free == 0 {
		return f.value, true
	}
	bit := uint32(1) << (bits.Len32(free) - 1)
	for _, value := range [...]uint32{0, bit} {
		if *effort == 0 {
			return 0, false
		}
		*effort--
		if g, possible := f.with(literal{mask: bit, value: value}); possible {
			if word, found := g.example(effort); found {
				return word, true
			}
		}
	}
	return 0, false
}
