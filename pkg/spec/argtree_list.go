package spec

import "slices"

// list returns the tree as a list of rules whose first match decides. A rule
// whose ends can stand together appears as it was; others come in pieces (gather),
// each with the conditions that lead there. The rules that libseccomp lost are
// last, in the profile's order: they decide where nothing else does.
func (t *argTree) list() []Rule {
	var ends []treeEnd
	t.walk(t.top, nil, &ends)
	list := make([]Rule, 0, len(t.rules))
	for _, p := range t.gather(ends) {
		list = append(list, Rule{Conditions: p.conditions, Return: t.action(p.rule), Origin: t.rules[p.rule].Origin})
	}
	slices.Sort(t.lost)
	for _, rule := range slices.Compact(t.lost) {
		list = append(list, plainRule(t.rules[rule]))
	}
	return list
}

// treeEnd is an end of a chain: what leads there, and the rule it belongs to.
type treeEnd struct {
	conditions []Condition
	rule       int
}

// walk appends the ends under a level, in order.
func (t *argTree) walk(level []*argTest, path []Condition, ends *[]treeEnd) {
	for _, x := range level {
		yes, no := x.conditions()
		first, second := exit{&x.yes, yes}, exit{&x.no, no}
		if first.rule == none {
			// Only one side is taken, so the order is free; an end before a level
			// keeps the ends of a rule together.
			first, second = second, first
		}
		for _, s := range [2]exit{first, second} {
			if s.rule != none {
				*ends = append(*ends, treeEnd{and(path, s.condition), s.rule})
			} else if len(s.level) > 0 {
				t.walk(s.level, and(path, s.condition), ends)
			}
		}
	}
}

// exit is a side of a test with the condition that leads there.
type exit struct {
	*argBranch
	condition Condition
}

// ends returns how many ends rule i's chain has.
func (t *argTree) ends(i int) int {
	n := 1
	for _, c := range t.rules[i].Conditions {
		if t.bits == 64 && c.Op != EQ && c.Op != maskedEQ {
			n *= 2 // one by the high word, one by the low
		}
	}
	return n
}

// conditions returns what holds where x's outcome is yes, and where it is no.
func (t *argTest) conditions() (yes, no Condition) {
	shift := 0
	if t.high() {
		shift = 32
	}
	yes = Condition{Arg: t.place / 2, Op: t.op, Mask: uint64(t.mask) << shift, Value: uint64(t.value) << shift}
	no = yes
	switch t.op {
	case GT:
		no.Op = LE
	case GE:
		no.Op = LT
	default:
		yes.Op, no.Op = EQ, NE
	}
	return yes, no
}

// and returns path with c, in a slice of its own. It joins c with the condition
// before, where both are about one argument: `high <= h && high == h`, and the
// two words of an equality.
func and(path []Condition, c Condition) []Condition {
	joined := make([]Condition, len(path), len(path)+1)
	copy(joined, path)
	if len(path) == 0 || path[len(path)-1].Arg != c.Arg {
		return append(joined, c)
	}
	before := &joined[len(joined)-1]
	same := before.Mask == c.Mask && before.Value == c.Value && before.Op == LE
	switch {
	case same && c.Op == EQ:
		*before = c
	case same && c.Op == NE:
		before.Op = LT
	case before.Op == EQ && c.Op == EQ:
		before.Mask |= c.Mask
		before.Value |= c.Value
	default:
		joined = append(joined, c)
	}
	return joined
}

// never reports whether no value meets c.
func never(c Condition) bool {
	switch c.Op {
	case LT:
		return c.Value == 0
	case GT:
		return c.Value == c.Mask
	case NE:
		return c.Mask == 0
	}
	return false
}
