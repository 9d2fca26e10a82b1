package precompute

import (
	"math"
	"math/bits"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// Limits of one emulation. A program that would exceed them, which takes
// hostile arithmetic on the call number, leaves ranges that are emulated number
// by number when they are looked up: exact as well, only slower.
const (
	maxSteps  = 1 << 20 // instructions emulated, a few milliseconds
	maxRanges = 1 << 14 // ranges in the result
	maxPieces = 1 << 10 // parts that one AND or JSET cuts a range into
)

// kind says what is known of a register while all numbers of a range run the
// same path.
type kind uint8

const (
	unknown kind = iota // depends on an argument or the instruction pointer
	known               // one value for the whole range
	number              // follows the call number
)

// value is a register of a path. A known one is n. One that follows the number
// is nr + n with its low shift bits cleared, and nr + n does not wrap around
// within the path's range: it never falls where nr grows, so that a comparison
// with a constant holds on one interval of numbers.
type value struct {
	kind  kind
	shift uint8
	n     uint32
}

// callNumber is the register that holds nr itself.
var callNumber = value{kind: number}

func constant(n uint32) value { return value{kind: known, n: n} }

// low is the mask of the cleared bits.
func (v value) low() uint32 { return 1<<v.shift - 1 }

// path is a range of call numbers that have taken the same way to an
// instruction. It is handed on by value, and in parts that are small enough for
// registers.
type path struct {
	numbers
	a value
	position
}

// numbers are the call numbers from lo to hi.
type numbers struct{ lo, hi uint32 }

// position is where a path has come to.
type position struct {
	pc     uint16
	stop   uint16 // the first instruction that the kernel's emulator does not follow, or noStop
	memory int32  // index in emulator.memories, or noMemory
}

const (
	noStop   = math.MaxUint16
	noMemory = -1
)

// memory is the part of a path's state that few programs use.
type memory struct {
	x       value
	scratch [bpf.ScratchWords]value
}

// emulator runs a valid program over ranges of call numbers of one
// architecture: depth first and low numbers first, so that outcomes come out in
// ascending order.
type emulator struct {
	program  bpf.Program
	token    uint32
	stack    []path
	memories []memory // each as it was left by one instruction; never changed
	tests    []uint64 // scratch space of ladder
	steps    int

	// The result: the ranges, and what becomes of each.
	firsts   starts
	outcomes []outcome
}

// start is the path of the numbers lo to hi before the first instruction.
func start(lo, hi uint32) path {
	return path{numbers{lo, hi}, constant(0), position{stop: noStop, memory: noMemory}}
}

// table emulates all numbers.
func (e *emulator) table() *Table {
	e.steps = 0
	e.firsts, e.outcomes = e.firsts[:0], e.outcomes[:0]
	e.stack = append(e.stack[:0], start(0, math.MaxUint32))
	for len(e.stack) > 0 {
		p := e.stack[len(e.stack)-1]
		e.stack = e.stack[:len(e.stack)-1]
		var o outcome
		switch in := e.program[p.pc]; {
		case len(e.firsts) >= maxRanges:
			o = outcomeComputed
		case in.Code == bpf.RET|bpf.K: // half of all paths that part are at their end
			o = outcomeOf(in.K, p.stop)
		default:
			o = e.follow(p)
		}
		if n := len(e.outcomes); n == 0 || e.outcomes[n-1] != o {
			e.firsts = append(e.firsts, p.lo)
			e.outcomes = append(e.outcomes, o)
		}
	}
	return &Table{
		token: e.token, program: e.program,
		firsts: slices.Clone(e.firsts), outcomes: slices.Clone(e.outcomes),
	}
}

// lookup emulates one number.
func (e *emulator) lookup(nr uint32) outcome {
	e.steps = 0
	return e.follow(start(nr, nr))
}

// follow runs p to its end. Where the numbers of its range part, it pushes the
// upper ones on the stack and goes on with the lowest: the outcome is that of
// the range which starts at p.lo and ends where the top of the stack starts.
func (e *emulator) follow(p path) outcome {
	// Paths that were above p on the stack are done, and with them their
	// memories.
	e.memories = e.memories[:p.memory+1]
	for {
		if e.steps++; e.steps > maxSteps {
			return outcomeComputed
		}
		in := e.program[p.pc]
		ok := true
		switch in.Code {
		case bpf.LD | bpf.W | bpf.ABS:
			switch in.K {
			case bpf.OffNr:
				p.a = callNumber
			case bpf.OffArch:
				p.a = constant(e.token)
			default:
				p.a = value{kind: unknown}
				p = p.bail()
			}
			p.pc++
		case bpf.RET | bpf.K:
			return outcomeOf(in.K, p.stop)
		case bpf.JMP | bpf.JA:
			p.pc += 1 + uint16(in.K)
		case bpf.JMP | bpf.JEQ | bpf.K, bpf.JMP | bpf.JGT | bpf.K, bpf.JMP | bpf.JGE | bpf.K:
			switch {
			case p.a.kind == unknown:
				return outcomeDynamic(p.stop)
			case p.a.kind == known || p.a.shift != 0:
				p, ok = e.branch(p, in, in.K)
			default:
				p = e.search(p)
			}
		case bpf.JMP | bpf.JSET | bpf.K:
			if p.a.kind == unknown {
				return outcomeDynamic(p.stop)
			}
			p, ok = e.branch(p, in, in.K)
		case bpf.ALU | bpf.AND | bpf.K:
			p, ok = e.arithmetic(p, in.Code, in.K)
		default:
			// The kernel's emulator follows nothing else.
			var o outcome
			var end bool
			if p, o, end = e.more(p.bail(), in); end {
				return o
			}
		}
		if !ok {
			return outcomeComputed
		}
	}
}

// search follows p, whose A is the call number plus something, through tests of
// A alone, which is where most of the time goes: what branch would do, in the
// usual cases. It returns p at the first instruction that is no such test.
func (e *emulator) search(p path) path {
	n, pc := p.a.n, p.pc
	lo, hi := p.lo+n, p.hi+n // the values of A
	for steps := 0; ; steps++ {
		in := e.program[pc]
		from := in.K
		switch in.Code {
		case bpf.JMP | bpf.JA:
			pc += 1 + uint16(in.K)
			continue
		case bpf.JMP | bpf.JEQ | bpf.K:
			yes, no := pc+1+uint16(in.Jt), pc+1+uint16(in.Jf)
			switch {
			case in.K < lo || hi < in.K:
				pc = no
			case lo == hi:
				pc = yes
			case e.startsLadder(no):
				p.hi, p.pc = hi-n, pc
				p = e.ladder(p)
				pc, hi = p.pc, p.hi+n
			default:
				if in.K < hi {
					e.push(p, numbers{in.K + 1 - n, hi - n}, no)
				}
				if lo < in.K {
					e.push(p, numbers{in.K - n, in.K - n}, yes)
					hi, pc = in.K-1, no
				} else {
					hi, pc = lo, yes
				}
			}
			continue
		case bpf.JMP | bpf.JGT | bpf.K:
			if from == math.MaxUint32 {
				pc += 1 + uint16(in.Jf)
				continue
			}
			from++
		case bpf.JMP | bpf.JGE | bpf.K:
		default:
			e.steps += steps
			p.hi, p.pc = hi-n, pc
			return p
		}
		if from <= lo {
			pc += 1 + uint16(in.Jt)
			continue
		}
		if from <= hi {
			e.push(p, numbers{from - n, hi - n}, pc+1+uint16(in.Jt))
			hi = from - 1
		}
		pc += 1 + uint16(in.Jf)
	}
}

// bail notes that the kernel's emulator gives up at p's instruction.
func (p path) bail() path {
	if p.stop == noStop {
		p.stop = p.pc
	}
	return p
}

// more executes an instruction that the kernel's emulator does not follow. It
// returns an outcome and true where that ends the path.
func (e *emulator) more(p path, in bpf.Instruction) (path, outcome, bool) {
	m := memory{x: constant(0)}
	if p.memory != noMemory {
		m = e.memories[p.memory]
	}
	next := func() (path, outcome, bool) { p.pc++; return p, 0, false }
	store := func() (path, outcome, bool) {
		// Paths on the stack may have the old one.
		p.memory = int32(len(e.memories))
		e.memories = append(e.memories, m)
		return next()
	}
	end := func(o outcome) (path, outcome, bool) { return p, o, true }
	switch in.Code {
	case bpf.RET | bpf.A:
		switch a := p.settle(p.a); a.kind {
		case unknown:
			return end(outcomeDynamic(p.stop))
		case known:
			return end(outcomeOf(a.n, p.stop))
		}
		return end(outcomeComputed)
	case bpf.LD | bpf.W | bpf.LEN:
		p.a = constant(bpf.SizeOf)
		return next()
	case bpf.LD | bpf.IMM:
		p.a = constant(in.K)
		return next()
	case bpf.LD | bpf.MEM:
		p.a = m.scratch[in.K]
		return next()
	case bpf.MISC | bpf.TXA:
		p.a = m.x
		return next()
	case bpf.LDX | bpf.W | bpf.LEN:
		m.x = constant(bpf.SizeOf)
		return store()
	case bpf.LDX | bpf.IMM:
		m.x = constant(in.K)
		return store()
	case bpf.LDX | bpf.MEM:
		m.x = m.scratch[in.K]
		return store()
	case bpf.MISC | bpf.TAX:
		m.x = p.a
		return store()
	case bpf.ST:
		m.scratch[in.K] = p.a
		return store()
	case bpf.STX:
		m.scratch[in.K] = m.x
		return store()
	}

	// What is left computes with A and K or X, or compares them.
	operand := constant(in.K)
	if in.Code&bpf.X != 0 {
		operand = p.settle(m.x)
	}
	isJump := in.Code&bpf.ClassMask == bpf.JMP
	divides := in.Code == bpf.ALU|bpf.DIV|bpf.X
	switch {
	case operand.kind == number:
		return end(outcomeComputed)
	case operand.kind == unknown && (isJump || divides):
		return end(outcomeDynamic(p.stop)) // which way it goes, or whether it ends here
	case operand.kind == unknown:
		p.a = value{kind: unknown}
		return next()
	case divides && operand.n == 0:
		return end(outcomeOf(uint32(bpf.RetKillThread), p.stop)) // see bpf.Program.Run
	case isJump && p.a.kind == unknown:
		return end(outcomeDynamic(p.stop))
	}
	var ok bool
	if isJump {
		p, ok = e.branch(p, in, operand.n)
	} else {
		p, ok = e.arithmetic(p, in.Code, operand.n)
	}
	return p, outcomeComputed, !ok
}

// settle returns v as a known value where p is down to one number.
func (p path) settle(v value) value {
	if v.kind == number && p.lo == p.hi {
		return constant((p.lo + v.n) &^ v.low())
	}
	return v
}

// branch executes a jump on A, which is not unknown, and k. It reports whether
// it could be decided for the whole range, or for the part of it that p is left
// with.
func (e *emulator) branch(p path, in bpf.Instruction, k uint32) (path, bool) {
	yes, no := p.pc+1+uint16(in.Jt), p.pc+1+uint16(in.Jf)
	a := p.settle(p.a)
	if a.kind == known {
		p.pc = no
		if holds(in.Code&bpf.OpMask, a.n, k) {
			p.pc = yes
		}
		return p, true
	}

	// The comparison holds from value from to value to, both included.
	first, last := p.lo+a.n, p.hi+a.n
	from, to := k, uint32(math.MaxUint32)
	never := false
	switch in.Code & bpf.OpMask {
	case bpf.JEQ:
		never = k&a.low() != 0
		to = k | a.low()
	case bpf.JGE:
		if k&a.low() != 0 {
			from = (k | a.low()) + 1
			never = from == 0
		}
	case bpf.JGT:
		from = (k | a.low()) + 1
		never = from == 0
	case bpf.JSET:
		k &^= a.low()
		varying := varyingBits(first, last)
		switch {
		case k&first&^varying != 0:
			from = 0
		case k&varying == 0:
			never = true
		case isTop(k, varying):
			from = first&^varying | 1<<bits.TrailingZeros32(k&varying)
		default:
			return e.halve(p, k, first, last)
		}
	}

	switch {
	case never || to < first || from > last:
		p.pc = no
		return p, true
	case to < last:
		e.push(p, numbers{to + 1 - a.n, p.hi}, no)
		p.hi = to - a.n
	}
	if from <= first {
		p.pc = yes
		return p, true
	}
	e.push(p, numbers{from - a.n, p.hi}, yes)
	p.hi = from - 1 - a.n
	p.pc = no
	return p, true
}

// holds reports whether a op k.
func holds(op uint16, a, k uint32) bool {
	switch op {
	case bpf.JEQ:
		return a == k
	case bpf.JGT:
		return a > k
	case bpf.JGE:
		return a >= k
	default: // JSET
		return a&k != 0
	}
}

// push leaves some of p's numbers, which go on at pc, for later.
func (e *emulator) push(p path, n numbers, pc uint16) {
	p.numbers, p.pc = n, pc
	e.stack = append(e.stack, p)
}
