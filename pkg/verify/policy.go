package verify

import (
	"fmt"
	"slices"
	"sort"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// policy returns what p gives to which calls. It reads the policy as its
// documentation defines it and calls none of its methods.
func (d *forest) policy(p *spec.Policy, o *order) *outcomes {
	r := reader{forest: d, order: o, pieces: make(map[bpf.Return]*[]piece), conditions: make(map[spec.Condition]ref)}
	arch := d.word(o, bpf.OffArch/4)

	elsewhere := all
	tokens := make([]ref, len(p.Tokens))
	starts := []uint32{0}
	for i, t := range p.Tokens {
		audit := constant(t.Audit)
		tokens[i] = d.compare(bpf.JEQ, arch[:], audit[:])
		elsewhere = d.without(elsewhere, tokens[i])
		for _, rg := range t.Ranges {
			starts = append(starts, rg.First)
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)

	// Within a stretch of numbers in which no token starts a new range, what a
	// call gets depends on its architecture and arguments alone.
	current := make([]int, len(p.Tokens)) // the range that holds the stretch
	verdicts := make([][]part, len(p.Tokens))
	var parts []part
	for i, first := range starts {
		last := ^uint32(0)
		if i+1 < len(starts) {
			last = starts[i+1] - 1
		}
		parts = append(parts[:0], part{p.Other, elsewhere})
		for t := range p.Tokens {
			ranges := p.Tokens[t].Ranges
			if i == 0 || first > ranges[current[t]].Last {
				if i > 0 {
					current[t]++
				}
				verdicts[t] = r.verdict(verdicts[t][:0], &ranges[current[t]].Verdict, tokens[t])
			}
			for _, v := range verdicts[t] {
				parts = r.unite(parts, v)
			}
		}
		for _, v := range parts {
			r.piece(first, last, v)
		}
	}

	result := newOutcomes(d)
	nr := d.word(o, bpf.OffNr/4)
	for _, ret := range r.returns {
		value := constant(uint32(ret))
		result.add(r.numbers(*r.pieces[ret], nr[:], 0), &value)
	}
	return result
}

// reader turns a policy into outcomes.
type reader struct {
	*forest
	order   *order
	pieces  map[bpf.Return]*[]piece
	returns []bpf.Return // keys of pieces, in the order they came
	// conditions are the calls for which each condition holds: a rule speaks of
	// many calls.
	conditions map[spec.Condition]ref
}

// part is a return value and calls that get it, whatever their number.
type part struct {
	ret   bpf.Return
	calls ref
}

// piece is a stretch of numbers, both ends included, with the calls of each of
// these numbers that are meant.
type piece struct {
	first, last uint32
	calls       ref
}

// unite adds v to parts.
func (r *reader) unite(parts []part, v part) []part {
	for i := range parts {
		if parts[i].ret == v.ret {
			parts[i].calls = r.or(parts[i].calls, v.calls)
			return parts
		}
	}
	return append(parts, v)
}

// piece lets the calls of v with numbers from first to last return v.ret.
func (r *reader) piece(first, last uint32, v part) {
	if v.calls == none {
		return
	}
	of := r.pieces[v.ret]
	if of == nil {
		of = new([]piece)
		r.pieces[v.ret] = of
		r.returns = append(r.returns, v.ret)
	}
	if n := len(*of); n > 0 && (*of)[n-1].last == first-1 && (*of)[n-1].calls == v.calls {
		(*of)[n-1].last = last
		return
	}
	*of = append(*of, piece{first, last, v.calls})
}

// numbers returns the calls of the pieces, which are in ascending order. All
// share the bits of the number above those in bits; base is what they make up.
func (r *reader) numbers(pieces []piece, bits []ref, base uint32) ref {
	if len(pieces) == 0 {
		return none
	}
	last := base + uint32(1<<len(bits)-1)
	if p := pieces[0]; p.first <= base && last <= p.last {
		return p.calls
	}
	top := len(bits) - 1
	middle := base + 1<<top
	high := pieces[sort.Search(len(pieces), func(i int) bool { return pieces[i].last >= middle }):]
	low := pieces[:sort.Search(len(pieces), func(i int) bool { return pieces[i].first >= middle })]
	return r.choose(bits[top], r.numbers(high, bits[:top], middle), r.numbers(low, bits[:top], base))
}

// verdict adds to parts what the calls in where get from v, by going through
// the rules with the calls that no earlier rule has decided.
func (r *reader) verdict(parts []part, v *spec.Verdict, where ref) []part {
	rest := where
	for i := range v.Rules {
		rule := &v.Rules[i]
		meant := rest
		for _, c := range rule.Conditions {
			meant = r.and(meant, r.condition(c))
		}
		parts = r.unite(parts, part{rule.Return, meant})
		rest = r.without(rest, meant)
	}
	return r.unite(parts, part{v.Default, rest})
}

// condition returns the calls for which c holds.
func (r *reader) condition(c spec.Condition) ref {
	if calls, known := r.conditions[c]; known {
		return calls
	}
	calls := r.compares(c)
	r.conditions[c] = calls
	return calls
}

// compares is condition for one that is new.
func (r *reader) compares(c spec.Condition) ref {
	var value, against [64]ref
	low := (bpf.OffArgs + 8*int(c.Arg)) / 4
	for i := range value {
		if c.Mask>>i&1 != 0 {
			value[i] = r.node(r.order.level[low+i/32][i%32], none, all)
		}
		against[i] = ref(c.Value >> i & 1)
	}
	// NE, LE and LT say the opposite of EQ, GT and GE.
	op, opposite := uint16(bpf.JEQ), false
	switch c.Op {
	case spec.EQ:
	case spec.NE:
		opposite = true
	case spec.GT:
		op = bpf.JGT
	case spec.LE:
		op, opposite = bpf.JGT, true
	case spec.GE:
		op = bpf.JGE
	case spec.LT:
		op, opposite = bpf.JGE, true
	}
	holds := r.compare(op, value[:], against[:])
	if opposite {
		return r.without(all, holds)
	}
	return holds
}

// checkPolicy reports whether p is the total function that it should be.
func checkPolicy(p *spec.Policy) error {
	if err := checkEndian(p.Endian); err != nil {
		return err
	}
	seen := make(map[uint32]bool)
	for i := range p.Tokens {
		t := &p.Tokens[i]
		if seen[t.Audit] {
			return fmt.Errorf("architecture %#x is there twice", t.Audit)
		}
		seen[t.Audit] = true
		if err := checkToken(t); err != nil {
			return fmt.Errorf("architecture %#x: %w", t.Audit, err)
		}
	}
	return nil
}

func checkToken(t *spec.Token) error {
	next := uint64(0)
	for _, r := range t.Ranges {
		if uint64(r.First) != next || r.Last < r.First {
			return fmt.Errorf("range %d-%d does not start at %d or has no number", r.First, r.Last, next)
		}
		next = uint64(r.Last) + 1
		for _, rule := range r.Verdict.Rules {
			for _, c := range rule.Conditions {
				if c.Arg > 5 || c.Op > spec.GE {
					return fmt.Errorf("numbers %d-%d: rule %d compares argument %d by %s", r.First, r.Last, rule.Origin, c.Arg, c.Op)
				}
			}
		}
	}
	if next != 1<<32 {
		return fmt.Errorf("ranges end before number %d", next)
	}
	return nil
}
