package verify

import (
	"math/bits"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// specializer finds the function of a program, a token and a run of numbers
// after the other. Filters begin with questions about the architecture and the
// number, mostly comparisons with constants: as long as these decide, no diagram
// is needed, and the numbers for which they decide the same stay together. From
// the first instruction on that looks at something else, the program is executed
// for all calls of the run at once, with number and architecture known; runs
// that come to the same instruction with the same registers share that.
type specializer struct {
	*executor
	space  *Space
	tokens []uint32
	// token is what is looked at; unlisted says that it is none of tokens.
	token    uint32
	unlisted bool
	others   ref // the calls of unlisted tokens, once they are needed
	known    map[entry]*Choice
	number32 *value // the number, where it is not one constant
	audit    *value // the token, where it is unlisted
}

// entry is where a program is entered, and with what in its registers; for a
// program that asks for the number from there on with the numbers that come
// there, else with none, which is first behind last.
type entry struct {
	at          int
	a, x        *value
	first, last uint32
}

func (s *Space) ofProgram(p programSide) *Function {
	z := &specializer{executor: newExecutor(s.d, p.prog, wordwise, p.endian), space: s, known: make(map[entry]*Choice)}
	z.tolerant, z.limit = true, Budget{s.d.budget.Nodes / 2, s.d.budget.Steps / 2}
	s.reserve(func() {
		for w := range z.loaded {
			z.loaded[w] = &value{vector: z.word(wordwise, w)}
		}
	})
	z.number32, z.audit = z.loaded[bpf.OffNr/4], z.loaded[bpf.OffArch/4]
	z.tokens = p.tokens()
	for _, a := range arch.All() {
		z.tokens = append(z.tokens, a.Audit)
	}
	slices.Sort(z.tokens)
	z.tokens = slices.Compact(z.tokens)
	f := &Function{space: s}
	for _, z.token = range z.tokens {
		z.loaded[bpf.OffArch/4] = z.number(z.token)
		f.tokens = append(f.tokens, tokenStretches{z.token, z.stretches()})
	}
	z.unlisted = true
	z.loaded[bpf.OffArch/4] = z.audit
	f.elsewhere = z.stretches()
	return f
}

// register is what a register holds for a run of numbers.
type register struct {
	kind  kind
	k     uint32 // the constant, or what is added to the number
	value *value
}

type kind uint8

const (
	isConstant kind = iota
	isNumber
	isValue
)

// course is a run of numbers on its way through the program.
type course struct {
	first, last uint32
	at          int
	a, x        register
	memory      [bpf.ScratchWords]register
	stored      bool
}

// stretches returns what the calls of the token get.
func (z *specializer) stretches() []Stretch {
	var list []Stretch
	open := []course{{last: ^uint32(0)}}
	for len(open) > 0 {
		c := open[len(open)-1]
		open = open[:len(open)-1]
		for {
			choice, border := z.advance(&c)
			if choice != nil {
				list = extend(list, Stretch{c.first, c.last, choice})
				break
			}
			// The numbers part before border; those above wait.
			above := c
			above.first, c.last = border, border-1
			open = append(open, above)
		}
	}
	return list
}

// advance follows a course to its end, or to a question that divides its
// numbers: those from border on go another way.
func (z *specializer) advance(c *course) (choice *Choice, border uint32) {
	c.settle()
	for {
		in := z.prog[c.at]
		operand := c.x
		if in.Code&bpf.X == 0 {
			operand = register{k: in.K}
		}
		switch in.Code & bpf.ClassMask {
		case bpf.LD, bpf.LDX:
			to := &c.a
			if in.Code&bpf.ClassMask == bpf.LDX {
				to = &c.x
			}
			*to = z.loads(in, c)
		case bpf.ST:
			c.memory[in.K], c.stored = c.a, true
		case bpf.STX:
			c.memory[in.K], c.stored = c.x, true
		case bpf.MISC:
			if in.Code == bpf.MISC|bpf.TAX {
				c.x = c.a
			} else {
				c.a = c.x
			}
		case bpf.RET:
			if in.Code == bpf.RET|bpf.A {
				operand = c.a
			}
			if operand.kind == isConstant {
				return z.space.ofReturn(bpf.Return(operand.k)), 0
			}
			return z.enter(c), 0
		case bpf.JMP:
			if in.Code == bpf.JMP|bpf.JA {
				c.at += 1 + int(in.K)
				continue
			}
			skip := int(in.Jt)
			if in.Jt != in.Jf {
				yes, border, decided := z.decide(in.Code&bpf.OpMask, c.a, operand, c)
				if !decided {
					return z.enter(c), 0
				}
				if border != 0 {
					return nil, border
				}
				if !yes {
					skip = int(in.Jf)
				}
			}
			c.at += 1 + skip
			continue
		case bpf.ALU:
			a, border, done := z.computes(in.Code&bpf.OpMask, c.a, operand, c)
			if !done {
				return z.enter(c), 0
			}
			if border != 0 {
				return nil, border
			}
			c.a = a
		}
		c.at++
	}
}

// settle makes constants of what depends on the number alone, where there is one
// number.
func (c *course) settle() {
	if c.first != c.last {
		return
	}
	for _, r := range [...]*register{&c.a, &c.x} {
		r.settle(c.first)
	}
	for i := range c.memory {
		c.memory[i].settle(c.first)
	}
}

func (r *register) settle(number uint32) {
	if r.kind == isNumber {
		*r = register{k: number + r.k}
	}
}

// loads returns what a register holds after a load.
func (z *specializer) loads(in bpf.Instruction, c *course) register {
	switch in.Code & bpf.ModeMask {
	case bpf.MEM:
		return c.memory[in.K]
	case bpf.LEN:
		return register{k: bpf.SizeOf}
	case bpf.ABS:
		switch {
		case in.K == bpf.OffNr && c.first == c.last:
			return register{k: c.first}
		case in.K == bpf.OffNr:
			return register{kind: isNumber}
		case in.K == bpf.OffArch && !z.unlisted:
			return register{k: z.token}
		}
		return register{kind: isValue, value: z.load(in, state{})}
	}
	return register{k: in.K}
}

// decide answers a jump's question for a course, or says before which number
// the answers differ, or that it takes more than that to find out.
func (z *specializer) decide(op uint16, a, b register, c *course) (yes bool, border uint32, decided bool) {
	switch {
	case a.kind == isConstant && b.kind == isConstant:
		return holds(op, a.k, b.k), 0, true
	case a.kind == isNumber && b.kind == isConstant:
		return z.decideNumber(op, a.k, b.k, c)
	case a.kind == isValue && a.value == z.audit && b.kind == isConstant && op == bpf.JEQ && slices.Contains(z.tokens, b.k):
		return false, 0, true // only an unlisted token is a value
	}
	return false, 0, false
}

func holds(op uint16, a, b uint32) bool {
	switch op {
	case bpf.JEQ:
		return a == b
	case bpf.JGT:
		return a > b
	case bpf.JGE:
		return a >= b
	default:
		return a&b != 0
	}
}

// decideNumber compares the number plus add with k.
func (z *specializer) decideNumber(op uint16, add, k uint32, c *course) (yes bool, border uint32, decided bool) {
	first, last := c.first+add, c.last+add
	if first > last { // 2^32 is between them
		return false, -add, true
	}
	// Borders are where the sum is what the answer changes at.
	divide := func(at uint32) (bool, uint32, bool) { return false, at - add, true }
	switch op {
	case bpf.JEQ:
		switch {
		case first == k && last == k:
			return true, 0, true
		case k < first || k > last:
			return false, 0, true
		case first < k:
			return divide(k)
		default:
			return divide(k + 1)
		}
	case bpf.JGT:
		if k == ^uint32(0) {
			return false, 0, true
		}
		return z.decideNumber(bpf.JGE, add, k+1, c)
	case bpf.JGE:
		switch {
		case first >= k:
			return true, 0, true
		case last < k:
			return false, 0, true
		default:
			return divide(k)
		}
	}
	// JSET: the bits that all numbers of the course share decide.
	free := bits.Len32(first ^ last)
	fixed := ^uint32(0) << free
	switch {
	case first&k&fixed != 0:
		return true, 0, true
	case k&^fixed == 0:
		return false, 0, true
	case free <= mostBits:
		return false, 0, false
	}
	return divide(last &^ (1<<(free-1) - 1))
}

// mostBits is down to which bit numbers are divided for the sake of a mask.
const mostBits = 24

// computes returns "a op b" for a course, or says before which number its form
// changes, or that it takes more than that to find out.
func (z *specializer) computes(op uint16, a, b register, c *course) (result register, border uint32, done bool) {
	switch {
	case a.kind == isConstant && b.kind == isConstant && (op != bpf.DIV || b.k != 0):
		p := bpf.Program{
			{Code: bpf.LD | bpf.IMM, K: a.k}, {Code: bpf.LDX | bpf.IMM, K: b.k},
			{Code: bpf.ALU | op | bpf.X}, {Code: bpf.RET | bpf.A},
		}
		if op == bpf.NEG {
			p[2].Code = bpf.ALU | bpf.NEG
		}
		r, err := p.Run(new(bpf.Words))
		return register{k: uint32(r)}, 0, err == nil
	case a.kind != isNumber || b.kind != isConstant:
		return register{}, 0, false
	case op == bpf.ADD:
		return register{kind: isNumber, k: a.k + b.k}, 0, true
	case op == bpf.SUB:
		return register{kind: isNumber, k: a.k - b.k}, 0, true
	case op == bpf.AND:
		first, last := c.first+a.k, c.last+a.k
		if first > last {
			return register{}, -a.k, true
		}
		free := bits.Len32(first ^ last)
		switch cleared := ^b.k; {
		case cleared&^(^uint32(0)<<free) == 0:
			return register{kind: isNumber, k: a.k - first&cleared}, 0, true
		case free > mostBits:
			return register{}, last&^(1<<(free-1)-1) - a.k, true
		}
	}
	return register{}, 0, false
}

// enter executes the program for a course from where it is.
func (z *specializer) enter(c *course) *Choice {
	z.loaded[bpf.OffNr/4] = z.number32
	if c.first == c.last {
		z.loaded[bpf.OffNr/4] = z.number(c.first)
	}
	numbered, unlisted := false, false // whether registers depend on them
	of := func(r register) *value {
		switch {
		case r.kind == isConstant:
			return z.number(r.k)
		case r.kind == isValue:
			unlisted = unlisted || r.value == z.audit
			return r.value
		}
		numbered = true
		if r.k == 0 {
			return z.number32
		}
		return z.compute(bpf.ADD, z.number32, z.number(r.k))
	}
	s := state{calls: all, a: of(c.a), x: of(c.x)}
	if c.stored {
		s.m = new([bpf.ScratchWords]*value)
		for i, r := range c.memory {
			s.m[i] = of(r)
		}
	}
	s = s.keep(z.live[c.at])
	anywhere := entry{at: c.at, a: s.a, x: s.x, first: 1}
	here := entry{at: c.at, a: s.a, x: s.x, first: c.first, last: c.last}
	for _, e := range [...]entry{anywhere, here} {
		if choice := z.known[e]; choice != nil && s.m == nil {
			return choice
		}
	}
	choice, read := z.execute(c, s)
	numbered = (numbered || read[0]) && c.first != c.last
	unlisted = (unlisted || read[1]) && z.unlisted
	if numbered || unlisted {
		// Which calls they are matters.
		z.space.reserve(func() {
			if numbered {
				s.calls = z.space.Between(c.first, c.last).r
			}
			if unlisted {
				s.calls = z.and(s.calls, z.elsewhere())
			}
		})
		choice, _ = z.execute(c, s)
	}
	switch {
	case read[1] || unlisted || s.m != nil:
	case read[0] || numbered:
		z.known[here] = choice
	default:
		z.known[anywhere] = choice
	}
	return choice
}

// elsewhere returns the calls of unlisted tokens.
func (z *specializer) elsewhere() ref {
	if z.others == none {
		z.others = all
		for _, t := range z.tokens {
			z.others = z.without(z.others, z.space.Token(t).r)
		}
	}
	return z.others
}

// execute runs the program from a state on, and says whether it asks for the
// number and the token.
func (z *specializer) execute(c *course, s state) (*Choice, [2]bool) {
	z.result, z.anything = newOutcomes(z.forest), none
	z.read = [words]bool{}
	z.run(c.at, s)
	var parts []Part
	for i := range z.result.parts {
		k, _ := z.result.parts[i].value.number()
		parts = append(parts, Part{bpf.Return(k), Set{z.space, z.result.parts[i].calls}})
	}
	if z.anything != none {
		parts = append(parts, Part{bpf.RetKillProcess, Set{z.space, z.anything}})
	}
	choice := z.space.Settle(Set{z.space, s.calls}, parts, Set{z.space, z.anything}, true)
	return choice, [2]bool{z.read[bpf.OffNr/4], z.read[bpf.OffArch/4]}
}
