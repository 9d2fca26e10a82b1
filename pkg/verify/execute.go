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
	x := executor{
		forest: d, order: o, endian: e,
		prog:    prog,
		live:    liveness(prog),
		arrived: make([]state, len(prog)),
		result:  newOutcomes(d),
	}
	// The kernel starts a program with A and X set to 0 (bpf_convert_filter).
	zero := known(0)
	x.arrived[0] = state{calls: all, a: zero, x: zero}
	for i := range prog {
		if x.arrived[i].calls == none {
			continue
		}
		for s := &x.arrived[i]; s != nil && !d.exhausted; s = s.next {
			x.step(i, *s)
		}
		x.arrived[i] = state{} // for the garbage collector
	}
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
	result  *outcomes
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

// step executes instruction i from state s.
func (e *executor) step(i int, s state) {
	in, operand := e.prog[i], s.x
	if in.Code&bpf.X == 0 {
		operand = known(in.K)
	}
	switch in.Code & bpf.ClassMask {
	case bpf.RET:
		if in.Code == bpf.RET|bpf.A {
			operand = s.a
		}
		e.result.add(s.calls, e.bits(operand))
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
		holds := e.test(in.Code&bpf.OpMask, s.a, operand)
		taken, not := s, s
		taken.calls, not.calls = e.and(s.calls, holds), e.without(s.calls, holds)
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
			zero := known(0)
			byZero := e.test(bpf.JEQ, operand, zero)
			e.result.add(e.and(s.calls, byZero), &zero.vector)
			if s.calls = e.without(s.calls, byZero); s.calls == none {
				return
			}
		}
		if e.live[i+1]&liveA != 0 {
			s.a = e.alu(in.Code&bpf.OpMask, s.a, operand)
		}
	}
	e.arrive(i+1, s)
}

// load returns what LD and LDX load.
func (e *executor) load(in bpf.Instruction, s state) *value {
	switch in.Code & bpf.ModeMask {
	case bpf.ABS:
		w := wordAt(in.K, e.endian)
		if e.loaded[w] == nil {
			e.loaded[w] = &value{vector: e.word(e.order, w)}
		}
		return e.loaded[w]
	case bpf.MEM:
		return s.m[in.K]
	case bpf.LEN:
		return known(bpf.SizeOf)
	default:
		return known(in.K)
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
	there := &e.arrived[i]
	if there.calls == none {
		*there = s
		return
	}
	for n := 1; ; n++ {
		if there.same(&s) {
			there.calls = e.or(there.calls, s.calls)
			return
		}
		if n == mostStates {
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
		if *a != b && **a != *b {
			*a = &value{vector: e.pick(s.calls, e.bits(b), e.bits(*a))}
		}
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
	there.calls = e.or(there.calls, s.calls)
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
