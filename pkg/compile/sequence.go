package compile

import (
	"math"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// lengthOf returns about how many instructions terms need one after the other.
func lengthOf(terms []term) int {
	n := 0
	words := func(mask uint32) int {
		switch mask {
		case 0:
			return 0
		case math.MaxUint32:
			return 2
		}
		return 3
	}
	for i := range terms {
		for _, c := range terms[i].comparisons {
			n += words(c.mask) + words(c.lowMask)
		}
	}
	return n
}

// length returns about how many instructions the rules of v need one after the
// other.
func length(v *spec.Verdict) int {
	n := 0
	for i := range v.Rules {
		for _, c := range v.Rules[i].Conditions {
			for _, mask := range [...]uint32{uint32(c.Mask), uint32(c.Mask >> 32)} {
				switch mask {
				case 0:
				case math.MaxUint32:
					n += 2
				default:
					n += 3
				}
			}
		}
	}
	return n
}

// list returns code for terms, whatever A holds, that tries them one after the
// other: what remains where a diagram would be too large. Where they are
// apart, the tests of a rule are of no other rule. Its proof is then as short as
// the list: wherever a test is made it is known which rule may still apply. Where
// rules share their last tests the program can be a third as long, but what its
// proof has to tell apart then multiplies.
//
// Neighbours that begin with the same comparison make it once: the rules of
// libseccomp's tree are such (spec, argTree.list).
func (c *code) list(e bpf.Endian, terms []term, otherwise bpf.Return, apart bool) ref {
	return c.try(e, terms, c.ret(otherwise), 0, apart)
}

// try is list that goes on with next, with so many terms, where none of these
// applies.
func (c *code) try(e bpf.Endian, terms []term, next ref, behind int, apart bool) ref {
	for end := len(terms); end > 0; {
		last := &terms[end-1]
		if len(last.comparisons) == 0 {
			next = c.ret(last.result)
			end--
			continue
		}
		first, start := last.comparisons[0], end-1
		for start > 0 && len(terms[start-1].comparisons) > 0 && terms[start-1].comparisons[0] == first {
			start--
		}
		rest := make([]term, end-start)
		for i, t := range terms[start:end] {
			rest[i] = term{t.comparisons[1:], t.result}
		}
		then := c.try(e, rest, next, behind+len(terms)-end, apart)
		if apart {
			c.rule = int32(behind + len(terms) - start)
		}
		next = c.compare(e, first, then, next)
		c.rule = 0
		end = start
	}
	return next
}

// compare returns code that leads to then where the comparison holds, else to
// otherwise.
func (c *code) compare(e bpf.Endian, comparison comparison, then, otherwise ref) ref {
	lead := func(o outcomes) ref {
		if comparison.holds&o != 0 {
			return then
		}
		return otherwise
	}
	below, tied, above := lead(less), none, lead(greater)
	switch left, is := comparison.tie(); is {
	case always:
		tied = then
	case never:
		tied = otherwise
	case depends:
		tied = c.compare(e, left, then, otherwise)
	}
	value := comparison.value
	var test ref
	switch {
	case below == above:
		test = c.jump(bpf.JEQ, value, tied, below)
	case tied == above:
		test = c.jump(bpf.JGE, value, above, below)
	default:
		test = c.jump(bpf.JGT, value, above, c.jump(bpf.JEQ, value, tied, below))
	}
	if comparison.mask != math.MaxUint32 {
		test = c.mask(comparison.mask, test)
	}
	return c.load(comparison.level.offset(e), test)
}
