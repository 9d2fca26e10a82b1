package lint

import (
	"fmt"
	"maps"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// effects reports rules, and names in them, without which every call has the
// same verdict for every target. The last ones are tried first, and what has no
// effect is left out from then on: of two rules that say the same one is
// reported, and all that is reported can be removed together.
func (c *checker) effects() {
	type kind struct{ id, message string }
	for i := len(c.known) - 1; i >= 0; i-- {
		if c.never(i) {
			continue
		}
		found := map[kind][]int{} // names, by their place
		where := map[kind]string{}
		for k := len(c.known[i]) - 1; k >= 0; k-- {
			if c.known[i][k] < 0 {
				continue
			}
			n := naming{i, arch.Call(c.known[i][k])}
			list := c.concerned(n)
			if len(list) == 0 || c.opened[n] || c.effective(n, list) {
				continue
			}
			c.dropped[n] = true
			id, message := c.classify(n, list[0])
			worst := kind{id, message}
			for _, in := range list[1:] {
				id, message := c.classify(n, in)
				if one := (kind{id, message}); one != worst && find(id).place() < find(worst.id).place() {
					worst = one
					where[one] = c.where(in)
				}
			}
			found[worst] = append(found[worst], k)
		}
		kinds := slices.SortedFunc(maps.Keys(found), func(a, b kind) int { return found[b][0] - found[a][0] })
		for _, each := range kinds {
			places := found[each]
			slices.Reverse(places)
			var names []string
			for _, k := range places {
				names = append(names, c.profile.Syscalls[i].Names[k])
			}
			path := namePath(i, places[0])
			if len(names) == len(c.known[i]) {
				path = rulePath(i)
			}
			c.report(each.id, i, path, names, where[each], "%s", each.message)
		}
	}
}

// never reports a rule whose conditions never hold, and says whether it is one.
func (c *checker) never(i int) bool {
	rule := &c.profile.Syscalls[i]
	if len(rule.Args) == 0 {
		return false
	}
	for _, bits := range []int{64, 32} {
		if !c.same(before(rule.Conditions(bits), bpf.RetKillProcess, always(bpf.RetAllow)), always(bpf.RetAllow)) {
			return false
		}
	}
	c.report("never-true", i, rulePath(i), rule.Names, "", "the conditions never hold, and so no call gets %v by this rule", rule.Return)
	for _, call := range c.known[i] {
		if call >= 0 {
			c.opened[naming{i, arch.Call(call)}] = true
		}
	}
	return true
}

// effective reports whether some call gets another verdict without a rule's
// naming of it, in circumstances that it concerns.
func (c *checker) effective(n naming, list []*circumstance) bool {
	for _, in := range list {
		if c.exhausted {
			return true
		}
		v, ok := c.without(in, n)
		if !ok || !c.same(&in.verdict, v) {
			return true
		}
	}
	return c.raises(n)
}

// raises reports whether a naming can be what lets the -ENOSYS stub begin
// later, which it does even where the rule has the default action.
func (c *checker) raises(n naming) bool {
	switch c.profile.Default.Action() {
	case bpf.RetAllow, bpf.RetLog, bpf.RetTrace:
		return false
	}
	for t := range c.targets {
		if !c.active[t][n.rule] {
			continue
		}
		for _, a := range c.archs[t] {
			nr, ok := a.NumberOf(n.call)
			if _, companion := companions[n.call]; !ok || companion && a.Multiplexed {
				continue
			}
			if c.profile.Default == bpf.Errno(38) {
				nr = min(nr, a.NumberBase+1) // what matters is only whether there is a stub
			}
			if !c.covered(t, a, n, nr) {
				return true
			}
		}
	}
	return false
}

// covered reports whether another naming that counts has at least that number.
func (c *checker) covered(target int, a *arch.Arch, n naming, nr uint32) bool {
	for i, names := range c.known {
		if !c.active[target][i] {
			continue
		}
		for _, call := range names {
			if call < 0 || c.dropped[naming{i, arch.Call(call)}] || (naming{i, arch.Call(call)}) == n {
				continue
			}
			if a.Multiplexed && behind[call] {
				continue // these do not count
			}
			if other, ok := a.NumberOf(arch.Call(call)); ok && other >= nr {
				return true
			}
		}
	}
	return false
}

// classify says why a naming has no effect, by what its call gets where the
// rule applies.
func (c *checker) classify(n naming, in *circumstance) (id, message string) {
	rule := &c.profile.Syscalls[n.rule]
	alternatives := rule.Conditions(in.bits)
	v := &in.verdict
	if w, ok := mildest(c.differences(v, before(alternatives, rule.Return, v))); ok {
		got, by := w.First.Return, c.by(w.First.Rule, n.call)
		if rule.Return == c.profile.Default && len(rule.Args) == 0 && !throughAnother(w.First.Rule, in) {
			if _, plain := constant(v); !plain {
				return "redundant", fmt.Sprintf("%v is the default action; %s gives %v to some of these calls all the same", rule.Return, by, got)
			}
		}
		call := "every call"
		if _, plain := constant(v); !plain || len(rule.Args) > 0 {
			call = example(n.call, &w.Call.Args, 1)
		}
		if got.Milder(rule.Return) > 0 && !permits(rule.Return) {
			return "void-deny", fmt.Sprintf("it is not denied: %s gets %v by %s", call, got, by)
		}
		return "overruled", fmt.Sprintf("it does not get %v: %s gets %v by %s", rule.Return, call, got, by)
	}
	if _, decided := v.Decide(new([6]uint64)); decided != nil && len(decided.Conditions) == 0 && decided.Origin != n.rule {
		return "redundant", fmt.Sprintf("it gets %v by rule %d already", rule.Return, decided.Origin)
	}
	if rule.Return == c.profile.Default {
		return "redundant", fmt.Sprintf("%v is the default action", rule.Return)
	}
	return "redundant", fmt.Sprintf("other rules give %v to all of these calls already", rule.Return)
}

// mildest returns the example in which the first verdict allows most.
func mildest(list []verify.Witness) (verify.Witness, bool) {
	if len(list) == 0 {
		return verify.Witness{}, false
	}
	return slices.MaxFunc(list, func(a, b verify.Witness) int { return a.First.Return.Milder(b.First.Return) }), true
}

// throughAnother reports whether a rule decides about a call because it names one
// that is made by it.
func throughAnother(rule *spec.Rule, in *circumstance) bool {
	return rule != nil && slices.ContainsFunc(in.uses, func(u spec.Use) bool { return u.Origin == rule.Origin && u.Through != 0 }) &&
		!slices.ContainsFunc(in.uses, func(u spec.Use) bool { return u.Origin == rule.Origin && u.Through == 0 })
}

// conditions reports conditions without which their rule means the same.
func (c *checker) conditions() {
	for i := range c.profile.Syscalls {
		rule := &c.profile.Syscalls[i]
		if len(rule.Args) == 0 || rule.Return == c.profile.Default {
			continue
		}
		gone := make([]bool, len(rule.Args))
		for k := range rule.Args {
			if rule.Args[k].Masked && rule.Args[k].Value == 0 {
				continue // reported as an empty mask
			}
			loose := *rule
			loose.Args = nil
			for j, a := range rule.Args {
				if j != k && !gone[j] {
					loose.Args = append(loose.Args, a)
				}
			}
			if repeats(rule.Args) && len(loose.Args) > 1 && !repeats(loose.Args) {
				continue // alternatives would become one condition
			}
			if c.idle(i, &loose) {
				gone[k] = true // what is reported can be removed together
				c.report("idle-condition", i, argPath(i, k), nil, "", "the comparison of argument %d changes nothing", rule.Args[k].Index)
			}
		}
	}
}

func repeats(args []spec.Arg) bool {
	for i := range args {
		if slices.ContainsFunc(args[:i], func(a spec.Arg) bool { return a.Index == args[i].Index }) {
			return true
		}
	}
	return false
}

// idle reports whether every call has the same verdict with another rule in the
// place of rule i, which has an effect and is looked at.
func (c *checker) idle(i int, other *spec.Syscall) bool {
	looked := false
	for _, call := range c.known[i] {
		if call < 0 {
			continue
		}
		n := naming{i, arch.Call(call)}
		if c.dropped[n] || c.opened[n] {
			return false
		}
		for _, in := range c.concerned(n) {
			if c.exhausted {
				return false
			}
			uses := slices.Clone(in.uses)
			for k := range uses {
				if uses[k].Origin == i {
					uses[k].Rule = other
				}
			}
			v, err := spec.Combine(uses, in.bits, c.profile.Default)
			if err != nil || !c.same(&in.verdict, &v) {
				return false
			}
			looked = true
		}
	}
	return looked
}
