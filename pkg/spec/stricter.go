package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// ErrTooManyPairs says that two policies have too many pairs of rules on one
// call to be one policy. As two filters they still hold both.
var ErrTooManyPairs = fmt.Errorf("more than %d pairs of rules on one call", maxPairs)

// maxPairs bounds what one call gets when two policies are put together. A
// program has no room for as many conditions by far.
const maxPairs = 1 << 13

// maxTried bounds the pairs that are looked at for it.
const maxTried = 1 << 20

// errByteOrders says that two policies are not for the same machine.
var errByteOrders = errors.New("the policies are for machines of different byte orders")

// Stricter returns the policy under which each call gets what it gets where two
// filters are installed, first being the newer one: the verdict that the kernel
// gives precedence, and of two with equal actions that of first, with its data
// (kernel/seccomp.c, seccomp_run_filters). A policy with itself is itself, the
// order of two makes no difference but for an action's data, and that of three
// none.
//
// A rule names the profile that decides through Rule.Source: those of first
// keep their sources, those of second come after them. The error is in a chain
// with ErrTooManyPairs, or says that the policies are for different machines.
func Stricter(first, second *Policy) (*Policy, error) {
	if first.Endian != second.Endian {
		return nil, fmt.Errorf("spec: %w", errByteOrders)
	}
	offset := first.sources()
	both := &Policy{
		Endian:   first.Endian,
		Other:    stricter(first.Other, second.Other),
		Listener: first.Listener || second.Listener,
		Warnings: slices.Concat(first.Warnings, second.Warnings),
		Sources:  offset + second.sources(),
	}
	for _, audit := range tokensOf(first, second) {
		ranges, err := stricterRanges(first.rangesOf(audit), second.rangesOf(audit), offset)
		if err != nil {
			return nil, fmt.Errorf("spec: token %#x: %w", audit, err)
		}
		both.Tokens = append(both.Tokens, Token{Audit: audit, Ranges: ranges})
	}
	return both, nil
}

// sources returns how many profiles p is made of.
func (p *Policy) sources() int { return max(p.Sources, 1) }

// stricter returns the value that the kernel acts on: actions are compared as
// signed numbers, and the newer filter wins a tie.
func stricter(newer, older bpf.Return) bpf.Return {
	if int32(older.Action()) < int32(newer.Action()) {
		return older
	}
	return newer
}

// tokensOf returns the tokens that either policy speaks of, the native one
// first, which is first's where they differ.
func tokensOf(first, second *Policy) []uint32 {
	var audits []uint32
	for _, t := range slices.Concat(first.Tokens, second.Tokens) {
		if !slices.Contains(audits, t.Audit) {
			audits = append(audits, t.Audit)
		}
	}
	if len(audits) > 1 {
		slices.Sort(audits[1:])
	}
	return audits
}

// rangesOf returns what p says of a token, whether it speaks of it or not.
func (p *Policy) rangesOf(audit uint32) []Range {
	for i := range p.Tokens {
		if p.Tokens[i].Audit == audit {
			return p.Tokens[i].Ranges
		}
	}
	return []Range{{0, maxNumber, Verdict{Default: p.Other}}}
}

// stricterRanges walks over all numbers in both.
func stricterRanges(first, second []Range, offset int) ([]Range, error) {
	var both ranges
	for next := uint64(0); next <= uint64(maxNumber); {
		for uint64(first[0].Last) < next {
			first = first[1:]
		}
		for uint64(second[0].Last) < next {
			second = second[1:]
		}
		verdict, err := stricterVerdict(&first[0].Verdict, &second[0].Verdict, offset)
		if err != nil {
			return nil, fmt.Errorf("call %d: %w", next, err)
		}
		last := min(first[0].Last, second[0].Last)
		both = both.add(Range{uint32(next), last, verdict})
		next = uint64(last) + 1
	}
	return both, nil
}

