package spec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"seccomp-hook/pkg/bpf"
)

// TestTreeAsWritten compares the tree, which passes over what comes to nothing,
// with one that looks at every test as libseccomp does: the same rules contradict
// each other, are lost, and stand in the same order.
func TestTreeAsWritten(t *testing.T) {
	var conflicts, lost, longest int
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 21))
		bits := 32 + 32*r.IntN(2)
		rules := manyConditions(r, bits)
		fast := argTree{rules: rules, bits: bits, prunes: true, work: newWork()}
		each := argTree{rules: rules, bits: bits, prunes: true, work: newWork()}
		for i := range rules {
			got, err := fast.insert(i)
			if err != nil {
				t.Fatal(err)
			}
			want := none
			if n := each.chain(i, rules[i].Conditions).level[0]; each.coversEach(n, i) {
				each.lost = append(each.lost, i)
			} else {
				want = each.add(&each.top, n, i)
			}
			if got != want {
				t.Fatalf("seed %d: rule %d contradicts %d, want %d", seed, i, got, want)
			}
			if want != none {
				conflicts++ // and the rest is compared all the same
			}
		}
		lost += len(each.lost)
		longest = max(longest, len(each.top))
		if n := each.count(each.top); n != fast.tests {
			t.Fatalf("seed %d: %d tests counted, there are %d", seed, fast.tests, n)
		}
		if !slices.EqualFunc(fast.list(), each.list(), func(a, b Rule) bool {
			return a.Return == b.Return && a.Origin == b.Origin && slices.Equal(a.Conditions, b.Conditions)
		}) {
			t.Fatalf("seed %d: %v\nwant %v", seed, fast.list(), each.list())
		}
	}
	if conflicts == 0 || lost == 0 || longest < 2*fewTests {
		t.Errorf("%d conflicts, %d lost, %d tests at most on a level", conflicts, lost, longest)
	}
}

// manyConditions returns rules of few words, so that they meet: on long levels
// and on short ones.
func manyConditions(r *rand.Rand, bits int) []Rule {
	ops := [][]Op{{EQ, NE, LT, LE, GT, GE, maskedEQ}, {EQ}, {EQ, maskedEQ}, {GT, LE}, {NE, EQ}, {GE, LT, EQ}}[r.IntN(6)]
	values, args, actions := []int{2, 4, 20, 100}[r.IntN(4)], 1+r.IntN(4), 1+r.IntN(3)
	masks := []uint64{1, 3, 7, 15, 31, 63, 0xff, 1 << 32, 1<<32 | 1, ^uint64(0)}
	n := 2 + r.IntN([]int{8, 40, 150}[r.IntN(3)])
	var rules []Rule
	for len(rules) < n {
		rule := Rule{Return: bpf.Errno(uint16(1 + r.IntN(actions))), Origin: len(rules)}
		for arg := range args {
			c := on(uint8(arg), ops[r.IntN(len(ops))], uint64(r.IntN(values)))
			if r.IntN(6) == 0 {
				c.Value |= uint64(r.IntN(2)) << 32
			}
			if c.Op == maskedEQ {
				c.Mask = masks[r.IntN(len(masks))]
				c.Value *= uint64(r.IntN(2))
			}
			if r.IntN(2) == 0 {
				rule.Conditions = append(rule.Conditions, c)
			}
		}
		if bits == 32 {
			rule = narrowed([]Rule{rule})[0]
		}
		if !unconditional(rule) {
			rules = append(rules, rule)
		}
	}
	return rules
}

func (t *argTree) count(level []*argTest) int {
	n := len(level)
	for _, x := range level {
		n += t.count(x.yes.level) + t.count(x.no.level)
	}
	return n
}

// coversEach is covers by compareEach.
func (t *argTree) coversEach(n *argTest, i int) bool {
	c := comparison{tree: t, action: t.action(i)}
	m := c.compareEach(&t.top, n, 0)
	const redundant = matches | treeEnded | newAhead
	return !c.removed && m&redundant == redundant
}

// compareEach is compare without skip.
func (c *comparison) compareEach(level *[]*argTest, n *argTest, so match) match {
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
				if below := c.compareEach(&x.sides()[side].level, b.level[0], so|matches|begun); below&matches != 0 {
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
				below := c.compareEach(&b.level, n, so&^matches|treeAhead)
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
				if below := c.compareEach(level, b.level[0], so&^matches|newAhead); below&matches != 0 {
					return now | below
				}
			}
		}
	}
	return so &^ matches
}
