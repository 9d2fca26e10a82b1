//go:build libseccomp

package differential

import (
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
	"seccomp-hook/pkg/verify"
)

// TestHardProfiles: the proof decides on libseccomp's programs of the profiles
// that no diagram can hold as it does on this project's: they are equal, or there
// is a call that shows where libseccomp errs. Two profiles of a kind are told
// apart, and nothing is undecided. No program here is longer than a fiftieth more
// than libseccomp's, or too long where that one is not.
func TestHardProfiles(t *testing.T) {
	archs := architectures(t, []string{"x86_64"})
	for _, kind := range spectest.HardProfiles {
		t.Run(kind.Name, func(t *testing.T) {
			var proved, different, undecided int
			var before *spec.Policy
			for seed := range uint64(10) {
				profile := kind.Profile(seed, archs...)
				object, err := reference.Object(profile, spec.Target{Native: archs[0]})
				if err != nil {
					t.Fatal(err)
				}
				answer, err := ask(t, object, archs[0])
				policy, resolved := profile.Resolve(spec.Target{Archs: archs})
				if err != nil || resolved != nil || answer.Error != "" {
					continue // TestRandomProfiles compares refusals
				}
				program, err := compile.Compile(policy, compile.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if theirs := len(answer.Program); len(program) > theirs+theirs/50 || theirs <= bpf.MaxInstructions && len(program) > bpf.MaxInstructions {
					t.Errorf("seed %d: %d instructions, libseccomp's program has %d", seed, len(program), theirs)
				}
				r, err := verify.Policy(policy, answer.Program)
				switch {
				case err != nil:
					t.Fatalf("seed %d: %v", seed, err)
				case r.Outcome == verify.Undecided:
					if undecided++; r.At == nil || r.At.First != 16 {
						t.Errorf("seed %d: %v does not name the call", seed, r)
					}
				case r.Outcome == verify.Equal:
					proved++
				default:
					c := &comparison{rules: *newRules(object, archs[0]), policy: policy, program: answer.Program, listing: newListing(answer.Listing)}
					if c.fault(t, &r.Witness.Call) == faultNone {
						t.Fatalf("seed %d: %v", seed, r)
					}
					different++
				}
				if before != nil {
					if r, err := verify.Policies(before, policy); err != nil || r.Outcome == verify.Undecided {
						t.Errorf("seed %d and the one before: %v, %v", seed, r, err)
					}
				}
				before = policy
			}
			t.Logf("%d are equal, libseccomp errs in %d, %d are undecided", proved, different, undecided)
			if proved+different < 1 {
				t.Errorf("none is valid and decided")
			}
		})
	}
}
