package spec

import (
	"slices"
	"sort"

	"seccomp-hook/pkg/bpf"
)

// argTree is libseccomp's tree of argument tests for one call (struct
// db_arg_chain_tree in its db.c), which settles what a call gets that several
// rules speak of. A rule becomes a chain of tests of 32-bit words, in the order
// of the arguments; a 64-bit argument takes two or three. Chains share the
// tests that they begin with. The tests of a level are tried in order; one
// whose outcome leads nowhere, and the end of the level below it, fall through
// to the next. So the ends of the chains in depth-first order are a list whose
// first match decides.
//
// The tree differs from libseccomp's in one thing: there the branches of a
// 64-bit test share the tests of the arguments that follow, so a rule that is
// put into one shows up in the others, where its own condition was never
// tested. Here each branch has its own.
type argTree struct {
	rules  []Rule
	bits   int
	prunes bool // rules may cover one another
	top    []*argTest
	// lost are the rules that libseccomp leaves out in whole or in part. Most
	// are covered by others, but not all (docs/libseccomp.md).
	lost []int

	tests   int   // there are
	changes int   // of the tree so far
	asked   asked // last of uniform
	work    *work
}

// argTest is a test of one word, and where its outcomes lead.
type argTest struct {
	argWord
	rank uint8  // of the operator as written
	size uint8  // of a new chain: its tests, this one included
	full uint64 // the constant that the word's is a part of
	// words has a bit for this test's word and each one that was ever below it
	// (argWord.bit): what has another bit is not there.
	words uint64
	yes   argBranch
	no    argBranch
}

// argWord is what makes two tests the same one to libseccomp.
type argWord struct {
	place uint8 // twice the argument, and one more for its high word
	op    Op    // EQ, maskedEQ, GT or GE; the others are their negations
	mask  uint32
	value uint32
}

// bit returns one of 64 bits, which few other words have.
func (w *argWord) bit() uint64 {
	const prime = 0x9e3779b97f4a7c15 // 2^64 / golden ratio
	h := (uint64(w.value)<<32 | uint64(w.mask)) * prime
	h = (h>>32 ^ uint64(w.place)<<8 ^ uint64(w.op)) * prime
	return 1 << (h >> 58)
}

// argBranch leads to the action of a rule, or to a level of tests, or nowhere.
type argBranch struct {
	rule  int // index in argTree.rules, or none
	level []*argTest
}

const none = -1

func (b *argBranch) nowhere() bool { return b.rule == none && len(b.level) == 0 }

// sides are the two branches of a test. That only one of them is taken makes
// their order free.
func (t *argTest) sides() [2]*argBranch { return [2]*argBranch{&t.yes, &t.no} }

// last reports whether no test follows t.
func (t *argTest) last() bool { return len(t.yes.level) == 0 && len(t.no.level) == 0 }

func (t *argTest) high() bool { return t.place&1 != 0 }

// Ranks of operators (libseccomp, __db_chain_op_priority).
const (
	rankAbove = iota + 1 // GT, GE
	rankBelow            // LT, LE
	rankEqual            // EQ, NE, MASKED_EQ
)

// before reports whether t comes before u on a level (libseccomp,
// _db_chain_lt): later arguments first, high words before low ones, equality
// before "below" before "above", and then the larger constant, but the smaller
// one for "below". Ties stay as they came.
func (t *argTest) before(u *argTest) bool {
	switch {
	case t.place != u.place:
		return t.place > u.place
	case t.rank != u.rank:
		return t.rank > u.rank
	case t.rank == rankBelow:
		return t.value < u.value
	default:
		return t.value > u.value
	}
}

// chain returns the tests for the rest of rule i's conditions (libseccomp,
// _db_rule_gen_32 and _db_rule_gen_64).
func (t *argTree) chain(i int, conditions []Condition) argBranch {
	for len(conditions) > 0 && conditions[0].vanishes() {
		conditions = conditions[1:]
	}
	if len(conditions) == 0 {
		return argBranch{rule: i}
	}
	c := conditions[0]
	op, rank, negated := positive(c.Op)
	word := func(op Op, high bool, yes, no argBranch) argBranch {
		shift, place := 0, 2*c.Arg
		if high {
			shift, place = 32, place+1
		}
		mask := uint32(c.Mask >> shift)
		test := &argTest{
			argWord: argWord{place, op, mask, uint32(c.Value>>shift) & mask},
			rank:    rank, full: c.Value, yes: yes, no: no,
		}
		test.words, test.size = test.bit(), 1
		for _, b := range test.sides() {
			for _, below := range b.level {
				test.words |= below.words
				test.size += below.size // at most 189 of a rule: 3 * (2^6 - 1)
			}
		}
		t.work.spend(workOfTest)
		return argBranch{rule: none, level: []*argTest{test}}
	}
	// settled is where the argument's last test leads.
	settled := func(outcome bool) argBranch {
		if outcome == negated {
			return argBranch{rule: none}
		}
		return t.chain(i, conditions[1:])
	}
	low := word(op, false, settled(true), settled(false))
	switch {
	case t.bits == 32:
		return low
	case rank == rankEqual:
		return word(op, true, low, settled(false))
	default:
		equal := word(EQ, true, low, settled(false))
		return word(GT, true, settled(true), equal)
	}
}

