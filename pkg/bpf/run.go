package bpf

// Run returns what the kernel's filter would return for the call in w. The
// program must be valid (Validate); on an invalid one Run returns an
// *InstructionError for the instruction that cannot be executed, never panics,
// and ends after at most len(p) steps.
func (p Program) Run(w *Words) (Return, error) {
	r, _, err := p.RunCount(w)
	return r, err
}

// RunCount is Run, and counts the instructions executed, the RET included.
func (p Program) RunCount(w *Words) (r Return, executed int, err error) {
	r, executed, _, err = p.run(w)
	return r, executed, err
}

// Decide is Run, and says which instruction it was that returned.
func (p Program) Decide(w *Words) (r Return, at int, err error) {
	r, _, at, err = p.run(w)
	return r, at, err
}

func (p Program) run(w *Words) (r Return, executed, at int, err error) {
	var a, x uint32
	var scratch [ScratchWords]uint32
	for i := 0; i < len(p); i++ {
		in := p[i]
		executed++
		operand := in.K
		if in.Code&X != 0 {
			operand = x
		}
		switch in.Code {
		case LD | W | ABS:
			if in.K >= SizeOf || in.K&3 != 0 {
				return p.fail(i, executed, "load outside struct seccomp_data")
			}
			a = w[in.K/4]
		case LD | W | LEN:
			a = SizeOf
		case LDX | W | LEN:
			x = SizeOf
		case LD | IMM:
			a = in.K
		case LDX | IMM:
			x = in.K
		case LD | MEM, LDX | MEM, ST, STX:
			if in.K >= ScratchWords {
				return p.fail(i, executed, "no such scratch word")
			}
			switch in.Code {
			case LD | MEM:
				a = scratch[in.K]
			case LDX | MEM:
				x = scratch[in.K]
			case ST:
				scratch[in.K] = a
			case STX:
				scratch[in.K] = x
			}
		case MISC | TAX:
			x = a
		case MISC | TXA:
			a = x
		case ALU | ADD | K, ALU | ADD | X:
			a += operand
		case ALU | SUB | K, ALU | SUB | X:
			a -= operand
		case ALU | MUL | K, ALU | MUL | X:
			a *= operand
		case ALU | DIV | K, ALU | DIV | X:
			if operand == 0 {
				// bpf_convert_filter turns a zero divisor in X into "return 0".
				return RetKillThread, executed, i, nil
			}
			a /= operand
		case ALU | AND | K, ALU | AND | X:
			a &= operand
		case ALU | OR | K, ALU | OR | X:
			a |= operand
		case ALU | XOR | K, ALU | XOR | X:
			a ^= operand
		case ALU | LSH | K, ALU | LSH | X:
			// eBPF masks the count of a 32-bit shift.
			a <<= operand & 31
		case ALU | RSH | K, ALU | RSH | X:
			a >>= operand & 31
		case ALU | NEG:
			a = -a
		case JMP | JA:
			if uint64(in.K) >= uint64(len(p)) {
				return p.fail(i, executed, "jump past the end")
			}
			i += int(in.K)
		case JMP | JEQ | K, JMP | JEQ | X:
			i += in.skip(a == operand)
		case JMP | JGT | K, JMP | JGT | X:
			i += in.skip(a > operand)
		case JMP | JGE | K, JMP | JGE | X:
			i += in.skip(a >= operand)
		case JMP | JSET | K, JMP | JSET | X:
			i += in.skip(a&operand != 0)
		case RET | K:
			return Return(in.K), executed, i, nil
		case RET | A:
			return Return(a), executed, i, nil
		default:
			return p.fail(i, executed, "not an operation of seccomp")
		}
	}
	if len(p) == 0 {
		return RetKillProcess, 0, 0, &LengthError{}
	}
	return p.fail(len(p)-1, executed, "ran past the end")
}

// fail is the end of a run that cannot execute instruction i.
func (p Program) fail(i, executed int, reason string) (Return, int, int, error) {
	return RetKillProcess, executed, i, &InstructionError{Index: i, Instruction: p[i], Reason: reason}
}

// skip returns how many instructions a conditional jump skips.
func (in Instruction) skip(taken bool) int {
	if taken {
		return int(in.Jt)
	}
	return int(in.Jf)
}
