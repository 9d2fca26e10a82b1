package spectest_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

func archs(t *testing.T, names ...string) []*arch.Arch {
	var list []*arch.Arch
	for _, name := range names {
		a, ok := arch.ByName(name)
		if !ok {
			t.Fatalf("no architecture %s", name)
		}
		list = append(list, a)
	}
	return list
}

// Random profiles must mean something often enough to test with, and contradict
// themselves sometimes.
func TestProfilesAreUseful(t *testing.T) {
	for _, shape := range []spectest.Shape{spectest.Equalities, spectest.OneArgument, spectest.Anything} {
		r := rand.New(rand.NewPCG(1, uint64(shape)))
		list := archs(t, "x86_64", "x86", "x32")
		var conflicts, decided, calls int
		const profiles = 300
		for range profiles {
			p := spectest.Profile(r, spectest.Options{Archs: list, Shape: shape})
			policy, err := p.Resolve(spec.Target{Archs: list})
			var conflict *spec.ConflictError
			if errors.As(err, &conflict) {
				conflicts++
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			s := spectest.NewSampler(p, list)
			for range 20 {
				d := s.Call(r)
				calls++
				if policy.Evaluate(&d) != p.Default {
					decided++
				}
			}
		}
		t.Logf("shape %d: %d of %d profiles contradict themselves; %d of %d calls do not get the default", shape, conflicts, profiles, decided, calls)
		if conflicts == 0 || conflicts > profiles/2 {
			t.Errorf("%d of %d profiles contradict themselves", conflicts, profiles)
		}
		if decided < calls/10 {
			t.Errorf("only %d of %d calls meet a rule", decided, calls)
		}
	}
}

// The same seed makes the same profile.
func TestProfilesAreReproducible(t *testing.T) {
	text := func() string {
		list := archs(t, "x86_64")
		r := rand.New(rand.NewPCG(7, 7))
		var all string
		for range 20 {
			if policy, err := spectest.Profile(r, spectest.Options{Archs: list}).Resolve(spec.Target{Archs: list}); err == nil {
				all += policy.String()
			}
		}
		return all
	}
	if a, b := text(), text(); a != b || a == "" {
		t.Error("two runs differ")
	}
}
