package spec

import (
	"fmt"
	"slices"
)

// maskedEQ is SCMP_CMP_MASKED_EQ, in rules that orderRules takes. A policy has
// EQ for it, which means the same; but libseccomp never takes a MASKED_EQ for
// an EQ, so which rule wins and what is a conflict depend on how the profile
// put it.
const maskedEQ Op = 0x80

// ConflictError says that two rules of one call want different actions for the
// same condition, so that neither can win. libseccomp refuses the second with
// EEXIST and runc then does not create the container. So it does where the
// conditions of the second are those with which an earlier rule begins, in the
// order of the arguments: `a0 == 1` after `a0 == 1 && a1 == 2`, though not
// before it.
type ConflictError struct {
	First, Second Rule // in the profile's order
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("rules %d and %d have the same condition but different actions, %v and %v",
		e.First.Origin, e.Second.Origin, e.First.Return, e.Second.Return)
}

// orderRules turns the rules of one call number on one architecture, in the
// profile's order, into a list whose first match decides as libseccomp's
// filter does; bits is the architecture's, 32 or 64. MASKED_EQ comes in as
// maskedEQ and goes out as EQ. The conditions of a rule are in the order of the
// arguments, one for each. The error, if there is one, is a *ConflictError, or
// wraps ErrTooMany.
//
// Where all rules have one action their order says nothing, and they come back
// as they are. Else they go through libseccomp's own tree (argTree): which of
// two overlapping rules wins there follows from no simpler principle. Where
// libseccomp loses a rule, or applies one to calls that it does not speak of,
// this follows the profile (docs/libseccomp.md).
func orderRules(rules []Rule, bits int) ([]Rule, error) {
	return orderWithin(newWork(), rules, bits)
}

// orderWithin is orderRules for one of several calls, which share the work.
func orderWithin(w *work, rules []Rule, bits int) ([]Rule, error) {
	if !differ(rules) {
		// An unconditional rule makes the others of its action idle.
		if i := slices.IndexFunc(rules, unconditional); i >= 0 {
			return []Rule{{Return: rules[i].Return, Origin: rules[i].Origin}}, nil
		}
		return plainRules(rules), nil
	}
	t := argTree{rules: rules, bits: bits, prunes: !sameArguments(rules), work: w}
	for i := range rules {
		if unconditional(rules[i]) {
			// The first one wins over all, before it and after it.
			return []Rule{{Return: rules[i].Return, Origin: rules[i].Origin}}, nil
		}
		switch first, err := t.insert(i); {
		case err != nil:
			return nil, err
		case first != none:
			return nil, &ConflictError{First: plainRule(rules[first]), Second: plainRule(rules[i])}
		}
	}
	return t.list(), nil
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

// vanishes reports whether c is a comparison under an empty mask, which
// libseccomp leaves out.
func (c *Condition) vanishes() bool { return c.Op == maskedEQ && c.Mask == 0 }

func unconditional(r Rule) bool {
	for i := range r.Conditions {
		if !r.Conditions[i].vanishes() {
			return false
		}
	}
	return true
}

// sameArguments reports whether all rules have conditions on the same
// arguments.
func sameArguments(rules []Rule) bool {
	arguments := func(r *Rule) (set uint8) {
		for i := range r.Conditions {
			if c := &r.Conditions[i]; !c.vanishes() {
				set |= 1 << c.Arg
			}
		}
		return set
	}
	first := arguments(&rules[0])
	for i := range rules {
		if arguments(&rules[i]) != first {
			return false
		}
	}
	return true
}

// plainRules returns the rules as a policy has them.
func plainRules(rules []Rule) []Rule {
	list := make([]Rule, len(rules))
	for i, r := range rules {
		list[i] = plainRule(r)
	}
	return list
}

func plainRule(r Rule) Rule {
	if !slices.ContainsFunc(r.Conditions, func(c Condition) bool { return c.Op == maskedEQ }) {
		return r
	}
	conditions := make([]Condition, 0, len(r.Conditions))
	for _, c := range r.Conditions {
		if c.vanishes() {
			continue
		}
		if c.Op == maskedEQ {
			c.Op, c.Value = EQ, c.Value&c.Mask
		}
		conditions = append(conditions, c)
	}
	r.Conditions = conditions
	return r
}
