package verify

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

// byDiagrams is what diagrams alone say.
func byDiagrams(t *testing.T, policy *spec.Policy, program bpf.Program) Outcome {
	t.Helper()
	d := forests.Get().(*forest)
	defer d.release()
	d.reset(Budget{Nodes: DefaultBudget.Nodes / 8, Steps: DefaultBudget.Steps / 8})
	r, err := d.attempt(policySide{policy}, programSide{program, policy.Endian}, wordwise)
	if err != nil {
		t.Fatal(err)
	}
	return r.Outcome
}

// onePass reports whether one pass over the program proves what a policy gives a call.
func onePass(t *testing.T, policy *spec.Policy, program bpf.Program, nr uint32) bool {
	t.Helper()
	g, root, err := graphOf(program, policy.Endian)
	if err != nil {
		return false
	}
	steps := 50 * len(program)
	w := newWalk(g, policy.Tokens[0].Lookup(nr), &steps, func(*region) bool { return false })
	w.sample = func() bool { return false }
	r := &region{marks: w.noMarks()}
	for i := range r.words {
		r.words[i] = anything
	}
	for word, value := range []uint32{bpf.OffNr / 4: nr, bpf.OffArch / 4: policy.Tokens[0].Audit} {
		r.words[word], _ = anything.with(literal{mask: ^uint32(0), value: value})
	}
	for k := range w.clauses {
		w.mark(r.marks, k, w.truth(&w.clauses[k], r))
	}
	return w.spread(root, r)
}

const ioctl = 16 // on x86_64

// TestOnePass: the programs of all hard profiles are proved by one pass over them.
// With one field changed a program is what the diagrams say, where its profile has
// so few rules that they know all; else no call at the constants of the rules may
// show a difference where none was found.
func TestOnePass(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 6))
	proved := 0
	seen := map[Outcome]int{}
	for _, kind := range spectest.HardProfiles {
		for seed := range seeds() / 10 {
			few := hardPolicy(t, kind.Sized(2+r.IntN(4), seed, x86(t)...))
			many := hardPolicy(t, kind.Profile(seed, x86(t)...))
			for _, policy := range []*spec.Policy{few, many} {
				if policy == nil {
					continue
				}
				program, err := compile.Compile(policy, compile.Options{Optimize: compile.Size})
				if err != nil {
					t.Fatal(err)
				}
				if policy == many {
					if !onePass(t, policy, program, ioctl) {
						t.Errorf("%s, seed %d: not proved", kind.Name, seed)
					}
					proved++
				}
				// A pass takes few steps; what it does not prove is not followed far.
				steps, changes := 50*len(program), 40
				if policy == many {
					steps, changes = 8*len(program), 5
				}
				for range changes {
					mutant := mutate(r, program)
					if _, _, err := graphOf(mutant, policy.Endian); err != nil {
						continue // arithmetic is for the diagrams
					}
					got := walks(policySide{policy}, programSide{mutant, policy.Endian}, steps)
					seen[got.Outcome]++
					if policy == few {
						if want := byDiagrams(t, policy, mutant); got.Outcome != Undecided && want != Undecided && got.Outcome != want {
							t.Fatalf("%s, seed %d: %v by walking, %v by diagrams\n%v", kind.Name, seed, got, want, mutant)
						}
						continue
					}
					token := &policy.Tokens[0]
					w := walker{policy: policy, sides: [2]side{policySide{policy}, programSide{mutant, policy.Endian}}}
					if got.Outcome == Equal && w.sample(Calls{Audit: token.Audit, First: ioctl}, token.Lookup(ioctl)) {
						t.Fatalf("%s, seed %d: equal, but %v\n%v", kind.Name, seed, w.result, mutant)
					}
				}
			}
		}
	}
	t.Logf("%d programs proved; with a change: %v", proved, seen)
	// With the race detector there are few seeds, and no change may leave a program as it was.
	if tenth := int(seeds() / 10); proved < tenth || seen[Different] < 10*tenth || tenth > 1 && seen[Equal] < tenth {
		t.Error("too few")
	}
}
