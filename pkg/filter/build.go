package filter

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// Request is everything that a Filter depends on.
type Request struct {
	// Profile says where the profile came from, for messages and the
	// annotation. What begins with "builtin:" is the profile itself; Text is
	// then empty.
	Profile string
	// Text is the profile, in any form that spec.Parse reads.
	Text []byte
	// Seccomp says that Text is the linux.seccomp of a config.json, and has
	// the meaning that it has there. What else a config.json has is better left
	// out of Text: every text has a stored Filter of its own.
	Seccomp bool
	// Also are profiles that hold besides: each call gets the strictest verdict
	// of all (spec.Stricter).
	Also []Source
	// Capabilities are the container's bounding set, for the rules of
	// Docker-format profiles that depend on it; nil stands for the default
	// (spec.Target).
	Capabilities []string
	// Architectures take the place of the profile's, the native one first.
	// Empty: the profile's, and this machine's as the native one.
	Architectures []*arch.Arch
	// Kernel is the version that the container runs on: minKernel is compared
	// with it, and it decides what the statistics count.
	Kernel spec.KernelVersion
	// Strict makes errors of warnings.
	Strict bool
	// Compile says what to optimise for.
	Compile compile.Options
}

// Source is a profile, as Request has it.
type Source struct {
	Profile string
	Text    []byte
	Seccomp bool
}

// sources returns all profiles of r.
func (r *Request) sources() []Source {
	return append([]Source{{r.Profile, r.Text, r.Seccomp}}, r.Also...)
}

// ProfileSeparator is between the names of profiles that hold together, in
// Filter.Profile and its annotation.
const ProfileSeparator = " + "

// name names all profiles of r.
func (r *Request) name() string {
	name := r.Profile
	for _, s := range r.Also {
		name += ProfileSeparator + s.Profile
	}
	return name
}

// ErrDisabled says that a profile asks for no filter at all.
var ErrDisabled = errors.New("the profile asks for no filter")

// NoProgramError says that there is no proved program for a profile, although
// nothing is wrong with it: it needs more instructions than the kernel takes, or
// the program could not be proved. The real runtime may well start a container
// with such a linux.seccomp; what it makes of it is its own affair.
type NoProgramError struct {
	Profile string
	// Err is a *compile.TooLargeError, a *ProofError, or wraps spec.ErrTooMany
	// or spec.ErrTooManyPairs.
	Err error
}

func (e *NoProgramError) Error() string { return fmt.Sprintf("profile %s: %v", e.Profile, e.Err) }

func (e *NoProgramError) Unwrap() error { return e.Err }

// ProofError says that a program is not proved to be what its profile says.
// Where there is a witness, the compiler, the proof or both are wrong; without
// one, the profile is too complicated for the proof's budget. The program must
// not be used either way.
type ProofError struct{ Result verify.Result }

func (e *ProofError) Error() string {
	if e.Result.Outcome == verify.Different {
		return fmt.Sprintf("verify: internal error, please report it: the program is not what the profile says: %s", e.Result)
	}
	return fmt.Sprintf("verify: the program could not be proved: %s", e.Result)
}

// Build runs the pipeline. The program of the Filter that it returns is proved.
// The error wraps ErrDisabled, is a *NoProgramError where a valid profile has no
// program, or says what is wrong with the profile.
func Build(r Request) (*Filter, error) {
	f, _, err := build(r)
	return f, err
}

// Took is how long the steps of a Build took.
type Took struct {
	Compile time.Duration // from the text of the profile to the program
	Proof   time.Duration
}

func build(r Request) (f *Filter, took Took, err error) {
	begin := time.Now()
	policy, profile, program, err := r.program()
	took.Compile = time.Since(begin)
	if err != nil {
		return nil, took, err
	}
	begin = time.Now()
	err = prove(r.name(), policy, program)
	took.Proof = time.Since(begin)
	if err != nil {
		return nil, took, err
	}
	if f, err = r.describe(policy, profile, program); err != nil {
		return nil, took, err
	}
	f.Compiler, f.Verified = compilerName, true
	return f, took, nil
}

