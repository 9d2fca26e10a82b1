package decompile

import (
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/verify"
)

// Line finds the instruction that makes the difference for a call: of several
// programs, the oldest first, the one whose verdict counts, and in it the
// instruction that loads the instruction pointer where the verdict depends on
// that, else the one that returns. The programs are valid.
func Line(programs []bpf.Program, endian bpf.Endian, l Loss) (program, line int) {
	words := l.Call.Words(endian)
	var together bpf.Return
	for i, p := range programs {
		r, err := p.Run(&words)
		if err != nil {
			continue // not of a valid program
		}
		if i == 0 || verify.Stricter(together, r) == r {
			together, program = r, i
		}
	}
	if l.Pointer {
		for i, p := range programs {
			if at, there := reached(p, &words, loadsPointer); there {
				return i, at
			}
		}
	}
	line, _ = reached(programs[program], &words, func(in bpf.Instruction) bool { return in.Code&bpf.ClassMask == bpf.RET })
	return program, line
}

func loadsPointer(in bpf.Instruction) bool {
	return in.Code == bpf.LD|bpf.W|bpf.ABS && in.K >= bpf.OffIP && in.K < bpf.OffArgs
}

// reached returns the first instruction of a kind that a call comes to. It runs
// a program in which those return where they are.
func reached(p bpf.Program, words *bpf.Words, kind func(bpf.Instruction) bool) (line int, there bool) {
	const marked = 1 << 16 // more than the length of a program
	marks := make(bpf.Program, len(p))
	for i, in := range p {
		if kind(in) {
			in = bpf.Ret(bpf.Return(marked + i))
		} else if in.Code&bpf.ClassMask == bpf.RET {
			in = bpf.Ret(0)
		}
		marks[i] = in
	}
	r, err := marks.Run(words)
	return int(r - marked), err == nil && r >= marked
}
