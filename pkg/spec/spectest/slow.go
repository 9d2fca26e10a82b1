package spectest

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// slow are the worst profiles that Climb has found.
//
//go:embed testdata/slow
var slow embed.FS

// SlowProfiles returns the slowest profiles that were found by looking for them.
// The error says that one cannot be read.
func SlowProfiles() ([]*spec.Profile, error) {
	const dir = "testdata/slow"
	entries, err := slow.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("slow profiles: %w", err)
	}
	var list []*spec.Profile
	for _, e := range entries {
		text, err := slow.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("slow profiles: %w", err)
		}
		p, err := spec.Parse(text, e.Name())
		if err != nil {
			return nil, fmt.Errorf("slow profiles: %w", err)
		}
		list = append(list, p)
	}
	return list, nil
}

// Climb looks for a slow profile: it changes one again and again, in a rule, an
// operator, a mask, a constant, an argument, the order, and keeps what costs no
// less. It begins with one of HardProfiles, or with a single rule, and makes at
// most mostRules rules on ioctl. cost is not of time but of work, so that the same
// seed finds the same profile on every machine; it is false for what does not
// count. Climb returns the worst of all tries, nil where none counted.
func Climb(seed uint64, tries int, archs []*arch.Arch, cost func(*spec.Profile) (int, bool)) (*spec.Profile, int) {
	c := climber{rand.New(rand.NewPCG(seed, 16))}
	at := &spec.Profile{Name: fmt.Sprintf("slow, seed %d", seed), Default: bpf.RetAllow, Architectures: archs}
	if kinds := len(HardProfiles) + 1; int(seed%uint64(kinds)) < len(HardProfiles) {
		kind := &HardProfiles[seed%uint64(kinds)]
		at.Syscalls = kind.Sized(min(kind.Rules, mostRules), seed, archs...).Syscalls
	} else {
		at.Syscalls = []spec.Syscall{c.rule(nil)}
	}
	var worst *spec.Profile
	most := -1
	for range tries {
		next := *at
		next.Syscalls = c.mutated(at.Syscalls)
		if n, counts := cost(&next); counts && n >= most {
			at, worst, most = &next, &next, n
		} else if most < 0 {
			at = &next
		}
	}
	return worst, most
}

// mostRules is how many rules Climb makes: what counts is how they meet, not how
// many there are.
const mostRules = 48

// climber changes profiles.
type climber struct{ *rand.Rand }

// mutated returns rules with one to four changes. What they share with those given
// is not changed.
func (c climber) mutated(rules []spec.Syscall) []spec.Syscall {
	rules = slices.Clone(rules)
	for range 1 + c.IntN(4) {
		i := c.IntN(len(rules))
		switch what := c.IntN(8); {
		case what == 0 && len(rules) < mostRules:
			rules = slices.Insert(rules, i, c.rule(rules))
		case what == 1 && len(rules) < mostRules:
			rules = slices.Insert(rules, i, rules[c.IntN(len(rules))])
			c.change(&rules[i], rules)
		case what == 2 && len(rules) > 1:
			rules = slices.Delete(rules, i, i+1)
		case what == 3:
			k := c.IntN(len(rules))
			rules[i], rules[k] = rules[k], rules[i]
		case what == 4:
			rules[i].Return = bpf.Errno(uint16(100 + c.IntN(mostRules)))
		default:
			c.change(&rules[i], rules)
		}
	}
	return rules
}

// rule returns a rule that may have something of the others.
func (c climber) rule(others []spec.Syscall) spec.Syscall {
	s := spec.Syscall{Names: []string{"ioctl"}, Return: bpf.Errno(uint16(100 + c.IntN(mostRules)))}
	for _, index := range c.Perm(6)[:1+c.IntN(6)] {
		s.Args = append(s.Args, c.arg(uint8(index), others))
	}
	return s
}

// change changes one condition of a rule, or adds or takes one.
func (c climber) change(s *spec.Syscall, others []spec.Syscall) {
	s.Args = slices.Clone(s.Args)
	free := slices.DeleteFunc([]uint8{0, 1, 2, 3, 4, 5}, func(index uint8) bool {
		return slices.ContainsFunc(s.Args, func(a spec.Arg) bool { return a.Index == index })
	})
	i := c.IntN(len(s.Args))
	switch what := c.IntN(6); {
	case what == 0 && len(free) > 0:
		s.Args = append(s.Args, c.arg(pick(c.Rand, free), others))
	case what == 1 && len(s.Args) > 1:
		s.Args = slices.Delete(s.Args, i, i+1)
	case what == 2 && len(free) > 0:
		s.Args[i].Index = pick(c.Rand, free)
	case what == 3:
		s.Args[i].Value ^= 1 << c.IntN(64)
	case what == 4:
		s.Args[i].Value += c.Uint64N(3) - 1
	default:
		s.Args[i] = c.arg(s.Args[i].Index, others)
	}
}

// arg returns a condition on an argument, near one of the others or new.
func (c climber) arg(index uint8, others []spec.Syscall) spec.Arg {
	a := spec.Arg{Index: index, Op: spec.Op(c.IntN(int(spec.GE) + 1)), Value: pick(c.Rand, []uint64{
		c.Uint64(), c.Uint64N(8), 1 << c.IntN(64), 1<<c.IntN(64) - 1, ^uint64(0) << c.IntN(64), c.Uint64() & c.Uint64() & c.Uint64(),
	})}
	if len(others) > 0 && c.IntN(2) == 0 {
		if s := pick(c.Rand, others); len(s.Args) > 0 {
			a = pick(c.Rand, s.Args)
			a.Index = index
			a.ValueTwo ^= a.Value & c.Uint64()
			a.Value += c.Uint64N(3) - 1
		}
	}
	if c.IntN(2) == 0 {
		a.Op, a.Masked, a.ValueTwo = spec.EQ, true, a.Value&c.Uint64()
	}
	if !a.Masked {
		a.ValueTwo = 0
	}
	return a
}
