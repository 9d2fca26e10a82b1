package verify

import (
	"flag"
	"os"
	"testing"

	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

var slow = flag.Int("slow", 0, "how many profiles TestLookForSlowProfiles tries of each seed, in place of a few")

// mostWork bounds the steps and nodes of one proof of a profile of at most 48
// rules: some tenths of a second.
const mostWork = 5_000_000

// workOf returns what the proof of a profile's program took; false where the
// profile is not valid, or no program holds it.
func workOf(t *testing.T, p *spec.Profile) (int, bool) {
	t.Helper()
	policy := hardPolicy(t, p)
	if policy == nil {
		return 0, false
	}
	program, err := compile.Compile(policy, compile.Options{})
	if err != nil {
		return 0, false
	}
	r, err := Budget{Nodes: DefaultBudget.Nodes / 4, Steps: mostWork}.Policy(policy, program)
	if err != nil || r.Outcome == Different {
		t.Fatalf("%s: %v, %v\n%s", p.Name, r, err, encoded(t, p))
	}
	if r.Outcome == Undecided {
		undecided++
		return 0, false
	}
	return r.Effort.Steps + r.Effort.Nodes, true
}

// undecided counts the profiles that no proof was found for. A search of thousands of
// steps from one profile finds such. They are left to the real runtime
// (filter.NoProgramError).
var undecided int

func encoded(t *testing.T, p *spec.Profile) []byte {
	t.Helper()
	text, err := p.Encode(spec.FormRuntime)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSlowProfiles proves the profiles that were found to be the slowest.
func TestSlowProfiles(t *testing.T) {
	list, err := spectest.SlowProfiles()
	if err != nil || len(list) == 0 {
		t.Fatal(err)
	}
	for _, p := range list {
		if work, counts := workOf(t, p); !counts || work > mostWork {
			t.Errorf("%s: work %d, at most %d expected", p.Name, work, mostWork)
		} else {
			t.Logf("%s: work %d", p.Name, work)
		}
	}
}

// TestLookForSlowProfiles looks for slower ones: for a moment, or as long as -slow
// says, which leaves what it finds in the folder that SLOW_PROFILES names.
func TestLookForSlowProfiles(t *testing.T) {
	tries, seeds := 20, 4*uint64(len(spectest.HardProfiles)+1)
	undecided = 0
	if *slow > 0 {
		tries = *slow
	}
	for seed := range seeds {
		p, work := spectest.Climb(seed, tries, x86(t), func(p *spec.Profile) (int, bool) { return workOf(t, p) })
		if p == nil {
			continue
		}
		t.Logf("seed %d: %d rules, work %d", seed, len(p.Syscalls), work)
		if dir := os.Getenv("SLOW_PROFILES"); dir != "" {
			if err := os.WriteFile(dir+"/"+p.Name+".json", encoded(t, p), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if work > mostWork {
			t.Errorf("seed %d: work %d, at most %d expected\n%s", seed, work, mostWork, encoded(t, p))
		}
	}
	t.Logf("%d of %d are undecided", undecided, tries*int(seeds))
	if undecided > 0 && *slow == 0 || undecided > tries*int(seeds)/2 {
		t.Error("that is too many")
	}
}
