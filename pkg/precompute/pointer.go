package precompute

import (
	"slices"

	"seccomp-hook/pkg/bpf"
)

// A profile cannot speak of the instruction pointer, but a program that was
// written by hand can look at it, to tell calls by where they are made from as
// an emulation filter does. The kernel's emulator has no instruction pointer,
// so none of those calls is ever cached.

// PointerLoad returns the index of the first instruction of p that loads a half
// of the instruction pointer, -1 where none does.
func PointerLoad(p bpf.Program) int { return slices.IndexFunc(p, loadsPointer) }

func loadsPointer(in bpf.Instruction) bool {
	return in.Code == bpf.LD|bpf.W|bpf.ABS && in.K >= bpf.OffIP && in.K < bpf.OffArgs
}

// Pointed returns the calls from lo to hi that the kernel does not cache
// because the program looks at the instruction pointer for them: what that
// costs.
func (t *Table) Pointed(lo, hi uint32) Set {
	return t.Select(lo, hi, func(o Outcome) bool { return o.Stop >= 0 && loadsPointer(t.program[o.Stop]) })
}
