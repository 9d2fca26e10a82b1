package verify

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

func x86(t testing.TB) []*arch.Arch {
	t.Helper()
	a, ok := arch.ByName("x86_64")
	if !ok {
		t.Fatal("no x86_64")
	}
	return []*arch.Arch{a}
}

// hardPolicy returns the policy of a hard profile; nil where its rules contradict
// each other, so that runc refuses it as well.
func hardPolicy(t testing.TB, p *spec.Profile) *spec.Policy {
	t.Helper()
	policy, err := p.Resolve(spec.Target{Archs: x86(t)})
	var conflict *spec.ConflictError
	if errors.As(err, &conflict) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// seeds is how many profiles of a kind the tests take.
func seeds() uint64 {
	if testing.Short() {
		return 10
	}
	return 100
}

// TestHardProfiles proves the programs of profiles that no decision diagram can
// hold, by walking alone, in a number of steps that grows as the program does;
// and refutes them with any one return value changed.
func TestHardProfiles(t *testing.T) {
	for _, kind := range spectest.HardProfiles {
		t.Run(kind.Name, func(t *testing.T) {
			most, proved, refuted := 0, 0, 0
			for seed := range seeds() {
				policy := hardPolicy(t, kind.Profile(seed, x86(t)...))
				if policy == nil {
					continue
				}
				program, err := compile.Compile(policy, compile.Options{})
				if err != nil {
					t.Fatal(err)
				}
				result := walks(policySide{policy}, programSide{program, policy.Endian}, 50*len(program))
				if result.Outcome != Equal {
					t.Fatalf("seed %d, %d instructions: %v", seed, len(program), result)
				}
				most, proved = max(most, result.Effort.Steps*10/len(program)), proved+1
				if seed%10 == 0 {
					refuted += refute(t, policy, program, seed)
				}
			}
			t.Logf("%d profiles; at most %d.%d steps an instruction", proved, most/10, most%10)
			if proved < int(seeds())/2 || refuted < int(seeds())/10 {
				t.Errorf("only %d profiles are valid, and %d changed programs refuted", proved, refuted)
			}
		})
	}
}

// refute changes a return value of a program: that is never equal, unless nobody
// gets it, and a difference is one.
func refute(t *testing.T, policy *spec.Policy, program bpf.Program, seed uint64) (different int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 4 {
		broken := append(bpf.Program(nil), program...)
		in := &broken[r.IntN(len(broken))]
		for in.Code != bpf.RET|bpf.K {
			in = &broken[r.IntN(len(broken))]
		}
		in.K ^= 1
		result := walks(programSide{broken, policy.Endian}, policySide{policy}, 10_000)
		if w := result.Witness; result.Outcome == Different {
			different++
			if w.Second.Return != policy.Evaluate(&w.Call) || w.First.Return == w.Second.Return {
				t.Fatalf("seed %d: %v", seed, w)
			}
		}
		if result.Outcome == Equal {
			// Then the changed instruction is never executed.
			sampled := walker{policy: policy, sides: [2]side{programSide{program, policy.Endian}, programSide{broken, policy.Endian}}}
			token := &policy.Tokens[0]
			if sampled.sample(Calls{Audit: token.Audit, First: 16}, token.Lookup(16)) {
				t.Fatalf("seed %d: equal, but %v", seed, sampled.result)
			}
		}
	}
	return different
}

// TestHardPolicies compares profiles of a kind with each other, as diff does.
func TestHardPolicies(t *testing.T) {
	for _, kind := range spectest.HardProfiles {
		a := hardPolicy(t, kind.Profile(1, x86(t)...))
		b := hardPolicy(t, kind.Profile(2, x86(t)...))
		c := hardPolicy(t, kind.Profile(1, x86(t)...))
		if a == nil || b == nil {
			continue
		}
		if r, err := Policies(a, c); err != nil || r.Outcome != Equal {
			t.Errorf("%s, with itself: %v, %v", kind.Name, r, err)
		}
		if r, err := Policies(a, b); err != nil || r.Outcome != Different {
			t.Errorf("%s, two of them: %v, %v", kind.Name, r, err)
		}
		verdict := &c.Tokens[0].Lookup(16).Rules
		if len(*verdict) > 0 {
			(*verdict)[len(*verdict)/2].Return = bpf.RetTrap
			if r, err := Policies(a, c); err != nil || r.Outcome != Different {
				t.Errorf("%s, with one rule changed: %v, %v", kind.Name, r, err)
			}
		}
	}
}

// TestHardStacksAreNotWalked: of several filters together no diagram may say
// anything, and a walk is none over them, so that what no diagram holds is
// undecided, and never taken for equal.
func TestHardStacksAreNotWalked(t *testing.T) {
	for _, kind := range spectest.HardProfiles {
		a := hardPolicy(t, kind.Profile(1, x86(t)...))
		b := hardPolicy(t, kind.Profile(2, x86(t)...))
		if a == nil || b == nil {
			continue
		}
		for _, sides := range [][2]side{
			{Stack(OfPolicy(a), OfPolicy(b)).side, policySide{a}},
			{policySide{a}, Stack(OfPolicy(a), OfPolicy(b)).side},
		} {
			if r := walks(sides[0], sides[1], 50_000); r.Outcome != Undecided {
				t.Errorf("%s: %v", kind.Name, r)
			}
		}
	}
}

// TestWalksAgreeWithDiagrams compares both ways on random policies, each with its
// plain program, and with one that is not its own.
func TestWalksAgreeWithDiagrams(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 3))
	seen := map[Outcome]int{}
	for i := range 300 {
		var archs []*arch.Arch
		for _, name := range []string{"x86_64", "x86", "x32"}[:1+r.IntN(3)] {
			a, _ := arch.ByName(name)
			archs = append(archs, a)
		}
		var policies []*spec.Policy
		for len(policies) < 2 {
			p := spectest.Profile(r, spectest.Options{Archs: archs, Shape: spectest.Shape(r.IntN(3))})
			if policy, err := p.Resolve(spec.Target{Archs: archs}); err == nil {
				policies = append(policies, policy)
			}
		}
		program, err := compile.Compile(policies[0], compile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for k, policy := range policies {
			want, err := Policy(policy, program)
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range []side{programSide{program, policy.Endian}, policySide{policies[0]}} {
				got := walks(policySide{policy}, other, 50_000)
				seen[got.Outcome]++
				if got.Outcome != Undecided && got.Outcome != want.Outcome {
					t.Fatalf("%d, %d: %v by walking, %v by diagrams", i, k, got, want)
				}
			}
		}
	}
	t.Log(fmt.Sprint(seen))
	if seen[Undecided] > 12 || seen[Equal] < 500 || seen[Different] < 300 {
		t.Errorf("%v", seen)
	}
}

