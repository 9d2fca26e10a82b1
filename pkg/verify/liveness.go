package verify

import "seccomp-hook/pkg/bpf"

// registers is a set of registers: A, X and the scratch words, a bit each.
type registers uint32

const (
	liveA  registers = 1 << 0
	liveX  registers = 1 << 1
	firstM           = 2 // M[k] is bit firstM+k
)

// liveness returns, for each instruction of a valid program, the registers
// whose value before it can still matter. Without it a register that holds
// another word on every path, and that nobody reads again, would be carried
// along as a choice between all of them.
func liveness(prog bpf.Program) []registers {
	live := make([]registers, len(prog))
	for i := len(prog) - 1; i >= 0; i-- {
		in := prog[i]
		var after registers
		switch {
		case in.Code&bpf.ClassMask == bpf.RET:
		case in.Code == bpf.JMP|bpf.JA:
			after = live[i+1+int(in.K)]
		case in.Code&bpf.ClassMask == bpf.JMP:
			after = live[i+1+int(in.Jt)] | live[i+1+int(in.Jf)]
		default:
			after = live[i+1]
		}
		reads, writes := access(in)
		live[i] = after&^writes | reads
	}
	return live
}

// access returns which registers an instruction reads, and which it sets
// without looking at what they held.
func access(in bpf.Instruction) (reads, writes registers) {
	m := registers(1) << (firstM + in.K%bpf.ScratchWords)
	memory := in.Code&bpf.ModeMask == bpf.MEM
	if in.Code&bpf.X != 0 {
		reads = liveX
	}
	switch in.Code & bpf.ClassMask {
	case bpf.LD, bpf.LDX:
		if memory {
			reads = m
		}
		if in.Code&bpf.ClassMask == bpf.LD {
			return reads, liveA
		}
		return reads, liveX
	case bpf.ST:
		return liveA, m
	case bpf.STX:
		return liveX, m
	case bpf.ALU, bpf.JMP:
		if in.Code != bpf.JMP|bpf.JA {
			reads |= liveA
		}
	case bpf.RET:
		if in.Code == bpf.RET|bpf.A {
			reads = liveA
		}
	case bpf.MISC:
		if in.Code == bpf.MISC|bpf.TAX {
			return liveA, liveX
		}
		return liveX, liveA
	}
	return reads, 0
}
