package explain

import (
	"fmt"
	"slices"
	"strings"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// Answer says what calls get, and why.
type Answer struct {
	// Call is what was asked, as Name and Decode write it.
	Call string
	// Cases are what it gets. There is one where that is certain: because it
	// was asked for arguments, or because they do not matter.
	Cases []Case
}

// Case is one verdict.
type Case struct {
	// Condition is when it applies, after the cases before it did not: "arg0 ==
	// 0x28"; empty for always.
	Condition string
	Return    bpf.Return
	// Reason is what in the profile says so.
	Reason string
}

// String is one line for a single case, and one more for each case otherwise.
func (a Answer) String() string {
	if len(a.Cases) == 1 {
		return fmt.Sprintf("%s: %s: %s", a.Call, a.Cases[0].Return, a.Cases[0].Reason)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", a.Call)
	for _, c := range a.Cases {
		when := c.Condition
		if when == "" {
			when = "otherwise"
		}
		fmt.Fprintf(&b, "\n  %s: %s: %s", when, c.Return, c.Reason)
	}
	return b.String()
}

// Why says what a call gets under a policy that was resolved from p, and which
// rule says so. Where given is not 0 the arguments of call count, else all
// there can be.
func Why(policy *spec.Policy, p *spec.Profile, call *bpf.Data, given int) Answer {
	a := Answer{Call: Name(call.Arch, call.Nr)}
	verdict, listed := lookup(policy, call)
	if !listed {
		a.Cases = []Case{{Return: policy.Other, Reason: "the profile does not list the architecture"}}
		return a
	}
	if given > 0 {
		machine, _, _ := strings.Cut(a.Call, ":")
		a.Call = machine + ":" + Decode(call)
		r, rule := verdict.Decide(&call.Args)
		a.Cases = []Case{{Return: r, Reason: reason(policy, p, call, r, rule)}}
		return a
	}
	for _, i := range reached(verdict) {
		if i == len(verdict.Rules) {
			a.Cases = append(a.Cases, Case{"", verdict.Default, reason(policy, p, call, verdict.Default, nil)})
			break
		}
		rule := &verdict.Rules[i]
		a.Cases = append(a.Cases, Case{conditions(rule, call), rule.Return, reason(policy, p, call, rule.Return, rule)})
	}
	a.Cases = together(a.Cases)
	return a
}

// together makes one case of several rules that leave nothing over and have one
// return value.
func together(cases []Case) []Case {
	if len(cases) < 2 || cases[len(cases)-1].Condition == "" {
		return cases
	}
	var reasons []string
	for _, c := range cases {
		if c.Return != cases[0].Return {
			return cases
		}
		if number := strings.TrimPrefix(c.Reason, "rule "); !slices.Contains(reasons, number) {
			reasons = append(reasons, number)
		}
	}
	reason := "rules " + strings.Join(reasons, ", ") + " together"
	if len(reasons) == 1 {
		reason = "rule " + reasons[0]
	}
	return []Case{{Return: cases[0].Return, Reason: reason}}
}

// reached returns the rules that decide about some arguments, by their index in
// a verdict, and at the end len(v.Rules) where the default does. That is proved:
// what could not be counts as reached.
func reached(v *spec.Verdict) []int {
	if _, plain := constant(v); plain {
		return []int{0} // no later rule is ever asked
	}
	// Each rule, and the default, gets a value of its own: those that occur are
	// of the rules that decide something.
	marked := spec.Verdict{Rules: slices.Clone(v.Rules), Default: bpf.Errno(uint16(len(v.Rules)))}
	for i := range marked.Rules {
		marked.Rules[i].Return = bpf.Errno(uint16(i))
	}
	all := func() []int {
		list := make([]int, len(v.Rules)+1)
		for i := range list {
			list[i] = i
		}
		return list
	}
	if len(v.Rules) > maxCases {
		return all()
	}
	witnesses, outcome, err := verify.Differences(alone(0, &marked), alone(0, &spec.Verdict{Default: bpf.RetAllow}))
	if err != nil || outcome != verify.Different {
		return all()
	}
	var list []int
	for _, w := range witnesses {
		list = append(list, int(w.First.Return.Data()))
	}
	slices.Sort(list)
	return list
}

// maxCases is how many cases a call may have to be looked at for idle ones.
const maxCases = 1000

// lookup returns what a policy says of a call's number.
func lookup(p *spec.Policy, call *bpf.Data) (*spec.Verdict, bool) {
	for i := range p.Tokens {
		if p.Tokens[i].Audit == call.Arch {
			return p.Tokens[i].Lookup(call.Nr), true
		}
	}
	return nil, false
}

// reason says where a return value comes from; rule is nil where no rule
// applies.
func reason(policy *spec.Policy, p *spec.Profile, call *bpf.Data, r bpf.Return, rule *spec.Rule) string {
	switch {
	case rule != nil:
		return rule.Place()
	case r == p.Default:
		return "default action"
	case call.Nr >= arch.X32Bit && r == policy.Other:
		return "the profile does not list the architecture"
	case r == bpf.Errno(enosys):
		return "newer than every call that the profile names"
	default:
		return "no rule"
	}
}

// enosys is Linux's ENOSYS on the machine that runs this, which is not always
// Linux.
const enosys = 38

// conditions renders when a rule applies, as C would for the argument's width.
func conditions(rule *spec.Rule, call *bpf.Data) string {
	width := ^uint64(0)
	if a := archOf(call.Arch, call.Nr); a != nil && a.Bits == 32 {
		width = 1<<32 - 1
	}
	texts := make([]string, len(rule.Conditions))
	for i, c := range rule.Conditions {
		operand := fmt.Sprintf("arg%d", c.Arg)
		if c.Mask != width {
			operand += fmt.Sprintf(" & %#x", c.Mask)
		}
		texts[i] = fmt.Sprintf("%s %s %#x", operand, c.Op, c.Value)
	}
	return strings.Join(texts, " and ")
}
