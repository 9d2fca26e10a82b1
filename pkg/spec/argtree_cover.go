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
	for next := 0; next < len(*level); {
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
			case now&matches == 0 || c.tree.otherwise(*level, c.action) != none:
			case now&newEnded != 0 && now&treeAhead != 0:
				c.remove(level, &next)
			case now&treeEnded != 0 && now&newAhead != 0:
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
	c.lose((*level)[*next])
	*level = slices.Delete(*level, *next, *next+1)
	c.removed = true
}

// lose notes the rules behind a test that goes.
func (c *comparison) lose(x *argTest) {
	for _, b := range x.sides() {
		if b.rule != none {
			c.tree.lost = append(c.tree.lost, b.rule)
		}
		for _, y := range b.level {
			c.lose(y)
		}
	}
}
