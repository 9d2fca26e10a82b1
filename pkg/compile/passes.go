package compile

import (
	"math"
	"sync"

	"seccomp-hook/pkg/bpf"
)

// steps is a program before layout, as passes see it: the last step is the
// first to be executed, and the successors of a step stand before it.
type steps []step

// pass makes a program better and reports whether it did; it may change p. No
// pass makes a program longer, or any path through it.
type pass func(p steps) (steps, bool)

// passes are run in this order, again and again until none of them finds
// anything.
var passes = []pass{
	normalizeTests,
	threadJumps,
	dropLoads,
	mergeTails,
	dropDead,
}

// optimize runs passes over p until they are done, or until it is clear that p
// will not become short enough for the kernel.
func optimize(p steps, passes []pass) steps {
	for changed := true; changed; {
		changed = false
		before := len(p)
		for _, run := range passes {
			var did bool
			p, did = run(p)
			changed = changed || did
		}
		if len(p) > bpf.MaxInstructions && len(p) > before*3/4 {
			return p
		}
	}
	return p
}

const (
	opReturn = bpf.RET | bpf.K
	opLoad   = bpf.LD | bpf.W | bpf.ABS
	opMask   = bpf.ALU | bpf.AND | bpf.K
	opJEQ    = bpf.JMP | bpf.JEQ | bpf.K
	opJGT    = bpf.JMP | bpf.JGT | bpf.K
	opJGE    = bpf.JMP | bpf.JGE | bpf.K
	opJSET   = bpf.JMP | bpf.JSET | bpf.K
)

func (s *step) branches() bool { return s.otherwise != none }

// needsA reports whether s does anything with what A holds.
func (s *step) needsA() bool { return s.op != opReturn && s.op != opLoad }

// normalizeTests writes equal tests in one way, inverting branches where it
// must, so that equal tails become the same: a > k is a >= k+1, and what tells
// one value at an end of the range from all others is ==.
func normalizeTests(p steps) (steps, bool) {
	changed := false
	for i := range p {
		if normal := p[i].normal(); normal != p[i] {
			p[i], changed = normal, true
		}
	}
	return p, changed
}

// normal returns s in the one way in which its test is written.
func (s step) normal() step {
	if s.op == opJGT {
		if s.k == math.MaxUint32 {
			s.then = s.otherwise // never
		} else {
			s.op, s.k = opJGE, s.k+1
		}
	}
	switch {
	case s.op == opJGE && s.k == 0:
		s.otherwise = s.then // always
	case s.op == opJGE && s.k == 1, s.op == opJSET && s.k == math.MaxUint32:
		s.op, s.k, s.then, s.otherwise = opJEQ, 0, s.otherwise, s.then
	case s.op == opJGE && s.k == math.MaxUint32:
		s.op = opJEQ
	case s.op == opJSET && s.k == 1<<31:
		s.op = opJGE
	case s.op == opJSET && s.k == 0:
		s.then = s.otherwise // never
	}
	return s
}

// maxAhead is how many steps threadJumps looks ahead of one jump. Where there is
// more to pass, it is passed in the next round.
const maxAhead = 32

// threadJumps leads each jump past the tests whose result is known wherever it
// comes from: because a word was compared before, however long ago. The loads
// for those tests are passed with them.
func threadJumps(p steps) (steps, bool) {
	var ahead state
	changed := flow(p, func(s *state, to ref) ref {
		ahead = *s
		passed := to
		at, tested := to, false
		for range maxAhead {
			next := &p[at]
			switch {
			case next.op == opLoad:
				ahead.load(next.k)
				at = next.then
			case next.branches():
				holds, known := ahead.test(next)
				if !known {
					return passed
				}
				tested = true
				at = next.otherwise
				if holds {
					at = next.then
				}
			default:
				return passed
			}
			// The loads on the way must not be missed.
			if tested && (!p[at].needsA() || ahead.word == s.word && s.word != noWord) {
				passed = at
			}
		}
		return passed
	})
	return p, changed
}

// dropLoads leads each step past loads of what A holds already, and past those
// that nobody looks at.
func dropLoads(p steps) (steps, bool) {
	changed := flow(p, func(s *state, to ref) ref {
		for p[to].op == opLoad && (s.word == p[to].k || !p[p[to].then].needsA()) {
			to = p[to].then
		}
		return to
	})
	return p, changed
}

// indexes are those of mergeTails that no compilation uses at the moment.
var indexes = sync.Pool{New: func() any { return new(stepIndex) }}

// mergeTails makes one step of all steps that are equal and lead to the same
// steps, and leads past tests with one outcome.
func mergeTails(p steps) (steps, bool) {
	changed := false
	same := indexes.Get().(*stepIndex)
	defer indexes.Put(same)
	same.reset()
	to := make([]ref, len(p))
	for i := range p {
		s := &p[i]
		before := *s
		if s.then != none {
			s.then = to[s.then]
		}
		if s.branches() {
			s.otherwise = to[s.otherwise]
		}
		changed = changed || *s != before
		if s.branches() && s.then == s.otherwise {
			to[i] = s.then
			continue
		}
		at := same.find(p, s)
		if same.slots[at] == 0 {
			same.set(p, at, ref(i))
			to[i] = ref(i)
			continue
		}
		to[i] = same.slots[at] - 1
	}
	// What was merged is dead now, but for the entry, which nothing leads to.
	if entry := to[len(p)-1]; entry != ref(len(p)-1) {
		return p[:entry+1], true
	}
	return p, changed
}

// dropDead removes the steps that cannot be reached.
func dropDead(p steps) (steps, bool) {
	to := make([]ref, len(p)) // 0: dead; 1: alive
	to[len(p)-1] = 1
	for i := len(p) - 1; i >= 0; i-- {
		if s := &p[i]; to[i] != 0 && s.then != none {
			to[s.then] = 1
			if s.branches() {
				to[s.otherwise] = 1
			}
		}
	}
	alive := p[:0]
	for i, s := range p {
		if to[i] == 0 {
			continue
		}
		to[i] = ref(len(alive))
		if s.then != none {
			s.then = to[s.then]
		}
		if s.branches() {
			s.otherwise = to[s.otherwise]
		}
		alive = append(alive, s)
	}
	return alive, len(alive) < len(p)
}
