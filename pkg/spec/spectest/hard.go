package spectest

import (
	"math/rand/v2"
	"strconv"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Hard is a kind of profile whose rules overlap so much that a decision diagram
// over their conditions is exponential in their number, though a list of the
// rules is a program of linear length. All rules are on ioctl, each with an
// errno of its own, and allow is the default.
type Hard struct {
	Name string
	// Rules are the rules of the profile, Widest the most that are sure to fit
	// into a program.
	Rules  int
	rule   func(r *rand.Rand, i int) []spec.Arg
	Widest int
}

// HardProfiles are the six on which a compiler and a proof by diagrams alone
// were found to fail.
var HardProfiles = []Hard{
	{"48 paired bits", 48, pairedBits, 64},
	{"64 paired bits", 64, pairedBits, 64},
	{"20 bits of three arguments", 20, bitsOfThree, 100},
	{"20 conjunctions", 20, conjunction, 80},
	{"30 conjunctions", 30, conjunction, 80},
	{"50 conjunctions", 50, conjunction, 80},
}

// Profile returns one of the kind. The same seed gives the same profile; seed 0
// is the one that the kind was found by, where it is not random.
func (h Hard) Profile(seed uint64, archs ...*arch.Arch) *spec.Profile {
	return h.Sized(h.Rules, seed, archs...)
}

// Sized is Profile with another number of rules.
func (h Hard) Sized(n int, seed uint64, archs ...*arch.Arch) *spec.Profile {
	r := rand.New(rand.NewPCG(seed, 15))
	p := &spec.Profile{Name: h.Name + ", seed " + strconv.FormatUint(seed, 10), Default: bpf.RetAllow, Architectures: archs}
	// Where all is counted, a seed turns it around.
	turn := int(seed % 64)
	for i := range n {
		p.Syscalls = append(p.Syscalls, spec.Syscall{
			Names: []string{"ioctl"}, Return: bpf.Errno(uint16(100 + i)), Args: h.rule(r, i+turn),
		})
	}
	return p
}

// pairedBits wants one bit set and another one clear.
func pairedBits(_ *rand.Rand, i int) []spec.Arg {
	set, clear := uint64(1)<<(i%64), uint64(1)<<((7*i+3)%64)
	return []spec.Arg{{Index: 1, Op: spec.EQ, Masked: true, Value: set | clear, ValueTwo: set}}
}

// bitsOfThree looks at a bit of each of three arguments.
func bitsOfThree(r *rand.Rand, _ int) []spec.Arg {
	var args []spec.Arg
	for _, index := range r.Perm(6)[:3] {
		args = append(args, spec.Arg{
			Index: uint8(index), Op: spec.EQ, Masked: true,
			Value: 1 << r.IntN(64), ValueTwo: pick(r, []uint64{0, 1 << 63, ^uint64(0)}),
		})
	}
	return args
}

// conjunction compares all arguments.
func conjunction(r *rand.Rand, _ int) []spec.Arg {
	var args []spec.Arg
	for index := range uint8(6) {
		args = append(args, spec.Arg{Index: index, Op: pick(r, []spec.Op{spec.GE, spec.LE, spec.NE, spec.GT}), Value: r.Uint64()})
	}
	return args
}
