package lint

import (
	"math"
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// A statement about a rule is a comparison of two verdicts: the one that a call
// gets, and the one that it would get if the rule were another. Each is about
// one call, so the proofs are small.

// anywhere is the token and number of the call in comparisons, where they do
// not matter.
const anywhere = 0xc000003e

// alone is a policy that gives every call one verdict.
func alone(v *spec.Verdict) *spec.Policy {
	return &spec.Policy{Tokens: []spec.Token{{Audit: anywhere, Ranges: []spec.Range{{First: 0, Last: math.MaxUint32, Verdict: *v}}}}}
}

// always is the verdict that is ret whatever the arguments are.
func always(ret bpf.Return) *spec.Verdict { return &spec.Verdict{Default: ret} }

// constant returns what a verdict gives whatever the arguments are, and whether
// it is plainly one that does.
func constant(v *spec.Verdict) (bpf.Return, bool) {
	if len(v.Rules) == 0 {
		return v.Default, true
	}
	return v.Rules[0].Return, len(v.Rules[0].Conditions) == 0
}

// limits bound the work on one profile, so that one of thousands of rules is
// answered in seconds too. Docker's default takes a hundredth of it.
const maxEffort = 20000 // rules compared

var proof = verify.Budget{Nodes: 1 << 18, Steps: 400_000}

// afford reports whether there is work left for a comparison of a and b.
func (c *checker) afford(a, b *spec.Verdict) bool {
	c.effort += 1 + len(a.Rules) + len(b.Rules)
	c.exhausted = c.exhausted || c.effort > maxEffort
	return !c.exhausted
}

// same reports whether two verdicts are proved to be the same.
func (c *checker) same(a, b *spec.Verdict) bool {
	x, plainX := constant(a)
	y, plainY := constant(b)
	switch {
	case plainX && plainY:
		return x == y
	case a.Default == b.Default && slices.EqualFunc(a.Rules, b.Rules, sameRule):
		return true
	case !c.afford(a, b):
		return false
	}
	result, err := proof.Policies(alone(a), alone(b))
	return err == nil && result.Outcome == verify.Equal
}

func sameRule(a, b spec.Rule) bool {
	return a.Return == b.Return && slices.Equal(a.Conditions, b.Conditions)
}

// differences returns an example for each pair of return values that a and b
// give to one call and that are not the same, none where that is not decided.
func (c *checker) differences(a, b *spec.Verdict) []verify.Witness {
	if a.Default == b.Default && slices.EqualFunc(a.Rules, b.Rules, sameRule) || !c.afford(a, b) {
		return nil
	}
	list, _, err := proof.Differences(alone(a), alone(b))
	if err != nil {
		return nil
	}
	return list
}

// permits reports whether a call with that return value is made.
func permits(r bpf.Return) bool {
	return r.Action() == bpf.RetAllow || r.Action() == bpf.RetLog
}

// before returns a verdict in which a rule with these alternatives comes before
// all others.
func before(alternatives [][]spec.Condition, ret bpf.Return, v *spec.Verdict) *spec.Verdict {
	w := &spec.Verdict{Default: v.Default}
	for _, conditions := range alternatives {
		w.Rules = append(w.Rules, spec.Rule{Conditions: conditions, Return: ret})
	}
	w.Rules = append(w.Rules, v.Rules...)
	return w
}

// lowWord returns the verdict on an argument whose upper half is cleared before
// it is looked at.
func lowWord(v *spec.Verdict, arg uint8) *spec.Verdict {
	w := &spec.Verdict{Default: v.Default, Rules: slices.Clone(v.Rules)}
	for i := range w.Rules {
		w.Rules[i].Conditions = slices.Clone(w.Rules[i].Conditions)
		for k := range w.Rules[i].Conditions {
			if condition := &w.Rules[i].Conditions[k]; condition.Arg == arg {
				condition.Mask &= math.MaxUint32
			}
		}
	}
	return w
}

// given returns the verdict where an argument is known.
func given(v *spec.Verdict, arg uint8, value uint64) *spec.Verdict {
	w := &spec.Verdict{Default: v.Default}
	args := [6]uint64{value, value, value, value, value, value}
next:
	for _, rule := range v.Rules {
		var rest []spec.Condition
		for _, condition := range rule.Conditions {
			switch {
			case condition.Arg != arg:
				rest = append(rest, condition)
			case !condition.Holds(&args):
				continue next
			}
		}
		rule.Conditions = rest
		w.Rules = append(w.Rules, rule)
	}
	return w
}

// restricted returns a verdict that denies all that does not meet the conditions.
func restricted(v *spec.Verdict, conditions []spec.Condition) *spec.Verdict {
	w := &spec.Verdict{Default: bpf.RetKillProcess}
	for _, rule := range v.Rules {
		rule.Conditions = slices.Concat(conditions, rule.Conditions)
		w.Rules = append(w.Rules, rule)
	}
	w.Rules = append(w.Rules, spec.Rule{Conditions: conditions, Return: v.Default, Origin: -1})
	return w
}
