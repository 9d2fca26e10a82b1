package compile

import "slices"

// maxChain is the longest chain of JEQ, and maxNarrow the most numbers that an
// arm may have to be found by one: each is a test.
const (
	maxChain  = 12
	maxNarrow = 2
)

// chain tests for one number after the other, those that are met most first.
type chain struct {
	// links are the tests, in order, for all numbers of narrow arms.
	links []link
	// wide is the first arm that is not narrow, or -1. What leads there need
	// not be tested.
	wide int
}

// link is one test of a chain.
type link struct {
	number uint32
	arm    int
	to     ref
	weight share
}

func (c *chain) reset() { c.links, c.wide = c.links[:0], -1 }

// extend adds the arm that follows those added before, and reports whether
// there can be a chain for all of them: not if wide arms lead to different
// steps, or if there are too many narrow ones.
func (c *chain) extend(arms []arm, j int) bool {
	a := &arms[j]
	if a.last-a.first >= maxNarrow {
		if c.wide < 0 {
			c.wide = j
			c.links = slices.DeleteFunc(c.links, func(l link) bool { return l.to == a.to })
		}
		return a.to == arms[c.wide].to
	}
	if c.wide >= 0 && a.to == arms[c.wide].to {
		return true
	}
	weight := a.weight / share(a.last-a.first+1)
	for number := a.first; ; number++ {
		at := len(c.links)
		for at > 0 && c.links[at-1].weight < weight {
			at--
		}
		c.links = slices.Insert(c.links, at, link{number, j, a.to, weight})
		if number == a.last {
			break
		}
	}
	return len(c.links) <= maxChain
}

// common returns an arm that leads where no test is needed: where the wide arms
// lead or, if there is none, the links that would cost most.
func (c *chain) common(perTest share) int {
	if c.wide >= 0 {
		return c.wide
	}
	best, most := 0, share(-1)
	for _, l := range c.links {
		sum := share(0)
		for _, m := range c.links {
			if m.to == l.to {
				sum += m.weight + perTest
			}
		}
		if sum > most {
			best, most = l.arm, sum
		}
	}
	return best
}
