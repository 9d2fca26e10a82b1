package bpf

import (
	"fmt"
	"strings"
)

// String returns the instruction in the notation of tcpdump -d and
// bpf_dbg, with the words of struct seccomp_data by name and jump distances as
// "+n". Program.String shows targets instead.
func (in Instruction) String() string {
	return in.text(func(skip uint64) string { return fmt.Sprintf("+%d", skip) })
}

// String returns the program, one numbered instruction a line, jumps with
// their absolute targets.
func (p Program) String() string {
	var b strings.Builder
	width := len(fmt.Sprint(len(p) - 1))
	for i, in := range p {
		target := func(skip uint64) string { return fmt.Sprint(uint64(i) + 1 + skip) }
		fmt.Fprintf(&b, "%*d: %s\n", width, i, in.text(target))
	}
	return b.String()
}

var aluSigns = map[uint16]string{
	ADD: "+=", SUB: "-=", MUL: "*=", DIV: "/=", AND: "&=", OR: "|=", XOR: "^=", LSH: "<<=", RSH: ">>=",
}

var jumpSigns = map[uint16]string{JEQ: "==", JGT: ">", JGE: ">=", JSET: "&"}

// text renders the instruction; target renders where a jump that skips n
// instructions leads.
func (in Instruction) text(target func(skip uint64) string) string {
	operand := fmt.Sprintf("%#x", in.K)
	if in.Code&X != 0 {
		operand = "x"
	}
	switch in.Code {
	case LD | W | ABS:
		return "a = " + word(in.K)
	case LD | W | LEN:
		return "a = len"
	case LDX | W | LEN:
		return "x = len"
	case LD | IMM:
		return "a = " + operand
	case LDX | IMM:
		return fmt.Sprintf("x = %#x", in.K)
	case LD | MEM:
		return fmt.Sprintf("a = M[%d]", in.K)
	case LDX | MEM:
		return fmt.Sprintf("x = M[%d]", in.K)
	case ST:
		return fmt.Sprintf("M[%d] = a", in.K)
	case STX:
		return fmt.Sprintf("M[%d] = x", in.K)
	case MISC | TAX:
		return "x = a"
	case MISC | TXA:
		return "a = x"
	case ALU | NEG:
		return "a = -a"
	case JMP | JA:
		return "goto " + target(uint64(in.K))
	case RET | K:
		return "return " + Return(in.K).String()
	case RET | A:
		return "return a"
	}
	if shapeOf(in.Code) == shapeInvalid {
		return fmt.Sprintf("invalid code=%#04x jt=%d jf=%d k=%#x", in.Code, in.Jt, in.Jf, in.K)
	}
	if in.Code&ClassMask == ALU {
		return fmt.Sprintf("a %s %s", aluSigns[in.Code&OpMask], operand)
	}
	return fmt.Sprintf("if a %s %s goto %s else %s", jumpSigns[in.Code&OpMask], operand, target(uint64(in.Jt)), target(uint64(in.Jf)))
}

// word names the word of struct seccomp_data at a byte offset; which half of a
// 64-bit field it is depends on the machine, so the halves are [0] and [4].
func word(off uint32) string {
	switch {
	case off == OffNr:
		return "nr"
	case off == OffArch:
		return "arch"
	case off == OffIP || off == OffIP+4:
		return fmt.Sprintf("ip[%d]", off-OffIP)
	case off < SizeOf && off%4 == 0:
		return fmt.Sprintf("args[%d][%d]", (off-OffArgs)/8, (off-OffArgs)%8)
	default:
		return fmt.Sprintf("data[%d]", off)
	}
}
