package spec

import "seccomp-hook/pkg/bpf"

// Use is one rule of a profile speaking of one call.
type Use struct {
	Rule   *Syscall
	Origin int // index in the profile's syscalls list
	// Through is not 0 where the rule names another call that is made by this
	// one, socketcall or ipc: the first argument that stands for it.
	Through uint32
}

// Combine returns what a call gets where arguments have so many bits, 32 or 64,
// from the rules that speak of it, in the profile's order, and else fallback.
// It is the part of Resolve that is about one call, for those who ask what
// would be if a rule were another one; the -ENOSYS stub is not in it. The
// error is a *ConflictError.
func Combine(uses []Use, bits int, fallback bpf.Return) (Verdict, error) {
	ordered, err := orderRules(expand(uses, bits, fallback), bits)
	return Verdict{Rules: ordered, Default: fallback}, err
}

// Written is what Combine would return if the first rule that applies, in the
// profile's order, decided.
func Written(uses []Use, bits int, fallback bpf.Return) Verdict {
	return Verdict{Rules: plainRules(expand(uses, bits, fallback)), Default: fallback}
}

// expand returns the rules of one call in the words of a policy, but for their
// order, without those that have the default action.
func expand(uses []Use, bits int, fallback bpf.Return) []Rule {
	var list []Rule
	for _, u := range uses {
		if u.Rule.Return == fallback {
			continue
		}
		e := newExpanded(u.Rule, u.Origin)
		var through *Condition
		if u.Through != 0 {
			through = &Condition{Op: EQ, Mask: allBits(bits), Value: uint64(u.Through)}
		}
		list = e.appendTo(list, bits, through)
	}
	return list
}

// Conditions returns the alternatives that a rule has where arguments have so
// many bits: it applies where all conditions of one of them hold.
func (s *Syscall) Conditions(bits int) [][]Condition {
	list := alternatives(s.Args, bits)
	for i := range list {
		list[i] = plainRule(Rule{Conditions: list[i]}).Conditions
	}
	return list
}
