package compile

import (
	"io"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Weights says how often calls are made.
type Weights struct{}

// ParseWeights reads a weights file.
func ParseWeights(io.Reader) (*Weights, error) { return &Weights{}, nil }

// balance is a goal in numbers: what the compiler minimises is the average of
// instructions executed plus perInstruction times the length of the program.
type balance struct {
	// perInstruction is what the presence of one instruction costs.
	perInstruction float64
	// cached is the weight of a call that the kernel's cache serves, against 1
	// of one that it does not.
	cached float64
}

var balances = [...]balance{
	Cache: {perInstruction: 0.01, cached: 0.05},
	Depth: {perInstruction: 0.001, cached: 1},
	Size:  {perInstruction: 100, cached: 1},
}

func (b balance) price(p plan, share float64) float64 {
	return share*p.cost + b.perInstruction*float64(p.size)
}

// weighing says how often the calls of one token are made, as a share of all
// calls.
type weighing struct {
	ranges []float64
	total  float64
}

func weigh(p *spec.Policy, goal balance) []weighing {
	w := make([]weighing, len(p.Tokens))
	all := 0.0
	for i := range p.Tokens {
		t := &p.Tokens[i]
		w[i].ranges = make([]float64, len(t.Ranges))
		factor := 1.0
		if i > 0 {
			factor = 1.0 / 16
		}
		at := 0
		add := func(nr uint32, weight float64) {
			for t.Ranges[at].Last < nr {
				at++
			}
			v := &t.Ranges[at].Verdict
			if len(v.Rules) == 0 && v.Default == bpf.RetAllow && nr < highHalf {
				weight *= goal.cached
			}
			w[i].ranges[at] += weight * factor
		}
		if a, ok := arch.ByAudit(t.Audit); ok {
			for nr := range a.Calls() {
				add(nr, 1)
			}
			if a.Name == "x86_64" {
				x32, _ := arch.ByName("x32")
				for nr := range x32.Calls() {
					add(nr, 1.0/64)
				}
			}
		}
		for j := range w[i].ranges {
			w[i].ranges[j] += 0.01 * factor
			w[i].total += w[i].ranges[j]
		}
		all += w[i].total
	}
	for i := range w {
		for j := range w[i].ranges {
			w[i].ranges[j] /= all
		}
		w[i].total /= all
	}
	return w
}
