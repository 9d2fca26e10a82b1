package spectest

import (
	"math/rand/v2"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Shape says what the rules of a profile are like. libseccomp has faults that
// some shapes bring out (docs/libseccomp.md); the first is free of them.
type Shape uint8

const (
	// OneArgument has rules with any operator, all those of a call on one
	// argument and with constants that have the same high word, for calls that
	// all the architectures have in one way only.
	OneArgument Shape = iota
	// Equalities has rules on several arguments, with EQ and MASKED_EQ alone and
	// constants of 32 bits, for calls that all the architectures have.
	Equalities
	// Anything has any operators and constants on any arguments of any calls.
	Anything
)

// Options say what profiles to make.
type Options struct {
	// Archs are what the profile lists, the native one first.
	Archs []*arch.Arch
	Shape Shape
}

// names are calls that all architectures have, that only some have, that some
// have twice (through socketcall and ipc), and that none has.
var names = []string{
	"getppid", "personality", "ioctl", "prctl", "clone", "read",
	"socket", "connect", "accept4", "sendto", "recv", "semop", "semtimedop", "msgget", "shmat",
	"socketcall", "ipc",
	"open", "chown32", "arch_prctl", "mmap2", "newfstatat", "no_such_call",
}

var actions = []bpf.Return{
	bpf.RetAllow, bpf.RetAllow, bpf.Errno(1), bpf.Errno(1), bpf.Errno(38), bpf.Errno(4094),
	bpf.RetKillThread, bpf.RetKillProcess, bpf.RetTrap, bpf.RetLog, bpf.RetUserNotif,
	bpf.RetTrace | 1, bpf.RetTrace | 0xffff,
}

var (
	low   = []uint64{0, 1, 2, 3, 5, 0x7fffffff, 0x80000000, 0xffffffff}
	high  = []uint64{0, 0, 0, 1, 2, 0x80000000, 0xffffffff}
	masks = []uint64{
		0, 1, 2, 3, 0xff, 0x7e020000, 0xffffffff, 1 << 32, 1<<32 | 1, 1 << 63, 0xffffffff00000000, ^uint64(0), ^uint64(0xff),
	}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// Profile makes a profile.
func Profile(r *rand.Rand, o Options) *spec.Profile {
	g := generator{Rand: r, shape: o.Shape, argument: map[string]uint8{}}
	p := &spec.Profile{Name: "random", Default: g.fallback(), Architectures: o.Archs, ListenerPath: "/run/agent.sock"}
	choice := o.names()
	g.names = make([]string, 1+r.IntN(3))
	for i := range g.names {
		g.names[i] = pick(r, choice)
	}
	g.actions = make([]bpf.Return, 1+r.IntN(3))
	for i := range g.actions {
		g.actions[i] = pick(r, actions)
	}
	g.high = pick(r, high)
	for range 1 + r.IntN(6) {
		p.Syscalls = append(p.Syscalls, g.rule())
	}
	if r.IntN(8) == 0 {
		// Enough rules for libseccomp's tree over numbers.
		p.Syscalls = append(p.Syscalls, spec.Syscall{Names: many, Return: pick(r, g.actions)})
	}
	return p
}

// names returns the calls that rules of the shape are for.
func (o Options) names() []string {
	if o.Shape == Anything {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(o.Archs, func(a *arch.Arch) bool {
			_, ok := a.Number(name)
			return !ok || o.Shape == OneArgument && a.Multiplexed && multiplexed(name)
		})
	})
}

// multiplexed reports whether a call has to do with socketcall or ipc.
func multiplexed(name string) bool {
	return slices.ContainsFunc(arch.Companions(), func(c arch.Companion) bool {
		return c.Call.Name() == name || c.Via.Name() == name
	})
}

// many are more calls than the 32 from which runc has libseccomp build a tree.
var many = []string{
	"close", "pread64", "lseek", "dup", "getpid", "sync", "kill", "getuid", "getgid", "geteuid", "getegid",
	"chdir", "fchdir", "fchmod", "umask", "times", "acct", "ptrace", "mount", "reboot", "munmap", "setpgid",
	"setsid", "getrusage", "uname", "fsync", "sethostname", "brk", "nanosleep", "msync", "readv", "writev",
	"getsid", "fdatasync", "mlock", "munlock", "sched_yield", "mremap", "getcwd", "capget", "capset",
}

type generator struct {
	*rand.Rand
	shape    Shape
	names    []string
	actions  []bpf.Return
	high     uint64
	argument map[string]uint8 // OneArgument: which one a call's rules are on
}

// fallback returns a default action: mostly one that denies.
func (g *generator) fallback() bpf.Return {
	if g.IntN(4) > 0 {
		return bpf.Errno(1)
	}
	for {
		if a := pick(g.Rand, actions); a != bpf.RetUserNotif {
			return a
		}
	}
}

func (g *generator) rule() spec.Syscall {
	s := spec.Syscall{Return: pick(g.Rand, g.actions)}
	for range 1 + g.IntN(2) {
		s.Names = append(s.Names, pick(g.Rand, g.names))
	}
	if g.shape == OneArgument {
		s.Names = s.Names[:1]
	}
	switch g.IntN(8) {
	case 0: // without conditions
	case 1: // an argument twice, so each condition is an alternative
		first := g.condition(uint8(g.IntN(2)))
		s.Args = []spec.Arg{first, g.condition(first.Index)}
		if g.IntN(2) == 0 {
			s.Args = append(s.Args, g.condition(uint8(g.IntN(3))))
		}
	default:
		indexes := g.Perm(3)
		for _, i := range indexes[:1+g.IntN(3)] {
			s.Args = append(s.Args, g.condition(uint8(i)))
			if g.shape == OneArgument {
				break
			}
		}
		if g.IntN(16) == 0 {
			s.Args[0].Index = 5
		}
	}
	if g.shape == OneArgument {
		for i := range s.Args {
			s.Args[i].Index = g.only(s.Names[0])
		}
	}
	return s
}

// only returns the argument that all rules of a call are on.
func (g *generator) only(name string) uint8 {
	if _, ok := g.argument[name]; !ok {
		g.argument[name] = uint8(g.IntN(6))
	}
	return g.argument[name]
}

func (g *generator) condition(index uint8) spec.Arg {
	a := spec.Arg{Index: index, Op: spec.EQ}
	value := func() uint64 {
		switch {
		case g.shape == OneArgument:
			return g.high<<32 | pick(g.Rand, low)
		case g.shape == Equalities || g.IntN(3) > 0:
			return pick(g.Rand, low)
		default:
			return pick(g.Rand, high)<<32 | pick(g.Rand, low)
		}
	}
	a.Value = value()
	masked := g.IntN(4) == 0
	if g.shape == Equalities {
		masked = g.IntN(2) == 0
	} else if !masked {
		a.Op = pick(g.Rand, []spec.Op{spec.EQ, spec.EQ, spec.NE, spec.LT, spec.LE, spec.GT, spec.GE})
	}
	if masked {
		a.Masked, a.ValueTwo, a.Value = true, a.Value, pick(g.Rand, masks)
		if g.shape == Equalities && a.Value != ^uint64(0) {
			a.Value &= 0xffffffff
		}
	}
	return a
}
