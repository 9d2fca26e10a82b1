package spectest

import (
	"math/rand/v2"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Sampler makes calls that take a profile's rules apart: the calls that it
// names, and arguments at and beside its constants, with their high words
// changed and single bits of its masks set.
type Sampler struct {
	tokens  []uint32
	numbers []uint32
	values  [6][]uint64
}

// NewSampler returns a sampler for p on some architectures.
func NewSampler(p *spec.Profile, archs []*arch.Arch) *Sampler {
	s := &Sampler{}
	for _, a := range archs {
		s.tokens = append(s.tokens, a.Audit)
	}
	s.tokens = append(s.tokens, 0, archs[0].Audit^1)
	for i := range s.values {
		s.add(i, 0)
		s.add(i, ^uint64(0))
	}
	for i := range p.Syscalls {
		rule := &p.Syscalls[i]
		for _, name := range rule.Names {
			for _, a := range archs {
				if nr, ok := a.Number(name); ok {
					s.numbers = append(s.numbers, nr)
				}
			}
		}
		for _, a := range rule.Args {
			s.condition(a)
		}
	}
	s.behind(p, archs)
	s.numbers = append(s.numbers, 0, 0xffffffff, arch.X32Bit)
	slices.Sort(s.numbers)
	s.numbers = slices.Compact(s.numbers)
	for i := range s.values {
		slices.Sort(s.values[i])
		s.values[i] = slices.Compact(s.values[i])
	}
	return s
}

// Numbers are the calls that are made: those of the profile, and a few more.
func (s *Sampler) Numbers() []uint32 { return s.numbers }

func (s *Sampler) condition(a spec.Arg) {
	i := int(a.Index)
	if !a.Masked {
		s.add(i, a.Value)
		return
	}
	datum := a.Value & a.ValueTwo
	s.add(i, datum)
	s.add(i, a.ValueTwo)
	s.add(i, datum|^a.Value)
	for bit := a.Value; bit != 0; bit &= bit - 1 {
		s.values[i] = append(s.values[i], datum^(bit&-bit))
	}
}

// behind adds what tells calls behind socketcall and ipc apart.
func (s *Sampler) behind(p *spec.Profile, archs []*arch.Arch) {
	for _, companion := range arch.Companions() {
		for i := range p.Syscalls {
			if !slices.Contains(p.Syscalls[i].Names, companion.Call.Name()) {
				continue
			}
			s.add(0, uint64(companion.Which))
			for _, a := range archs {
				if nr, ok := a.NumberOf(companion.Via); ok {
					s.numbers = append(s.numbers, nr)
				}
			}
		}
	}
}

// add adds v, its neighbours, and both with other high words.
func (s *Sampler) add(i int, v uint64) {
	for _, n := range [3]uint64{v - 1, v, v + 1} {
		low := n & 0xffffffff
		s.values[i] = append(s.values[i], n, low, 1<<32|low, n+1<<32, n-1<<32, 1<<63|low)
	}
}

// Call returns a call.
func (s *Sampler) Call(r *rand.Rand) bpf.Data {
	d := bpf.Data{Nr: pick(r, s.numbers), Arch: pick(r, s.tokens[:max(1, len(s.tokens)-2)])}
	switch r.IntN(32) {
	case 0:
		d.Arch = pick(r, s.tokens)
	case 1:
		d.Nr = r.Uint32()
	case 2:
		d.Nr++
	}
	for i := range d.Args {
		d.Args[i] = pick(r, s.values[i])
	}
	return d
}

// Arguments returns arguments for any call.
func (s *Sampler) Arguments(r *rand.Rand) (args [6]uint64) {
	for i := range args {
		args[i] = pick(r, s.values[i])
	}
	return args
}
