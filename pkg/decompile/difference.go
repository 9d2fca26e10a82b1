package decompile

import (
	"cmp"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/verify"
)

// difference is a run of call numbers, both ends included, of which a draft does
// not say what the filter does, or is not known to.
type difference struct {
	// elsewhere says that it is about the tokens that neither knows.
	token       uint32
	elsewhere   bool
	first, last uint32
	*comparison
}

// comparison is how what a draft says of some calls differs from what the filter
// does.
type comparison struct {
	doubt   verify.Set // not known whether they differ, but if so the filter is milder
	differs verify.Set // they do, or that is not known
	milder  verify.Set // of these, where the draft's action is a milder one
	more    verify.Set // of these, where it lets a call be made that the filter does not
	less    verify.Set // where it does not let a call be made that the filter does
}

// pair is what the filter and what a draft give to the same calls.
type pair struct{ filter, draft *verify.Choice }

// compare finds the differences.
func (o *draft) compare() {
	o.differences, o.milder, o.more = nil, false, false
	tokens := append(o.filter.Tokens(), o.reading.Tokens()...)
	slices.Sort(tokens)
	x86_64, _ := arch.ByName("x86_64")
	for _, token := range slices.Compact(tokens) {
		verify.Zip(o.filter.Of(token), o.reading.Of(token), func(first, last uint32, p, q *verify.Choice) {
			// No call has the number -1: tracers write it to skip one. Libseccomp
			// takes it for one of x86_64's.
			if token == x86_64.Audit && last == ^uint32(0) {
				o.add(difference{token: token, first: last, last: last}, pair{p, q}, true)
				if last--; last < first {
					return
				}
			}
			o.add(difference{token: token, first: first, last: last}, pair{p, q}, false)
		})
	}
	verify.Zip(o.filter.Elsewhere(), o.reading.Elsewhere(), func(first, last uint32, p, q *verify.Choice) {
		o.add(difference{elsewhere: true, first: first, last: last}, pair{p, q}, false)
	})
	slices.SortFunc(o.differences, func(a, b difference) int {
		return cmp.Or(cmp.Compare(boolean(a.elsewhere), boolean(b.elsewhere)), cmp.Compare(a.token, b.token), cmp.Compare(a.first, b.first))
	})
}

// add adds a difference if it is one; none says that no kernel makes its calls.
func (o *draft) add(d difference, p pair, none bool) {
	d.comparison = o.numbers(o.pair(p), d.first, d.last)
	if d.differs.Empty() {
		return
	}
	o.milder = o.milder || !d.milder.Empty()
	o.more = o.more || !d.more.Empty() && !none
	o.differences = append(o.differences, d)
}

// numbers returns what of a comparison is about some numbers. Of a filter that
// does more with the number than compare it, the choices are about numbers, too.
func (d *decompiler) numbers(c *comparison, first, last uint32) *comparison {
	cut := *c
	sets := [...]*verify.Set{&cut.doubt, &cut.differs, &cut.milder, &cut.more, &cut.less}
	if !slices.ContainsFunc(sets[:], func(s *verify.Set) bool { return s.Numbered() }) {
		return c
	}
	if !d.space.Within(stepsOfWords, func() {
		between := d.space.Between(first, last)
		for _, set := range sets {
			*set = set.And(between)
		}
	}) {
		return c
	}
	return &cut
}

// difference returns what there is about a call, nil for none.
func (o *draft) difference(p place) *difference {
	i, found := slices.BinarySearchFunc(o.differences, p, func(d difference, p place) int {
		switch {
		case d.elsewhere || d.token > p.arch.Audit || d.token == p.arch.Audit && d.first > p.nr:
			return 1
		case d.token < p.arch.Audit || d.last < p.nr:
			return -1
		}
		return 0
	})
	if !found {
		return nil
	}
	return &o.differences[i]
}

// pair compares two choices.
func (d *decompiler) pair(p pair) *comparison {
	c := d.pairs[p]
	if c != nil {
		return c
	}
	none, all := d.space.None(), d.space.All()
	if r, constant := p.draft.Constant(); constant {
		c = d.against(r, p.filter)
	} else if p.filter == p.draft && p.filter.Doubt.Empty() {
		c = &comparison{none, none, none, none, none}
	} else if !d.space.Within(stepsOfWords, func() { c = d.compared(p) }) {
		c = &comparison{all, all, all, all, none}
	}
	d.pairs[p] = c
	return c
}

// against compares a choice with one value. It says too much where the sets take
// too much, but not of what is milder.
func (d *decompiler) against(r bpf.Return, filter *verify.Choice) *comparison {
	var c comparison
	of := func(set *verify.Set, filled bool, is func(f bpf.Return) bool) {
		*set = d.space.None()
		if filled {
			*set = filter.Doubt
		}
		var some []verify.Set
		for _, p := range filter.Parts {
			if is(p.Return) {
				some = append(some, p.Calls)
			}
		}
		before := *set
		if !d.space.Within(stepsOfWords, func() {
			for _, calls := range some {
				*set = set.Or(calls)
			}
		}) {
			*set = before
			if len(some) > 0 {
				*set = d.space.All()
			}
		}
	}
	of(&c.doubt, true, func(bpf.Return) bool { return false })
	of(&c.differs, true, func(f bpf.Return) bool { return f != r })
	of(&c.less, false, func(f bpf.Return) bool { return rank(f) > rank(r) })
	of(&c.milder, false, func(f bpf.Return) bool { return int32(f.Action()) < int32(r.Action()) })
	of(&c.more, false, func(f bpf.Return) bool { return int32(f.Action()) < int32(r.Action()) && rank(f) < rank(r) })
	return &c
}

func (d *decompiler) compared(p pair) *comparison {
	none, unread := d.space.None(), p.draft.Doubt
	c := &comparison{doubt: p.filter.Doubt.Or(unread), milder: unread, more: unread, less: none}
	c.differs = c.doubt
	for _, f := range p.filter.Parts {
		for _, g := range p.draft.Parts {
			if f.Return == g.Return {
				continue
			}
			both := f.Calls.And(g.Calls)
			c.differs = c.differs.Or(both)
			if rank(f.Return) > rank(g.Return) {
				c.less = c.less.Or(both)
			}
			if int32(f.Return.Action()) < int32(g.Return.Action()) {
				c.milder = c.milder.Or(both)
				if rank(f.Return) < rank(g.Return) {
					c.more = c.more.Or(both)
				}
			}
		}
	}
	return c
}

// example returns a call of some numbers of a difference that is in a set; where
// the set has none, or that takes too much, one that has the number alone.
func (d *decompiler) example(in *difference, calls verify.Set, s span) bpf.Data {
	call := bpf.Data{Nr: s.first}
	d.space.Within(stepsOfWords, func() {
		numbered := calls.Numbered()
		if numbered {
			calls = calls.And(d.space.Between(s.first, s.last))
		}
		if calls.Empty() {
			return
		}
		if call = calls.Call(); !numbered {
			call.Nr = s.first
		}
	})
	if !in.elsewhere {
		call.Arch = in.token
	} else if tokens := d.filter.Tokens(); call.Arch == 0 {
		for slices.Contains(tokens, call.Arch) {
			call.Arch++
		}
	}
	return call
}
