package compile

import (
	"math/bits"

	"seccomp-hook/pkg/bpf"
)

// function names a function from a call's arguments to a return value, in a
// diagrams. Equal functions have one name, whatever rules they came from.
type function int32

// level is a 32-bit word of the arguments, in the order in which diagrams look
// at them: 2*arg is the high word of an argument, 2*arg+1 its low word.
type level uint8

// constant is the level of functions that look at nothing.
const constant level = 12

func (l level) offset(e bpf.Endian) uint32 {
	field := bpf.OffArgs + 8*uint32(l/2)
	if l%2 == 0 {
		return e.High(field)
	}
	return e.Low(field)
}

// wholeWord says that a node decides on all bits of its word together.
const wholeWord = -1

// diagrams holds functions as decision diagrams over words: ordered, reduced
// and shared, so that a function has one diagram (Bryant 1986, with words in
// place of bits).
//
// A node looks at a word as a whole and has one run for each interval of equal
// outcome, if those are few; a function of scattered bits, as masks make them,
// would have millions, and looks at the word bit by bit instead, the highest
// first.
type diagrams struct {
	nodes   []node
	hashed  map[uint64]function
	runs    []run // of all nodes
	scratch []run
}

// node is one decision, or a constant.
type node struct {
	level level
	bit   int8 // wholeWord, or the bit that decides
	// result is what a constant returns.
	result bpf.Return
	// runs cover the word, ascending; neighbours differ. A bit has two: where
	// it is 0, where it is 1.
	runs []run
	// next is a node with the same hash.
	next function
}

// run is an interval of a word's values that all lead to one function. It
// begins after the run before it.
type run struct {
	last uint32
	to   function
}

const noFunction function = -1

func newDiagrams() *diagrams {
	return &diagrams{hashed: make(map[uint64]function)}
}

func (d *diagrams) reset() {
	d.nodes, d.runs = d.nodes[:0], d.runs[:0]
	clear(d.hashed)
}

// result returns the function that always returns r.
func (d *diagrams) result(r bpf.Return) function {
	return d.intern(node{level: constant, bit: wholeWord, result: r})
}

// word returns the function that decides on a whole word. The runs may be
// longer than they need be; they are copied.
func (d *diagrams) word(l level, runs []run) function {
	merged := d.scratch[:0]
	for _, r := range runs {
		if n := len(merged); n > 0 && merged[n-1].to == r.to {
			merged[n-1].last = r.last
			continue
		}
		merged = append(merged, r)
	}
	d.scratch = merged
	if len(merged) == 1 {
		return merged[0].to
	}
	return d.intern(node{level: l, bit: wholeWord, runs: merged})
}

// bit returns the function that decides on one bit.
func (d *diagrams) bit(l level, bit int8, zero, one function) function {
	if zero == one {
		return zero
	}
	d.scratch = append(d.scratch[:0], run{0, zero}, run{1, one})
	return d.intern(node{level: l, bit: bit, runs: d.scratch})
}

func (d *diagrams) intern(n node) function {
	h := n.hash()
	head, found := d.hashed[h]
	if found {
		for f := head; f != noFunction; f = d.nodes[f].next {
			if d.nodes[f].equal(&n) {
				return f
			}
		}
	} else {
		head = noFunction
	}
	n.next = head
	begin := len(d.runs)
	d.runs = append(d.runs, n.runs...)
	n.runs = d.runs[begin:len(d.runs):len(d.runs)]
	f := function(len(d.nodes))
	d.nodes = append(d.nodes, n)
	d.hashed[h] = f
	return f
}

// hash mixes what makes nodes equal. Nothing but speed depends on it.
func (n *node) hash() uint64 {
	const prime = 0x9e3779b97f4a7c15 // 2^64 / golden ratio
	h := uint64(n.level)<<40 ^ uint64(uint8(n.bit))<<32 ^ uint64(n.result)
	for _, r := range n.runs {
		h = bits.RotateLeft64(h*prime, 29) ^ uint64(r.last)<<32 ^ uint64(r.to)
	}
	return h * prime
}

func (n *node) equal(m *node) bool {
	if n.level != m.level || n.bit != m.bit || n.result != m.result || len(n.runs) != len(m.runs) {
		return false
	}
	for i, r := range n.runs {
		if m.runs[i] != r {
			return false
		}
	}
	return true
}

// maxBitRuns is the number of intervals up to which a word is looked at as a
// whole although masks brought its bits in.
const maxBitRuns = 64

// normal returns f, whose decisions on the word l are bits, in the one form
// that the function has: whole words where the intervals are few.
func (d *diagrams) normal(l level, f function) function {
	n := &d.nodes[f]
	if n.level != l || n.bit == wholeWord {
		return f
	}
	runs, few := d.intervals(make([]run, 0, maxBitRuns), l, f, 31, 0)
	if !few {
		return f
	}
	return d.word(l, runs)
}

// intervals appends the intervals of f over the values of word l that begin
// with the bits of prefix above bit, as far as there is room.
func (d *diagrams) intervals(runs []run, l level, f function, bit int, prefix uint32) ([]run, bool) {
	n := &d.nodes[f]
	if n.level != l {
		last := prefix | uint32(1<<(bit+1)-1)
		if k := len(runs); k > 0 && runs[k-1].to == f {
			runs[k-1].last = last
			return runs, true
		}
		if len(runs) == cap(runs) {
			return nil, false
		}
		return append(runs, run{last, f}), true
	}
	zero, one := f, f
	if int(n.bit) == bit {
		zero, one = n.runs[0].to, n.runs[1].to
	}
	runs, ok := d.intervals(runs, l, zero, bit-1, prefix)
	if !ok {
		return nil, false
	}
	return d.intervals(runs, l, one, bit-1, prefix|1<<bit)
}
