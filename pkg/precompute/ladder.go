package precompute

import (
	"slices"

	"seccomp-hook/pkg/bpf"
)

// startsLadder reports whether a long run of comparisons for equality begins at
// instruction pc: one that ladder is faster for than search alone.
func (e *emulator) startsLadder(pc uint16) bool {
	for range 8 {
		in := e.program[pc]
		if in.Code != bpf.JMP|bpf.JEQ|bpf.K {
			return false
		}
		pc += 1 + uint16(in.Jf)
	}
	return true
}

// ladder executes a whole run of comparisons for equality, each at the false
// branch of the one before, as linear programs consist of: one by one they
// would cut the range into ever more parts that each go through the rest.
func (e *emulator) ladder(p path) path {
	// A test is number<<32 | position<<16 | target.
	e.tests = e.tests[:0]
	end := p.pc
	ascending, descending := true, true
walk:
	for position := uint64(0); ; position++ {
		in := e.program[end]
		switch {
		case in.Code == bpf.JMP|bpf.JA:
			end += 1 + uint16(in.K)
		case in.Code == bpf.LD|bpf.W|bpf.ABS && in.K == bpf.OffNr && p.a.n == 0:
			end++ // A has it already
		case in.Code == bpf.JMP|bpf.JEQ|bpf.K:
			if nr := in.K - p.a.n; p.lo <= nr && nr <= p.hi {
				test := uint64(nr)<<32 | position<<16 | uint64(end+1+uint16(in.Jt))
				if n := len(e.tests); n > 0 {
					ascending = ascending && e.tests[n-1] < test
					descending = descending && e.tests[n-1] > test
				}
				e.tests = append(e.tests, test)
			}
			end += 1 + uint16(in.Jf)
		default:
			e.steps += int(position)
			break walk
		}
	}
	switch {
	case ascending:
	case descending:
		slices.Reverse(e.tests)
	default:
		slices.Sort(e.tests)
	}
	// Of several tests of one number the first counts.
	e.tests = slices.CompactFunc(e.tests, func(a, b uint64) bool { return a>>32 == b>>32 })

	// From the highest number down, push the numbers tested for and the gaps
	// between them; p goes on with what is left, the lowest.
	for i := len(e.tests) - 1; i >= 0; i-- {
		last, target := uint32(e.tests[i]>>32), uint16(e.tests[i])
		first := last
		for i > 0 && uint32(e.tests[i-1]>>32) == first-1 && uint16(e.tests[i-1]) == target {
			first--
			i--
		}
		if last < p.hi {
			e.push(p, numbers{last + 1, p.hi}, end)
		}
		p.hi = last
		if first == p.lo {
			p.pc = target
			return p
		}
		e.push(p, numbers{first, last}, target)
		p.hi = first - 1
	}
	p.pc = end
	return p
}
