package bpftest

import (
	"math/rand/v2"

	"seccomp-hook/pkg/bpf"
)

// Style says which instructions a random program is made of.
type Style uint8

const (
	// Compiled programs hold what seccomp compilers emit: loads, AND with a
	// constant, comparisons with constants, jumps and RET with a constant.
	Compiled Style = iota
	// Full programs hold every instruction that seccomp accepts: scratch
	// memory, X, arithmetic on data, RET A.
	Full
)

// Random returns a valid program of n instructions (at least 1, at most
// bpf.MaxInstructions). The same state of r gives the same program.
//
// Constants are drawn from a small pool, so that comparisons meet each other,
// and loads prefer the call number, the architecture and the first arguments,
// as filters do.
func Random(r *rand.Rand, style Style, n int) bpf.Program {
	g := generator{r: r, n: n, written: make([]uint32, n)}
	for i := range g.written {
		g.written[i] = 1<<bpf.ScratchWords - 1
	}
	for range 4 + r.IntN(8) {
		g.pool = append(g.pool, constant(r))
	}
	for i := range n - 1 {
		g.valid &= g.written[i]
		in := g.compiled(i)
		if style == Full && r.IntN(3) == 0 {
			in = g.full()
		}
		g.follow(i, in)
		g.prog = append(g.prog, in)
	}
	last := bpf.Ret(verdict(r))
	if style == Full && r.IntN(4) == 0 {
		last = bpf.Instruction{Code: bpf.RET | bpf.A}
	}
	return append(g.prog, last)
}

// generator holds a program that grows, with what the kernel's
// check_load_and_stores knows at its end.
type generator struct {
	r       *rand.Rand
	n       int
	prog    bpf.Program
	pool    []uint32 // constants of this program
	written []uint32 // scratch words that every jump to an instruction has written
	valid   uint32   // scratch words written where the next instruction starts
	reached int      // the furthest instruction that a branch leads to
}

// follow brings the knowledge of scratch memory past instruction i.
func (g *generator) follow(i int, in bpf.Instruction) {
	switch {
	case in.Code == bpf.ST || in.Code == bpf.STX:
		g.valid |= 1 << in.K
	case in.Code == bpf.JMP|bpf.JA:
		g.written[i+1+int(in.K)] &= g.valid
		g.valid = 1<<bpf.ScratchWords - 1
	case in.Code&bpf.ClassMask == bpf.JMP:
		g.written[i+1+int(in.Jt)] &= g.valid
		g.written[i+1+int(in.Jf)] &= g.valid
		g.reached = max(g.reached, i+1+int(in.Jt), i+1+int(in.Jf))
		g.valid = 1<<bpf.ScratchWords - 1
	}
}

// compiled returns an instruction of the Compiled style for index i.
func (g *generator) compiled(i int) bpf.Instruction {
	switch x := g.r.IntN(20); {
	case i == 0, x < 5:
		return bpf.Load(g.offset())
	case x == 5:
		return bpf.Mask(g.constant())
	case x == 6:
		return bpf.JumpAlways(uint32(g.skip(i)))
	case x < 10 && g.reached > i: // what follows is not dead
		return bpf.Ret(verdict(g.r))
	default:
		return g.branch(i, bpf.K)
	}
}

// sometimes are the operations that Compiled lacks, and those on X.
var sometimes = []uint16{
	bpf.ALU | bpf.ADD, bpf.ALU | bpf.SUB, bpf.ALU | bpf.MUL, bpf.ALU | bpf.DIV, bpf.ALU | bpf.AND, bpf.ALU | bpf.OR,
	bpf.ALU | bpf.XOR, bpf.ALU | bpf.LSH, bpf.ALU | bpf.RSH, bpf.ALU | bpf.NEG,
	bpf.LD | bpf.W | bpf.LEN, bpf.LDX | bpf.W | bpf.LEN, bpf.LD | bpf.IMM, bpf.LDX | bpf.IMM,
	bpf.LD | bpf.MEM, bpf.LDX | bpf.MEM, bpf.ST, bpf.STX, bpf.MISC | bpf.TAX, bpf.MISC | bpf.TXA,
	bpf.JMP, bpf.RET | bpf.A,
}

