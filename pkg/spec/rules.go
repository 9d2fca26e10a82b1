package spec

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
)

// expanded is a rule that has an effect, in the words of a policy.
type expanded struct {
	*Syscall
	origin int
	// wide and narrow are its alternatives where arguments have 64 bits, and
	// where they have 32. One without conditions always applies.
	wide, narrow [][]Condition
	// always is the rule where it has no conditions as written, which is what
	// most rules are, and shared by all calls.
	always []Rule
}

func newExpanded(s *Syscall, origin int) expanded {
	e := expanded{Syscall: s, origin: origin}
	if len(s.Args) == 0 {
		e.always = []Rule{{Return: s.Return, Origin: origin}}
		return e
	}
	e.wide = alternatives(s.Args, 64)
	e.narrow = alternatives(s.Args, 32)
	return e
}

// alternatives returns the conditions of a rule: the list of those that all
// must hold, in the order of the arguments; but where an argument appears
// twice each condition is an alternative of its own (runc, matchCall).
func alternatives(args []Arg, bits int) [][]Condition {
	if repeats(args) {
		list := make([][]Condition, len(args))
		for i, a := range args {
			if c, ok := a.condition(bits); ok {
				list[i] = []Condition{c}
			}
		}
		return list
	}
	all := make([]Condition, 0, len(args))
	for _, a := range args {
		if c, ok := a.condition(bits); ok {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Condition) int { return cmp.Compare(a.Arg, b.Arg) })
	return [][]Condition{all}
}

// repeats reports whether an argument appears more than once.
func repeats(args []Arg) bool {
	var seen [6]bool
	for _, a := range args {
		if seen[a.Index] {
			return true
		}
		seen[a.Index] = true
	}
	return false
}

// allBits returns an argument with all its bits set: a 32-bit architecture, and
// libseccomp on x32, compares the low word.
func allBits(bits int) uint64 { return ^uint64(0) >> (64 - bits) }

// condition returns a for arguments of that size. A mask that leaves nothing
// makes a condition that holds always: there is none then.
func (a *Arg) condition(bits int) (Condition, bool) {
	all := allBits(bits)
	if !a.Masked {
		return Condition{Arg: a.Index, Op: a.Op, Mask: all, Value: a.Value & all}, true
	}
	mask := a.Value & all
	return Condition{Arg: a.Index, Op: maskedEQ, Mask: mask, Value: a.ValueTwo & mask}, mask != 0
}

// rulesOf returns the rules of call c on a, so that the first that applies
// decides as in libseccomp's filter.
func (r *resolver) rulesOf(a *arch.Arch, c arch.Call) ([]Rule, error) {
	named := r.uses.of(c)
	multiplexer := a.Multiplexed && r.uses.multiplexer[c]
	switch {
	case multiplexer:
	case len(named) == 0:
		return nil, nil
	case r.rules[named[0]].always != nil:
		return r.rules[named[0]].always, nil // nothing is before it
	}
	ordered, err := r.ordered(a, c, named, multiplexer)
	if err != nil {
		return nil, r.conflict(a, c, err)
	}
	return ordered, nil
}

// ordered is rulesOf for what takes a look. Many calls have the same rules, on
// many architectures: they are put in order once.
func (r *resolver) ordered(a *arch.Arch, c arch.Call, named []int32, multiplexer bool) ([]Rule, error) {
	key := append(r.key[:0], byte(a.Bits))
	if multiplexer {
		key = binary.LittleEndian.AppendUint16(key, uint16(c))
	} else {
		for _, i := range named {
			key = binary.LittleEndian.AppendUint32(key, uint32(i))
		}
	}
	r.key = key
	if known, ok := r.known[string(key)]; ok {
		return known.rules, known.err
	}
	var list []Rule
	if multiplexer {
		list = r.multiplexed(a, c)
	} else {
		for _, i := range named {
			list = r.rules[i].appendTo(list, a.Bits, nil)
		}
	}
	var o order
	if len(list) > 0 {
		o.rules, o.err = orderWithin(&r.work, list, a.Bits)
	}
	r.known[string(key)] = o
	return o.rules, o.err
}

// order is what orderWithin has returned.
type order struct {
	rules []Rule
	err   error
}

// conflict says where two rules contradict each other, or are too many.
func (r *resolver) conflict(a *arch.Arch, c arch.Call, err error) error {
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		return fmt.Errorf("spec: profile %s: call %q on %v: %w", r.profile.Name, c.Name(), a, err)
	}
	return &RuleError{r.profile.Name, conflict.Second.Origin, c.Name(), fmt.Errorf("on %v: %w", a, err)}
}

// checkAbsent looks for conflicts between rules of calls that a does not have.
// libseccomp keeps such rules under numbers of its own, and so finds them; where
// it multiplexes calls it does not keep them (abi_rule_add).
func (r *resolver) checkAbsent(a *arch.Arch) error {
	if a.Multiplexed {
		return nil
	}
	for c := range arch.Call(arch.CallCount) {
		if len(r.uses.of(c)) < 2 {
			continue
		}
		if _, ok := a.NumberOf(c); ok {
			continue
		}
		if _, err := r.rulesOf(a, c); err != nil {
			return err
		}
	}
	return nil
}

// appendTo adds the rule's alternatives to list; through, where there is one,
// takes the place of what the rule says of that argument.
func (e *expanded) appendTo(list []Rule, bits int, through *Condition) []Rule {
	if e.always != nil && through == nil {
		return append(list, e.always[0])
	}
	alternatives := e.wide
	switch {
	case e.always != nil:
		alternatives = [][]Condition{nil}
	case bits == 32:
		alternatives = e.narrow
	}
	for _, conditions := range alternatives {
		if through != nil {
			conditions = through.and(conditions)
		}
		list = append(list, Rule{Conditions: conditions, Return: e.Return, Origin: e.origin})
	}
	return list
}
