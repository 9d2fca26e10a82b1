package verify

import (
	"errors"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// graph is a filter as a graph of literals to test, that ends in return values.
type graph struct {
	nodes []question
	// tests are what is tested in the graph, by number, and below those at each
	// node or behind it.
	tests map[tested]int
	below []marks
}

// tested is what a test compares.
type tested struct {
	word        uint8
	mask, value uint32
}

func (l literal) tested() tested {
	return tested{l.word, l.mask, l.value}
}

// collect fills tests and below.
func (g *graph) collect() {
	if g.tests != nil {
		return
	}
	g.tests = make(map[tested]int)
	for _, q := range g.nodes {
		if q.test != nil {
			if t := q.test.tested(); g.tests[t] == 0 {
				g.tests[t] = len(g.tests) + 1
			}
		}
	}
	g.below = make([]marks, len(g.nodes))
	for i, q := range g.nodes {
		g.below[i] = make(marks, len(g.tests)/64+1)
		if q.test != nil {
			for k := range g.below[i] {
				g.below[i][k] = g.below[q.yes][k] | g.below[q.no][k]
			}
			g.below[i].add(g.tests[q.test.tested()])
		}
	}
}

// asks reports whether the comparison of h is tested at a node or behind it.
func (g *graph) asks(node int, h half) bool {
	if h.mask == 0 {
		return true
	}
	for _, l := range [...]literal{h.is(), h.above()} {
		if i := g.tests[l.tested()]; i > 0 && g.below[node].has(i) {
			return true
		}
	}
	return false
}

// question is a node of a graph: a test with two ways on, or, where test is nil,
// an end.
type question struct {
	test    *literal
	yes, no int
	ret     bpf.Return
	ways    int // that lead here
}

// errForeign says that a program does what no filter of comparisons does, such
// as arithmetic.
var errForeign = errors.New("not made of comparisons alone")

// graphOf returns the graph of prog, a valid program, and the node it begins
// with. The error is errForeign.
func graphOf(prog bpf.Program, e bpf.Endian) (*graph, int, error) {
	t := translator{graph: new(graph), prog: prog, endian: e, index: make(map[place]int)}
	root, err := t.node(place{accumulator: accumulator{word: noWord}})
	return t.graph, root, err
}

// accumulator is what A holds: a word of the call under a mask, or, with word
// noWord, the constant in mask.
type accumulator struct {
	word uint8
	mask uint32
}

const noWord = 0xff

// place is an instruction with what A holds before it.
type place struct {
	at int
	accumulator
}

// translator makes a graph of a program.
type translator struct {
	*graph
	prog   bpf.Program
	endian bpf.Endian
	index  map[place]int
}

// node returns the node for a place. Jumps go forwards only, so this ends.
func (t *translator) node(p place) (int, error) {
	for {
		in := t.prog[p.at]
		switch {
		case in.Code == bpf.LD|bpf.W|bpf.ABS:
			p = place{p.at + 1, accumulator{uint8(wordAt(in.K, t.endian)), ^uint32(0)}}
		case in.Code == bpf.LD|bpf.IMM:
			p = place{p.at + 1, accumulator{noWord, in.K}}
		case in.Code == bpf.ALU|bpf.AND|bpf.K:
			p.at++
			p.mask &= in.K
		case in.Code == bpf.JMP|bpf.JA:
			p.at += 1 + int(in.K)
		case in.Code&bpf.ClassMask == bpf.JMP && in.Code&bpf.X == 0 && in.Jt == in.Jf:
			p.at += 1 + int(in.Jt)
		default:
			return t.stop(p, in)
		}
	}
}

// stop returns the node for a place with a test or an end.
func (t *translator) stop(p place, in bpf.Instruction) (int, error) {
	if in.Code == bpf.RET|bpf.K {
		p.accumulator = accumulator{}
	}
	if node, ok := t.index[p]; ok {
		return node, nil
	}
	var q question
	switch {
	case in.Code == bpf.RET|bpf.K:
		q.ret = bpf.Return(in.K)
	case in.Code == bpf.RET|bpf.A && p.word == noWord:
		q.ret = bpf.Return(p.mask)
	case in.Code&bpf.ClassMask == bpf.JMP && in.Code&bpf.X == 0:
		l := test(in, p.accumulator)
		q.test = &l
		var err error
		if q.yes, err = t.node(place{p.at + 1 + int(in.Jt), p.accumulator}); err != nil {
			return 0, err
		}
		if q.no, err = t.node(place{p.at + 1 + int(in.Jf), p.accumulator}); err != nil {
			return 0, err
		}
	default:
		return 0, errForeign
	}
	t.index[p] = t.add(q)
	return t.index[p], nil
}

// add adds a node, after those that it leads to.
func (g *graph) add(q question) int {
	if q.test != nil {
		g.nodes[q.yes].ways++
		g.nodes[q.no].ways++
	}
	g.nodes = append(g.nodes, q)
	return len(g.nodes) - 1
}

// test returns what a conditional jump asks. What is about no word at all is
// asked of word 0 under an empty mask.
func test(in bpf.Instruction, a accumulator) literal {
	l := literal{word: a.word, mask: a.mask, value: in.K}
	switch in.Code & bpf.OpMask {
	case bpf.JEQ:
	case bpf.JGE:
		l.atLeast = true
	case bpf.JGT:
		if in.K == ^uint32(0) {
			return literal{value: 1} // never
		}
		l.atLeast, l.value = true, in.K+1
	default: // JSET: not all of the bits are clear
		l.mask, l.value, l.not = a.mask&in.K, 0, true
	}
	if a.word != noWord {
		return l
	}
	number := facts{low: a.mask, high: a.mask, known: ^uint32(0), value: a.mask}
	l.mask = ^uint32(0)
	if in.Code&bpf.OpMask == bpf.JSET {
		l.mask = in.K
	}
	if number.truth(l, 0) == always {
		return literal{}
	}
	return literal{value: 1}
}

// graphOfVerdict returns the graph that tries v's rules one after the other.
func graphOfVerdict(v *spec.Verdict) (*graph, int) {
	g := new(graph)
	end := func(r bpf.Return) int { return g.add(question{ret: r}) }
	ask := func(l literal, yes, no int) int { return g.add(question{test: &l, yes: yes, no: no}) }
	next := end(v.Default)
	for i := len(v.Rules) - 1; i >= 0; i-- {
		hit := end(v.Rules[i].Return)
		for k := len(v.Rules[i].Conditions) - 1; k >= 0; k-- {
			c := newClause(v.Rules[i].Conditions[k])
			compare := func(h half, tied int) int {
				to := func(o order3) int {
					if c.holds&o != 0 {
						return hit
					}
					return next
				}
				if to(less) == to(greater) {
					return ask(h.is(), tied, to(less))
				}
				return ask(h.above(), to(greater), ask(h.is(), tied, to(less)))
			}
			low := hit
			if c.holds&equal == 0 {
				low = next
			}
			hit = compare(c.high, compare(c.low, low))
		}
		next = hit
	}
	return g, next
}
