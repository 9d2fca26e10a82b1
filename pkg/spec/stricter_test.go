package spec_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
	"seccomp-hook/pkg/verify"
)

// world is a few random policies for one machine, and calls that take them
// apart.
type world struct {
	policies []*spec.Policy
	calls    []bpf.Data
}

func randomWorld(r *rand.Rand, n int) world {
	choices := [][]string{{"x86_64"}, {"x86_64", "x86"}, {"x86_64", "x86", "x32"}, {"x86_64", "x32"}}
	var w world
	for len(w.policies) < n {
		var archs []*arch.Arch
		for _, name := range choices[r.IntN(len(choices))] {
			a, _ := arch.ByName(name)
			archs = append(archs, a)
		}
		profile := spectest.Profile(r, spectest.Options{Archs: archs, Shape: spectest.Shape(r.IntN(3))})
		policy, err := profile.Resolve(spec.Target{Archs: archs})
		if err != nil {
			continue
		}
		w.policies = append(w.policies, policy)
		sampler := spectest.NewSampler(profile, archs)
		for range 300 {
			w.calls = append(w.calls, sampler.Call(r))
		}
	}
	return w
}

func both(t *testing.T, first, second *spec.Policy) *spec.Policy {
	t.Helper()
	p, err := spec.Stricter(first, second)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// equal fails the test unless two policies are proved to be the same function.
func equal(t *testing.T, what string, a, b *spec.Policy) {
	t.Helper()
	result, err := verify.Policies(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if result.Outcome != verify.Equal {
		t.Fatalf("%s: %s", what, result)
	}
}

// TestStricterIsTwoFilters compares with the chain of two filters, as the
// kernel runs it.
func TestStricterIsTwoFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 1))
	for range 300 {
		w := randomWorld(r, 2)
		policy := both(t, w.policies[0], w.policies[1])
		for i := range w.calls {
			call := &w.calls[i]
			newer, older := w.policies[0].Evaluate(call), w.policies[1].Evaluate(call)
			want := newer
			if int32(older.Action()) < int32(newer.Action()) {
				want = older
			}
			if got := policy.Evaluate(call); got != want {
				t.Fatalf("nr %d, arch %#x, args %#x: %v and %v come to %v", call.Nr, call.Arch, call.Args, newer, older, got)
			}
		}
	}
}

// TestStricterLaws are the laws that let policies be put together in any
// grouping, and any order but for the data of equal actions.
func TestStricterLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 2))
	for range 60 {
		w := randomWorld(r, 3)
		a, b, c := w.policies[0], w.policies[1], w.policies[2]
		equal(t, "idempotent", both(t, a, a), a)
		equal(t, "associative", both(t, a, both(t, b, c)), both(t, both(t, a, b), c))
		equal(t, "absorbing", both(t, a, both(t, a, b)), both(t, a, b))
		ab, ba := both(t, a, b), both(t, b, a)
		for i := range w.calls {
			if x, y := ab.Evaluate(&w.calls[i]), ba.Evaluate(&w.calls[i]); x.Action() != y.Action() {
				t.Fatalf("%v and %v, by order", x, y)
			}
		}
		everything := &spec.Policy{Endian: a.Endian, Other: bpf.RetAllow}
		equal(t, "neutral", both(t, a, everything), a)
		equal(t, "neutral", both(t, everything, a), a)
		// TestStricterIsTwoFilters has the same of calls; here it is of all.
		if result, err := verify.Policies(both(t, ab, ba), ab); err != nil || result.Outcome != verify.Equal {
			t.Fatalf("%v, %v", result, err)
		}
	}
}

// TestStricterSources tells whose rule decides.
func TestStricterSources(t *testing.T) {
	resolve := func(text string) *spec.Policy {
		p, err := spec.Parse([]byte(text), "p")
		if err != nil {
			t.Fatal(err)
		}
		a, _ := arch.ByName("x86_64")
		policy, err := p.Resolve(spec.Target{Archs: []*arch.Arch{a}})
		if err != nil {
			t.Fatal(err)
		}
		return policy
	}
	first := resolve(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"},
		{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}]}]}`)
	second := resolve(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["chmod"], "action": "SCMP_ACT_ERRNO"},
		{"names": ["mkdir"], "action": "SCMP_ACT_KILL"},
		{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "args": [{"index": 1, "value": 3, "op": "SCMP_CMP_EQ"}]}]}`)
	policy := both(t, first, second)
	if policy.Sources != 2 || both(t, policy, first).Sources != 3 {
		t.Errorf("%d sources", policy.Sources)
	}
	for _, tt := range []struct {
		nr   uint32
		args [6]uint64
		want string
	}{
		{83, [6]uint64{}, "KILL_THREAD profile 2, rule 1"},
		{90, [6]uint64{}, "ERRNO(1) profile 2, rule 0"},
		{41, [6]uint64{40, 3}, "ERRNO(1) rule 1"},
		{41, [6]uint64{1, 3}, "ERRNO(38) profile 2, rule 2"},
		{41, [6]uint64{1, 1}, "ALLOW"},
		{0, [6]uint64{}, "ALLOW"},
	} {
		ret, rule := policy.Tokens[0].Lookup(tt.nr).Decide(&tt.args)
		got := ret.String()
		if rule != nil {
			got = fmt.Sprintf("%v %s", ret, rule.Place())
		}
		if got != tt.want {
			t.Errorf("call %d with %v: %s, want %s", tt.nr, tt.args, got, tt.want)
		}
	}
}

// TestStricterLimits has more pairs of rules than any program has room for.
func TestStricterLimits(t *testing.T) {
	policy := func(n int, arg uint8, op spec.Op) *spec.Policy {
		v := spec.Verdict{Default: bpf.Errno(1)}
		for i := range n {
			v.Rules = append(v.Rules, spec.Rule{Return: bpf.RetAllow, Conditions: []spec.Condition{{Arg: arg, Op: op, Mask: ^uint64(0), Value: uint64(i)}}})
		}
		return &spec.Policy{Tokens: []spec.Token{{Audit: 1, Ranges: []spec.Range{{Last: ^uint32(0), Verdict: v}}}}}
	}
	if _, err := spec.Stricter(policy(200, 0, spec.EQ), policy(200, 1, spec.EQ)); !errors.Is(err, spec.ErrTooManyPairs) {
		t.Errorf("200 rules on either of two arguments: %v", err)
	}
	if _, err := spec.Stricter(policy(3000, 0, spec.EQ), policy(3001, 0, spec.EQ)); !errors.Is(err, spec.ErrTooManyPairs) {
		t.Errorf("3000 rules each: %v", err)
	}
	p, err := spec.Stricter(policy(900, 0, spec.EQ), policy(800, 0, spec.EQ))
	if err != nil || len(p.Tokens[0].Ranges[0].Verdict.Rules) > 1800 {
		t.Errorf("constants that exclude each other: %v", err)
	}
	big := &spec.Policy{Endian: bpf.Big}
	if _, err := spec.Stricter(big, policy(1, 0, spec.EQ)); err == nil {
		t.Error("policies of two byte orders are one")
	}
}
