package compile

import (
	"flag"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

var slow = flag.Int("slow", 0, "how many profiles TestLookForSlowProfiles tries of each seed, in place of a few")

// mostWork bounds what is looked at for one profile of at most 48 rules, with all
// the work that is ever done: some hundredths of a second.
const mostWork = maxWork + maxPlanning + maxPlanning

// workOf returns what compiling takes: what is read, planned, and made; false
// where the profile is not valid.
func workOf(p *spec.Profile, archs []*arch.Arch) (int, bool) {
	policy, err := p.Resolve(spec.Target{Archs: archs})
	if err != nil {
		return 0, false
	}
	b := newBuilder(policy, Options{}, false)
	defer b.release()
	if _, err := b.build(); err != nil {
		return 0, false
	}
	return b.reader.work + int(b.planner.work) + len(b.code.steps), true
}

// TestSlowProfiles looks at the work for the slowest profiles that were found, and
// for a moment, or as long as -slow says, for slower ones.
func TestSlowProfiles(t *testing.T) {
	x86_64, _ := arch.ByName("x86_64")
	archs := []*arch.Arch{x86_64}
	list, err := spectest.SlowProfiles()
	if err != nil || len(list) == 0 {
		t.Fatal(err)
	}
	for seed := range uint64(len(spectest.HardProfiles) + 1) {
		found, _ := spectest.Climb(seed, max(*slow, 25), archs, func(p *spec.Profile) (int, bool) { return workOf(p, archs) })
		if found != nil {
			list = append(list, found)
		}
	}
	for _, p := range list {
		work, counts := workOf(p, archs)
		t.Logf("%s: %d rules, work %d", p.Name, len(p.Syscalls), work)
		if !counts || work > mostWork {
			t.Errorf("%s: work %d, at most %d expected", p.Name, work, mostWork)
		}
	}
}
