package compile

import (
	"math"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
)

// TestSearchFindsNumbers looks for every number of random arms.
func TestSearchFindsNumbers(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := newCode()
		arms := randomArms(r, c, 1+r.IntN(400))
		want := make(map[uint32]ref)
		for _, a := range arms {
			want[a.first], want[a.last] = a.to, a.to
		}
		s := search{code: c, perTest: []share{0, all / 100, all * 100}[seed%3]}
		root := s.build(arms).root
		for nr, to := range want {
			if got := c.narrow(root, nr, nr); got != to {
				t.Fatalf("seed %d: %#x leads to step %d, want %d", seed, nr, got, to)
			}
		}
	}
}

// TestSearchIsBest compares with the best of all trees of the same nodes, found
// without bounds on where to cut.
func TestSearchIsBest(t *testing.T) {
	worst := 1.0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		c := newCode()
		s := search{code: c, perTest: []share{0, all / 100, all}[seed%3]}
		arms := merge(randomArms(r, c, 2+r.IntN(40)))
		if len(arms) < 2 {
			continue
		}
		s.solve(arms)
		got := s.costs[len(arms)-1]
		// Every kind of node but the cut is taken from the search: what is
		// looked for is a better cut.
		best := make([][]share, len(arms))
		for i := len(arms) - 1; i >= 0; i-- {
			best[i] = make([]share, len(arms))
			for j := i + 1; j < len(arms); j++ {
				best[i][j] = math.MaxInt64
				if s.cell(i, j).top != cutting {
					best[i][j] = s.costs[i*s.stride+j]
				}
				for k := i + 1; k <= j; k++ {
					best[i][j] = min(best[i][j], best[i][k-1]+best[k][j]+s.weight[j+1]-s.weight[i]+s.perTest)
				}
			}
		}
		worst = max(worst, float64(got)/float64(best[0][len(arms)-1]))
	}
	// Cuts of equal cost, of which either may be taken for the best, and nodes
	// that are no cuts keep Knuth's bounds from being exact.
	if worst > 1.001 {
		t.Errorf("a search costs %.4f times what the best does", worst)
	}
}

// TestSearchKinds has arms for which one kind of node is clearly the best.
func TestSearchKinds(t *testing.T) {
	for _, test := range []struct {
		name string
		arms string // what each number from 0 on leads to
		want string
	}{
		{"one cut", "aaaabbbb", `
0: a = nr
1: if a >= 0x4 goto 2 else 3
2: return ERRNO(98)
3: return ERRNO(97)
`},
		{"one number", "aaaaabaaaaaaa", `
0: a = nr
1: if a == 0x5 goto 2 else 3
2: return ERRNO(98)
3: return ERRNO(97)
`},
		{"a chain", "aaaaabaaaacaa", `
0: a = nr
1: if a == 0x5 goto 2 else 3
2: return ERRNO(98)
3: if a == 0xa goto 4 else 5
4: return ERRNO(99)
5: return ERRNO(97)
`},
		{"odd and even", "abababab", `
0: a = nr
1: if a & 0x1 goto 2 else 3
2: return ERRNO(98)
3: return ERRNO(97)
`},
		{"every fourth", "aaabaaabaaaba", `
0: a = nr
1: if a == 0x3 goto 4 else 2
2: if a == 0x7 goto 4 else 3
3: if a == 0xb goto 4 else 5
4: return ERRNO(98)
5: return ERRNO(97)
`},
		{"a bit in the middle", "aabbaabb", `
0: a = nr
1: if a & 0x2 goto 2 else 3
2: return ERRNO(98)
3: return ERRNO(97)
`},
		{"a bit and what it leaves", "aabbcabb", `
0: a = nr
1: if a & 0x2 goto 2 else 3
2: return ERRNO(98)
3: if a == 0x4 goto 4 else 5
4: return ERRNO(99)
5: return ERRNO(97)
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCode()
			var arms []arm
			for nr, r := range []byte(test.arms) {
				arms = append(arms, arm{uint32(nr), uint32(nr), c.ret(bpf.Errno(uint16(r))), 1})
			}
			s := search{code: c, perTest: 10}
			root := c.load(bpf.OffNr, s.build(arms).root)
			if got := "\n" + layout(live(c.steps[:root+1])).String(); got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

// randomArms returns n arms or fewer, that cover all numbers.
func randomArms(r *rand.Rand, c *code, n int) []arm {
	var to []ref
	for i := range 2 + r.IntN(4) {
		to = append(to, c.ret(bpf.Errno(uint16(i))))
	}
	arms := make([]arm, 0, n)
	first := uint32(0)
	for range n - 1 {
		last := first
		if r.IntN(2) == 0 {
			last += r.Uint32N(20)
		}
		arms = append(arms, arm{first, last, to[r.IntN(len(to))], share(r.Int64N(int64(all)))})
		first = last + 1
	}
	return append(arms, arm{first, math.MaxUint32, to[0], share(r.Int64N(int64(all)))})
}
