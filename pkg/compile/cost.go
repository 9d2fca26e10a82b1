package compile

import (
	"math/bits"

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
	// perInstruction, a share of all, is what the presence of one instruction
	// costs: the kernel checks, copies and translates it when the filter is
	// attached.
	perInstruction share
	// cached is the weight of a call that the kernel serves from its cache.
	// It is not 0, because the kernel executes the filter once for each of them
	// when it is attached, and because not every kernel has the cache.
	cached int64
	// checked is the weight of a call whose arguments are looked at. A profile
	// that lets some of a call through has users for it, and those it denies
	// are called by mistake.
	checked int64
	// frequent says that the table of frequencies counts.
	frequent bool
}

// share is a part of all calls by weight, in units of 1/all.
type share int64

const all share = 1 << 32

var balances = [...]balance{
	Cache: {perInstruction: all / 100, cached: unit * 3 / 20, checked: 3 * unit, frequent: true},
	Depth: {perInstruction: all / 500, cached: unit, checked: unit},
	Size:  {perInstruction: all * 100, cached: unit, checked: unit},
}

// What the calls of some architectures weigh, against 256 of the native one:
// profiles list the others to be complete, and distributions build x32 into
// kernels but nothing for it (Debian turns it off by default, syscall.x32=y).
const (
	native  = 256
	foreign = 16
	x32     = 1
)

// unnamed is what all numbers of a range weigh that are no calls.
const unnamed = unit / 64

// price returns what a plan costs for the calls of share s.
func (b balance) price(p plan, s share) share {
	return s*share(p.cost)/instruction + b.perInstruction*share(p.size)
}

// weighing says how often the calls of one token are made, range by range.
type weighing struct {
	ranges []share
	total  share
}

// weigh returns what p's calls weigh, token by token. constant returns what the
// j-th range of the i-th token returns, if it looks at no argument.
func weigh(p *spec.Policy, goal balance, weights *Weights, constant func(i, j int) (bpf.Return, bool)) []weighing {
	raw := make([][]int64, len(p.Tokens))
	sum := int64(0)
	for i := range p.Tokens {
		t := &p.Tokens[i]
		raw[i] = make([]int64, len(t.Ranges))
		factor := int64(native)
		if i > 0 {
			factor = foreign
		}
		for j := range raw[i] {
			raw[i][j] = unnamed * factor
		}
		for _, a := range arch.All() {
			if a.Audit != t.Audit {
				continue
			}
			if a.NumberBase == x32Bit {
				factor = x32
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
				given, ok := weights.of(a, i == 0, nr, call)
				raw[i][at] += factor * goal.weight(kind, call, given, ok)
			}
		}
		for _, w := range raw[i] {
			sum += w
		}
	}
	list := make([]weighing, len(p.Tokens))
	for i := range raw {
		list[i].ranges = make([]share, len(raw[i]))
		for j, w := range raw[i] {
			high, low := bits.Mul64(uint64(w), uint64(all))
			part, _ := bits.Div64(high, low, uint64(sum))
			list[i].ranges[j] = share(part)
			list[i].total += share(part)
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
func (b balance) weight(kind kindOfCall, call arch.Call, given int64, ok bool) int64 {
	weight := int64(unit)
	switch {
	case ok:
		weight = given
	case b.frequent && kind != cached:
		weight = frequency(call)
	}
	switch {
	case kind == cached:
		weight = weight * b.cached / unit
	case kind == checked && !ok:
		weight = weight * b.checked / unit
	}
	return weight
}
