package verify

import (
	"flag"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

var functions = flag.Int("functions", 60, "random filters whose functions are held against the filters")

// holdsFor reports a call to which a function says something else than the
// filter, or something that is not certain to be stricter, and returns whether it
// is certain of it.
func holdsFor(t *testing.T, f *Function, call *bpf.Data, want bpf.Return) (certain bool) {
	t.Helper()
	c := f.At(call.Arch, call.Nr)
	in := 0
	for _, p := range c.Parts {
		if !p.Calls.Contains(call) {
			continue
		}
		in++
		switch doubtful := c.Doubt.Contains(call); {
		case p.Return == want:
		case !doubtful:
			t.Fatalf("%+v: %v, the filter says %v", call, p.Return, want)
		case int32(p.Return.Action()) > int32(want.Action()):
			t.Fatalf("%+v: %v, and the filter's %v is stricter", call, p.Return, want)
		}
	}
	if in != 1 {
		t.Fatalf("%+v: it is in %d parts", call, in)
	}
	return !c.Doubt.Contains(call)
}

// Functions of programs, of policies and of several filters together say what
// the interpreter, the policy and the kernel's order say, and doubt little.
func TestFunctionRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	x86_64, _ := arch.ByName("x86_64")
	x86, _ := arch.ByName("x86")
	certain, calls := [2]int{}, [2]int{}
	n := *functions
	if testing.Short() {
		n /= 4
	}
	for i := range n {
		style := bpftest.Style(i % 2)
		p := bpftest.Random(r, style, 1+r.IntN(80))
		profile := spectest.Profile(r, spectest.Options{Archs: []*arch.Arch{x86_64, x86}, Shape: spectest.Shape(i % 3)})
		filters := []Filter{OfProgram(p, bpf.Little)}
		if policy, err := profile.Resolve(spec.Target{Native: x86_64}); err == nil {
			filters = append(filters, OfPolicy(policy), Stack(OfProgram(p, bpf.Little), OfPolicy(policy)), Union(OfPolicy(policy), OfProgram(p, bpf.Little)))
		}
		s := bpftest.NewSampler(bpf.Little, p)
		q := spectest.NewSampler(profile, []*arch.Arch{x86_64, x86})
		for k, f := range filters {
			function, err := NewSpace(Budget{}).Function(f)
			if err != nil {
				t.Fatal(err)
			}
			for turn := range 100 {
				call := s.Call(r)
				if k > 0 && turn%2 == 0 {
					call = q.Call(r)
				}
				want, err := f.Evaluate(&call)
				if err != nil {
					t.Fatal(err)
				}
				calls[style]++
				if holdsFor(t, function, &call, want) {
					certain[style]++
				} else if k == 1 {
					t.Errorf("profile %d: %+v is in doubt", i, call)
				}
			}
		}
	}
	t.Logf("certain of %d of %d calls", certain, calls)
	if certain[bpftest.Compiled] != calls[bpftest.Compiled] {
		t.Errorf("of programs that compare with constants, only %d of %d calls are certain", certain[bpftest.Compiled], calls[bpftest.Compiled])
	}
	if !testing.Short() && certain[bpftest.Full]*100 < calls[bpftest.Full]*75 {
		t.Errorf("of programs with arithmetic, only %d of %d calls are certain", certain[bpftest.Full], calls[bpftest.Full])
	}
}