// positive returns the operator that a test for op uses, the rank of op, and
// whether op is the negation.
func positive(op Op) (test Op, rank uint8, negated bool) {
	switch op {
	case NE:
		return EQ, rankEqual, true
	case LT:
		return GE, rankBelow, true
	case LE:
		return GT, rankBelow, true
	case GT, GE:
		return op, rankAbove, false
	default:
		return op, rankEqual, false
	}
}

// insert adds rule i (libseccomp, db_rule_add). It returns the rule that it
// contradicts, or none. The error wraps ErrTooMany.
func (t *argTree) insert(i int) (int, error) {
	n := t.chain(i, t.rules[i].Conditions).level[0]
	contradicts := none
	if t.prunes && t.covers(n, i) {
		t.lost = append(t.lost, i)
	} else {
		contradicts = t.add(&t.top, n, i)
	}
	if t.tests > maxTests || t.work.left < 0 {
		return none, errTooManyTogether
	}
	return contradicts, nil
}

func (t *argTree) action(rule int) bpf.Return { return t.rules[rule].Return }

// add puts a test of rule i, with what follows it, on a level (libseccomp,
// _db_tree_add).
func (t *argTree) add(level *[]*argTest, n *argTest, i int) int {
	at, same := t.place(*level, n)
	if same != nil {
		return t.merge(same, n, i)
	}
	t.work.spend((len(*level) - at) / testsMoved)
	*level = slices.Insert(*level, at, n)
	t.put(n)
	return none
}

// put counts the tests of a new chain that have come into the tree.
func (t *argTree) put(n *argTest) {
	t.tests += int(n.size)
	t.changes++
}

// place returns the test of the level that n is the same as, or where n goes.
// libseccomp walks the level up to whichever comes first: the same test, or one
// that n goes before. The same test may stand elsewhere than n would, for `> c`
// and `<= c` are one test, of different rank.
func (t *argTree) place(level []*argTest, n *argTest) (int, *argTest) {
	end := n.end(level)
	if n.rank == rankAbove {
		if at := t.find(level, n, rankBelow); at < end {
			return at, level[at]
		}
	}
	if at := t.find(level, n, n.rank); at < end {
		return at, level[at]
	}
	if end < len(level) && level[end].argWord == n.argWord {
		return end, level[end]
	}
	return end, nil
}

// end returns where on a level the tests begin that t comes before.
func (t *argTest) end(level []*argTest) int {
	return sort.Search(len(level), func(i int) bool { return t.before(level[i]) })
}

// find returns where on a level the test of that rank is that is the same as n,
// or the level's length.
func (t *argTree) find(level []*argTest, n *argTest, rank uint8) int {
	like := argTest{argWord: n.argWord, rank: rank}
	first := sort.Search(len(level), func(i int) bool { return !level[i].before(&like) })
	for i, x := range level[first:] {
		if like.before(x) {
			break
		}
		t.work.spend(1)
		if x.argWord == n.argWord {
			return first + i
		}
	}
	return len(level)
}

// merge joins n, a test of rule i, with x, the same test in the tree.
func (t *argTree) merge(x, n *argTest, i int) int {
	x.words |= n.words
	for side, b := range n.sides() {
		if b.rule == none {
			continue
		}
		if first := t.settle(x, n, side, i); first != none {
			return first
		}
	}
	for side, b := range n.sides() {
		old := x.sides()[side]
		switch {
		case len(b.level) == 0:
		case len(old.level) > 0:
			if first := t.add(&old.level, b.level[0], i); first != none {
				return first
			}
		case old.rule == none:
			old.level = b.level
			t.put(b.level[0])
		default:
			// A shorter rule has settled this branch. libseccomp stops here,
			// although the other branch may be new.
			t.lost = append(t.lost, i)
			return none
		}
	}
	return none
}

// settle lets rule i end one side of x, as it does that of n.
func (t *argTree) settle(x, n *argTest, side, i int) int {
	b := x.sides()[side]
	switch {
	case b.rule == none:
		if first := t.otherwise(b.level, t.action(i)); first != none {
			return first
		}
		t.drop(b.level)
		*b = argBranch{rule: i}
	case t.action(b.rule) == t.action(i):
	case x.last() || n.last():
		return b.rule
	case b == &x.yes && n.high() && n.full > x.full:
		// Of two rules `> c` whose constants share the high word, the larger
		// constant has the values above that word; but of two `< c` or two
		// `!= c` the first has those outside it (until libseccomp 2.6.1).
		b.rule = i
		t.changes++
	}
	return none
}

// otherwise returns a rule under a level that has another action, or none.
func (t *argTree) otherwise(level []*argTest, action bpf.Return) int {
	for _, x := range level {
		t.work.spend(1)
		for _, b := range x.sides() {
			if b.rule != none && t.action(b.rule) != action {
				return b.rule
			}
			if other := t.otherwise(b.level, action); other != none {
				return other
			}
		}
	}
	return none
}

// drop counts the tests of a level that goes.
func (t *argTree) drop(level []*argTest) {
	t.changes++
	for _, x := range level {
		t.tests--
		for _, b := range x.sides() {
			t.drop(b.level)
		}
	}
}
