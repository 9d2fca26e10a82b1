//go:build linux

package watch

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"seccomp-hook/pkg/bpf"
)

// Registers of a translated program. No helper is called while it runs, so the
// ones that a call would lose do, and R6 to R9 are the surrounding program's.
const (
	regReturn  = asm.R0 // what one filter returned
	regA       = asm.R1
	regX       = asm.R2
	regCount   = asm.R3 // classic instructions executed, of all filters
	regScratch = asm.R4
	regVerdict = asm.R5 // what the chain comes to
)

// translateChain returns eBPF code that runs a chain of filters, the oldest
// first, over the struct seccomp_data at an offset of the stack frame. It leaves
// the chain's verdict in regVerdict and the number of classic instructions that
// it took in regCount, as the kernel does (seccomp_run_filters in
// kernel/seccomp.c): the newest filter first, the strictest action wins, and
// of equal ones the newest. scratch is the offset of 64 bytes for the programs'
// own memory. The labels begin with prefix.
func translateChain(prefix string, programs []bpf.Program, data, scratch int16) (asm.Instructions, error) {
	code := asm.Instructions{
		asm.Mov.Imm32(regCount, 0),
		asm.LoadImm(regVerdict, int64(bpf.RetAllow), asm.DWord),
	}
	for i := len(programs) - 1; i >= 0; i-- {
		name := fmt.Sprintf("%s_%d", prefix, i)
		program, err := translate(name, programs[i], data, scratch)
		if err != nil {
			return nil, fmt.Errorf("filter %d: %w", i, err)
		}
		code = append(code, program...)
		// ACTION_ONLY compares as a signed number of 32 bits. The immediate is
		// extended by its sign, of which the 32-bit operation takes the low half.
		mask := bpf.ActionMask
		code = append(code,
			asm.Mov.Reg32(regA, regReturn).WithSymbol(name+"_end"),
			asm.And.Imm32(regA, int32(mask)),
			asm.Mov.Reg32(regX, regVerdict),
			asm.And.Imm32(regX, int32(mask)),
			asm.JSGE.Reg32(regA, regX, name+"_next"),
			asm.Mov.Reg32(regVerdict, regReturn),
			asm.Mov.Imm32(regA, 0).WithSymbol(name+"_next"),
		)
	}
	return code, nil
}

// translate returns eBPF code for one filter. It ends with a jump to name_end,
// with the return value in regReturn. The kernel's own conversion
// (bpf_convert_filter in net/core/filter.c) is as mechanical; here each block
// counts its instructions too.
func translate(name string, p bpf.Program, data, scratch int16) (asm.Instructions, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	reached := reachable(p)
	t := translation{name: name, data: data, scratch: scratch, leaders: leaders(p)}
	t.add(asm.Mov.Imm32(regA, 0))
	t.add(asm.Mov.Imm32(regX, 0))
	if usesScratch(p) {
		// The kernel has proved that a program reads only what it wrote; the
		// verifier of eBPF need not see that.
		for word := range int16(bpf.ScratchWords / 2) {
			t.add(asm.StoreMem(asm.RFP, scratch+8*word, regA, asm.DWord))
		}
	}
	for i, in := range p {
		if !reached[i] {
			continue // what the verifier refuses
		}
		if length := t.leaders[i]; length > 0 {
			t.add(asm.Add.Imm(regCount, int32(length)).WithSymbol(t.label(i)))
		}
		if err := t.instruction(i, in); err != nil {
			return nil, err
		}
	}
	return t.code, nil
}

type translation struct {
	name          string
	data, scratch int16
	leaders       []int
	code          asm.Instructions
}

func (t *translation) add(in ...asm.Instruction) { t.code = append(t.code, in...) }

// label names the block that begins with instruction i.
func (t *translation) label(i int) string { return fmt.Sprintf("%s_%d", t.name, i) }

// end returns from the filter.
func (t *translation) end() asm.Instruction { return asm.Ja.Label(t.name + "_end") }

// leaders returns, for each instruction that begins a block, the block's length,
// and 0 for the others.
func leaders(p bpf.Program) []int {
	begins := make([]bool, len(p)+1)
	begins[0], begins[len(p)] = true, true
	for i, in := range p {
		switch {
		case in.Code == bpf.JMP|bpf.JA:
			begins[i+1], begins[i+1+int(in.K)] = true, true
		case in.Code&0x07 == bpf.JMP:
			begins[i+1], begins[i+1+int(in.Jt)], begins[i+1+int(in.Jf)] = true, true, true
		case in.Code&0x07 == bpf.RET, in.Code == bpf.ALU|bpf.DIV|bpf.X: // which may return
			begins[i+1] = true
		}
	}
	lengths := make([]int, len(p))
	for i := len(p) - 1; i >= 0; i-- {
		lengths[i] = 1
		if !begins[i+1] {
			lengths[i] += lengths[i+1]
		}
	}
	for i := range lengths {
		if !begins[i] {
			lengths[i] = 0
		}
	}
	return lengths
}

