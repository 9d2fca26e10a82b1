package spec

import (
	"slices"

	"seccomp-hook/pkg/bpf"
)

// match is how a chain of the tree and a new one compare so far.
type match uint8

const (
	matches   match = 1 << iota // they agree since the first test that both have
	begun                       // there was one
	treeEnded                   // the last equal test was the last of the tree's chain
	newEnded                    // and of the new one
	treeAhead                   // the tree's chain had tests before
	newAhead                    // the new one had
)

// covers compares rule i, whose chain starts with n, with the tree (libseccomp,
// _db_tree_prune). It takes out the chains that end in the whole of n's, and so
// say the same for fewer calls, and reports whether a chain of the tree is the
// end of n's, so that rule i would add nothing. What is left matters to what
// later rules contradict.
//
// libseccomp takes more for covered than is: chains that test the same words
// but go on where another outcome leads, or to another action. What is left out
// on that account still decides here where nothing else does (argTree.list).
func (t *argTree) covers(n *argTest, i int) bool {
	c := comparison{tree: t, action: t.action(i)}
	m := c.compare(&t.top, n, 0)
	const redundant = matches | treeEnded | newAhead
	return !c.removed && m&redundant == redundant
}

// comparison is that of the tree with one new rule.
type comparison struct {
	tree    *argTree
	action  bpf.Return // of the new rule
	removed bool
}

// compare compares a level with the new chain from n on, the tests above having
// led to the match so far, and returns what it is then.
func (c *comparison) compare(level *[]*argTest, n *argTest, so match) match {
	if len(*level) == 0 {
		return so
	}
	if so&(begun|matches) == begun {
		return so // the equal tests must follow one another
	}
	now, restCompared := so, false
	for next := 0; ; {
		if next = c.skip(*level, next, n, so, restCompared); next >= len(*level) {
			break
		}
		x := (*level)[next]
		next++
		switch {
		case x.argWord == n.argWord:
			now |= matches | begun
			if x.last() {
				now |= treeEnded
			}
			if n.last() {
				now |= newEnded
			}
			if c.differ(x, n, now) {
				return now
			}
			for side, b := range n.sides() {
				if len(b.level) == 0 || x.deadEnd() {
					continue
				}
				if below := c.compare(&x.sides()[side].level, b.level[0], so|matches|begun); below&matches != 0 {
					now |= below
				}
			}
			switch {
			case x.deadEnd():
				c.remove(level, &next)
			case now&matches == 0:
			case now&newEnded != 0 && now&treeAhead != 0 && c.tree.uniform(level, c.action):
				c.remove(level, &next)
			case now&treeEnded != 0 && now&newAhead != 0 && c.tree.uniform(level, c.action):
				return now
			}
		case n.before(x):
			if so&newAhead != 0 {
				return now
			}
			if so&begun != 0 {
				continue // nothing under x can follow the equal tests
			}
			for _, b := range x.sides() {
				if len(b.level) == 0 || x.deadEnd() {
					continue
				}
				below := c.compare(&b.level, n, so&^matches|treeAhead)
				if x.deadEnd() {
					c.remove(level, &next)
				}
				if below&matches != 0 {
					return now | below
				}
			}
		default:
			if so&treeAhead != 0 {
				return now
			}
			if so&begun != 0 || restCompared {
				continue // the same for each test of the level
			}
			restCompared = true
			for _, b := range n.sides() {
				if len(b.level) == 0 {
					continue
				}
				if below := c.compare(level, b.level[0], so&^matches|newAhead); below&matches != 0 {
					return now | below
				}
			}
		}
	}
	return so &^ matches
}

// skip returns the first test of the level, from next on, that compare does
// something with: on most levels one, or none, of thousands.
func (c *comparison) skip(level []*argTest, next int, n *argTest, so match, restCompared bool) int {
	word, begin := n.bit(), next
	for next < len(level) {
		x := level[next]
		before := n.before(x)
		switch {
		case x.argWord == n.argWord,
			before && (so&newAhead != 0 || so&begun == 0 && x.words&word != 0),
			!before && (so&treeAhead != 0 || so&begun == 0 && !restCompared):
			c.tree.work.spend(1 + (next-begin)/testsSkipped)
			return next
		}
		next++
		switch {
		case next < begin+fewTests:
		case !before:
			next = min(c.tree.same(level, n, next), max(next, n.end(level)))
		case so&begun != 0:
			next = c.tree.same(level, n, next)
		}
	}
	c.tree.work.spend(1 + (next-begin)/testsSkipped)
	return next
}

// same returns where on a level, from next on, a test is that is the same as n,
// or the level's length.
func (t *argTree) same(level []*argTest, n *argTest, next int) int {
	at := len(level)
	for rank := uint8(rankAbove); rank <= rankEqual; rank++ {
		if i := t.find(level, n, rank); i >= next {
			at = min(at, i)
		}
	}
	t.work.spend(1)
	return at
}

// uniform reports whether all rules under a level have that action. The same is
// often asked again and again.
func (t *argTree) uniform(level *[]*argTest, action bpf.Return) bool {
	if q := (asked{level: level, action: action, changes: t.changes}); q != t.asked.question() {
		q.uniform = t.otherwise(*level, action) == none
		t.asked = q
	}
	return t.asked.uniform
}

// asked is a question to uniform, and its answer.
type asked struct {
	level   *[]*argTest
	action  bpf.Return
	changes int
	uniform bool
}

func (a asked) question() asked {
	a.uniform = false
	return a
}

// differ reports whether x does more than the same test n of the new chain, or
// both end in different actions.
func (c *comparison) differ(x, n *argTest, now match) bool {
	for side, b := range n.sides() {
		old := x.sides()[side]
		switch {
		case b.nowhere() && !old.nowhere():
			return true
		case now&treeEnded == 0 || now&newEnded == 0:
		case (b.rule == none) != (old.rule == none), b.rule != none && c.tree.action(old.rule) != c.action:
			return true
		}
	}
	return false
}

// deadEnd reports whether nothing is left behind t.
func (t *argTest) deadEnd() bool { return t.yes.nowhere() && t.no.nowhere() }

// remove takes the test before *next out of the level, and moves *next back.
func (c *comparison) remove(level *[]*argTest, next *int) {
	*next--
	c.tree.changes++
	c.tree.work.spend((len(*level) - *next) / testsMoved)
	c.lose((*level)[*next])
	*level = slices.Delete(*level, *next, *next+1)
	c.removed = true
}

// lose notes the rules behind a test that goes.
func (c *comparison) lose(x *argTest) {
	c.tree.tests--
	for _, b := range x.sides() {
		if b.rule != none {
			c.tree.lost = append(c.tree.lost, b.rule)
		}
		for _, y := range b.level {
			c.lose(y)
		}
	}
}
