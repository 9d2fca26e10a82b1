package lint

import (
	"math"
	"slices"
	"strconv"

	"seccomp-hook/pkg/spec"
)

// constants reports calls whose rules have conditions, where together there is
// always one that holds.
func (c *checker) constants() {
	for _, call := range c.order {
		for _, in := range c.calls[call].in {
			var origins []int
			plain, mask := false, false
			for _, u := range in.uses {
				if u.Rule.Return == c.profile.Default {
					continue
				}
				plain = plain || len(u.Rule.Args) == 0 && u.Through == 0
				mask = mask || slices.ContainsFunc(u.Rule.Args, func(a spec.Arg) bool { return a.Masked && a.Value == 0 })
				if u.Through == 0 {
					origins = append(origins, u.Origin)
				}
			}
			if plain || len(origins) == 0 {
				continue
			}
			ret, _ := in.verdict.Decide(new([6]uint64))
			if ret == c.profile.Default || !c.same(&in.verdict, always(ret)) {
				continue
			}
			for _, origin := range origins {
				c.opened[naming{origin, call}] = true
			}
			if mask {
				continue // reported as an empty mask
			}
			why := "its conditions always hold"
			rule := &c.profile.Syscalls[origins[0]]
			switch {
			case len(origins) > 1:
				why = "together with " + others(origins[1:]) + ", whose conditions are alternatives to these, there is always one that holds"
			case repeats(rule.Args):
				why = "an argument is repeated, so the conditions are alternatives, and there is always one that holds"
			}
			c.report("always-true", origins[0], rulePath(origins[0])+".args", []string{call.Name()}, c.where(in), "every call gets %v: %s", ret, why)
		}
	}
}

// others writes "rule 3", or "rules 3, 4".
func others(list []int) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	if len(texts) == 1 {
		return "rule " + texts[0]
	}
	return "rules " + enumerate(slices.Compact(texts))
}

// overlaps reports where two rules apply to one call and the later one decides.
func (c *checker) overlaps() {
	for _, call := range c.order {
		for _, in := range c.calls[call].in {
			if len(in.verdict.Rules) < 2 {
				continue // an unconditional rule decides, or there is one only
			}
			written := spec.Written(in.uses, in.bits, c.profile.Default)
			for _, w := range c.differences(&written, &in.verdict) {
				if w.First.Rule == nil || w.Second.Rule == nil {
					continue
				}
				c.report("overlap", w.Second.Rule.Origin, rulePath(w.Second.Rule.Origin), []string{call.Name()}, c.where(in),
					"%s comes first, but this one decides where both apply: %s gets %v, not %v",
					c.by(w.First.Rule, call), example(call, &w.Call.Args, 1), w.Second.Return, w.First.Return)
			}
		}
	}
}

// truncations reports arguments of which the kernel takes 32 bits, where a value
// with a higher one gets a milder action than the value that it passes for.
func (c *checker) truncations() {
	for _, call := range c.order {
		for _, in := range c.calls[call].in {
			if in.bits != 64 {
				continue
			}
			for arg := range uint8(6) {
				if low, _ := spec.TakesLow(call.Name(), arg); !low || !looksAbove(&in.verdict, arg) {
					continue
				}
				short := lowWord(&in.verdict, arg)
				for _, w := range c.differences(&in.verdict, short) {
					if w.First.Return.Milder(w.Second.Return) <= 0 {
						continue
					}
					args := w.Call.Args
					args[arg] &= math.MaxUint32
					got, rule := in.verdict.Decide(&args)
					origin := conditional(w.First.Rule, rule)
					if origin < 0 || w.First.Return.Milder(got) <= 0 {
						continue
					}
					c.report("truncated-argument", origin, c.conditionOn(origin, arg), []string{call.Name()}, c.whereWide(in),
						"%s gets %v by %s, but the kernel takes 32 bits of argument %d and makes %s, which gets %v by %s",
						example(call, &w.Call.Args, 1), w.First.Return, c.by(w.First.Rule, call), arg, example(call, &args, int(arg)+1), got, c.by(rule, call))
				}
			}
		}
	}
}

// looksAbove reports whether a verdict compares the upper half of an argument.
func looksAbove(v *spec.Verdict, arg uint8) bool {
	return slices.ContainsFunc(v.Rules, func(r spec.Rule) bool {
		return slices.ContainsFunc(r.Conditions, func(c spec.Condition) bool { return c.Arg == arg && c.Mask > math.MaxUint32 })
	})
}

// conditional returns the origin of the first of the rules that has conditions.
func conditional(rules ...*spec.Rule) int {
	for _, r := range rules {
		if r != nil && len(r.Conditions) > 0 && r.Origin >= 0 {
			return r.Origin
		}
	}
	return -1
}

// conditionOn is the path of a rule's first condition on an argument.
func (c *checker) conditionOn(rule int, arg uint8) string {
	for k, a := range c.profile.Syscalls[rule].Args {
		if a.Index == arg {
			return argPath(rule, k)
		}
	}
	return rulePath(rule)
}

// signs reports constants that are a negative int with its upper half cleared,
// where the number that programs pass gets a sterner action.
func (c *checker) signs() {
	for _, call := range c.order {
		for _, in := range c.calls[call].in {
			if in.bits != 64 {
				continue
			}
			for _, u := range in.uses {
				for k, a := range u.Rule.Args {
					_, signed := spec.TakesLow(call.Name(), a.Index)
					if u.Through != 0 || !signed || a.Masked || a.Value>>31 != 1 {
						continue
					}
					extended := a.Value | math.MaxUint32<<32
					for _, w := range c.differences(given(&in.verdict, a.Index, a.Value), given(&in.verdict, a.Index, extended)) {
						if w.First.Return.Milder(w.Second.Return) <= 0 {
							continue
						}
						c.report("sign-extension", u.Origin, argPath(u.Origin, k), []string{call.Name()}, c.whereWide(in),
							"argument %d is an int, and programs pass %d as %#x, which gets %v; %#x gets %v",
							a.Index, int32(uint32(a.Value)), extended, w.Second.Return, a.Value, w.First.Return)
						break
					}
				}
			}
		}
	}
}

// whereWide is where for what is about 64 bits alone.
func (c *checker) whereWide(in *circumstance) string {
	if !in.subject.filtered {
		return ""
	}
	return c.where(in)
}
