package spec

import "slices"

// gathering is the work that is done to bring ends together, for one policy, in ends
// that are looked at: some hundredths of a second. Rules that overlap in everything
// take a hundredth of it. Without it the list is longer, and means the same.
const (
	gathering      = 1 << 21
	workOfDisjoint = 16
)

// piece is a part of a rule: the ends of its chain that agree in some of the
// conditions that a chain meets in either of two ways, by the high word or by the
// low one.
type piece struct {
	treeEnd
	ways uint8 // which way each condition is met
	free uint8 // the conditions that are met either way
	cut  bool  // ways is known
	gone bool  // into a piece above

	whole bool // all of the rule
}

// gather brings the ends of a rule together that the tree has apart: `arg > c` ends
// once where the high word is greater, and once where it is equal and the low word
// is greater, with all that follows on the way, and other rules in between. An end
// may move up past those of other actions that no call meets as well.
func (t *argTree) gather(ends []treeEnd) []piece {
	pieces := make([]piece, 0, len(ends))
	var apart map[int]*forms // of rules whose ends do not stand together
	for len(ends) > 0 {
		rule := ends[0].rule
		n := 1
		for n < len(ends) && ends[n].rule == rule {
			n++
		}
		if n == t.ends(rule) {
			pieces = append(pieces, piece{treeEnd: treeEnd{plainRule(t.rules[rule]).Conditions, rule}, whole: true})
			ends = ends[n:]
			continue
		}
		f := apart[rule]
		if f == nil {
			f = t.forms(rule)
			if apart == nil {
				apart = make(map[int]*forms)
			}
			apart[rule] = f
		}
		for _, e := range ends[:n] {
			p := piece{treeEnd: e}
			if ways, ok := f.ways(e.conditions); ok && f.at[ways] == none {
				p.ways, p.cut = ways, true
				f.at[ways] = len(pieces)
			}
			pieces = append(pieces, p)
		}
		ends = ends[n:]
	}
	for i := range pieces {
		p := &pieces[i]
		if !p.cut || p.gone {
			continue
		}
		f := apart[p.rule]
		for bit := uint8(1) << (maxArgs - 1); bit > 0; bit >>= 1 {
			if f.split&bit == 0 || t.work.gathering < 0 {
				continue
			}
			t.work.gathering -= len(f.at)
			if others, ok := f.others(p, bit, i); ok && t.rise(pieces, i, others) {
				p.free |= bit
				for _, k := range others {
					pieces[k].gone = true
				}
			}
		}
		p.conditions = f.joined(p)
		p.whole = p.free == f.split
	}
	return slices.DeleteFunc(pieces, func(p piece) bool {
		return p.gone || !p.whole && slices.ContainsFunc(p.conditions, never)
	})
}

// rise reports whether the pieces at others, all below i, may stand at i.
func (t *argTree) rise(pieces []piece, i int, others []int) bool {
	action := t.action(pieces[i].rule)
	for _, k := range others {
		if slices.ContainsFunc(pieces[k].conditions, never) {
			continue
		}
		for at := i + 1; at < k; at++ {
			between := &pieces[at]
			if t.work.gathering--; t.work.gathering < 0 {
				return false
			}
			if between.gone || t.action(between.rule) == action {
				continue
			}
			if t.work.gathering -= workOfDisjoint; !disjoint(between.conditions, pieces[k].conditions) {
				return false
			}
		}
	}
	return true
}

// maxArgs is how many arguments a call has.
const maxArgs = 6

// forms are what a rule's conditions look like in its chain.
type forms struct {
	rule  Rule                    // as it is written in a list
	parts [maxArgs][2][]Condition // of each condition, one way and the other
	split uint8                   // the conditions that have two ways
	at    [1 << maxArgs]int       // the piece of these ways, or none
}

// forms returns those of rule i; none where it has two conditions on one argument.
func (t *argTree) forms(i int) *forms {
	f := &forms{rule: plainRule(t.rules[i])}
	for k := range f.at {
		f.at[k] = none
	}
	alone := argTree{bits: t.bits, work: newWork()}
	var seen uint8
	k := 0
	for _, c := range t.rules[i].Conditions {
		if c.vanishes() {
			continue
		}
		if seen>>c.Arg&1 != 0 {
			return &forms{at: f.at}
		}
		seen |= 1 << c.Arg
		var ends []treeEnd
		alone.walk(alone.chain(i, []Condition{c}).level, nil, &ends)
		for way, e := range ends {
			f.parts[k][way] = e.conditions
		}
		if len(ends) == 2 {
			f.split |= 1 << k
		}
		k++
	}
	return f
}

// ways returns in which way an end meets each of the conditions; false where it is
// in none.
func (f *forms) ways(conditions []Condition) (ways uint8, ok bool) {
	for k, parts := range f.parts[:len(f.rule.Conditions)] {
		switch {
		case hasPrefix(conditions, parts[0]):
			conditions = conditions[len(parts[0]):]
		case f.split>>k&1 != 0 && hasPrefix(conditions, parts[1]):
			conditions = conditions[len(parts[1]):]
			ways |= 1 << k
		default:
			return 0, false
		}
	}
	return ways, len(conditions) == 0 && len(f.rule.Conditions) > 0
}

func hasPrefix(conditions, first []Condition) bool {
	return len(conditions) >= len(first) && slices.Equal(conditions[:len(first)], first)
}

// others returns where the pieces are that, with p at i, are p with either way of
// one more condition; false where one is not there, or above.
func (f *forms) others(p *piece, bit uint8, i int) ([]int, bool) {
	var list []int
	for ways := range uint8(1 << maxArgs) {
		if (ways^p.ways^bit)&^p.free != 0 {
			continue
		}
		k := f.at[ways]
		if k <= i {
			return nil, false
		}
		list = append(list, k)
	}
	return list, true
}

// joined returns the conditions of p, which has some of the rule's whole.
func (f *forms) joined(p *piece) []Condition {
	var conditions []Condition
	for k, c := range f.rule.Conditions {
		if (p.free|^f.split)>>k&1 != 0 {
			conditions = append(conditions, c)
		} else {
			conditions = append(conditions, f.parts[k][p.ways>>k&1]...)
		}
	}
	return conditions
}

// disjoint reports whether it is plain that no call meets both lists of conditions.
func disjoint(a, b []Condition) bool {
	for i := range a {
		for k := range b {
			if a[i].Arg == b[k].Arg && (a[i].excludes(&b[k]) || b[k].excludes(&a[i])) {
				return true
			}
		}
	}
	return false
}

// excludes reports whether c gives the bits that d compares a value that d does not
// hold for.
func (c *Condition) excludes(d *Condition) bool {
	if c.Op != EQ || d.Mask&^c.Mask != 0 {
		return false
	}
	var args [maxArgs]uint64
	args[d.Arg] = c.Value
	return !d.Holds(&args)
}
