package compile

import (
	"math"
	"math/bits"
	"slices"
	"sync"

	"seccomp-hook/pkg/bpf"
)

// noWord says that A does not hold a word of struct seccomp_data as it is.
const noWord = ^uint32(0)

// state is what is known where execution reaches a step, on whatever way.
type state struct {
	reached bool
	word    uint32 // offset of the word that A holds, or noWord
	facts   [bpf.SizeOf / 4]fact
}

// fact is what is known of a word: bounds, and bits that are 0.
type fact struct{ low, high, zeros uint32 }

// initial is the state in which a program begins.
func initial() state {
	s := state{reached: true, word: noWord}
	for i := range s.facts {
		s.facts[i].high = math.MaxUint32
	}
	return s
}

func (s *state) load(offset uint32) { s.word = offset }

// test returns whether the test of a jump holds, if that is known.
func (s *state) test(j *step) (holds, known bool) {
	if s.word == noWord {
		return false, false
	}
	f := &s.facts[s.word/4]
	switch j.op {
	case opJEQ:
		switch {
		case j.k < f.low, j.k > f.high, j.k&f.zeros != 0:
			return false, true
		}
		return true, f.low == f.high
	case opJGE:
		return f.low >= j.k, f.low >= j.k || f.high < j.k
	case opJGT:
		return f.low > j.k, f.low > j.k || f.high <= j.k
	case opJSET:
		if j.k&^f.zeros == 0 {
			return false, true
		}
		free, some := withoutBits(f.low, j.k)
		if !some || free > f.high {
			return true, true
		}
		return false, f.low == f.high
	}
	return false, false
}

// learn adds the result of a test to what is known, and reports whether it can
// be that.
func (s *state) learn(j *step, holds bool) bool {
	if is, known := s.test(j); known {
		return is == holds
	}
	if s.word == noWord {
		return true
	}
	f := &s.facts[s.word/4]
	switch {
	case j.op == opJEQ && holds:
		*f = fact{low: j.k, high: j.k, zeros: ^j.k}
	case j.op == opJEQ && j.k == f.low:
		f.low++
	case j.op == opJEQ && j.k == f.high:
		f.high--
	case j.op == opJGE && holds:
		f.low = j.k
	case j.op == opJGE:
		f.high = j.k - 1
	case j.op == opJGT && holds:
		f.low = j.k + 1
	case j.op == opJGT:
		f.high = j.k
	case j.op == opJSET && holds:
		lowest := j.k &^ f.zeros
		f.low = max(f.low, 1<<bits.TrailingZeros32(lowest))
	case j.op == opJSET:
		f.zeros |= j.k
		f.high = min(f.high, ^f.zeros)
	}
	return f.low <= f.high
}

// join forgets what does not hold on another way to the same step.
func (s *state) join(other *state) {
	if !s.reached {
		*s = *other
		return
	}
	if s.word != other.word {
		s.word = noWord
	}
	for i := range s.facts {
		f, g := &s.facts[i], &other.facts[i]
		f.low, f.high, f.zeros = min(f.low, g.low), max(f.high, g.high), f.zeros&g.zeros
	}
}

// flows are the states of flow that no compilation uses at the moment.
var flows = sync.Pool{New: func() any { return new([]state) }}

// flow goes through p in the order of execution with what is known at each
// step, and lets redirect lead every way out of a step elsewhere: it gets what
// is known on that way. It reports whether anything was led elsewhere.
func flow(p steps, redirect func(s *state, to ref) ref) (changed bool) {
	pooled := flows.Get().(*[]state)
	defer flows.Put(pooled)
	states := slices.Grow((*pooled)[:0], len(p))[:len(p)]
	*pooled = states
	clear(states)
	states[len(p)-1] = initial()
	lead := func(s *state, to *ref) {
		was := *to
		*to = redirect(s, was)
		changed = changed || *to != was
		states[*to].join(s)
	}
	var yes, no state
	for i := len(p) - 1; i >= 0; i-- {
		at := &states[i]
		s := &p[i]
		switch {
		case !at.reached || s.op == opReturn:
		case s.op == opLoad:
			at.load(s.k)
			lead(at, &s.then)
		case s.op == opMask:
			at.word = noWord
			lead(at, &s.then)
		default:
			yes, no = *at, *at
			// A way that nothing takes may as well be the other one.
			switch possible, otherwise := yes.learn(s, true), no.learn(s, false); {
			case !possible:
				s.then = s.otherwise
				changed = true
				lead(&no, &s.otherwise)
				s.then = s.otherwise
			case !otherwise:
				changed = true
				lead(&yes, &s.then)
				s.otherwise = s.then
			default:
				lead(&yes, &s.then)
				lead(&no, &s.otherwise)
			}
		}
	}
	return changed
}
