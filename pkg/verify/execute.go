package verify

import "seccomp-hook/pkg/bpf"

// execute runs prog for all calls at once and returns what it returns for
// which of them.
//
// A program has no loops: jumps go forwards only. So one pass over the
// instructions is enough, each with the set of calls that reach it and the
// values of its registers as functions of the call. Where paths meet, their
// sets unite; where they left different values in a register, it becomes a
// choice between them. So the number of paths, which may grow exponentially,
// has no part in the effort.
func (d *forest) execute(prog bpf.Program, o *order, e bpf.Endian) *outcomes {
	x := newExecutor(d, prog, o, e)
	// The kernel starts a program with A and X set to 0 (bpf_convert_filter).
	zero := known(0)
	x.run(0, state{calls: all, a: zero, x: zero})
	return x.result
}

type executor struct {
	*forest
	order   *order
	endian  bpf.Endian
	prog    bpf.Program
	live    []registers
	arrived []state // before each instruction
	loaded  [words]*value
	tests   map[comparison]verdict3
	numbers map[uint32]*value
	result  *outcomes

	start    ref // the calls that the run is about
	furthest int // the last instruction that calls come to
	// tolerant says what is done where something takes too much: in place of
	// giving up all calls go both ways, or a register holds something unknown.
	// The parts of the result can overlap then; each call is at least in that of
	// what it gets.
	tolerant bool
	limit    Budget // of a tolerant executor: where the forest's own is used up for it
	anything ref    // the calls that may get any value, as an unknown one is returned
	read     [words]bool
}

func newExecutor(d *forest, prog bpf.Program, o *order, e bpf.Endian) *executor {
	return &executor{
		forest: d, order: o, endian: e,
		prog:    prog,
		live:    liveness(prog),
		arrived: make([]state, len(prog)),
		tests:   make(map[comparison]verdict3),
		numbers: make(map[uint32]*value),
		result:  newOutcomes(d),
	}
}

// run executes the program from instruction from on, where it has come to state
// s, and leaves what it returns in result.
func (e *executor) run(from int, s state) {
	e.start, e.furthest = s.calls, from
	e.arrived[from] = s
	for i := from; i <= e.furthest; i++ {
		if e.arrived[i].calls == none {
			continue
		}
		for s := &e.arrived[i]; s != nil && !e.exhausted; s = s.next {
			e.step(i, *s)
		}
		e.arrived[i] = state{} // for the garbage collector
	}
}

// comparison is a jump's question about two values, and verdict3 its answer:
// the calls for which it holds, if that is known.
type comparison struct {
	op   uint16
	a, b *value
}

type verdict3 struct {
	holds ref
	known bool
}

// Of a tolerant executor each operation has this budget.
var perOperation = Budget{Nodes: 1 << 13, Steps: 1 << 14}

// try does some work on diagrams, and reports whether its results can be used.
// Only a tolerant executor goes on where they cannot.
func (e *executor) try(work func()) bool {
	if !e.tolerant {
		work()
		return true
	}
	return e.within(Budget{
		Nodes: max(0, min(perOperation.Nodes, e.limit.Nodes-len(e.nodes))),
		Steps: max(0, min(perOperation.Steps, e.limit.Steps-e.steps)),
	}, work)
}

// number returns the value k, the same one every time.
func (e *executor) number(k uint32) *value {
	v := e.numbers[k]
	if v == nil {
		v = known(k)
		e.numbers[k] = v
	}
	return v
}

// ask returns the answer to a jump's question.
func (e *executor) ask(op uint16, a, b *value) verdict3 {
	key := comparison{op, a, b}
	v, asked := e.tests[key]
	if !asked {
		if v.known = !a.unknown && !b.unknown; v.known {
			v.known = e.try(func() { v.holds = e.test(op, a, b) })
		}
		e.tests[key] = v
	}
	return v
}

// divide returns those of calls to which the answer is yes, and the others.
func (e *executor) divide(calls ref, v verdict3) (yes, no ref) {
	switch {
	case v.known && v.holds == all:
		return calls, none
	case v.known && v.holds == none:
		return none, calls
	case v.known && e.try(func() { yes, no = e.and(calls, v.holds), e.without(calls, v.holds) }):
		return yes, no
	}
	return calls, calls
}

// either returns the calls of both sets.
func (e *executor) either(a, b ref) (both ref) {
	if !e.try(func() { both = e.or(a, b) }) {
		return e.start
	}
	return both
}

// end lets calls return v.
func (e *executor) end(calls ref, v *value) {
	if !e.tolerant {
		e.result.add(calls, e.bits(v))
		return
	}
	if k, constant := v.number(); constant {
		if at, there := e.result.constant[k]; there {
			e.result.parts[at].calls = e.either(e.result.parts[at].calls, calls)
		} else {
			e.result.add(calls, &e.number(k).vector)
		}
		return
	}
	each := newOutcomes(e.forest)
	if v.unknown || !e.try(func() { e.enumerate(calls, e.bits(v), 0, 0, each) }) {
		e.anything = e.either(e.anything, calls)
		return
	}
	for k, at := range each.constant {
		e.end(each.parts[at].calls, e.number(k))
	}
}

// state is what is known at one instruction: the calls that reach it, and the
// registers for those calls, nil where nothing reads them any more.
type state struct {
	calls ref
	a, x  *value
	m     *[bpf.ScratchWords]*value // nil: no scratch word is live
	next  *state                    // of the same instruction, for other calls
}

// mostStates is how many states an instruction may have before the next one to
// arrive is united with one of them. A choice between two words of a call is a
// large diagram, so two paths are cheaper apart; with more of them the work
// that they repeat weighs more.
const mostStates = 2

