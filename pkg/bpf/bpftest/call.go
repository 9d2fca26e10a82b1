package bpftest

import (
	"math/rand/v2"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// Constants returns, sorted, the numbers that decide in the given programs:
// every constant, its neighbours, and the borders of the number range.
func Constants(programs ...bpf.Program) []uint32 {
	numbers := slices.Concat(borders, tokens)
	for _, p := range programs {
		for _, in := range p {
			numbers = append(numbers, in.K-1, in.K, in.K+1)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// Call returns a random call whose words are mostly taken from numbers, as
// Constants returns them: the calls on which programs differ sit there.
func Call(r *rand.Rand, numbers []uint32) bpf.Data {
	word := func() uint32 {
		switch r.IntN(10) {
		case 0:
			return r.Uint32()
		case 1, 2:
			return 0
		case 3: // one bit off, for masks
			return numbers[r.IntN(len(numbers))] ^ 1<<r.IntN(32)
		case 4: // two constants, for masks
			n := numbers[r.IntN(len(numbers))]
			return n | numbers[r.IntN(len(numbers))]
		default:
			return numbers[r.IntN(len(numbers))]
		}
	}
	long := func() uint64 { return uint64(word())<<32 | uint64(word()) }
	d := bpf.Data{Nr: word(), Arch: word(), IP: long()}
	for i := range d.Args {
		d.Args[i] = long()
	}
	return d
}
