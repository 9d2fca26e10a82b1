package filter

import (
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// BuildReference returns the Filter whose program runc and libseccomp would make
// of the profile. It is for looking at, not for the Store: Verified says whether
// the program is the profile's, which it need not be (CompareReference). Without
// the build tag libseccomp the error is reference.ErrNotBuilt.
func BuildReference(r Request) (*Filter, error) {
	policy, profile, err := r.Policy()
	if err != nil {
		return nil, err
	}
	version, err := reference.Version()
	if err != nil {
		return nil, err
	}
	program, err := reference.Profile(profile, r.target())
	if err != nil {
		return nil, err
	}
	result, err := verify.Policy(policy, program)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", r.Profile, err)
	}
	f, err := r.describe(policy, profile, program)
	if err != nil {
		return nil, err
	}
	f.Compiler, f.Verified = "libseccomp "+version, result.Outcome == verify.Equal
	return f, nil
}

// CompareReference decides whether the program that runc and libseccomp would
// make of the profile says the same. The names that the installed libseccomp
// does not know, or has another number for, are taken out of the profile on both
// sides first and returned: that they differ is known.
func CompareReference(r Request) (result verify.Result, left []string, err error) {
	policy, profile, err := r.Policy()
	if err != nil {
		return result, nil, err
	}
	if left, err = reference.Differing(namesOf(profile), archsOf(policy)...); err != nil {
		return result, nil, err
	}
	common := without(profile, left)
	if policy, err = common.Resolve(r.target()); err != nil {
		return result, left, err
	}
	program, err := reference.Profile(common, r.target())
	if err != nil {
		return result, left, err
	}
	result, err = verify.Policy(policy, program)
	return result, left, err
}

// namesOf returns the names of calls in a profile, sorted.
func namesOf(p *spec.Profile) []string {
	var names []string
	for i := range p.Syscalls {
		names = append(names, p.Syscalls[i].Names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// archsOf returns the architectures of a policy.
func archsOf(p *spec.Policy) []*arch.Arch {
	var archs []*arch.Arch
	for i := range p.Tokens {
		archs = append(archs, p.Tokens[i].Architectures(p.Other)...)
	}
	return archs
}

// without returns a profile less some names, which are sorted as namesOf does.
func without(p *spec.Profile, names []string) *spec.Profile {
	less := *p
	less.Syscalls = nil
	for _, rule := range p.Syscalls {
		rule.Names = slices.DeleteFunc(slices.Clone(rule.Names), func(name string) bool {
			_, found := slices.BinarySearch(names, name)
			return found
		})
		if len(rule.Names) > 0 {
			less.Syscalls = append(less.Syscalls, rule)
		}
	}
	return &less
}
