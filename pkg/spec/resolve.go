package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// ErrDisabled says that a profile asks for no filter, so it has no meaning as
// a policy.
var ErrDisabled = errors.New("the profile is disabled")

// ErrErrnoNames says that a profile has errnos by name that are other numbers on
// the native architecture.
var ErrErrnoNames = errors.New("has its own errnos: give numbers, not names")

// RuleError is an error about one rule of a profile.
type RuleError struct {
	Profile string
	Rule    int    // index in the profile's syscalls list
	Call    string // "" where it is about the rule as a whole
	Err     error
}

func (e *RuleError) Error() string {
	if e.Call == "" {
		return fmt.Sprintf("spec: profile %s: rule %d: %v", e.Profile, e.Rule, e.Err)
	}
	return fmt.Sprintf("spec: profile %s: rule %d (%q): %v", e.Profile, e.Rule, e.Call, e.Err)
}

func (e *RuleError) Unwrap() error { return e.Err }

// resolver is the work on one policy.
type resolver struct {
	profile *Profile
	target  Target // with nothing left out
	archs   []*arch.Arch
	rules   []expanded // those that count for the target
	uses    uses
	policy  *Policy
	work    work             // that is left for putting rules in order
	known   map[string]order // by what says which rules
	key     []byte
}

// Resolve says what p means for a target. The policy's warnings are those of
// p, and what resolving found besides. A *ConflictError in the error says that
// two rules contradict each other, ErrDisabled that there is no filter.
func (p *Profile) Resolve(t Target) (*Policy, error) {
	if p.Disabled {
		return nil, fmt.Errorf("spec: profile %s: %w", p.Name, ErrDisabled)
	}
	r, err := p.resolver(t)
	if err != nil {
		return nil, err
	}
	return r.resolve()
}

func (r *resolver) resolve() (*Policy, error) {
	if err := r.collect(); err != nil {
		return nil, err
	}
	if err := r.profile.checkListener(r.policy.Listener); err != nil {
		return nil, err
	}
	for i, a := range r.archs {
		if slices.ContainsFunc(r.archs[:i], func(b *arch.Arch) bool { return b.Audit == a.Audit }) {
			continue // x32 after x86_64, or the other way round
		}
		token, err := r.token(a.Audit)
		if err != nil {
			return nil, err
		}
		r.policy.Tokens = append(r.policy.Tokens, token)
	}
	slices.SortFunc(r.policy.Tokens[1:], func(a, b Token) int { return cmp.Compare(a.Audit, b.Audit) })
	slices.SortStableFunc(r.policy.Warnings, func(a, b Warning) int { return cmp.Compare(a.Rule, b.Rule) })
	return r.policy, nil
}

// resolver settles what t leaves open.
func (p *Profile) resolver(t Target) (*resolver, error) {
	if t.Native == nil && len(t.Archs) > 0 {
		t.Native = t.Archs[0]
	}
	if t.Native == nil {
		t.Native = arch.Native()
	}
	if t.Native == nil {
		return nil, fmt.Errorf("spec: profile %s: no native architecture is given, and this machine's is unknown", p.Name)
	}
	if p.errnoNames && ownErrnos(t.Native) {
		return nil, fmt.Errorf("spec: profile %s: %v %w", p.Name, t.Native, ErrErrnoNames)
	}
	if t.Capabilities == nil {
		t.Capabilities = DefaultCapabilities()
	}
	if t.Kernel == (KernelVersion{}) {
		t.Kernel = newest
	}
	archs, err := p.architectures(&t)
	if err != nil {
		return nil, err
	}
	policy := &Policy{Endian: t.Native.Endian, Other: badArch, Warnings: slices.Clone(p.Warnings)}
	return &resolver{profile: p, target: t, archs: archs, policy: policy,
		work: *newWork(), known: map[string]order{}}, nil
}

// badArch is what calls of an architecture get that the profile does not list:
// libseccomp's SCMP_FLTATR_ACT_BADARCH, which runc leaves as it is.
const badArch = bpf.RetKillThread