// TestFactsAreExact compares what is known of a word with all words of a few bits.
func TestFactsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 4))
	literals := func() literal {
		mask := r.Uint32N(64)
		if r.IntN(3) == 0 {
			mask = ^uint32(0)
		}
		return literal{atLeast: r.IntN(2) == 0, not: r.IntN(2) == 0, mask: mask, value: r.Uint32N(66)}
	}
	holds := func(l literal, word uint32) bool {
		v := word & l.mask
		if l.atLeast {
			return (v >= l.value) != l.not
		}
		return (v == l.value) != l.not
	}
	// All bits above the sixth are alike for these literals but for bounds, for
	// which one more word stands for all.
	sample := append([]uint32(nil), 1<<31, ^uint32(0), 1<<6, 1<<6|5)
	for word := range uint32(64) {
		sample = append(sample, word)
	}
	decided, asked := 0, 0
	for range 3000 {
		f := anything
		var known []literal
		meets := func(word uint32) bool {
			for _, l := range known {
				if !holds(l, word) {
					return false
				}
			}
			return true
		}
		for range 6 {
			l := literals()
			g, possible := f.with(l)
			known = append(known, l)
			for _, word := range sample {
				if meets(word) && !possible {
					t.Fatalf("%+v: no word is possible, but %d is", known, word)
				}
			}
			if !possible {
				break
			}
			f = g
			for range 5 {
				q := literals()
				truth := f.truth(q, every)
				asked++
				if truth != depends {
					decided++
				}
				for _, word := range sample {
					if meets(word) && truth == always && !holds(q, word) || meets(word) && truth == never && holds(q, word) {
						t.Fatalf("%+v: %+v is %v, but not for %d", known, q, truth, word)
					}
				}
			}
			for _, word := range sample {
				if !meets(word) {
					continue
				}
				for _, q := range f.literals(0) {
					if !holds(q, word) {
						t.Fatalf("%+v: %+v is said to hold, but does not for %d", known, q, word)
					}
				}
			}
			effort := mostTries
			if word, found := f.example(&effort); found && !meets(word) {
				t.Fatalf("%+v: %d is no example", known, word)
			}
		}
	}
	if decided < asked/4 {
		t.Errorf("only %d of %d questions had an answer", decided, asked)
	}
}
