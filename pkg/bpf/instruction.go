package bpf

// Instruction has the fields of the kernel's struct sock_filter, in its order,
// so that a Program can be handed to seccomp(2) as it is.
type Instruction struct {
	Code   uint16 // operation: class, size or operator, mode or source
	Jt, Jf uint8  // conditional jumps: instructions to skip if true, if false
	K      uint32 // immediate: a constant, an offset into the data, a jump distance
}

// Operation codes, as in <linux/bpf_common.h> and <linux/filter.h>.
const (
	ClassMask = 0x07
	LD        = 0x00
	LDX       = 0x01
	ST        = 0x02
	STX       = 0x03
	ALU       = 0x04
	JMP       = 0x05
	RET       = 0x06
	MISC      = 0x07

	SizeMask = 0x18
	W        = 0x00 // 32 bits, the only size seccomp accepts

	ModeMask = 0xe0
	IMM      = 0x00
	ABS      = 0x20
	MEM      = 0x60
	LEN      = 0x80

	OpMask = 0xf0
	ADD    = 0x00
	SUB    = 0x10
	MUL    = 0x20
	DIV    = 0x30
	OR     = 0x40
	AND    = 0x50
	LSH    = 0x60
	RSH    = 0x70
	NEG    = 0x80
	XOR    = 0xa0

	JA   = 0x00
	JEQ  = 0x10
	JGT  = 0x20
	JGE  = 0x30
	JSET = 0x40

	K = 0x00 // operand is the instruction's constant
	X = 0x08 // operand is the index register
	A = 0x10 // RET only: the value is the accumulator

	TAX = 0x00
	TXA = 0x80
)

// Limits of a filter program.
const (
	MaxInstructions = 4096 // BPF_MAXINSNS
	ScratchWords    = 16   // BPF_MEMWORDS
)

// Load returns A = data[offset]: the 32-bit word of struct seccomp_data at a
// byte offset (see the Off constants).
func Load(offset uint32) Instruction { return Instruction{Code: LD | W | ABS, K: offset} }

// Jump returns a conditional jump on A; op is one of JEQ, JGT, JGE, JSET.
func Jump(op uint16, k uint32, jt, jf uint8) Instruction {
	return Instruction{Code: JMP | op | K, Jt: jt, Jf: jf, K: k}
}

// JumpAlways returns a jump that skips the next skip instructions.
func JumpAlways(skip uint32) Instruction { return Instruction{Code: JMP | JA, K: skip} }

// Mask returns A &= k.
func Mask(k uint32) Instruction { return Instruction{Code: ALU | AND | K, K: k} }

// Ret returns an instruction that ends the program with r.
func Ret(r Return) Instruction { return Instruction{Code: RET | K, K: uint32(r)} }