// full returns an instruction that the Compiled style does not have.
func (g *generator) full() bpf.Instruction {
	code := sometimes[g.r.IntN(len(sometimes))]
	in := bpf.Instruction{Code: code, K: g.constant()}
	switch code & bpf.ClassMask {
	case bpf.RET:
		if g.reached <= len(g.prog) {
			return bpf.Instruction{Code: bpf.MISC | bpf.TAX}
		}
	case bpf.ALU:
		if code == bpf.ALU|bpf.NEG {
			break
		}
		in.Code |= uint16(g.r.IntN(2)) * bpf.X
		switch in.Code {
		case bpf.ALU | bpf.DIV | bpf.K:
			in.K = max(in.K, 1)
		case bpf.ALU | bpf.LSH | bpf.K, bpf.ALU | bpf.RSH | bpf.K:
			in.K %= 32
		}
	case bpf.JMP:
		return g.branch(len(g.prog), bpf.X)
	case bpf.ST, bpf.STX:
		in.K %= bpf.ScratchWords
	case bpf.LD, bpf.LDX:
		if code&bpf.ModeMask != bpf.MEM {
			break
		}
		if g.valid&(1<<bpf.ScratchWords-1) == 0 {
			return bpf.Instruction{Code: bpf.ST, K: in.K % bpf.ScratchWords}
		}
		in.K %= bpf.ScratchWords
		for g.valid&(1<<in.K) == 0 {
			in.K = (in.K + 1) % bpf.ScratchWords
		}
	}
	return in
}

// branch returns a conditional jump for index i with its operand from source.
func (g *generator) branch(i int, source uint16) bpf.Instruction {
	op := []uint16{bpf.JEQ, bpf.JEQ, bpf.JGT, bpf.JGE, bpf.JSET}[g.r.IntN(5)]
	in := bpf.Jump(op, g.constant(), uint8(g.skip(i)), uint8(g.skip(i)))
	in.Code |= source
	return in
}

// skip returns a distance that a jump at i can go, mostly a short one.
func (g *generator) skip(i int) int {
	room := min(g.n-2-i, 255)
	if g.r.IntN(8) != 0 {
		room = min(room, 6)
	}
	return g.r.IntN(room + 1)
}

// offset returns the offset of a word of struct seccomp_data.
func (g *generator) offset() uint32 {
	switch g.r.IntN(8) {
	case 0, 1, 2:
		return bpf.OffNr
	case 3:
		return bpf.OffArch
	case 4, 5, 6:
		return bpf.OffArgs + 4*uint32(g.r.IntN(6))
	default:
		return 4 * uint32(g.r.IntN(bpf.SizeOf/4))
	}
}

func (g *generator) constant() uint32 {
	return g.pool[g.r.IntN(len(g.pool))] + []uint32{0, 0, 0, 1, ^uint32(0)}[g.r.IntN(5)]
}

// constant returns a number as filters compare them: call numbers, flags,
// architecture tokens, borders of the number range.
func constant(r *rand.Rand) uint32 {
	switch r.IntN(8) {
	case 0, 1, 2:
		return uint32(r.IntN(512))
	case 3:
		return 1 << r.IntN(32)
	case 4:
		return tokens[r.IntN(len(tokens))]
	case 5:
		return borders[r.IntN(len(borders))]
	case 6:
		return uint32(r.IntN(4))
	default:
		return r.Uint32()
	}
}

// tokens are AUDIT_ARCH_X86_64, _I386, _AARCH64 and _S390X.
var tokens = []uint32{0xc000003e, 0x40000003, 0xc00000b7, 0x80000016}

var borders = []uint32{0, 1, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff}

func verdict(r *rand.Rand) bpf.Return {
	return []bpf.Return{bpf.RetAllow, bpf.RetAllow, bpf.Errno(1), bpf.Errno(38), bpf.RetKillThread, bpf.RetKillProcess,
		bpf.RetLog, bpf.RetUserNotif, bpf.RetTrap, bpf.RetTrace | 7, bpf.RetAllow | 1}[r.IntN(11)]
}
