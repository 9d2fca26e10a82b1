package compile

import (
	"math/bits"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// planner turns functions of the arguments into code.
type planner struct {
	diagrams *diagrams
	code     *code
	search   *search
	endian   bpf.Endian
	goal     balance
	plans    map[function]plan // with A unknown
	inBits   map[function]plan // with A holding the word that bits are of
	work     int64             // see maxPlanning
}

func (p *planner) reset() {
	clear(p.plans)
	clear(p.inBits)
	p.work = 0
}

// plan is the code of a function, whatever A holds before, and what it costs.
type plan struct {
	root ref
	cost int // instructions executed, on average, in units of 1/instruction
	size int // instructions there are; a RET, which all share, is none
}

const instruction = 1 << 10

// How often a run of an argument's word is met, against others. Nobody has
// counted; but constants are in profiles because they are used, a high word
// is nearly always 0, and a search is the better the fewer tests it has.
const (
	weightRun      = 1
	weightZeroHigh = 31
)

// maxPlanning bounds, for one policy, the work spent in search of better plans
// than the plainest, about in runs that are looked at.
const maxPlanning = 100_000

// plan returns code for f, which decides on share s of all calls.
func (p *planner) plan(f function, s share) plan {
	if made, ok := p.plans[f]; ok {
		return made
	}
	n := &p.diagrams.nodes[f]
	var best plan
	switch {
	case n.level == constant:
		best = plan{root: p.code.ret(n.result), cost: instruction}
	case n.bit != wholeWord:
		best = p.bits(f, s)
		best.root = p.code.load(n.level.offset(p.endian), best.root)
		best.cost += instruction
		best.size++
	default:
		best = p.word(n.level, n.runs, s)
		for _, l := range p.others(f) {
			runs, ok := p.first(l, f)
			if !ok {
				break
			}
			if other := p.word(l, runs, s); p.goal.price(other, s) < p.goal.price(best, s) {
				best = other
			}
		}
	}
	p.plans[f] = best
	return best
}

// others returns the words that f could as well look at first, in ascending
// order.
func (p *planner) others(f function) []level {
	levels, size, whole := p.diagrams.support(f, maxPlanning-p.work)
	p.work += int64(size)
	if !whole {
		return nil
	}
	return levels[1:]
}

// first returns f as a decision on word l, whatever it looks at first; false
// where that is too much work.
func (p *planner) first(l level, f function) ([]run, bool) {
	ends, size := p.diagrams.ends(l, f)
	if p.work += int64(len(ends)) * int64(size); p.work > maxPlanning {
		return nil, false
	}
	runs := make([]run, len(ends))
	for i, end := range ends {
		runs[i] = run{end, p.diagrams.given(l, end, f)}
	}
	return runs, true
}

// word returns code that loads word l, searches the runs, and goes on with
// their functions.
func (p *planner) word(l level, runs []run, s share) plan {
	arms := make([]arm, len(runs))
	first := uint32(0)
	for i, r := range runs {
		arms[i] = arm{first: first, last: r.last, weight: weightRun}
		if l%2 == 0 && first == 0 {
			arms[i].weight = weightZeroHigh
		}
		first = r.last + 1
	}
	q := p.arms(arms, func(i int) function { return runs[i].to }, s)
	return plan{root: p.code.load(l.offset(p.endian), q.root), cost: instruction + q.cost, size: 1 + q.size}
}

// arms returns code that searches the arms for the number in A and goes on with
// the function of each. The weights of arms are against each other.
func (p *planner) arms(arms []arm, to func(int) function, s share) plan {
	p.work += int64(len(arms)) * int64(min(len(arms), maxArms)) / 8 // the search
	var q plan
	total := weightOf(arms)
	seen := make(map[function]bool)
	for i := range arms {
		f := to(i)
		a := &arms[i]
		weight := a.weight
		a.weight = s * weight / total
		next := p.plan(f, a.weight)
		a.to = next.root
		q.cost += next.cost * int(weight) / int(total)
		if !seen[f] {
			seen[f] = true
			q.size += next.size
		}
	}
	found := p.search.build(arms)
	q.root = found.root
	q.cost += int(found.cost * instruction / max(s, 1))
	q.size += found.tests
	return q
}

// bits returns code for f, which looks at bits of the word that A holds.
func (p *planner) bits(f function, s share) plan {
	if made, ok := p.inBits[f]; ok {
		return made
	}
	best := p.mask(f, s)
	for _, other := range [...]func(function, share) (plan, bool){p.masked, p.equality} {
		if q, ok := other(f, s); ok && p.goal.price(q, s) < p.goal.price(best, s) {
			best = q
		}
	}
	p.inBits[f] = best
	return best
}

// inWord returns code for g, which is reached with A holding word l: its bits
// can be tested at once, and other functions load what they need.
func (p *planner) inWord(l level, g function, s share) plan {
	if n := &p.diagrams.nodes[g]; n.level == l && n.bit != wholeWord {
		return p.bits(g, s)
	}
	return p.plan(g, s)
}

// mask tests with one JSET as many bits as lead to the same function where they
// are set.
func (p *planner) mask(f function, s share) plan {
	n := &p.diagrams.nodes[f]
	l, set, clear := n.level, n.runs[1].to, n.runs[0].to
	k := uint32(1) << n.bit
	for {
		m := &p.diagrams.nodes[clear]
		if m.level != l || m.bit == wholeWord || m.runs[1].to != set {
			break
		}
		k |= 1 << m.bit
		clear = m.runs[0].to
	}
	yes, no := p.inWord(l, set, s/2), p.inWord(l, clear, s/2)
	return plan{
		root: p.code.jump(bpf.JSET, k, yes.root, no.root),
		cost: 1 + (yes.cost+no.cost)/2,
		size: 1 + yes.size + no.size,
	}
}

// masked searches among the values that the word has under the mask of all
// bits that f looks at, if these are few.
func (p *planner) masked(f function, s share) (plan, bool) {
	if p.work > maxPlanning {
		return plan{}, false
	}
	n := &p.diagrams.nodes[f]
	mask, size := p.diagrams.mask(f)
	arms, to, ok := p.diagrams.values(f, n.level, mask)
	if p.work += int64(size + len(arms)); !ok {
		return plan{}, false
	}
	q := p.arms(arms, func(i int) function { return to[i] }, s)
	q.root = p.code.mask(mask, q.root)
	q.cost += instruction
	q.size++
	return q, true
}

// equality tests several bits for one value with AND and JEQ where everything
// else leads to one function.
func (p *planner) equality(f function, s share) (plan, bool) {
	n := &p.diagrams.nodes[f]
	l := n.level
	other := noFunction
	var mask, value uint32
	for g := f; ; {
		m := &p.diagrams.nodes[g]
		if m.level == l && m.bit != wholeWord {
			zero, one := m.runs[0].to, m.runs[1].to
			if other == noFunction {
				// Which side is the exit shows in the next node.
				other = zero
				if m := &p.diagrams.nodes[one]; m.level != l || (m.runs[0].to != zero && m.runs[1].to != zero) {
					other = one
				}
			}
			if zero == other || one == other {
				mask |= 1 << m.bit
				g = zero
				if zero == other {
					value |= 1 << m.bit
					g = one
				}
				continue
			}
		}
		if mask&(mask-1) == 0 {
			return plan{}, false
		}
		yes, no := p.plan(g, s/2), p.plan(other, s/2)
		return plan{
			root: p.code.mask(mask, p.code.jump(bpf.JEQ, value, yes.root, no.root)),
			cost: 2 + (yes.cost+no.cost)/2,
			size: 2 + yes.size + no.size,
		}, true
	}
}

// support returns the words that f looks at, ascending, and the number of its
// runs; whole is whether it looks at whole words only and has at most limit
// runs.
func (d *diagrams) support(f function, limit int64) (levels []level, size int, whole bool) {
	whole = true
	seen := map[function]bool{}
	var visit func(f function)
	visit = func(f function) {
		n := &d.nodes[f]
		if n.level == constant || seen[f] || !whole {
			return
		}
		seen[f] = true
		size += len(n.runs)
		whole = n.bit == wholeWord && int64(size) <= limit
		if !slices.Contains(levels, n.level) {
			levels = append(levels, n.level)
		}
		for _, r := range n.runs {
			visit(r.to)
		}
	}
	visit(f)
	slices.Sort(levels)
	return levels, size, whole
}

// ends returns where the intervals end in which a value of word l makes no
// difference to f, and how many runs f has before and at l.
func (d *diagrams) ends(l level, f function) (ends []uint32, size int) {
	seen := map[function]bool{}
	var visit func(f function)
	visit = func(f function) {
		n := &d.nodes[f]
		if n.level > l || seen[f] {
			return
		}
		seen[f] = true
		size += len(n.runs)
		for _, r := range n.runs {
			if n.level == l {
				ends = append(ends, r.last)
			} else {
				visit(r.to)
			}
		}
	}
	visit(f)
	slices.Sort(ends)
	return slices.Compact(ends), size
}

// given returns what is left of f where word l has the given value.
func (d *diagrams) given(l level, value uint32, f function) function {
	n := d.nodes[f]
	switch {
	case n.level > l:
		return f
	case n.level == l:
		at, _ := slices.BinarySearchFunc(n.runs, value, func(r run, v uint32) int {
			if r.last < v {
				return -1
			}
			return 1
		})
		return n.runs[at].to
	}
	runs := make([]run, len(n.runs))
	for i, r := range n.runs {
		runs[i] = run{r.last, d.given(l, value, r.to)}
	}
	return d.word(n.level, runs)
}

// mask returns the bits of its word that f looks at, and the number of nodes
// that do.
func (d *diagrams) mask(f function) (mask uint32, size int) {
	seen := map[function]bool{}
	l := d.nodes[f].level
	var visit func(f function)
	visit = func(f function) {
		n := &d.nodes[f]
		if n.level != l || seen[f] {
			return
		}
		seen[f] = true
		mask |= 1 << n.bit
		visit(n.runs[0].to)
		visit(n.runs[1].to)
	}
	visit(f)
	return mask, len(seen)
}

// values returns the intervals of f over the values that word l has under a
// mask, which has all bits that f looks at; false if they are many.
func (d *diagrams) values(f function, l level, mask uint32) (arms []arm, to []function, ok bool) {
	var visit func(f function, left, prefix uint32) bool
	visit = func(f function, left, prefix uint32) bool {
		n := &d.nodes[f]
		if n.level != l {
			if k := len(to); k > 0 && to[k-1] == f {
				arms[k-1].last = prefix | left
				return true
			}
			arms = append(arms, arm{first: prefix, last: prefix | left, weight: weightRun})
			to = append(to, f)
			return len(arms) <= maxBitRuns
		}
		bit := uint32(1) << (bits.Len32(left) - 1)
		zero, one := f, f
		if uint32(1)<<n.bit == bit {
			zero, one = n.runs[0].to, n.runs[1].to
		}
		return visit(zero, left&^bit, prefix) && visit(one, left&^bit, prefix|bit)
	}
	ok = visit(f, mask, 0)
	return arms, to, ok
}
