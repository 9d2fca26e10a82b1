package bpf

// shape says what an operation's fields mean, for the validator and the
// disassembler.
type shape uint8

const (
	shapeInvalid shape = iota // not an operation of seccomp
	shapePlain                // no field, or a K without restrictions
	shapeData                 // K is an offset into struct seccomp_data
	shapeScratch              // K is a scratch word
	shapeDivisor              // K is a divisor
	shapeShift                // K is a shift count
	shapeJump                 // K is a distance
	shapeBranch               // K is a constant, Jt and Jf are distances
)

// shapes has every operation that seccomp accepts (kernel/seccomp.c,
// seccomp_check_filter), and no other.
var shapes = [...]shape{
	LD | W | ABS:  shapeData,
	LD | W | LEN:  shapePlain,
	LDX | W | LEN: shapePlain,
	RET | K:       shapePlain,
	RET | A:       shapePlain,

	ALU | ADD | K: shapePlain, ALU | ADD | X: shapePlain,
	ALU | SUB | K: shapePlain, ALU | SUB | X: shapePlain,
	ALU | MUL | K: shapePlain, ALU | MUL | X: shapePlain,
	ALU | DIV | K: shapeDivisor, ALU | DIV | X: shapePlain,
	ALU | AND | K: shapePlain, ALU | AND | X: shapePlain,
	ALU | OR | K: shapePlain, ALU | OR | X: shapePlain,
	ALU | XOR | K: shapePlain, ALU | XOR | X: shapePlain,
	ALU | LSH | K: shapeShift, ALU | LSH | X: shapePlain,
	ALU | RSH | K: shapeShift, ALU | RSH | X: shapePlain,
	ALU | NEG: shapePlain,

	LD | IMM:   shapePlain,
	LDX | IMM:  shapePlain,
	MISC | TAX: shapePlain,
	MISC | TXA: shapePlain,
	LD | MEM:   shapeScratch,
	LDX | MEM:  shapeScratch,
	ST:         shapeScratch,
	STX:        shapeScratch,

	JMP | JA:      shapeJump,
	JMP | JEQ | K: shapeBranch, JMP | JEQ | X: shapeBranch,
	JMP | JGE | K: shapeBranch, JMP | JGE | X: shapeBranch,
	JMP | JGT | K: shapeBranch, JMP | JGT | X: shapeBranch,
	JMP | JSET | K: shapeBranch, JMP | JSET | X: shapeBranch,
}

// shapeOf returns the shape of the operation code, shapeInvalid where seccomp
// does not accept it.
func shapeOf(code uint16) shape {
	if int(code) >= len(shapes) {
		return shapeInvalid
	}
	return shapes[code]
}
