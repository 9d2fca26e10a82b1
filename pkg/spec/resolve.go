package spec

import "fmt"

// Resolve says what p means for a target. The policy's warnings are those of
// p, and what resolving found besides.
func (p *Profile) Resolve(t Target) (*Policy, error) {
	return nil, fmt.Errorf("spec: profile %s: not implemented", p.Name)
}