// program compiles the profiles of r together.
func (r *Request) program() (*spec.Policy, *spec.Profile, bpf.Program, error) {
	policy, profile, err := r.Policy()
	if errors.Is(err, spec.ErrTooMany) || errors.Is(err, spec.ErrTooManyPairs) {
		return nil, nil, nil, &NoProgramError{r.name(), err}
	}
	if err != nil {
		return nil, nil, nil, err
	}
	program, err := compile.Compile(policy, r.Compile)
	var large *compile.TooLargeError
	if errors.As(err, &large) {
		return nil, nil, nil, &NoProgramError{r.name(), err}
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("profile %s: %w", r.name(), err)
	}
	return policy, profile, program, nil
}

// describe returns a Filter with everything but who made its program, and
// whether it is proved.
func (r *Request) describe(policy *spec.Policy, profile *spec.Profile, program bpf.Program) (*Filter, error) {
	f := &Filter{
		Program:       program,
		Flags:         profile.Flags,
		Profile:       r.name(),
		ProfileDigest: r.digest(),
	}
	if policy.Listener {
		f.Listener = &Listener{Path: profile.ListenerPath, Metadata: profile.ListenerMetadata}
	}
	for _, w := range policy.Warnings {
		f.Warnings = append(f.Warnings, fmt.Sprintf("profile %s: %s", r.sources()[w.Source].Profile, w))
	}
	tokens := make([]uint32, len(policy.Tokens))
	for i := range policy.Tokens {
		tokens[i] = policy.Tokens[i].Audit
	}
	var err error
	if f.Tables, err = precompute.Tables(program, tokens...); err != nil {
		return nil, fmt.Errorf("profile %s: %w", r.name(), err)
	}
	if f.Statistics, err = statistics(policy, f.Tables, r.Kernel); err != nil {
		return nil, fmt.Errorf("profile %s: %w", r.name(), err)
	}
	return f, nil
}

// compilerName is what the annotation says of our compiler.
const compilerName = "seccomp-hook " + compile.Version

// Policy runs the first step of the pipeline: what the profile means, or all of
// them together. The error wraps ErrDisabled where it asks for no filter. Of
// several profiles, the one that is returned has what belongs to the filter as a
// whole: flags and listener.
func (r *Request) Policy() (*spec.Policy, *spec.Profile, error) {
	var policy *spec.Policy
	var profile *spec.Profile
	for i, source := range r.sources() {
		policyOfOne, one, err := r.policy(source)
		switch {
		case errors.Is(err, ErrDisabled):
			continue
		case err != nil:
			return nil, one, err
		case policy == nil && i == 0:
			policy, profile = policyOfOne, one
			continue
		}
		for k := range policyOfOne.Warnings {
			policyOfOne.Warnings[k].Source = i
		}
		if policy == nil {
			policy, profile = policyOfOne, one
			continue
		}
		if profile, err = together(profile, one, policy.Listener, policyOfOne.Listener); err != nil {
			return nil, nil, err
		}
		if policy, err = spec.Stricter(policy, policyOfOne); err != nil {
			return nil, nil, fmt.Errorf("profile %s: %w", r.name(), err)
		}
	}
	if policy == nil {
		return nil, nil, fmt.Errorf("profile %s: %w", r.name(), ErrDisabled)
	}
	return policy, profile, nil
}

// policy is Policy for one of the profiles.
func (r *Request) policy(source Source) (*spec.Policy, *spec.Profile, error) {
	profile, err := source.parse()
	if err != nil {
		return nil, nil, err
	}
	if profile.Disabled {
		return nil, profile, fmt.Errorf("profile %s: %w", source.Profile, ErrDisabled)
	}
	policy, err := profile.Resolve(r.target())
	if err != nil {
		return nil, profile, err
	}
	if r.Strict {
		if err := policy.Warnings.Strict(); err != nil {
			return nil, profile, fmt.Errorf("profile %s: %w", source.Profile, err)
		}
	}
	return policy, profile, nil
}

