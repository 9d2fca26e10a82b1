package lint

import (
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// base returns the places that are judged for what they leave open: every ABI
// of every target without capabilities.
func (c *checker) base() []place {
	var list []place
	for t := range c.targets {
		if len(c.targets[t].Capabilities) > 0 {
			continue
		}
		for _, a := range c.archs[t] {
			list = append(list, place{t, a})
		}
	}
	return list
}

// at returns what a call gets at a place that base returned, and from which
// rules. There are none where the default action is all that is left.
func (c *checker) at(call arch.Call, p place) (*spec.Verdict, []spec.Use) {
	s := c.calls[call]
	if s == nil {
		return always(c.profile.Default), nil
	}
	for _, in := range s.in {
		for _, q := range in.places {
			// Those of a call whose rules always count are one for each ABI.
			if q.arch == p.arch && (q.target == p.target || !s.filtered && !s.multiplexed()) {
				return &in.verdict, in.uses
			}
		}
	}
	return always(bpf.Errno(38)), nil // the -ENOSYS stub's
}

// multiplexed reports whether what a call gets depends on more than its rules
// where calls are multiplexed.
func (s *subject) multiplexed() bool {
	_, companion := companions[s.call]
	return s.via || companion
}

// open reports whether a verdict permits every call, closed whether it permits
// none.
func open(v *spec.Verdict) bool   { ret, plain := constant(v); return plain && permits(ret) }
func closed(v *spec.Verdict) bool { ret, plain := constant(v); return plain && !permits(ret) }

// restricting returns the rule that restricts a call at a place: one that
// denies it, other than with ENOSYS, which asks callers for the older call; or
// where conditions count one with conditions, if not every call is permitted.
func (c *checker) restricting(call arch.Call, p place, conditions bool) (rule int, ok bool) {
	v, uses := c.at(call, p)
	if open(v) {
		return 0, false
	}
	for _, u := range uses {
		if u.Through != 0 || c.dropped[naming{u.Origin, call}] && u.Rule.Return != c.profile.Default {
			continue
		}
		// Where the default action denies, a call that is allowed by name
		// beside one that is denied by name is meant to be.
		denies := permits(c.profile.Default) && u.Rule.Return.Milder(bpf.RetErrno) <= 0 && u.Rule.Return != bpf.Errno(38)
		switch {
		case c.opened[naming{u.Origin, call}]:
		case closed(v) && denies, !closed(v) && conditions && len(u.Rule.Args) > 0:
			return u.Origin, true
		}
	}
	return 0, false
}

// siblings reports families of which one call is restricted and another one is
// left.
func (c *checker) siblings(places []place) {
	for _, f := range spec.Families() {
		left := map[string][]place{}
		var denied []string
		rule, found := 0, []place{}
		for _, p := range places {
			restricted := false
			var free []string
			for _, name := range f.Calls {
				call, _ := arch.FindCall(name)
				if _, ok := p.arch.NumberOf(call); !ok {
					continue
				}
				if origin, ok := c.restricting(call, p, f.Flags); ok {
					if !slices.Contains(denied, name) {
						denied = append(denied, name)
					}
					if !restricted && len(found) == 0 {
						rule = origin
					}
					restricted = true
				} else if v, _ := c.at(call, p); open(v) {
					free = append(free, name)
				}
			}
			if restricted && len(free) > 0 {
				found = append(found, p)
				for _, name := range free {
					left[name] = append(left[name], p)
				}
			}
		}
		if len(found) == 0 {
			continue
		}
		var names []string
		for _, name := range f.Calls {
			if in := left[name]; len(in) == len(found) {
				names = append(names, name)
			} else if len(in) > 0 {
				names = append(names, fmt.Sprintf("%s (on %s)", name, in[0].arch))
			}
		}
		c.report("sibling", rule, rulePath(rule), denied, "", "restricted, but %s can %s as well and %s allowed",
			enumerate(names), f.Does, map[bool]string{true: "is", false: "are"}[len(names) == 1])
	}
}

// detours reports calls that are restricted, and that socketcall or ipc makes
// without that.
func (c *checker) detours(places []place) {
	for _, companion := range arch.Companions() {
		for _, p := range places {
			if _, ok := p.arch.NumberOf(companion.Via); !ok || !p.arch.Multiplexed {
				continue
			}
			origin, ok := c.restrictedAnywhere(companion.Call, p)
			if !ok {
				continue
			}
			via, uses := c.at(companion.Via, p)
			if v := given(via, 0, uint64(companion.Which)); !open(v) {
				continue
			}
			why := "the default action allows it"
			rule := origin
			for _, u := range uses {
				if u.Through == companion.Which && permits(u.Rule.Return) {
					why, rule = "there the filter does not see what is compared", u.Origin
				}
			}
			for _, u := range uses {
				if u.Through == 0 && permits(u.Rule.Return) {
					why, rule = fmt.Sprintf("rule %d allows it", u.Origin), u.Origin
				}
			}
			c.report("multiplexed", rule, rulePath(rule), []string{companion.Via.Name()}, "on "+p.arch.Name,
				"%s is restricted by rule %d, but %s(%d) makes it too, and %s", companion.Call.Name(), origin, companion.Via.Name(), companion.Which, why)
		}
	}
}

// restrictedAnywhere is restricting for a call that the place may not have by
// itself: then it is looked at on another ABI of the target.
func (c *checker) restrictedAnywhere(call arch.Call, p place) (rule int, ok bool) {
	for _, a := range c.archs[p.target] {
		if _, there := a.NumberOf(call); there {
			if rule, ok = c.restricting(call, place{p.target, a}, true); ok {
				return rule, true
			}
		}
	}
	return 0, false
}

// standIns reports older calls that are allowed for an architecture that does
// not have them, and whose stand-ins there are not.
func (c *checker) standIns(places []place) {
	type missing struct {
		rule    int
		names   []string // the stand-ins
		instead []string
	}
	byArch := map[*arch.Arch]*missing{}
	for _, p := range places {
		if byArch[p.arch] != nil {
			continue
		}
		m := &missing{rule: -1}
		for _, s := range spec.StandIns() {
			old, _ := arch.FindCall(s.Call)
			rule, allowed := c.allows(old, p.target)
			if _, has := p.arch.NumberOf(old); has || !allowed {
				continue
			}
			var first string
			served := false
			for _, name := range s.By {
				call, _ := arch.FindCall(name)
				if _, has := p.arch.NumberOf(call); !has {
					continue
				}
				if first == "" {
					first = name
				}
				v, _ := c.at(call, p)
				served = served || !closed(v)
			}
			if first == "" || served {
				continue
			}
			if m.rule < 0 {
				m.rule = rule
			}
			m.instead = append(m.instead, s.Call)
			if !slices.Contains(m.names, first) {
				m.names = append(m.names, first)
			}
		}
		if m.rule >= 0 {
			byArch[p.arch] = m
			c.report("missing-stand-in", m.rule, rulePath(m.rule), m.names, "on "+p.arch.Name,
				"not allowed, though programs make them in place of %s", enumerate(m.instead))
		}
	}
}

// allows returns the first rule that counts for a target and allows a call by
// its name.
func (c *checker) allows(call arch.Call, target int) (rule int, ok bool) {
	s := c.calls[call]
	if s == nil {
		return 0, false
	}
	for _, u := range s.uses {
		if u.Through == 0 && permits(u.Rule.Return) && c.active[target][u.Origin] {
			return u.Origin, true
		}
	}
	return 0, false
}
