package compile

import (
	"seccomp-hook/pkg/bpf"
)

// ref names an instruction of a code.
type ref int32

// none is the successor that an instruction does not have.
const none ref = -1

// step is one instruction whose successors are named instead of counted: a RET
// has none, a load or an AND has then, a conditional jump has then where its
// test holds and otherwise where it does not.
type step struct {
	op              uint16
	k               uint32
	then, otherwise ref
	// rule is the rule of a list that a test is of, 0 where it is of none. Equal tests
	// of two rules are not made one (code.list).
	rule int32
}

// code is a program before layout: a graph of steps without cycles. Equal
// steps are one, so whatever two paths have in common at their ends is there
// once, across calls and architectures.
type code struct {
	steps []step
	index stepIndex
	rule  int32 // of the tests that are made
}

func newCode() *code {
	c := new(code)
	c.reset()
	return c
}

func (c *code) reset() {
	c.steps = c.steps[:0]
	c.index.reset()
}

// add returns the step s, which is new only if there is no equal one.
func (c *code) add(s step) ref { return c.index.add(&c.steps, s) }

// ret ends the program with r.
func (c *code) ret(r bpf.Return) ref {
	return c.add(step{op: bpf.RET | bpf.K, k: uint32(r), then: none, otherwise: none})
}

// load sets A to the word at a byte offset of struct seccomp_data.
func (c *code) load(offset uint32, then ref) ref {
	return c.add(step{op: bpf.LD | bpf.W | bpf.ABS, k: offset, then: then, otherwise: none})
}

// mask clears the bits of A that are not in k.
func (c *code) mask(k uint32, then ref) ref {
	return c.add(step{op: bpf.ALU | bpf.AND | bpf.K, k: k, then: then, otherwise: none})
}

// jump goes to then where A op k holds, to otherwise where not; op is one of
// bpf.JEQ, JGT, JGE, JSET. A jump that cannot matter is not made, and equal ones
// are made equal (normalizeTests), so that there is less to do afterwards.
func (c *code) jump(op uint16, k uint32, then, otherwise ref) ref {
	s := step{op: bpf.JMP | op | bpf.K, k: k, then: then, otherwise: otherwise, rule: c.rule}.normal()
	if s.then == s.otherwise {
		return s.then
	}
	return c.add(s)
}

// from returns the steps that can be reached from root.
func (c *code) from(root ref) steps {
	p, _ := dropDead(c.steps[:root+1])
	return p
}
