package spec

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
)

// TestRangesOver compares over and merge with a table of every number, at the
// low end and at the high end of the numbers.
func TestRangesOver(t *testing.T) {
	const size = 24
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 0))
		offset := uint32(0)
		if seed%2 == 1 {
			offset = maxNumber - size + 1
		}
		// verdicts has what layer i says about each number, 0 for nothing.
		var verdicts [3][size]bpf.Return
		var layers [3]ranges
		for i := range layers {
			for n := 0; n < size; {
				length := min(1+random.IntN(6), size-n)
				ret := bpf.Return(random.IntN(4))
				if ret != 0 {
					layers[i] = append(layers[i], Range{offset + uint32(n), offset + uint32(n+length-1), Verdict{Default: ret}})
					for k := n; k < n+length; k++ {
						verdicts[i][k] = ret
					}
				}
				n += length
			}
		}
		got := layers[2].over(layers[1].over(layers[0])).merge()
		var want [size]bpf.Return
		for n := range want {
			for i := range verdicts {
				if verdicts[i][n] != 0 {
					want[n] = verdicts[i][n]
				}
			}
		}
		var table [size]bpf.Return
		for i, r := range got {
			if i > 0 && (got[i-1].Last >= r.First || got[i-1].Last+1 == r.First && got[i-1].Verdict.Default == r.Verdict.Default) {
				t.Fatalf("seed %d: %v before %v", seed, got[i-1], r)
			}
			for nr := uint64(r.First); nr <= uint64(r.Last); nr++ {
				table[uint32(nr)-offset] = r.Verdict.Default
			}
		}
		if table != want {
			t.Fatalf("seed %d: %v over %v over %v is %v", seed, layers[2], layers[1], layers[0], got)
		}
	}
}