// stricterVerdict returns what two verdicts come to. The first rule of both
// lists that applies is the first of the pairs, in the order of the one list and
// then of the other; each pair's conditions are those of both. What makes no
// difference is left out: a rule that wins against all that the other side can
// say needs no pairs, and most pairs contradict themselves.
func stricterVerdict(first, second *Verdict, offset int) (Verdict, error) {
	if first.equal(second) {
		return *first, nil
	}
	a, b := first.list(0), second.list(offset)
	if len(a)*len(b) > maxTried {
		return Verdict{}, ErrTooManyPairs
	}
	var pairs []Rule
	for i := range a {
		if a[i].wins(b) {
			pairs = append(pairs, a[i])
			continue
		}
		for j := range b {
			conditions, possible := conjunction(a[i].Conditions, b[j].Conditions)
			if !possible {
				continue
			}
			winner := a[i]
			if stricter(a[i].Return, b[j].Return) != a[i].Return {
				winner = b[j]
			}
			winner.Conditions = conditions
			pairs = append(pairs, winner)
			if len(conditions) == 0 {
				break // nothing comes behind it
			}
			if len(pairs) > maxPairs {
				return Verdict{}, ErrTooManyPairs
			}
		}
	}
	end := slices.IndexFunc(pairs, func(r Rule) bool { return len(r.Conditions) == 0 })
	v := Verdict{Default: pairs[end].Return}
	for end > 0 && pairs[end-1].Return == v.Default {
		end--
	}
	if pairs[end].Origin != ByDefault {
		end++ // so that it is told who decided
	}
	if end > 0 {
		v.Rules = pairs[:end]
	}
	return v, nil
}

// list returns the rules of v, with their sources counted from offset, and its
// default as the last one.
func (v *Verdict) list(offset int) []Rule {
	list := make([]Rule, 0, len(v.Rules)+1)
	for _, r := range v.Rules {
		r.Source += offset
		list = append(list, r)
	}
	return append(list, Rule{Return: v.Default, Origin: ByDefault, Source: offset})
}

// wins reports whether r, of the newer filter, decides against all of others.
func (r *Rule) wins(others []Rule) bool {
	return !slices.ContainsFunc(others, func(o Rule) bool { return stricter(r.Return, o.Return) != r.Return })
}

// conjunction returns the conditions of both lists; false where they plainly
// contradict each other, so that no call can meet all.
func conjunction(a, b []Condition) ([]Condition, bool) {
	both := make([]Condition, len(a), len(a)+len(b))
	copy(both, a)
	for _, c := range b {
		needed := true
		for _, other := range a {
			if other.Arg != c.Arg {
				continue
			}
			switch implied, possible := c.given(&other); {
			case !possible:
				return nil, false
			case implied:
				needed = false
			}
		}
		if needed {
			both = append(both, c)
		}
	}
	slices.SortStableFunc(both, func(a, b Condition) int { return cmp.Compare(a.Arg, b.Arg) })
	return both, true
}

// given reports whether c holds wherever other does, and whether it can; both
// are about the same argument. What takes more than a look is possible.
func (c *Condition) given(other *Condition) (implied, possible bool) {
	switch {
	case *c == *other:
		return true, true
	case other.Op == EQ && c.Mask&^other.Mask == 0:
		// All bits that c looks at are known.
		args := [6]uint64{}
		args[c.Arg] = other.Value
		holds := other.Value&^other.Mask == 0 && c.Holds(&args)
		return holds, holds
	case c.Op == EQ && other.Mask&^c.Mask == 0:
		args := [6]uint64{}
		args[c.Arg] = c.Value
		return false, c.Value&^c.Mask == 0 && other.Holds(&args)
	case c.Op == EQ && other.Op == EQ:
		return false, (c.Value^other.Value)&c.Mask&other.Mask == 0
	case c.Mask == other.Mask:
		low, high := c.bounds()
		otherLow, otherHigh := other.bounds()
		return false, max(low, otherLow) <= min(high, otherHigh)
	}
	return false, true
}

// bounds returns between which values what c compares is where c holds; low is
// above high where it never does.
func (c *Condition) bounds() (low, high uint64) {
	low, high = 0, c.Mask
	switch c.Op {
	case EQ:
		low, high = c.Value, min(high, c.Value)
	case GE:
		low = c.Value
	case GT:
		if c.Value == maxValue {
			return 1, 0
		}
		low = c.Value + 1
	case LE:
		high = min(high, c.Value)
	case LT:
		if c.Value == 0 {
			return 1, 0
		}
		high = min(high, c.Value-1)
	}
	return low, high
}

const maxValue = ^uint64(0)
