package decompile

import (
	"math/rand/v2"
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// witnesses finds calls that show differences. Where the diagrams know the calls
// they say which; where it is doubtful it tries calls that filters with
// arithmetic and comparisons of arguments are likely to tell apart.
type witnesses struct {
	*draft
	policy    *spec.Policy
	left      int // how many calls may still be tried
	constants []uint32
	random    *rand.Rand
}

// Bounds of the search, in calls.
const (
	mostSamples   = 100_000
	samplesOfSpan = 1000
)

// results returns what a call gets from the filter and from the profile. Both are
// valid, so there is no error.
func (w *witnesses) results(call *bpf.Data) (filter, profile bpf.Return) {
	filter, _ = w.whole.Evaluate(call)
	return filter, w.policy.Evaluate(call)
}

// find returns a call of some numbers of a difference. If it is not certain to
// be one that shows it then none was found that does.
func (w *witnesses) find(d *difference, s span) (call bpf.Data, certain bool) {
	if call = w.example(d, d.differs.Minus(d.doubt), s); w.shows(&call) {
		return call, true
	}
	call = w.example(d, d.differs, s)
	if w.random == nil {
		w.random = rand.New(rand.NewPCG(1, 12))
		for _, k := range w.whole.Constants() {
			w.constants = append(w.constants, k-1, k, k+1)
		}
		w.constants = append(w.constants, 0, 1, ^uint32(0))
	}
	for range min(samplesOfSpan, w.left) {
		if w.shows(&call) {
			return call, true
		}
		w.left--
		call = w.sample(call)
		if s.last > s.first {
			call.Nr = s.first + uint32(w.random.Uint64N(uint64(s.last-s.first)+1))
		}
	}
	return w.example(d, d.differs, s), false
}

func (w *witnesses) shows(call *bpf.Data) bool {
	filter, profile := w.results(call)
	return filter != profile
}

// sample returns a call with the number and token of another, with words that
// are constants of the filter, or other words of the call, or such sums.
func (w *witnesses) sample(of bpf.Data) bpf.Data {
	r := w.random
	var words [14]uint32
	for i := range words {
		k := w.constants[r.IntN(len(w.constants))]
		switch r.IntN(8) {
		case 0:
			words[i] = r.Uint32()
		case 1:
			words[i] = r.Uint32() >> r.IntN(32)
		case 2, 3:
			words[i] = words[r.IntN(i+1)]
		case 4:
			words[i] = words[r.IntN(i+1)] + k
		case 5:
			words[i] = 0
		default:
			words[i] = k
		}
	}
	r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	long := func(i int) uint64 { return uint64(words[2*i+1])<<32 | uint64(words[2*i]) }
	call := bpf.Data{Nr: of.Nr, Arch: of.Arch, IP: long(6)}
	for i := range call.Args {
		call.Args[i] = long(i)
	}
	return call
}

// decided settles the losses of which no call showed a difference: by a proof of
// the whole, if there is one.
func (w *witnesses) decided(list []Loss) ([]Loss, error) {
	if !slices.ContainsFunc(list, func(l Loss) bool { return l.Undecided }) {
		return list, nil
	}
	result, err := wholeBudget.Compare(w.whole, verify.OfPolicy(w.policy))
	if err == nil && result.Outcome == verify.Equal {
		list = slices.DeleteFunc(list, func(l Loss) bool { return l.Undecided })
	}
	return list, err
}

// wholeBudget is what may be spent on a proof where parts of it were too much.
var wholeBudget = verify.Budget{Nodes: 1 << 17, Steps: 1 << 20}
