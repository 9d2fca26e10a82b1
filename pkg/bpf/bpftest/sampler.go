package bpftest

import (
	"math/rand/v2"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// Sampler makes random calls that go deep into given programs: each word of a
// call is mostly one that the programs compare that word with, or next to it.
type Sampler struct {
	endian  bpf.Endian
	numbers [bpf.SizeOf / 4][]uint32 // by place in memory
}

// NewSampler returns a sampler for valid programs that run on a machine of
// byte order e.
func NewSampler(e bpf.Endian, programs ...bpf.Program) *Sampler {
	s := &Sampler{endian: e}
	for i := range s.numbers {
		s.numbers[i] = []uint32{0, 0xffffffff}
	}
	for _, p := range programs {
		s.read(p)
	}
	for i := range s.numbers {
		slices.Sort(s.numbers[i])
		s.numbers[i] = slices.Compact(s.numbers[i])
	}
	return s
}

// read collects the constants that p compares each word with. A word that goes
// through X, scratch memory or arithmetic is followed only as far as A.
func (s *Sampler) read(p bpf.Program) {
	held := make([]uint16, len(p)+1) // words that A may come from, a bit each
	reach := func(i int, words uint16) { held[i] |= words }
	for i, in := range p {
		words := held[i]
		for w := range s.numbers {
			if words>>w&1 != 0 && in.Code != bpf.JMP|bpf.JA && in.Code&bpf.ClassMask != bpf.RET {
				s.numbers[w] = append(s.numbers[w], in.K-1, in.K, in.K+1)
			}
		}
		switch {
		case in.Code == bpf.LD|bpf.W|bpf.ABS:
			reach(i+1, 1<<(in.K/4))
		case in.Code&bpf.ClassMask == bpf.LD, in.Code&bpf.ClassMask == bpf.RET:
		case in.Code == bpf.JMP|bpf.JA:
			reach(i+1+int(in.K), words)
		case in.Code&bpf.ClassMask == bpf.JMP:
			reach(i+1+int(in.Jt), words)
			reach(i+1+int(in.Jf), words)
		default:
			reach(i+1, words)
		}
	}
}

// Call returns a random call.
func (s *Sampler) Call(r *rand.Rand) bpf.Data {
	var w bpf.Words
	for i, numbers := range s.numbers {
		n := numbers[r.IntN(len(numbers))]
		switch r.IntN(16) {
		case 0:
			n = r.Uint32()
		case 1:
			n ^= 1 << r.IntN(32)
		case 2:
			n |= numbers[r.IntN(len(numbers))]
		case 3:
			n = 0
		}
		w[i] = n
	}
	long := func(off uint32) uint64 {
		return uint64(w[s.endian.High(off)/4])<<32 | uint64(w[s.endian.Low(off)/4])
	}
	d := bpf.Data{Nr: w[bpf.OffNr/4], Arch: w[bpf.OffArch/4], IP: long(bpf.OffIP)}
	for i := range d.Args {
		d.Args[i] = long(bpf.OffArgs + 8*uint32(i))
	}
	return d
}
