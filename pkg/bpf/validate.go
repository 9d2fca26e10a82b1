package bpf

import "fmt"

// LengthError says that a program has no instruction or more than the kernel
// takes (EINVAL of seccomp(2)).
type LengthError struct{ Length int }

func (e *LengthError) Error() string {
	if e.Length == 0 {
		return "bpf: empty program"
	}
	return fmt.Sprintf("bpf: program has %d instructions, the kernel's limit is %d", e.Length, MaxInstructions)
}

// InstructionError says which instruction makes a program one that the kernel
// refuses (EINVAL of seccomp(2)), and why.
type InstructionError struct {
	Index       int
	Instruction Instruction
	Reason      string
}

func (e *InstructionError) Error() string {
	return fmt.Sprintf("bpf: instruction %d (%s): %s", e.Index, e.Instruction, e.Reason)
}

// Validate reports whether the kernel would accept p as a seccomp filter. It
// applies the rules of bpf_check_classic (net/core/filter.c: opcodes, jump
// targets, constant divisors and shifts, scratch memory written before it is
// read, RET at the end) and of seccomp_check_filter (kernel/seccomp.c: which
// of those opcodes seccomp takes, and aligned loads inside struct
// seccomp_data). The error is a *LengthError or an *InstructionError.
func (p Program) Validate() error {
	if len(p) == 0 || len(p) > MaxInstructions {
		return &LengthError{Length: len(p)}
	}
	reads := false
	for i, in := range p {
		if reason := in.refusal(len(p) - 1 - i); reason != "" {
			return &InstructionError{Index: i, Instruction: in, Reason: reason}
		}
		reads = reads || in.Code == LD|MEM || in.Code == LDX|MEM
	}
	if last := len(p) - 1; p[last].Code != RET|K && p[last].Code != RET|A {
		return &InstructionError{Index: last, Instruction: p[last], Reason: "the last instruction must be RET"}
	}
	if !reads { // as in all but few programs
		return nil
	}
	return p.checkScratch()
}

// refusal returns why the kernel refuses the instruction on its own, or "";
// left is how many instructions come after it.
func (in Instruction) refusal(left int) string {
	switch shapeOf(in.Code) {
	case shapeInvalid:
		return "seccomp does not accept this operation"
	case shapeData:
		if in.K >= SizeOf || in.K&3 != 0 {
			return fmt.Sprintf("offset %d is not an aligned word of struct seccomp_data", in.K)
		}
	case shapeScratch:
		if in.K >= ScratchWords {
			return fmt.Sprintf("scratch memory has %d words", ScratchWords)
		}
	case shapeDivisor:
		if in.K == 0 {
			return "division by zero"
		}
	case shapeShift:
		if in.K >= 32 {
			return "shift by more than 31 bits"
		}
	case shapeJump:
		if uint64(in.K) >= uint64(left) {
			return "jump past the end"
		}
	case shapeBranch:
		if int(max(in.Jt, in.Jf)) >= left {
			return "jump past the end"
		}
	}
	return ""
}

// checkScratch follows the kernel's check_load_and_stores: a scratch word must
// be written on every path that reads it.
func (p Program) checkScratch() error {
	const all = 1<<ScratchWords - 1
	// written[i] holds the words that every path to i has written.
	written := make([]uint32, len(p))
	for i := range written {
		written[i] = all
	}
	// valid is what falls through from the instruction before; nothing falls
	// through a jump, so all bits are set after it, and the target's own set
	// decides.
	valid := uint32(0)
	for i, in := range p {
		valid &= written[i]
		switch in.Code {
		case ST, STX:
			valid |= 1 << in.K
		case LD | MEM, LDX | MEM:
			if valid&(1<<in.K) == 0 {
				return &InstructionError{Index: i, Instruction: in, Reason: fmt.Sprintf("reads M[%d] before every path has written it", in.K)}
			}
		case JMP | JA:
			written[i+1+int(in.K)] &= valid
			valid = all
		default:
			if in.Code&ClassMask == JMP {
				written[i+1+int(in.Jt)] &= valid
				written[i+1+int(in.Jf)] &= valid
				valid = all
			}
		}
	}
	return nil
}
