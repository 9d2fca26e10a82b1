package spec

import "seccomp-hook/pkg/arch"

// multiplexed returns the rules of socketcall or ipc on a, in the profile's
// order: those that name it, and for those that name a call behind it one with
// the call's number as first argument (libseccomp, abi_rule_add). What such a
// rule says of the first argument of the call itself is lost, for there it is
// behind a pointer; what it says of the others stays, against reason.
func (r *resolver) multiplexed(a *arch.Arch, c arch.Call) []Rule {
	var list []Rule
	for _, use := range r.uses.list {
		rule := &r.rules[use.rule]
		switch by := r.uses.companions[use.call]; {
		case use.call == c:
			list = rule.appendTo(list, a.Bits, nil)
		case by.which != 0 && by.via == c:
			list = rule.appendTo(list, a.Bits, &Condition{Op: EQ, Mask: allBits(a.Bits), Value: uint64(by.which)})
		}
	}
	return list
}

// and returns c, and the conditions on the other arguments after it; c is one on
// the first argument.
func (c *Condition) and(others []Condition) []Condition {
	all := make([]Condition, 1, 1+len(others))
	all[0] = *c
	for _, o := range others {
		if o.Arg != c.Arg {
			all = append(all, o)
		}
	}
	return all
}
