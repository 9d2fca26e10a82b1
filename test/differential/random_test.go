//go:build libseccomp

package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

// Random profiles mean the same to both: those with one argument a call without
// exception, others except for libseccomp's faults. The number of profiles is a
// flag: -profiles.
func TestRandomProfiles(t *testing.T) {
	shapes := []struct {
		name   string
		shape  spectest.Shape
		faults []fault
	}{
		{"one argument", spectest.OneArgument, nil},
		{"equalities", spectest.Equalities, []fault{faultProgram}},
		{"anything", spectest.Anything, allFaults},
	}
	each := max(1, *profiles/(len(shapes)*len(machines)))
	for i, s := range shapes {
		for k, names := range machines {
			t.Run(s.name+"/"+strings.Join(names, "+"), func(t *testing.T) {
				archs := architectures(t, names)
				var n tally
				for run := range each {
					r := rand.New(rand.NewPCG(*seed+uint64(run), uint64(i*100+k)))
					p := spectest.Profile(r, spectest.Options{Archs: archs, Shape: s.shape})
					object, err := reference.Object(p, spec.Target{Native: archs[0]})
					if err != nil {
						t.Fatal(err)
					}
					object.ListenerPath = p.ListenerPath
					if different, err := reference.Differing(newRules(object, archs[0]).names(), archs...); err != nil || len(different) > 0 {
						t.Fatalf("names that libseccomp takes otherwise: %v %v", different, err)
					}
					n.add(compare(t, object, archs[0], s.faults...))
					if t.Failed() {
						t.Fatalf("with -seed %d", *seed+uint64(run))
					}
				}
				t.Log(fmt.Sprint(each, " profiles: ", n))
				if n.proved < each/3 {
					t.Errorf("only %d of %d profiles say the same", n.proved, each)
				}
			})
		}
	}
}
