package spec_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

// TestCombine: the rules that speak of a call make up the verdict that the whole
// profile has for it.
func TestCombine(t *testing.T) {
	via := map[string]arch.Companion{}
	for _, c := range arch.Companions() {
		via[c.Call.Name()] = c
	}
	compared := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		list := archs(t, "x86_64", "x86")
		p := spectest.Profile(r, spectest.Options{Archs: list, Shape: spectest.Shape(seed % 3)})
		policy, err := p.Resolve(spec.Target{Archs: list})
		if err != nil {
			continue
		}
		for k, a := range list {
			for nr, c := range a.Calls() {
				var uses []spec.Use
				for i := range p.Syscalls {
					for k, name := range p.Syscalls[i].Names {
						if slices.Contains(p.Syscalls[i].Names[:k], name) {
							continue // a rule that names a call twice
						}
						switch companion := via[name]; {
						case name == c.Name():
							uses = append(uses, spec.Use{Rule: &p.Syscalls[i], Origin: i})
						case a.Multiplexed && companion.Which != 0 && companion.Via == c:
							uses = append(uses, spec.Use{Rule: &p.Syscalls[i], Origin: i, Through: companion.Which})
						}
					}
				}
				if len(uses) == 0 {
					continue
				}
				got, err := spec.Combine(uses, a.Bits, p.Default)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				var want *spec.Verdict
				for i := range policy.Tokens {
					if policy.Tokens[i].Audit == list[k].Audit {
						want = policy.Tokens[i].Lookup(nr)
					}
				}
				if a.Multiplexed && len(want.Rules) == 0 && want.Default == bpf.Errno(38) {
					continue // multiplexed calls can be above what the -ENOSYS stub lets through
				}
				if got.Default != want.Default || len(got.Rules) != len(want.Rules) || len(got.Rules) > 0 && !reflect.DeepEqual(got.Rules, want.Rules) {
					t.Errorf("seed %d: %v:%s: %v, want %v", seed, a, c.Name(), got, *want)
				}
				compared++
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d calls compared", compared)
	}
}
