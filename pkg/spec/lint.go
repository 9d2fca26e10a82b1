package spec

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// lintArguments warns of conditions that do not say what they seem to.
func (r *resolver) lintArguments() {
	wide := slices.ContainsFunc(r.archs, func(a *arch.Arch) bool { return a.Bits == 64 })
	for i := range r.rules {
		e := &r.rules[i]
		if len(e.Args) == 0 {
			continue
		}
		for arg := range uint8(6) {
			if repeats(e.Args) && coversAll(e.wide, arg) {
				r.policy.Warnings.add(WarnAlwaysTrue, e.origin,
					"the conditions on argument %d are alternatives, because it is repeated, and there is always one that holds", arg)
			}
		}
		if wide {
			r.lintTruncated(e)
		}
	}
}

// lintTruncated warns where a value above 32 bits, which the kernel takes for
// another one, gets a milder action than that one.
func (r *resolver) lintTruncated(e *expanded) {
	// The kernel compares actions as signed numbers.
	milder := int32(e.Return.Action()) > int32(r.profile.Default.Action())
	var warned [6]bool
	for _, a := range e.Args {
		escapes := a.Op == NE || a.Op == GT || a.Op == GE
		if a.Masked && a.Value <= math.MaxUint32 || escapes != milder || warned[a.Index] {
			continue
		}
		warned[a.Index] = true
		for _, name := range e.Names {
			if takesLow(name, a.Index) {
				r.policy.Warnings.add(WarnTruncated, e.origin,
					"the kernel takes 32 bits of argument %d of %s: a value with higher bits set gets %v",
					a.Index, name, r.milder(e.Return))
			}
		}
	}
}

// milder returns the milder one of ret and the default action.
func (r *resolver) milder(ret bpf.Return) bpf.Return {
	if int32(ret.Action()) > int32(r.profile.Default.Action()) {
		return ret
	}
	return r.profile.Default
}

// interval is a run of values, both ends included.
type interval struct{ low, high uint64 }

// coversAll reports whether for every value of the argument one of the
// alternatives holds. It does not look into masks.
func coversAll(alternatives [][]Condition, arg uint8) bool {
	var list []interval
	for _, conditions := range alternatives {
		if len(conditions) == 1 && conditions[0].Arg == arg {
			list = append(list, conditions[0].intervals()...)
		}
	}
	slices.SortFunc(list, func(a, b interval) int { return cmp.Compare(a.low, b.low) })
	var next uint64 // the lowest value not covered yet
	for _, i := range list {
		if i.low > next {
			return false
		}
		if i.high == math.MaxUint64 {
			return true
		}
		next = max(next, i.high+1)
	}
	return false
}

// intervals returns the values for which c holds, none for a mask.
func (c *Condition) intervals() []interval {
	var list []interval
	below := func(n uint64) { // values under n
		if n > 0 {
			list = append(list, interval{0, n - 1})
		}
	}
	above := func(n uint64) { // values over n
		if n < math.MaxUint64 {
			list = append(list, interval{n + 1, math.MaxUint64})
		}
	}
	switch c.Op {
	case EQ:
		list = append(list, interval{c.Value, c.Value})
	case NE:
		below(c.Value)
		above(c.Value)
	case LT:
		below(c.Value)
	case LE:
		list = append(list, interval{0, c.Value})
	case GT:
		above(c.Value)
	case GE:
		list = append(list, interval{c.Value, math.MaxUint64})
	}
	return list
}

// maxOverlapPairs bounds how many pairs of rules are looked at for overlaps in
// one profile: it is advice, and must not cost more than the profile itself.
const maxOverlapPairs = 1000

// lintOverlap warns of two rules of call c that apply to the same arguments,
// where libseccomp's order is not the one that they are written in.
func (r *resolver) lintOverlap(c arch.Call, written, ordered []Rule) {
	if r.linted[c] || !differ(written) {
		return
	}
	r.linted[c] = true
	plain := make([]Rule, len(written))
	for i, rule := range written {
		rule.Conditions = slices.Clone(rule.Conditions)
		for k := range rule.Conditions {
			rule.Conditions[k].Op &^= maskedEQ
		}
		plain[i] = rule
	}
	asWritten, asOrdered := Verdict{Rules: plain}, Verdict{Rules: ordered}
	warned := map[[2]int]bool{}
	for j := range plain {
		for i := range plain[:j] {
			if plain[i].Return == plain[j].Return || r.overlapPairs >= maxOverlapPairs {
				continue
			}
			r.overlapPairs++
			args, ok := witness(plain[i].Conditions, plain[j].Conditions)
			if !ok {
				continue
			}
			_, first := asWritten.Decide(&args)
			_, winner := asOrdered.Decide(&args)
			if winner == nil || first.Return == winner.Return || warned[[2]int{first.Origin, winner.Origin}] {
				continue
			}
			warned[[2]int{first.Origin, winner.Origin}] = true
			r.policy.Warnings.add(WarnOverlap, winner.Origin,
				"%s: rule %d comes first, but this one decides where both apply, such as at (%s)",
				c.Name(), first.Origin, formatArgs(&args))
		}
	}
}

// differ reports whether rules have different actions.
func differ(rules []Rule) bool {
	for i := range rules {
		if rules[i].Return != rules[0].Return {
			return true
		}
	}
	return false
}

// witness returns arguments for which all conditions of both lists hold, false
// where it finds none.
func witness(a, b []Condition) (args [6]uint64, ok bool) {
	for arg := range args {
		var conditions []Condition
		for _, c := range slices.Concat(a, b) {
			if int(c.Arg) == arg {
				conditions = append(conditions, c)
			}
		}
		args[arg], ok = satisfy(conditions)
		if !ok {
			return args, false
		}
	}
	return args, true
}

// satisfy returns a value for which conditions on one argument hold. It tries
// the ends of intervals, and those with the bits of a masked value.
func satisfy(conditions []Condition) (uint64, bool) {
	tries := []uint64{0, math.MaxUint32, math.MaxUint64}
	for _, c := range conditions {
		for _, near := range [...]uint64{c.Value, c.Value - 1, c.Value + 1} {
			tries = append(tries, near)
			for _, d := range conditions {
				tries = append(tries, near&^d.Mask|d.Value)
			}
		}
	}
	for _, v := range tries {
		args := [6]uint64{v, v, v, v, v, v}
		if !slices.ContainsFunc(conditions, func(c Condition) bool { return !c.Holds(&args) }) {
			return v, true
		}
	}
	return 0, false
}

func formatArgs(args *[6]uint64) string {
	n := len(args)
	for n > 1 && args[n-1] == 0 {
		n--
	}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("%#x", args[i])
	}
	return strings.Join(texts, ", ")
}