// together returns what two profiles say of the filter as a whole: the flags as
// the kernel has them with two filters, and the one listener that there can be
// (kernel/seccomp.c, has_duplicate_listener). The bools say which notifies.
func together(first, second *spec.Profile, firstNotifies, secondNotifies bool) (*spec.Profile, error) {
	both := *first
	both.Flags = first.Flags.With(second.Flags)
	switch {
	case firstNotifies && secondNotifies && (first.ListenerPath != second.ListenerPath || first.ListenerMetadata != second.ListenerMetadata):
		return nil, fmt.Errorf("profiles %s and %s: both have SCMP_ACT_NOTIFY, for listeners of their own: there can be only one listener", first.Name, second.Name)
	case secondNotifies:
		both.ListenerPath, both.ListenerMetadata = second.ListenerPath, second.ListenerMetadata
	}
	return &both, nil
}

// target is what the profile is resolved for.
func (r *Request) target() spec.Target {
	t := spec.Target{Archs: r.Architectures, Capabilities: r.Capabilities, Kernel: r.Kernel}
	if len(r.Architectures) == 0 {
		t.Native = arch.Native()
	}
	return t
}

func (r *Source) parse() (*spec.Profile, error) {
	switch {
	case r.Text == nil:
		return spec.Builtin(r.Profile)
	case r.Seccomp:
		// On its own it could be taken for another form: an empty one for no
		// profile, one with properties of Docker's for a Docker-format one.
		return spec.Parse(slices.Concat([]byte(`{"linux":{"seccomp":`), r.Text, []byte(`}}`)), r.Profile)
	default:
		return spec.Parse(r.Text, r.Profile)
	}
}

// digest returns the SHA-256 of the profile as written; of several, that of their
// digests one after the other.
func (r *Request) digest() [sha256.Size]byte {
	first := Source{r.Profile, r.Text, r.Seccomp}
	if len(r.Also) == 0 {
		return first.digest()
	}
	h := sha256.New()
	for _, s := range r.sources() {
		sum := s.digest()
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (r *Source) digest() [sha256.Size]byte {
	if r.Text == nil {
		text, _ := spec.BuiltinText(r.Profile)
		return sha256.Sum256(text)
	}
	return sha256.Sum256(r.Text)
}

// proof bounds what a proof takes where somebody waits for it: about a second. The
// slowest profiles that are kept as provable take half of it (pkg/verify,
// TestSlowProfiles); a search also finds some for which all of it is not enough
// (TestUndecidedProfile).
var proof = verify.Budget{Steps: 10_000_000}

// prove returns a *NoProgramError unless program gives every call the verdict of
// policy.
func prove(name string, policy *spec.Policy, program bpf.Program) error {
	result, err := proof.Policy(policy, program)
	if err != nil {
		return fmt.Errorf("profile %s: %w", name, err)
	}
	if result.Outcome != verify.Equal {
		return &NoProgramError{name, &ProofError{result}}
	}
	return nil
}

// statistics counts, for each architecture that the policy speaks of, what the
// program of the tables does with its calls. There is a table for each token of
// the policy, in its order.
func statistics(policy *spec.Policy, tables []*precompute.Table, version spec.KernelVersion) ([]precompute.Statistics, error) {
	// Without a cache the kernel has no tables, and nothing counts as cached.
	kernel, err := precompute.KernelFor(version.String(), policy.Tokens[0].Audit)
	if err != nil && !errors.Is(err, precompute.ErrNoCache) {
		return nil, err
	}
	var list []precompute.Statistics
	for i, table := range tables {
		for _, a := range policy.Tokens[i].Architectures(policy.Other) {
			list = append(list, precompute.Count(a, kernel, table))
		}
	}
	return list, nil
}
