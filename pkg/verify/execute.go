package verify

import "seccomp-hook/pkg/bpf"

// execute runs prog for all calls at once and returns what it returns for
// which of them.
//
// A program has no loops: jumps go forwards only. So one pass over the
// instructions is enough, each with the set of calls that reach it and the
// values of its registers as functions of the call. Where paths meet, their
// sets unite and the registers become a choice between theirs; the number of
// paths, which may grow exponentially, has no part in the effort.
func (d *forest) execute(prog bpf.Program, o *order, e bpf.Endian) *outcomes {
	x := executor{
		forest: d, order: o, endian: e,
		prog:    prog,
		live:    liveness(prog),
		arrived: make([]state, len(prog)),
		result:  newOutcomes(d),
	}
	// The kernel starts a program with A and X set to 0 (bpf_convert_filter).
	zero := constant(0)
	x.arrived[0] = state{calls: all, a: &zero, x: &zero}
	for i := range prog {
		if x.arrived[i].calls != none && !d.exhausted {
			x.step(i)
		}
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
	loaded  [words]*vector
	result  *outcomes
}

// state is what is known at one instruction: the calls that reach it, and the
// registers for those calls, nil where nothing reads them any more.
type state struct {
	calls ref
	a, x  *vector
	m     *[bpf.ScratchWords]*vector // nil: no scratch word is live
}

// step executes instruction i.
func (e *executor) step(i int) {
	in, s := e.prog[i], e.arrived[i]
	e.arrived[i] = state{} // for the garbage collector
	operand := s.x
	if in.Code&bpf.X == 0 {
		k := constant(in.K)
		operand = &k
	}
	switch in.Code & bpf.ClassMask {
	case bpf.RET:
		if in.Code == bpf.RET|bpf.A {
			operand = s.a
		}
		e.result.add(s.calls, operand)
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
		holds := e.compare(in.Code&bpf.OpMask, s.a[:], operand[:])
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
			zero := constant(0)
			byZero := e.compare(bpf.JEQ, operand[:], zero[:])
			e.result.add(e.and(s.calls, byZero), &zero)
			if s.calls = e.without(s.calls, byZero); s.calls == none {
				return
			}
		}
		if e.live[i+1]&liveA != 0 {
			a := e.alu(in.Code&bpf.OpMask, s.a, operand)
			s.a = &a
		}
	}
	e.arrive(i+1, s)
}

// load returns what LD and LDX load.
func (e *executor) load(in bpf.Instruction, s state) *vector {
	switch in.Code & bpf.ModeMask {
	case bpf.ABS:
		w := wordAt(in.K, e.endian)
		if e.loaded[w] == nil {
			v := e.word(e.order, w)
			e.loaded[w] = &v
		}
		return e.loaded[w]
	case bpf.MEM:
		return s.m[in.K]
	case bpf.LEN:
		v := constant(bpf.SizeOf)
		return &v
	default:
		v := constant(in.K)
		return &v
	}
}

// store sets M[k]. States share their scratch memory, so it is copied.
func (s *state) store(k uint32, v *vector) {
	var m [bpf.ScratchWords]*vector
	if s.m != nil {
		m = *s.m
	}
	m[k] = v
	s.m = &m
}

// alu returns "a op b".
func (e *executor) alu(op uint16, a, b *vector) vector {
	switch op {
	case bpf.ADD:
		return e.add(a, b, none)
	case bpf.SUB:
		return e.sub(a, b)
	case bpf.NEG:
		zero := constant(0)
		return e.sub(&zero, a)
	case bpf.MUL:
		return e.mul(a, b)
	case bpf.DIV:
		return e.div(a, b)
	case bpf.LSH, bpf.RSH:
		return e.shift(op, a, b)
	default:
		return e.bitwise(op, a, b)
	}
}

// arrive lets the calls of s reach instruction i.
func (e *executor) arrive(i int, s state) {
	if s.calls == none {
		return
	}
	live, there := e.live[i], &e.arrived[i]
	if there.calls == none {
		*there = s.keep(live)
		return
	}
	// No call takes two paths: which of the two values a register has is
	// decided by the path, that is by the calls of s.
	unite := func(r registers, there **vector, come *vector) {
		if live&r != 0 && *there != come && **there != *come {
			v := e.pick(s.calls, come, *there)
			*there = &v
		}
	}
	unite(liveA, &there.a, s.a)
	unite(liveX, &there.x, s.x)
	if live>>firstM != 0 {
		m := *there.m
		for k := range m {
			unite(1<<(firstM+k), &m[k], s.m[k])
		}
		there.m = &m
	}
	there.calls = e.or(there.calls, s.calls)
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
	}
	return s
}
