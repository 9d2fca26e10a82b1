package compile_test

import (
	"math/rand/v2"
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// generator makes policies that are small enough to look at and mean enough to
// matter: few distinct constants, so that rules overlap, and always their
// neighbours.
type generator struct{ *rand.Rand }

func newGenerator(source rand.Source) generator { return generator{rand.New(source)} }

var (
	tokens = []uint32{0xc000003e, 0x40000003, 0xc00000b7, 0x40000028, 0x80000016, 0x16}

	returns = []bpf.Return{
		bpf.RetAllow, bpf.RetAllow, bpf.RetAllow, bpf.Errno(1), bpf.Errno(38), bpf.Errno(1),
		bpf.RetKillProcess, bpf.RetKillThread, bpf.RetTrap, bpf.RetLog, bpf.RetTrace | 7, bpf.RetUserNotif, bpf.RetAllow | 1,
	}

	masks = []uint64{
		^uint64(0), ^uint64(0), ^uint64(0), 0xffffffff, 0xffffffff, 0xff, 1, 3, 0x7e020000, 0, 1 << 40, 0xffffffff00000000, 0xff000000ff, ^uint64(0xff), 0x8000000000000000,
	}

	values = []uint64{
		0, 1, 2, 3, 8, 16, 0xff, 0x100, 0x20000, 0x7e020000, 0x7fffffff, 0x80000000, 0xffffffff,
		1 << 32, 1<<32 | 1, 1<<32 | 0xffffffff, 5 << 32, 0x80000000 << 32, ^uint64(0) - 1, ^uint64(0),
	}
)

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

func (g generator) policy() *spec.Policy {
	p := &spec.Policy{Endian: bpf.Endian(g.IntN(2)), Other: pick(g, returns)}
	all := slices.Clone(tokens)
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, audit := range all[:g.IntN(4)] {
		p.Tokens = append(p.Tokens, spec.Token{Audit: audit, Ranges: g.ranges()})
	}
	return p
}

func (g generator) ranges() []spec.Range {
	starts := map[uint32]bool{}
	highest := uint32(1) << (2 + g.IntN(8))
	for range g.IntN(40) {
		n := g.Uint32N(highest)
		starts[n] = true
		if g.IntN(2) == 0 {
			starts[n+1] = true
		}
		if g.IntN(3) == 0 {
			starts[0x40000000+n] = true
		}
	}
	delete(starts, 0)
	sorted := []uint32{0}
	for n := range starts {
		sorted = append(sorted, n)
	}
	slices.Sort(sorted)
	background := g.verdict()
	ranges := make([]spec.Range, len(sorted))
	for i, first := range sorted {
		last := ^uint32(0)
		if i+1 < len(sorted) {
			last = sorted[i+1] - 1
		}
		v := background
		if g.IntN(2) == 0 {
			v = g.verdict()
		}
		ranges[i] = spec.Range{First: first, Last: last, Verdict: v}
	}
	return ranges
}

func (g generator) verdict() spec.Verdict {
	v := spec.Verdict{Default: pick(g, returns)}
	if g.IntN(3) > 0 {
		return v
	}
	arg := uint8(g.IntN(6))
	for range 1 + g.IntN(6) {
		r := spec.Rule{Return: pick(g, returns)}
		for range g.IntN(4) {
			if g.IntN(3) == 0 {
				arg = uint8(g.IntN(6))
			}
			r.Conditions = append(r.Conditions, g.condition(arg))
		}
		v.Rules = append(v.Rules, r)
	}
	return v
}

func (g generator) condition(arg uint8) spec.Condition {
	c := spec.Condition{Arg: arg, Op: spec.Op(g.IntN(6)), Mask: pick(g, masks), Value: g.word()}
	if g.IntN(4) > 0 {
		c.Value &= c.Mask
	}
	return c
}

func (g generator) word() uint64 {
	switch g.IntN(8) {
	case 0:
		return g.Uint64()
	case 1:
		return uint64(g.Uint32())
	default:
		return pick(g, values)
	}
}

// calls returns n calls of p, most of them on the boundaries of its ranges and
// conditions.
func (g generator) calls(p *spec.Policy, n int) []bpf.Data {
	calls := make([]bpf.Data, n)
	for i := range calls {
		d := &calls[i]
		d.Arch, d.Nr, d.IP = g.Uint32(), g.Uint32N(1024), g.Uint64()
		for j := range d.Args {
			d.Args[j] = g.word()
		}
		if len(p.Tokens) == 0 || g.IntN(16) == 0 {
			continue
		}
		t := &p.Tokens[g.IntN(len(p.Tokens))]
		r := &t.Ranges[g.IntN(len(t.Ranges))]
		d.Arch = t.Audit
		d.Nr = r.First
		if g.IntN(2) == 0 {
			d.Nr = r.Last
		}
		for j := range r.Verdict.Rules {
			for _, c := range r.Verdict.Rules[j].Conditions {
				if g.IntN(2) == 0 {
					v := c.Value + g.Uint64N(3) - 1
					if g.IntN(2) == 0 {
						v |= g.Uint64() &^ c.Mask
					}
					d.Args[c.Arg] = v
				}
			}
		}
	}
	return calls
}
