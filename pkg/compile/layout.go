package compile

import (
	"seccomp-hook/pkg/bpf"
)

// maxSkip is the longest distance a conditional jump can skip: Jt and Jf are
// bytes.
const maxSkip = 255

// layout puts steps into an order in which all jumps lead forward and counts
// the distances.
//
// It writes the program from its end: every step follows its successors, so
// their places are known when it is written. What is too far away is brought
// near right then: a RET by a copy, since that costs no more than a jump to it,
// anything else by a JA, and the other steps in reach use these too.
func layout(s steps) bpf.Program {
	w := &writer{
		steps: s, place: make([]int, len(s)), size: make([]int, len(s)), before: make([]ref, len(s)),
		reversed: make([]bpf.Instruction, 0, len(s)+len(s)/8),
	}
	for i := range s {
		w.place[i], w.before[i] = unplaced, none
	}
	for i := range s {
		if !s[i].branches() && s[i].then != none {
			w.before[s[i].then] = ref(i)
		}
	}
	w.write(ref(len(s) - 1))
	p := make(bpf.Program, len(w.reversed))
	for i, in := range w.reversed {
		p[len(p)-1-i] = in
	}
	return p
}

const unplaced = -1

// writer holds a program under layout. Places count from the program's end.
type writer struct {
	steps    steps
	reversed []bpf.Instruction
	place    []int // of each step's latest copy
	size     []int // steps under each step, as a tree; 0 where not yet known
	// before is a step, if there is any, that leads to this one and cannot
	// jump. If there are several it is the first to be executed.
	before []ref
}

// write places r, after everything that it leads to, unless it has a place.
func (w *writer) write(r ref) {
	if w.place[r] != unplaced {
		return
	}
	s := w.steps[r]
	switch {
	case s.then == none:
		w.emit(r, bpf.Instruction{Code: s.op, K: s.k})
	case !s.branches():
		w.write(s.then)
		if w.place[r] != unplaced {
			return // right before s.then
		}
		w.adjoin(s.then)
		w.emit(r, bpf.Instruction{Code: s.op, K: s.k})
	default:
		// The larger side goes to the end, so that the jump over the other
		// one is short.
		near, far := s.then, s.otherwise
		if w.weigh(near) > w.weigh(far) {
			near, far = far, near
		}
		w.write(far)
		w.write(near)
		w.branch(r)
	}
	// The one way for that step to need no JA.
	if before := w.before[r]; before != none {
		w.write(before)
	}
}

func (w *writer) emit(r ref, in bpf.Instruction) {
	w.reversed = append(w.reversed, in)
	w.place[r] = len(w.reversed) - 1
}

// branch writes the conditional jump r.
func (w *writer) branch(r ref) {
	s := w.steps[r]
	// The reach of one side shrinks by the instruction that the other one may
	// need, so look at both until nothing has to be added.
	for w.reach(s.then) || w.reach(s.otherwise) {
		continue
	}
	w.emit(r, bpf.Instruction{Code: s.op, Jt: uint8(w.distance(s.then)), Jf: uint8(w.distance(s.otherwise)), K: s.k})
}

// distance returns how many instructions lie between a step written now and r.
func (w *writer) distance(r ref) int { return len(w.reversed) - 1 - w.place[r] }

// adjoin makes sure that a step written now is followed by r: by a copy of it
// where that can be, which is as long as a jump and executes one instruction
// less.
func (w *writer) adjoin(r ref) {
	s := w.steps[r]
	switch {
	case w.distance(r) == 0:
	case s.branches() && w.distance(s.then) <= maxSkip && w.distance(s.otherwise) <= maxSkip:
		w.branch(r)
	default:
		w.bridge(r)
	}
}

// reach makes sure that a conditional jump written now can lead to r, and
// reports whether it had to add an instruction.
func (w *writer) reach(r ref) bool {
	if w.distance(r) <= maxSkip {
		return false
	}
	w.bridge(r)
	return true
}

// bridge writes a copy of r if it is a RET, else a jump to r, and takes this
// for r from now on: nothing written later is nearer to the old place.
func (w *writer) bridge(r ref) {
	s := w.steps[r]
	if s.then == none {
		w.emit(r, bpf.Instruction{Code: s.op, K: s.k})
		return
	}
	w.emit(r, bpf.JumpAlways(uint32(w.distance(r))))
}

// weigh returns how many steps r leads to, counting shared ones as often as
// they are reached (bounded, so that it cannot overflow): an estimate of the
// room that its code takes.
func (w *writer) weigh(r ref) int {
	if r == none {
		return 0
	}
	if w.size[r] == 0 {
		s := w.steps[r]
		w.size[r] = min(1+w.weigh(s.then)+w.weigh(s.otherwise), 1<<20)
	}
	return w.size[r]
}
