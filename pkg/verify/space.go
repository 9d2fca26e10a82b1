package verify

import (
	"errors"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Space holds sets of calls, for a reader of filters who asks more than whether
// two are equal: which calls get what. Its sets are the diagrams of the proof,
// the words of a call in the order number, architecture, arguments from the
// first to the last, instruction pointer.
//
// Once the budget is used up its operations return the empty set; whoever draws
// a conclusion asks Err first, or works in Within.
type Space struct {
	d       *forest
	choices map[string]*Choice
	// What was asked before.
	verdicts   map[string]*Choice
	conditions map[spec.Condition]Set
}

// ErrBudget says that the budget of a Space was not enough.
var ErrBudget = errors.New("verify: too complicated: the budget is used up")

// Within does some work on sets in at most so many steps, and reports whether
// these were enough. If not, the sets that the work made are not to be used.
func (s *Space) Within(steps int, work func()) bool {
	return s.d.within(Budget{Nodes: steps, Steps: steps}, work)
}

// NewSpace returns an empty Space. A zero field of the budget is the default.
func NewSpace(budget Budget) *Space {
	if budget.Nodes <= 0 {
		budget.Nodes = DefaultBudget.Nodes
	}
	if budget.Steps <= 0 {
		budget.Steps = DefaultBudget.Steps
	}
	s := &Space{d: new(forest), choices: make(map[string]*Choice), verdicts: make(map[string]*Choice), conditions: make(map[spec.Condition]Set)}
	s.d.reset(budget)
	return s
}

// Err returns ErrBudget where the budget is used up.
func (s *Space) Err() error {
	if s.d.exhausted {
		return ErrBudget
	}
	return nil
}

// Spent reports whether the budget of the Space is used up, by whatever work.
func (s *Space) Spent() bool {
	return len(s.d.nodes) > s.d.budget.Nodes || s.d.steps > s.d.budget.Steps
}

// reserve does some small work on sets, for which there is always enough left.
func (s *Space) reserve(work func()) { s.d.within(Budget{reserved, reserved}, work) }

const reserved = 1 << 14

// Set is a set of calls in a Space. Two sets of one Space are equal exactly if
// they are ==.
type Set struct {
	space *Space
	r     ref
}

// All returns the set of all calls.
func (s *Space) All() Set { return Set{s, all} }

// None returns the empty set.
func (s *Space) None() Set { return Set{s, none} }

// Condition returns the calls for which c holds.
func (s *Space) Condition(c spec.Condition) Set {
	set, known := s.conditions[c]
	if !known {
		r := reader{forest: s.d, order: wordwise}
		s.reserve(func() { set = Set{s, r.compares(c)} })
		if s.d.trials == 0 { // else its nodes may go again
			s.conditions[c] = set
		}
	}
	return set
}

// And returns the calls in both sets.
func (a Set) And(b Set) Set { return Set{a.space, a.space.d.and(a.r, b.r)} }

// Or returns the calls in one of the sets.
func (a Set) Or(b Set) Set { return Set{a.space, a.space.d.or(a.r, b.r)} }

// Minus returns the calls of a that are not in b.
func (a Set) Minus(b Set) Set { return Set{a.space, a.space.d.without(a.r, b.r)} }

// Empty reports whether there is no call in the set.
func (a Set) Empty() bool { return a.r == none }

// Full reports whether all calls are in the set.
func (a Set) Full() bool { return a.r == all }

// Field is a part of a call.
type Field uint8

// The fields: Argument plus its index, and these.
const (
	Argument Field = 0 // to 5
	Pointer  Field = 6 // the instruction pointer
	Number   Field = 7
	Arch     Field = 8
)

// Split takes a set apart at the first bit that it depends on: into the calls
// without it and those with it, neither of which depends on it any more. The set
// must be neither empty nor full.
func (a Set) Split() (f Field, bit uint8, without, with Set) {
	n := a.space.d.nodes[a.r]
	at := wordwise.bit[n.level]
	switch {
	case at.word == bpf.OffNr/4:
		f, bit = Number, at.bit
	case at.word == bpf.OffArch/4:
		f, bit = Arch, at.bit
	case at.word < bpf.OffArgs/4:
		f, bit = Pointer, at.bit+32*(at.word&1)
	default:
		f, bit = Field((at.word-bpf.OffArgs/4)/2), at.bit+32*(at.word&1)
	}
	return f, bit, Set{a.space, n.low}, Set{a.space, n.high}
}

// Call returns a call of the set, which is not empty, with no bit set that it
// does not need.
func (a Set) Call() bpf.Data {
	var w [words]uint32
	a.space.d.member(a.r, func(level uint32) {
		at := wordwise.bit[level]
		w[at.word] |= 1 << at.bit
	})
	return callOf(&w)
}

// On returns the calls of a with number nr on the architecture of a token; the
// set says no more which number and architecture it is about.
func (a Set) On(token, nr uint32) Set { return a.at(bpf.OffNr/4, nr).at(bpf.OffArch/4, token) }

// Numbered reports whether a depends on the call number.
func (a Set) Numbered() bool {
	return wordwise.bit[min(a.space.d.nodes[a.r].level, bottom-1)].word == bpf.OffNr/4
}

// at returns the calls of a whose word w, the first that a depends on, is v;
// what is left does not depend on it.
func (a Set) at(w int, v uint32) Set {
	for bit := 31; bit >= 0; bit-- {
		if n := a.space.d.nodes[a.r]; n.level == wordwise.level[w][bit] {
			if a.r = n.low; v>>bit&1 != 0 {
				a.r = n.high
			}
		}
	}
	return a
}

// Token returns the calls of an architecture, by its AUDIT_ARCH_* token.
func (s *Space) Token(token uint32) (set Set) {
	s.reserve(func() {
		word, want := s.d.word(wordwise, bpf.OffArch/4), constant(token)
		set = Set{s, s.d.compare(bpf.JEQ, word[:], want[:])}
	})
	return set
}

// Between returns the calls whose numbers are from first to last.
func (s *Space) Between(first, last uint32) (set Set) {
	s.reserve(func() {
		word, least, most := s.d.word(wordwise, bpf.OffNr/4), constant(first), constant(last)
		above := s.d.compare(bpf.JGE, word[:], least[:])
		set = Set{s, s.d.without(above, s.d.compare(bpf.JGT, word[:], most[:]))}
	})
	return set
}

// Highest returns the highest call number in a set, which is not empty.
func (a Set) Highest() uint32 {
	highest := uint32(0)
	for bit := 31; bit >= 0; bit-- {
		n := a.space.d.nodes[a.r]
		if n.level != wordwise.level[bpf.OffNr/4][bit] {
			highest |= 1 << bit
			continue
		}
		if a.r = n.low; n.high != none {
			a.r = n.high
			highest |= 1 << bit
		}
	}
	return highest
}

// Run is call numbers, both ends included, of which the same calls are in a set.
type Run struct {
	First, Last uint32
	Calls       Set // not of these numbers alone
}

// Runs returns the call numbers of a set in ascending order, at most limit
// runs, and whether these are all.
func (a Set) Runs(limit int) ([]Run, bool) {
	w := runs{d: a.space.d, limit: limit}
	w.descend(a, 0, 31)
	return w.list, !w.more
}

type runs struct {
	d     *forest
	limit int
	list  []Run
	more  bool
}

// descend adds the numbers that agree with base above bit.
func (w *runs) descend(a Set, base uint32, bit int) {
	if a.r == none || w.more {
		return
	}
	n := w.d.nodes[a.r]
	if bit >= 0 && n.level <= wordwise.level[bpf.OffNr/4][0] {
		low, high := n.below(wordwise.level[bpf.OffNr/4][bit], a.r)
		w.descend(Set{a.space, low}, base, bit-1)
		w.descend(Set{a.space, high}, base|1<<bit, bit-1)
		return
	}
	last := base + uint32(1)<<(bit+1) - 1 // of 32 bits: none is left over
	if n := len(w.list); n > 0 && w.list[n-1].Last+1 == base && w.list[n-1].Calls == a {
		w.list[n-1].Last = last
		return
	}
	if w.more = len(w.list) == w.limit; !w.more {
		w.list = append(w.list, Run{base, last, a})
	}
}

// AnyPointer returns the calls that are in the set with some instruction
// pointer.
func (a Set) AnyPointer() Set {
	known := map[ref]ref{none: none, all: all}
	var quantify func(r ref) ref
	quantify = func(r ref) ref {
		if q, done := known[r]; done {
			return q
		}
		n, q := a.space.d.nodes[r], all
		if at := wordwise.bit[n.level]; at.word != bpf.OffIP/4 && at.word != bpf.OffIP/4+1 {
			q = a.space.d.node(n.level, quantify(n.low), quantify(n.high))
		}
		known[r] = q
		return q
	}
	return Set{a.space, quantify(a.r)}
}

// Bit returns the calls that have that bit of an argument set.
func (s *Space) Bit(argument Field, bit uint8) Set {
	w := bpf.OffArgs/4 + 2*int(argument) + int(bit/32)
	return Set{s, s.d.node(wordwise.level[w][bit%32], none, all)}
}

// Space returns the set's Space.
func (a Set) Space() *Space { return a.space }

// Contains reports whether a call is in the set.
func (a Set) Contains(call *bpf.Data) bool {
	w := call.Words(bpf.Little)
	r := a.r
	for r > all {
		n := a.space.d.nodes[r]
		at := wordwise.bit[n.level]
		if r = n.low; w[at.word]>>at.bit&1 != 0 {
			r = n.high
		}
	}
	return r == all
}
