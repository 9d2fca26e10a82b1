package simplify

import (
	"errors"
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// ErrNotEqual says that a simpler profile is not proved to mean the same. From
// Format and Minimize it is a defect of this package.
var ErrNotEqual = errors.New("simplify: not proved equal")

// Format returns the text of a profile in canonical form (spec.Profile.Canonical),
// proved equal.
func Format(p *spec.Profile) ([]byte, error) {
	canonical, err := p.Canonical()
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	text, err := canonical.Encode(p.Form)
	if err != nil {
		return nil, err
	}
	read, err := spec.Parse(text, p.Name)
	if err != nil {
		return nil, errors.Join(ErrNotEqual, err)
	}
	return text, newOriginal(p).equal(read)
}

// Dropped is what Minimize leaves out.
type Dropped struct {
	// Rule is the index in the profile's syscalls list, Name one of its names,
	// "" for the rule as a whole.
	Rule   int
	Name   string
	Reason string
}

func (d Dropped) String() string {
	if d.Name == "" {
		return fmt.Sprintf("rule %d: %s", d.Rule, d.Reason)
	}
	return fmt.Sprintf("rule %d: %s: %s", d.Rule, d.Name, d.Reason)
}

// Minimize returns a profile without the rules and names that never decide:
// unknown calls, names that a rule has twice, rules that others hide or that say
// what the default action says, unless runc's -ENOSYS stub begins behind them.
// The rules that are left are as they were, in their order.
func Minimize(p *spec.Profile) (*spec.Profile, []Dropped, error) {
	canonical, err := p.Canonical()
	if err != nil && !errors.Is(err, spec.ErrNotCanonical) {
		return nil, nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	if canonical == nil {
		c := *p
		canonical = &c
	}
	m := &minimizer{original: newOriginal(p), least: canonical}
	for i := range canonical.Syscalls {
		m.rules = append(m.rules, i)
	}
	m.unknown()
	for i := len(m.least.Syscalls) - 1; i >= 0; i-- {
		m.rule(i)
	}
	for i := range m.least.Syscalls {
		m.names(i)
	}
	if err := m.original.equal(m.least); err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(m.dropped, func(a, b Dropped) int { return a.Rule - b.Rule })
	return m.least, m.dropped, nil
}

type minimizer struct {
	original *original
	least    *spec.Profile
	rules    []int // what the rules of least were in the original
	dropped  []Dropped
}

// with returns least with other rules.
func (m *minimizer) with(rules []spec.Syscall) *spec.Profile {
	p := *m.least
	p.Syscalls = rules
	return &p
}

// unknown drops names that no architecture has.
func (m *minimizer) unknown() {
	rules := slices.Clone(m.least.Syscalls)
	for i := range rules {
		rules[i].Names = slices.DeleteFunc(slices.Clone(rules[i].Names), func(name string) bool {
			_, known := arch.FindCall(name)
			if !known {
				m.dropped = append(m.dropped, Dropped{i, name, "no architecture has the call"})
			}
			return !known
		})
	}
	m.least = m.with(rules)
}

// rule drops rule i if nothing changes.
func (m *minimizer) rule(i int) {
	less := m.with(slices.Delete(slices.Clone(m.least.Syscalls), i, i+1))
	if m.original.equal(less) != nil {
		return
	}
	reason := "other rules hide it, or say the same"
	if m.least.Syscalls[i].Return == m.least.Default {
		reason = "it says what the default action says"
	}
	m.dropped = append(m.dropped, Dropped{m.rules[i], "", reason})
	m.least = less
	m.rules = slices.Delete(m.rules, i, i+1)
}

// names drops names of rule i that other rules have too, or all where it has the
// default action.
func (m *minimizer) names(i int) {
	rule := &m.least.Syscalls[i]
	var idle []string
	for _, name := range rule.Names {
		elsewhere := slices.ContainsFunc(m.least.Syscalls, func(s spec.Syscall) bool {
			return !slices.Equal(s.Names, rule.Names) && slices.Contains(s.Names, name)
		})
		if elsewhere || rule.Return == m.least.Default {
			idle = append(idle, name)
		}
	}
	// Most often none of them matters, or one.
	if m.drop(i, idle) {
		return
	}
	for _, name := range idle {
		m.drop(i, []string{name})
	}
}

// drop drops names of rule i if nothing changes.
func (m *minimizer) drop(i int, names []string) bool {
	if len(names) == 0 || len(names) == len(m.least.Syscalls[i].Names) {
		return len(names) == 0
	}
	rules := slices.Clone(m.least.Syscalls)
	rules[i].Names = slices.DeleteFunc(slices.Clone(rules[i].Names), func(name string) bool { return slices.Contains(names, name) })
	less := m.with(rules)
	if m.original.equal(less) != nil {
		return false
	}
	for _, name := range names {
		m.dropped = append(m.dropped, Dropped{m.rules[i], name, "other rules decide, or the default action says the same"})
	}
	m.least = less
	return true
}

// original is a profile that others are compared with, resolved for all targets
// that it tells apart.
type original struct {
	profile  *spec.Profile
	targets  []spec.Target
	policies []*spec.Policy // nil where it has none
	first    int            // the target that told the last profile apart
}

func newOriginal(p *spec.Profile) *original {
	o := &original{profile: p}
	o.targets, _ = spec.Targets(nil, nil, p)
	for _, t := range o.targets {
		policy, err := p.Resolve(t)
		if err != nil {
			policy = nil
		}
		o.policies = append(o.policies, policy)
	}
	return o
}

// equal proves that a profile means the same for every target.
func (o *original) equal(p *spec.Profile) error {
	for i := range o.targets {
		at := (o.first + i) % len(o.targets) // what differed last time differs soon
		if err := o.equalFor(at, p); err != nil {
			o.first = at
			return err
		}
	}
	return nil
}

func (o *original) equalFor(i int, p *spec.Profile) error {
	policy, err := p.Resolve(o.targets[i])
	was := o.policies[i]
	if refused := err != nil; refused && was == nil {
		return nil // as before
	}
	switch {
	case was == nil || err != nil || was.Listener != policy.Listener:
		return fmt.Errorf("%w on %v: %w", ErrNotEqual, o.targets[i].Native, err)
	default:
		result, err := verify.Policies(was, policy)
		if err != nil {
			return err
		}
		if result.Outcome != verify.Equal {
			return fmt.Errorf("%w on %v: %v", ErrNotEqual, o.targets[i].Native, result)
		}
		return nil
	}
}
