package decompile

import (
	"math/bits"
	"slices"

	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// term is the conditions of a rule, one for each argument at most, as
// spec.Profile writes them: all of them hold.
type term []spec.Arg

// mostTerms is how many rules a call may take. Real filters need a dozen; a
// comparison of two arguments, or of one after arithmetic, can take 2^64.
const mostTerms = 96

// cover returns terms whose calls are exactly the set, which depends on
// arguments alone; false where mostTerms do not do. width is the size of an
// argument, 64 or 32 bits.
//
// It tries two ways and takes the one with fewer terms, the more legible one if
// they tie: intervals, argument by argument, and prime cubes of bits (an
// irredundant sum of products; S. Minato, "Fast Generation of Irredundant
// Sum-of-Products Forms from Binary Decision Diagrams", 1992). A cube is a rule
// with a masked comparison for each argument, so there is one for every set.
func cover(space *verify.Space, set verify.Set, width uint8) ([]term, bool) {
	c := &coverer{space: space, width: width}
	byValue, ok := c.intervals(set)
	if ok {
		byValue = c.prune(set, byValue)
	}
	if ok && len(byValue) <= 1 {
		return byValue, true
	}
	if byBit, fits := c.cubes(set); fits && (!ok || len(byBit) < len(byValue)) {
		return byBit, true
	}
	return byValue, ok
}

type coverer struct {
	space *verify.Space
	width uint8
}

// highest returns the highest value of an argument.
func (c *coverer) highest() uint64 { return ^uint64(0) >> (64 - c.width) }

// conditions returns the calls of a term.
func (c *coverer) calls(t term) verify.Set {
	set := c.space.All()
	for _, a := range t {
		set = set.And(c.space.Condition(condition(a, c.highest())))
	}
	return set
}

// condition returns what an argument as written means on an architecture whose
// arguments go up to highest.
func condition(a spec.Arg, highest uint64) spec.Condition {
	if a.Masked {
		mask := a.Value & highest
		return spec.Condition{Arg: a.Index, Op: spec.EQ, Mask: mask, Value: a.ValueTwo & mask}
	}
	return spec.Condition{Arg: a.Index, Op: a.Op, Mask: highest, Value: a.Value & highest}
}

// intervals returns terms for a set by intervals of the first argument that it
// depends on, and for each of them by the others.
func (c *coverer) intervals(set verify.Set) ([]term, bool) {
	if set.Empty() {
		return nil, true
	}
	if set.Full() {
		return []term{nil}, true
	}
	argument, _, _, _ := set.Split()
	parts, ok := c.parts(set, argument)
	if !ok {
		return nil, false
	}
	var terms []term
	for _, p := range parts {
		rest, ok := c.intervals(p.rest)
		if !ok {
			return nil, false
		}
		for _, a := range c.shapes(uint8(argument), p.values) {
			for _, r := range rest {
				t := term{}
				if a != nil {
					t = append(t, *a)
				}
				if terms = append(terms, append(t, r...)); len(terms) > mostTerms {
					return nil, false
				}
			}
		}
	}
	return terms, true
}

// part is the values of an argument after which the same is left of a set.
type part struct {
	rest   verify.Set
	values []interval
}

type interval struct{ first, last uint64 }

// parts returns the parts of a set that are not empty, in the order of their
// first values.
func (c *coverer) parts(set verify.Set, argument verify.Field) ([]part, bool) {
	var parts []part
	intervals := 0
	add := func(rest verify.Set, first, last uint64) bool {
		if rest.Empty() {
			return true
		}
		i := slices.IndexFunc(parts, func(p part) bool { return p.rest == rest })
		if i < 0 {
			i = len(parts)
			parts = append(parts, part{rest: rest})
		}
		values := &parts[i].values
		if n := len(*values); n > 0 && (*values)[n-1].last+1 == first {
			(*values)[n-1].last = last
			return true
		}
		*values = append(*values, interval{first, last})
		intervals++
		return intervals <= mostTerms
	}
	var descend func(set verify.Set, base uint64, bit int) bool
	descend = func(set verify.Set, base uint64, bit int) bool {
		span := ^uint64(0) >> (63 - max(bit, 0))
		if bit < 0 {
			span = 0
		}
		if set.Empty() || set.Full() {
			return add(set, base, base+span)
		}
		field, first, without, with := set.Split()
		if field != argument {
			return add(set, base, base+span)
		}
		if int(first) >= int(c.width) {
			return false // a 32-bit comparison cannot say it
		}
		if int(first) != bit {
			without, with = set, set
		}
		return descend(without, base, bit-1) && descend(with, base|1<<bit, bit-1)
	}
	ok := descend(set, 0, int(c.width)-1)
	return parts, ok
}

// shapes returns conditions on an argument one of which holds exactly for the
// values; a nil one holds always.
func (c *coverer) shapes(index uint8, values []interval) []*spec.Arg {
	if len(values) == 2 && values[0].first == 0 && values[1].last == c.highest() && values[0].last+2 == values[1].first {
		return []*spec.Arg{{Index: index, Op: spec.NE, Value: values[0].last + 1}}
	}
	var list []*spec.Arg
	for _, v := range values {
		switch {
		case v.first == 0 && v.last == c.highest():
			list = append(list, nil)
		case v.first == v.last:
			list = append(list, &spec.Arg{Index: index, Op: spec.EQ, Value: v.first})
		case v.first == 0:
			list = append(list, &spec.Arg{Index: index, Op: spec.LE, Value: v.last})
		case v.last == c.highest():
			list = append(list, &spec.Arg{Index: index, Op: spec.GE, Value: v.first})
		default:
			list = append(list, c.prefixes(index, v)...)
		}
	}
	return list
}

// prefixes returns masked comparisons for an interval: a rule has one condition
// on an argument, so it cannot have both ends.
func (c *coverer) prefixes(index uint8, v interval) []*spec.Arg {
	var list []*spec.Arg
	for first := v.first; ; {
		// The largest aligned block that begins here and ends within.
		size := bits.TrailingZeros64(first | 1<<63)
		for size > 0 && v.last-first < 1<<size-1 {
			size--
		}
		mask := c.highest() &^ (1<<size - 1)
		if size == 0 {
			list = append(list, &spec.Arg{Index: index, Op: spec.EQ, Value: first})
		} else {
			list = append(list, &spec.Arg{Index: index, Op: spec.EQ, Masked: true, Value: mask, ValueTwo: first})
		}
		last := first + 1<<size - 1
		if last >= v.last {
			return list
		}
		first = last + 1
	}
}

// prune drops conditions that a term can do without, and terms that the others
// cover.
func (c *coverer) prune(set verify.Set, terms []term) []term {
	calls := make([]verify.Set, len(terms))
	for i, t := range terms {
		calls[i] = c.calls(t)
		for k := 0; k < len(t); {
			less := slices.Delete(slices.Clone(t), k, k+1)
			if wider := c.calls(less); wider.Minus(set).Empty() {
				t, calls[i] = less, wider
			} else {
				k++
			}
		}
		terms[i] = t
	}
	before := make([]verify.Set, len(terms)+1) // what the terms before each cover
	before[0] = c.space.None()
	for i := range terms {
		before[i+1] = before[i].Or(calls[i])
	}
	after := c.space.None()
	for i := len(terms) - 1; i >= 0; i-- {
		if set.Minus(before[i].Or(after)).Empty() {
			terms = slices.Delete(terms, i, i+1)
		} else {
			after = after.Or(calls[i])
		}
	}
	return terms
}

// cubes returns a term for each cube of an irredundant cover.
func (c *coverer) cubes(set verify.Set) ([]term, bool) {
	s := sums{coverer: c}
	list, _ := s.between(set, set)
	if s.many || c.space.Err() != nil {
		return nil, false
	}
	terms := make([]term, len(list))
	for i, b := range list {
		for index := range b.mask {
			mask, value := b.mask[index], b.value[index]
			switch {
			case mask>>(c.width-1)>>1 != 0:
				return nil, false // a 32-bit comparison cannot say it
			case mask == c.highest():
				terms[i] = append(terms[i], spec.Arg{Index: uint8(index), Op: spec.EQ, Value: value})
			case mask != 0:
				terms[i] = append(terms[i], spec.Arg{Index: uint8(index), Op: spec.EQ, Masked: true, Value: mask, ValueTwo: value})
			}
		}
	}
	return terms, true
}

// cube is the calls that have the bits of mask as in value.
type cube struct{ mask, value [6]uint64 }

type sums struct {
	*coverer
	many bool
	took int
}

// between returns cubes that cover all of least and nothing outside most, and
// the set that they are.
func (s *sums) between(least, most verify.Set) ([]cube, verify.Set) {
	if s.took++; s.took > 50*mostTerms {
		s.many = true
	}
	switch {
	case least.Empty() || s.many:
		return nil, s.space.None()
	case most.Full():
		return []cube{{}}, s.space.All()
	case most.Empty(): // the budget is used up
		s.many = true
		return nil, most
	}
	field, bit := first(least, most)
	least0, least1 := halves(least, field, bit)
	most0, most1 := halves(most, field, bit)
	list0, set0 := s.between(least0.Minus(most1), most0)
	list1, set1 := s.between(least1.Minus(most0), most1)
	listD, setD := s.between(least0.Minus(set0).Or(least1.Minus(set1)), most0.And(most1))
	for i := range list0 {
		list0[i].mask[field] |= 1 << bit
	}
	for i := range list1 {
		list1[i].mask[field] |= 1 << bit
		list1[i].value[field] |= 1 << bit
	}
	list := slices.Concat(list0, list1, listD)
	s.many = s.many || len(list) > mostTerms
	v := s.space.Bit(field, bit)
	return list, set0.Minus(v).Or(set1.And(v)).Or(setD)
}

// first returns the first bit that one of two sets depends on.
func first(a, b verify.Set) (field verify.Field, bit uint8) {
	nearest := 1 << 30
	for _, s := range [...]verify.Set{a, b} {
		if s.Empty() || s.Full() {
			continue
		}
		f, n, _, _ := s.Split()
		if at := int(f)*64 + 63 - int(n); at < nearest {
			field, bit, nearest = f, n, at
		}
	}
	return field, bit
}

// halves takes a set apart at a bit before which it depends on none.
func halves(s verify.Set, field verify.Field, bit uint8) (without, with verify.Set) {
	if s.Empty() || s.Full() {
		return s, s
	}
	if f, n, without, with := s.Split(); f == field && n == bit {
		return without, with
	}
	return s, s
}
