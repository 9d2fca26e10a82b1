package decompile_test

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/decompile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
	"seccomp-hook/pkg/verify"
)

// The kernel's order of actions (seccomp(2)), the strictest first.
var order = []bpf.Return{
	bpf.RetKillProcess, bpf.RetKillThread, bpf.RetTrap, bpf.RetErrno, bpf.RetUserNotif, bpf.RetTrace, bpf.RetLog, bpf.RetAllow,
}

func rankOf(r bpf.Return) int {
	for i, action := range order {
		if r.Action() == action {
			return i
		}
	}
	return -1
}

// pair makes two random policies of the same machine.
func pair(t *testing.T, r *rand.Rand, archs []*arch.Arch) (p [2]*spec.Profile, policies [2]*spec.Policy) {
	t.Helper()
	for i := range p {
		for policies[i] == nil {
			p[i] = spectest.Profile(r, spectest.Options{Archs: archs, Shape: spectest.Shape(r.IntN(2))})
			policies[i], _ = p[i].Resolve(spec.Target{Native: archs[0]}) // nil: a conflict
		}
	}
	return p, policies
}

// TestMergeLaws: what several filters give together is what the kernel's order
// says, call by call; and as sets: a filter with itself is itself, the order of
// filters has no part in the actions, nor has how they are grouped.
func TestMergeLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range many() {
		archs := architectures(t, machines[i%len(machines)])
		profiles, p := pair(t, r, archs)
		_, q := pair(t, r, archs)
		a, b, c := verify.OfPolicy(p[0]), verify.OfPolicy(p[1]), verify.OfPolicy(q[0])
		equal := func(law string, f, g verify.Filter) {
			t.Helper()
			if result, err := verify.Compare(f, g); err != nil || result.Outcome != verify.Equal {
				t.Errorf("pair %d: %s: %v %v", i, law, result, err)
			}
		}
		equal("stack(a, a) = a", verify.Stack(a, a), a)
		equal("union(a, a) = a", verify.Union(a, a), a)
		equal("stack is associative", verify.Stack(verify.Stack(a, b), c), verify.Stack(a, verify.Stack(b, c)))
		equal("union is associative", verify.Union(verify.Union(a, b), c), verify.Union(a, verify.Union(b, c)))
		equal("stack(union(a, b), a) = a", verify.Stack(verify.Union(a, b), a), a)
		equal("union(stack(a, b), a) = a", verify.Union(verify.Stack(a, b), a), a)
		commutes(t, "stack", verify.Stack(a, b), verify.Stack(b, a))
		commutes(t, "union", verify.Union(a, b), verify.Union(b, a))

		// The same by the policies' definition, which knows no diagrams.
		samplers := []*spectest.Sampler{spectest.NewSampler(profiles[0], archs), spectest.NewSampler(profiles[1], archs)}
		stacked, err := decompile.Profile(verify.Stack(a, b), decompile.Options{Native: archs[0], ListenerPath: "/run/agent.sock"})
		if err != nil {
			t.Fatalf("pair %d: %v", i, err)
		}
		united, err := decompile.Profile(verify.Union(a, b), decompile.Options{Native: archs[0], ListenerPath: "/run/agent.sock"})
		if err != nil {
			t.Fatalf("pair %d: %v", i, err)
		}
		for n := range 200 {
			call := samplers[n%2].Call(r)
			first, second := p[0].Evaluate(&call), p[1].Evaluate(&call)
			strict, mild := second, second
			if rankOf(first) < rankOf(second) {
				strict = first
			}
			if rankOf(first) > rankOf(second) {
				mild = first
			}
			agrees(t, "stack", stacked, &call, strict)
			agrees(t, "union", united, &call, mild)
		}

		// The other implementation of the kernel's order.
		if other, err := spec.Stricter(p[0], p[1]); err == nil {
			equal("spec.Stricter is a stack", verify.Stack(b, a), verify.OfPolicy(other)) // its first is the newer
		}
	}
}

// commutes proves that two filters take the same action for every call; what
// they tell the caller with it can differ.
func commutes(t *testing.T, law string, f, g verify.Filter) {
	t.Helper()
	space := verify.NewSpace(verify.Budget{})
	a, err := space.Function(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := space.Function(g)
	if err != nil {
		t.Fatal(err)
	}
	same := func(first, last uint32, p, q *verify.Choice) {
		for _, x := range p.Parts {
			for _, y := range q.Parts {
				if x.Return.Action() != y.Return.Action() && !x.Calls.And(y.Calls).Empty() {
					t.Errorf("%s is not commutative: numbers %d to %d get %v and %v", law, first, last, x.Return, y.Return)
				}
			}
		}
		if !p.Doubt.Empty() || !q.Doubt.Empty() {
			t.Errorf("%s: numbers %d to %d are in doubt", law, first, last)
		}
	}
	for _, token := range a.Tokens() {
		verify.Zip(a.Of(token), b.Of(token), same)
	}
	verify.Zip(a.Elsewhere(), b.Elsewhere(), same)
}

// TestMergeBuiltins: the two builtins together are a profile on every machine.
func TestMergeBuiltins(t *testing.T) {
	for _, machine := range machines {
		archs := architectures(t, machine)
		filters := make([]verify.Filter, 2)
		for i, name := range []string{"builtin:docker", "builtin:containerd"} {
			profile, err := spec.Builtin(name)
			if err != nil {
				t.Fatal(err)
			}
			policy, err := profile.Resolve(spec.Target{Archs: archs})
			if err != nil {
				t.Fatal(err)
			}
			filters[i] = verify.OfPolicy(policy)
		}
		for _, together := range []verify.Filter{verify.Stack(filters...), verify.Union(filters...)} {
			r, err := decompile.Profile(together, decompile.Options{Native: archs[0]})
			if err != nil || len(r.Losses) > 0 {
				t.Errorf("%v: %v, %+v", machine, err, r)
			}
		}
	}
}

// BenchmarkMerge merges Docker's default profile with itself.
func BenchmarkMerge(b *testing.B) {
	profile, err := spec.Builtin("builtin:docker")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var filters []verify.Filter
		for range 2 {
			policy, err := profile.Resolve(spec.Target{Native: native(b)})
			if err != nil {
				b.Fatal(err)
			}
			filters = append(filters, verify.OfPolicy(policy))
		}
		if _, err := decompile.Profile(verify.Stack(filters...), decompile.Options{Native: native(b)}); err != nil {
			b.Fatal(err)
		}
	}
}
