package spec

// MaxWork is the most that putting rules in order may take.
const MaxWork = maxWork

// ResolveCounted is Resolve that says what putting rules in order has taken.
func (p *Profile) ResolveCounted(t Target) (policy *Policy, work int, err error) {
	r, err := p.resolver(t)
	if err != nil {
		return nil, 0, err
	}
	policy, err = r.resolve()
	return policy, maxWork - r.work.left, err
}
