package spec

import (
	"fmt"
	"strings"

	"seccomp-hook/pkg/arch"
)

// String returns the policy as text: for each token a line for each range of
// numbers, with the names of its first and last call and the rule that it comes
// from, and under it the rules of a verdict that looks at arguments. The text is
// the same for the same policy.
func (p *Policy) String() string {
	var b strings.Builder
	for i := range p.Tokens {
		p.Tokens[i].format(&b)
	}
	fmt.Fprintf(&b, "other: %v\n", p.Other)
	return b.String()
}

func (t *Token) format(b *strings.Builder) {
	name := "unknown"
	if a, ok := arch.ByAudit(t.Audit); ok {
		name = a.Name
	}
	fmt.Fprintf(b, "%s %#x:\n", name, t.Audit)
	for i := range t.Ranges {
		t.formatRange(b, &t.Ranges[i])
	}
}

func (t *Token) formatRange(b *strings.Builder, r *Range) {
	numbers := formatNumber(r.First)
	if r.Last != r.First {
		numbers += "-" + formatNumber(r.Last)
	}
	fmt.Fprintf(b, "\t%-21s ", numbers)
	if names := t.names(r); names != "" {
		fmt.Fprintf(b, "%s ", names)
	}
	rules := r.Verdict.Rules
	switch {
	case len(rules) == 0:
		fmt.Fprintf(b, "%v\n", r.Verdict.Default)
		return
	case len(rules[0].Conditions) == 0:
		fmt.Fprintf(b, "%v (%s)\n", rules[0], rules[0].Place())
		return
	}
	b.WriteString("depends\n")
	for _, rule := range rules {
		fmt.Fprintf(b, "\t\t%v (%s)\n", rule, rule.Place())
	}
	fmt.Fprintf(b, "\t\telse %v\n", r.Verdict.Default)
}

// formatNumber writes numbers that no table reaches in hexadecimal: there the
// bits tell more.
func formatNumber(nr uint32) string {
	if nr < 0x10000 {
		return fmt.Sprint(nr)
	}
	return fmt.Sprintf("%#x", nr)
}

// names returns the names of the first and the last call in r.
func (t *Token) names(r *Range) string {
	a, ok := arch.ByAudit(t.Audit)
	if !ok {
		return ""
	}
	if a.Name == "x86_64" && r.First >= arch.X32Bit {
		a, _ = arch.ByName("x32")
	}
	var first, last string
	for nr, c := range a.Calls() {
		if r.First <= nr && nr <= r.Last {
			if first == "" {
				first = c.Name()
			}
			last = c.Name()
		}
	}
	if first == last {
		return first
	}
	return first + ".." + last
}

// String returns the rule as text: "a0 == 0x2 && a1&0xf0 == 0x10: ALLOW".
func (r Rule) String() string {
	if len(r.Conditions) == 0 {
		return r.Return.String()
	}
	texts := make([]string, len(r.Conditions))
	for i, c := range r.Conditions {
		texts[i] = c.String()
	}
	return fmt.Sprintf("%s: %v", strings.Join(texts, " && "), r.Return)
}

// Place says where the rule is from: "rule 3", and of a policy's second profile
// "profile 2, rule 3" or "profile 2, default".
func (r *Rule) Place() string {
	place := fmt.Sprintf("rule %d", r.Origin)
	if r.Origin == ByDefault {
		place = "default"
	}
	if r.Source > 0 {
		place = fmt.Sprintf("profile %d, %s", r.Source+1, place)
	}
	return place
}

// String returns the condition as text: "a0 < 0x8", "a1&0xf0 == 0x10"; a
// comparison of the low word is "u32(a0) < 0x8".
func (c Condition) String() string {
	operand := fmt.Sprintf("a%d", c.Arg)
	switch {
	case c.Mask == allBits(32):
		operand = fmt.Sprintf("u32(a%d)", c.Arg)
	case c.Mask != ^uint64(0):
		operand = fmt.Sprintf("a%d&%#x", c.Arg, c.Mask)
	}
	return fmt.Sprintf("%s %v %#x", operand, c.Op, c.Value)
}