// tolerantStates is the same where to unite two words is to know nothing.
const tolerantStates = 12

func (e *executor) mostStates() int {
	if e.tolerant {
		return tolerantStates
	}
	return mostStates
}

// step executes instruction i from state s.
func (e *executor) step(i int, s state) {
	in, operand := e.prog[i], s.x
	if in.Code&bpf.X == 0 {
		operand = e.number(in.K)
	}
	switch in.Code & bpf.ClassMask {
	case bpf.RET:
		if in.Code == bpf.RET|bpf.A {
			operand = s.a
		}
		e.end(s.calls, operand)
		return
	case bpf.JMP:
		if in.Code == bpf.JMP|bpf.JA {
			e.arrive(i+1+int(in.K), s)
			return
		}
		if in.Jt == in.Jf {
			e.arrive(i+1+int(in.Jt), s)
			return
		}
		taken, not := s, s
		taken.calls, not.calls = e.divide(s.calls, e.ask(in.Code&bpf.OpMask, s.a, operand))
		e.arrive(i+1+int(in.Jt), taken)
		e.arrive(i+1+int(in.Jf), not)
		return
	case bpf.LD:
		s.a = e.load(in, s)
	case bpf.LDX:
		s.x = e.load(in, s)
	case bpf.ST:
		s.store(in.K, s.a)
	case bpf.STX:
		s.store(in.K, s.x)
	case bpf.MISC:
		if in.Code == bpf.MISC|bpf.TAX {
			s.x = s.a
		} else {
			s.a = s.x
		}
	case bpf.ALU:
		if in.Code == bpf.ALU|bpf.DIV|bpf.X {
			// Division by a zero X ends the program with 0 (bpf_convert_filter).
			zero := e.number(0)
			byZero, rest := e.divide(s.calls, e.ask(bpf.JEQ, operand, zero))
			e.end(byZero, zero)
			if s.calls = rest; rest == none {
				return
			}
		}
		if e.live[i+1]&liveA != 0 {
			s.a = e.compute(in.Code&bpf.OpMask, s.a, operand)
		}
	}
	e.arrive(i+1, s)
}

// compute returns "a op b".
func (e *executor) compute(op uint16, a, b *value) (v *value) {
	if a.unknown || b.unknown || !e.try(func() { v = e.alu(op, a, b) }) {
		return unknown
	}
	if k, constant := v.number(); constant && v.divisor == 0 {
		return e.number(k)
	}
	return v
}

// load returns what LD and LDX load.
func (e *executor) load(in bpf.Instruction, s state) *value {
	switch in.Code & bpf.ModeMask {
	case bpf.ABS:
		w := wordAt(in.K, e.endian)
		e.read[w] = true
		if e.loaded[w] == nil {
			e.loaded[w] = &value{vector: e.word(e.order, w)}
		}
		return e.loaded[w]
	case bpf.MEM:
		return s.m[in.K]
	case bpf.LEN:
		return e.number(bpf.SizeOf)
	default:
		return e.number(in.K)
	}
}

// store sets M[k]. States share their scratch memory, so it is copied.
func (s *state) store(k uint32, v *value) {
	var m [bpf.ScratchWords]*value
	if s.m != nil {
		m = *s.m
	}
	m[k] = v
	s.m = &m
}

// arrive lets the calls of s reach instruction i.
func (e *executor) arrive(i int, s state) {
	if s.calls == none {
		return
	}
	s, s.next = s.keep(e.live[i]), nil
	e.furthest = max(e.furthest, i)
	there := &e.arrived[i]
	if there.calls == none {
		*there = s
		return
	}
	for n := 1; ; n++ {
		if there.same(&s) {
			there.calls = e.either(there.calls, s.calls)
			return
		}
		if n == e.mostStates() {
			e.unite(there, &s)
			return
		}
		if there.next == nil {
			another := s
			there.next = &another
			return
		}
		there = there.next
	}
}

// unite makes there a state for the calls of s as well. No call takes two
// paths, so which value a register has is decided by the calls of s.
func (e *executor) unite(there, s *state) {
	choose := func(a **value, b *value) {
		if *a == b || **a == *b {
			return
		}
		var picked vector
		if (*a).unknown || b.unknown || !e.try(func() { picked = e.pick(s.calls, e.bits(b), e.bits(*a)) }) {
			*a = unknown
			return
		}
		*a = &value{vector: picked}
	}
	if s.a != nil {
		choose(&there.a, s.a)
	}
	if s.x != nil {
		choose(&there.x, s.x)
	}
	if s.m != nil {
		m := *there.m
		for k, v := range s.m {
			if v != nil {
				choose(&m[k], v)
			}
		}
		there.m = &m
	}
	there.calls = e.either(there.calls, s.calls)
}

// same says whether the registers of s and t, both at the same instruction,
// have the same values.
func (s *state) same(t *state) bool {
	equal := func(a, b *value) bool { return a == b || a != nil && *a == *b }
	if !equal(s.a, t.a) || !equal(s.x, t.x) {
		return false
	}
	if s.m != t.m {
		for k := range s.m {
			if !equal(s.m[k], t.m[k]) {
				return false
			}
		}
	}
	return true
}

// keep returns s without the registers that are not live.
func (s state) keep(live registers) state {
	if live&liveA == 0 {
		s.a = nil
	}
	if live&liveX == 0 {
		s.x = nil
	}
	if live>>firstM == 0 {
		s.m = nil
		return s
	}
	m := *s.m
	for k := range m {
		if live>>(firstM+k)&1 == 0 {
			m[k] = nil
		}
	}
	s.m = &m
	return s
}