// ArchitecturesFor returns the architectures of the policy that p is resolved to
// for a target whose native architecture is given.
func (p *Profile) ArchitecturesFor(t *Target) ([]*arch.Arch, error) { return p.architectures(t) }

// architectures returns those of the policy, each once, the native one first:
// it is there whether it is listed or not (libseccomp, seccomp_init).
func (p *Profile) architectures(t *Target) ([]*arch.Arch, error) {
	list := t.Archs
	if len(list) == 0 {
		list = p.Architectures
		for _, m := range p.ArchMap {
			if m.Architecture == t.Native.OCI {
				sub, err := p.subArchitectures(&m)
				if err != nil {
					return nil, err
				}
				list = sub
				break
			}
		}
	}
	archs := []*arch.Arch{t.Native}
	for _, a := range list {
		if a.Endian != t.Native.Endian {
			// libseccomp does not add it either (db_col_db_add, EDOM): one
			// program cannot read the arguments of both.
			return nil, fmt.Errorf("spec: profile %s: %v and %v have different byte orders", p.Name, t.Native, a)
		}
		if !slices.Contains(archs, a) {
			archs = append(archs, a)
		}
	}
	return archs, nil
}

func (p *Profile) subArchitectures(m *ArchMapping) ([]*arch.Arch, error) {
	var list []*arch.Arch
	for _, name := range m.SubArchitectures {
		a, ok := arch.ByOCI(name)
		if !ok {
			return nil, fmt.Errorf("spec: profile %s: archMap of %s: unknown architecture %q", p.Name, m.Architecture, name)
		}
		list = append(list, a)
	}
	return list, nil
}

// token returns the part of the policy for one AUDIT_ARCH_* token. Before the
// filter proper runs the -ENOSYS stub, so what it says comes last here.
func (r *resolver) token(audit uint32) (Token, error) {
	whole := ranges{{0, maxNumber, Verdict{Default: badArch}}}
	for _, a := range r.archs {
		if a.Audit == audit {
			whole = r.domain(a).over(whole)
		}
	}
	for _, a := range r.archs {
		if a.Audit == audit {
			own, err := r.filter(a)
			if err != nil {
				return Token{}, err
			}
			whole = own.over(whole)
		}
	}
	for _, a := range r.archs {
		if a.Audit == audit {
			whole = r.enosysStub(a).over(whole)
		}
	}
	return Token{Audit: audit, Ranges: whole.merge()}, nil
}

// filter returns what libseccomp's filter says of the calls of one ABI that have
// rules.
func (r *resolver) filter(a *arch.Arch) (ranges, error) {
	own := make(ranges, 0, 128)
	for nr, c := range a.Calls() {
		rules, err := r.rulesOf(a, c)
		if err != nil {
			return nil, err
		}
		if len(rules) > 0 {
			own = own.add(Range{nr, nr, Verdict{Rules: rules, Default: r.profile.Default}})
		}
	}
	if err := r.checkAbsent(a); err != nil {
		return nil, err
	}
	return own, nil
}

// domain returns the default action for the numbers that libseccomp takes for
// calls of one ABI. x86_64 and x32 share a token; there all from X32Bit are
// x32's, but where x32 is not listed -1 is x86_64's, because it is no call but
// what a tracer writes to skip one (libseccomp, _gen_bpf_arch).
func (r *resolver) domain(a *arch.Arch) ranges {
	verdict := Verdict{Default: r.profile.Default}
	switch {
	case a.Name == "x32":
		return ranges{{arch.X32Bit, maxNumber, verdict}}
	case a.Name == "x86_64" && r.hasX32():
		return ranges{{0, arch.X32Bit - 1, verdict}}
	case a.Name == "x86_64":
		return ranges{{0, arch.X32Bit - 1, verdict}, {maxNumber, maxNumber, verdict}}
	}
	return ranges{{0, maxNumber, verdict}}
}

func (r *resolver) hasX32() bool {
	return slices.ContainsFunc(r.archs, func(a *arch.Arch) bool { return a.Name == "x32" })
}
