package decompile_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/decompile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
	"seccomp-hook/pkg/verify"
)

var (
	count = flag.Int("programs", 60, "random programs and profiles to take apart")
	first = flag.Int("first", 0, "the first of the random programs")
)

// machines are the architectures of random profiles, the native one first.
var machines = [][]string{
	{"x86_64"}, {"x86_64", "x86", "x32"}, {"aarch64", "arm"}, {"x86"}, {"s390x", "s390"}, {"mipsel64", "mipsel", "mipsel64n32"},
}

func architectures(t *testing.T, names []string) []*arch.Arch {
	t.Helper()
	var archs []*arch.Arch
	for _, name := range names {
		a, known := arch.ByName(name)
		if !known {
			t.Fatal(name)
		}
		archs = append(archs, a)
	}
	return archs
}

// executes says which of two verdicts lets more be done: 0 for calls that are
// denied, more for those that a supervisor decides on, and for those that are
// made.
func executes(r bpf.Return) int {
	switch r.Action() {
	case bpf.RetAllow, bpf.RetLog:
		return 2
	case bpf.RetTrace, bpf.RetUserNotif:
		return 1
	}
	return 0
}

// many is how many of them.
func many() int {
	if testing.Short() {
		return *count / 4
	}
	return *count
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// agrees holds the profile of a result to what the filter returns for a call:
// the same, unless a loss speaks of the call, and never more.
func agrees(t *testing.T, what string, r *decompile.Result, call *bpf.Data, want bpf.Return) {
	t.Helper()
	got := r.Policy.Evaluate(call)
	if executes(got) > executes(want) && call.Nr != ^uint32(0) {
		t.Fatalf("%s: %+v: the filter says %v, the profile %v, which is more", what, call, want, got)
	}
	if got == want {
		return
	}
	for _, l := range r.Losses {
		listed := l.Token == call.Arch || l.Others
		if listed && l.First <= call.Nr && call.Nr <= l.Last {
			return
		}
	}
	t.Fatalf("%s: %+v: the filter says %v, the profile %v, and no loss", what, call, want, got)
}

// Profiles come back: a profile that says the same is found for nearly all, and
// for all whose calls have one condition with constants of 32 bits.
func TestRandomProfiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var exact, all [3]int
	for i := range 3 * many() {
		archs := architectures(t, machines[i%len(machines)])
		shape := spectest.Shape(i / len(machines) % 3)
		p := spectest.Profile(r, spectest.Options{Archs: archs, Shape: shape})
		policy, err := p.Resolve(spec.Target{Native: archs[0]})
		if err != nil {
			continue // a conflict
		}
		got, err := decompile.Profile(verify.OfPolicy(policy), decompile.Options{
			Native: archs[0], Flags: spec.Flags{Unset: true}, ListenerPath: "/run/agent.sock", Name: "random",
		})
		if err != nil {
			t.Fatalf("profile %d: %v", i, err)
		}
		s := spectest.NewSampler(p, archs)
		for range 200 {
			call := s.Call(r)
			agrees(t, fmt.Sprintf("profile %d", i), got, &call, policy.Evaluate(&call))
		}
		all[shape]++
		if len(got.Losses) == 0 {
			exact[shape]++
		}
	}
	t.Logf("%d of %d came back", exact, all)
	for shape, least := range [...]int{80, 80, 50} { // of a hundred
		if all[shape] >= 40 && 100*exact[shape] < least*all[shape] { // fewer say nothing of the rate
			t.Errorf("shape %d: only %d of %d came back", shape, exact[shape], all[shape])
		}
	}
}

// Programs that no compiler wrote: the profile allows no more, and says where it
// is not the same.
func TestRandomPrograms(t *testing.T) {
	equal, given, total := 0, 0, 0
	for i := range many() {
		r := rand.New(rand.NewPCG(3, uint64(*first+i)))
		p := bpftest.Random(r, bpftest.Style(i%2), 1+r.IntN(60))
		total++
		got, err := decompile.Profile(verify.OfProgram(p, bpf.Little), decompile.Options{
			Native: native(t), Flags: spec.Flags{Unset: true}, ListenerPath: "/run/agent.sock", Name: "random",
		})
		if err != nil {
			t.Fatalf("program %d: %v\n%v", i, err, p)
		}
		if len(got.Losses) == 0 {
			equal++
		}
		given += boolean(slices.ContainsFunc(got.Losses, func(l decompile.Loss) bool { return l.Undecided }))
		s := bpftest.NewSampler(bpf.Little, p)
		for range 200 {
			call := s.Call(r)
			words := call.Words(bpf.Little)
			want, err := p.Run(&words)
			if err != nil {
				t.Fatal(err)
			}
			agrees(t, fmt.Sprintf("program %d", *first+i), got, &call, want)
		}
		for _, l := range got.Losses {
			if (l.Filter == l.Profile) != l.Undecided {
				t.Fatalf("program %d: %+v is no loss", i, l)
			}
			words := l.Call.Words(bpf.Little)
			if want, err := p.Run(&words); err != nil || want != l.Filter || got.Policy.Evaluate(&l.Call) != l.Profile {
				t.Fatalf("program %d: %+v: the program returns %v, the profile %v", i, l, want, got.Policy.Evaluate(&l.Call))
			}
		}
	}
	t.Logf("%d of %d programs are profiles, %d have undecided calls", equal, total, given)
	if given*50 > total {
		t.Errorf("%d of %d have undecided calls", given, total)
	}
}