// reachable says which instructions some call could execute.
func reachable(p bpf.Program) []bool {
	reached := make([]bool, len(p))
	reached[0] = true
	for i, in := range p { // jumps go forwards alone
		switch {
		case !reached[i], in.Code&0x07 == bpf.RET:
		case in.Code == bpf.JMP|bpf.JA:
			reached[i+1+int(in.K)] = true
		case in.Code&0x07 == bpf.JMP:
			reached[i+1+int(in.Jt)], reached[i+1+int(in.Jf)] = true, true
		default:
			reached[i+1] = true
		}
	}
	return reached
}

func usesScratch(p bpf.Program) bool {
	for _, in := range p {
		switch in.Code {
		case bpf.LD | bpf.MEM, bpf.LDX | bpf.MEM, bpf.ST, bpf.STX:
			return true
		}
	}
	return false
}

var aluOps = map[uint16]asm.ALUOp{
	bpf.ADD: asm.Add, bpf.SUB: asm.Sub, bpf.MUL: asm.Mul, bpf.DIV: asm.Div,
	bpf.OR: asm.Or, bpf.AND: asm.And, bpf.LSH: asm.LSh, bpf.RSH: asm.RSh, bpf.XOR: asm.Xor,
}

var jumpOps = map[uint16]asm.JumpOp{
	bpf.JEQ: asm.JEq, bpf.JGT: asm.JGT, bpf.JGE: asm.JGE, bpf.JSET: asm.JSet,
}

func (t *translation) instruction(i int, in bpf.Instruction) error {
	word := t.scratch + 4*int16(in.K&0xf)
	byX := in.Code&bpf.X != 0
	switch class := in.Code & 0x07; {
	case in.Code == bpf.LD|bpf.W|bpf.ABS:
		t.add(asm.LoadMem(regA, asm.RFP, t.data+int16(in.K), asm.Word))
	case in.Code == bpf.LD|bpf.W|bpf.LEN:
		t.add(asm.Mov.Imm32(regA, bpf.SizeOf))
	case in.Code == bpf.LDX|bpf.W|bpf.LEN:
		t.add(asm.Mov.Imm32(regX, bpf.SizeOf))
	case in.Code == bpf.LD|bpf.IMM:
		t.add(asm.Mov.Imm32(regA, int32(in.K)))
	case in.Code == bpf.LDX|bpf.IMM:
		t.add(asm.Mov.Imm32(regX, int32(in.K)))
	case in.Code == bpf.LD|bpf.MEM:
		t.add(asm.LoadMem(regA, asm.RFP, word, asm.Word))
	case in.Code == bpf.LDX|bpf.MEM:
		t.add(asm.LoadMem(regX, asm.RFP, word, asm.Word))
	case in.Code == bpf.ST:
		t.add(asm.StoreMem(asm.RFP, word, regA, asm.Word))
	case in.Code == bpf.STX:
		t.add(asm.StoreMem(asm.RFP, word, regX, asm.Word))
	case in.Code == bpf.MISC|bpf.TAX:
		t.add(asm.Mov.Reg32(regX, regA))
	case in.Code == bpf.MISC|bpf.TXA:
		t.add(asm.Mov.Reg32(regA, regX))
	case in.Code == bpf.ALU|bpf.NEG:
		t.add(asm.Neg.Imm32(regA, 0))
	case class == bpf.ALU:
		op, known := aluOps[in.Code&0xf0]
		switch {
		case !known:
			return t.unknown(i, in)
		case byX && in.Code&0xf0 == bpf.DIV:
			// bpf_convert_filter: a zero divisor returns 0.
			t.add(asm.Mov.Imm32(regReturn, 0), asm.JEq.Imm32(regX, 0, t.name+"_end"), op.Reg32(regA, regX))
		case byX && (in.Code&0xf0 == bpf.LSH || in.Code&0xf0 == bpf.RSH):
			// The machine takes the count modulo 32, which the verifier wants
			// to see.
			t.add(asm.Mov.Reg32(regScratch, regX), asm.And.Imm32(regScratch, 31), op.Reg32(regA, regScratch))
		case byX:
			t.add(op.Reg32(regA, regX))
		default:
			t.add(op.Imm32(regA, int32(in.K)))
		}
	case in.Code == bpf.JMP|bpf.JA:
		t.add(asm.Ja.Label(t.label(i + 1 + int(in.K))))
	case class == bpf.JMP:
		op, known := jumpOps[in.Code&0xf0]
		if !known {
			return t.unknown(i, in)
		}
		if in.Jt != in.Jf {
			target := t.label(i + 1 + int(in.Jt))
			if byX {
				t.add(op.Reg32(regA, regX, target))
			} else {
				t.add(op.Imm32(regA, int32(in.K), target))
			}
		}
		if in.Jf != 0 {
			t.add(asm.Ja.Label(t.label(i + 1 + int(in.Jf))))
		}
	case in.Code == bpf.RET|bpf.K:
		t.add(asm.Mov.Imm32(regReturn, int32(in.K)), t.end())
	case in.Code == bpf.RET|bpf.A:
		t.add(asm.Mov.Reg32(regReturn, regA), t.end())
	default:
		return t.unknown(i, in)
	}
	return nil
}

func (t *translation) unknown(i int, in bpf.Instruction) error {
	return &bpf.InstructionError{Index: i, Instruction: in, Reason: "no eBPF for it"}
}
