package compile

import (
	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// balance is a goal in numbers. What the compiler minimises is
//
//	the instructions executed for a call, on average over all calls by weight
//	+ perInstruction * the length of the program
//
// where a call's weight is made of what follows.
type balance struct {
	// perInstruction is what the presence of one instruction costs: the
	// kernel checks, copies and translates it when the filter is attached.
	perInstruction float64
	// cached is the weight of a call that the kernel serves from its cache.
	// It is not 0, because the kernel executes the filter once for each of them
	// when it is attached, and because not every kernel has the cache.
	cached float64
	// checked is the weight of a call whose arguments are looked at. A profile
	// that lets some of a call through has users for it, and those it denies
	// are called by mistake.
	checked float64
	// frequent says that the table of frequencies counts.
	frequent bool
}

var balances = [...]balance{
	Cache: {perInstruction: 0.01, cached: 0.1, checked: 4, frequent: true},
	Depth: {perInstruction: 0.002, cached: 1, checked: 1},
	Size:  {perInstruction: 100, cached: 1, checked: 1},
}

// What the calls of some architectures weigh, against those of the native one:
// profiles list the others to be complete, and distributions build x32 into
// kernels but nothing for it (Debian turns it off by default, syscall.x32=y).
const (
	foreign = 1.0 / 16
	x32     = 1.0 / 256
)

// unnamed is what all numbers of a range weigh that are no calls.
const unnamed = 1.0 / 64

func (b balance) price(p plan, share float64) float64 {
	return share*p.cost + b.perInstruction*float64(p.size)
}

// weighing says how often the calls of one token are made, range by range, as
// shares of all calls.
type weighing struct {
	ranges []float64
	total  float64
}

// weigh returns what p's calls weigh, token by token. constant returns what the
// j-th range of the i-th token returns, if it looks at no argument.
func weigh(p *spec.Policy, goal balance, weights *Weights, constant func(i, j int) (bpf.Return, bool)) []weighing {
	all := 0.0
	list := make([]weighing, len(p.Tokens))
	for i := range p.Tokens {
		t := &p.Tokens[i]
		w := &list[i]
		w.ranges = make([]float64, len(t.Ranges))
		factor := 1.0
		if i > 0 {
			factor = foreign
		}
		for j := range w.ranges {
			w.ranges[j] = unnamed * factor
		}
		for _, a := range arch.All() {
			if a.Audit != t.Audit {
				continue
			}
			if a.NumberBase == x32Bit {
				factor *= x32
			}
			at, before := 0, -1
			var kind kindOfCall
			for nr, call := range a.Calls() {
				for t.Ranges[at].Last < nr {
					at++
				}
				if at != before {
					kind, before = kindOf(a, constant, i, at), at
				}
				weight, given := weights.of(a, i == 0, nr, call)
				w.ranges[at] += factor * goal.weight(kind, call, weight, given)
			}
		}
		for _, weight := range w.ranges {
			w.total += weight
		}
		all += w.total
	}
	for i := range list {
		list[i].total /= all
		for j := range list[i].ranges {
			list[i].ranges[j] /= all
		}
	}
	return list
}

// kindOfCall is what the weight of a call depends on besides its name.
type kindOfCall uint8

const (
	uncached kindOfCall = iota
	cached
	checked
)

func kindOf(a *arch.Arch, constant func(i, j int) (bpf.Return, bool), i, j int) kindOfCall {
	switch result, ok := constant(i, j); {
	case !ok:
		return checked
	case result == bpf.RetAllow && a.NumberBase != x32Bit:
		// The cache has a table for the native and one for the compat
		// architecture, none for x32.
		return cached
	}
	return uncached
}

// weight returns the weight of a call, which a file may have given.
func (b balance) weight(kind kindOfCall, call arch.Call, given float64, ok bool) float64 {
	if kind == cached {
		if !ok {
			given = 1
		}
		return given * b.cached
	}
	if ok {
		return given
	}
	weight := 1.0
	if kind == checked {
		weight = b.checked
	}
	if b.frequent {
		weight *= frequency(call)
	}
	return weight
}
