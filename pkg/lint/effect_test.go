package lint

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
	"seccomp-hook/pkg/verify"
)

// withoutEffect are the rules of lint that say so.
var withoutEffect = []string{"void-deny", "overruled", "redundant", "never-true"}

// saysMore are those that say of a whole rule that its conditions are wrong.
var saysMore = []string{"always-true", "empty-mask", "never-true"}

// TestEffects: of random profiles everything that is reported as without effect
// can be removed together, and what is not reported cannot, each on its own.
func TestEffects(t *testing.T) {
	var removed, kept int
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 1))
		archs := []*arch.Arch{archOf(t, "x86_64"), archOf(t, "x86")}[:1+r.IntN(2)]
		p := spectest.Profile(r, spectest.Options{Archs: archs, Shape: spectest.Shape(seed % 3)})
		if _, err := p.Resolve(spec.Target{Archs: archs}); err != nil {
			continue
		}
		findings := Check(p, nil, Options{Archs: archs})
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.Rule.ID == "incomplete" }) {
			continue
		}
		gone := map[[2]int]bool{} // rule, name
		for _, f := range findings {
			if !slices.Contains(withoutEffect, f.Rule.ID) {
				continue
			}
			for k, name := range p.Syscalls[f.Syscall].Names {
				if !slices.Contains(f.Calls, name) {
					continue
				}
				if first := slices.Index(p.Syscalls[f.Syscall].Names, name); f.Message == "the rule names it twice" && k == first {
					continue
				}
				if f.Rule.ID == "never-true" {
					continue // it can let the -ENOSYS stub begin later
				}
				gone[[2]int{f.Syscall, k}] = true
			}
		}
		removed += len(gone)
		without := func(drop func(rule, name int) bool) *spec.Profile {
			q := *p
			q.Syscalls = slices.Clone(p.Syscalls)
			for i := range q.Syscalls {
				var names []string
				for k, name := range q.Syscalls[i].Names {
					if !drop(i, k) {
						names = append(names, name)
					}
				}
				q.Syscalls[i].Names = names
			}
			return &q
		}
		equal := func(q *spec.Profile) bool {
			a, err1 := p.Resolve(spec.Target{Archs: archs})
			b, err2 := q.Resolve(spec.Target{Archs: archs})
			if err1 != nil || err2 != nil {
				t.Fatalf("seed %d: %v, %v", seed, err1, err2)
			}
			result, err := verify.Policies(a, b)
			if err != nil {
				t.Fatal(err)
			}
			return result.Outcome == verify.Equal
		}
		if !equal(without(func(rule, name int) bool { return gone[[2]int{rule, name}] })) {
			t.Errorf("seed %d: not without effect:\n%s", seed, strings.Join(lines(findings), "\n"))
		}
		// What can let the -ENOSYS stub begin later counts as with effect, and so
		// do rules of which something else is said.
		if p.Default.Milder(bpf.RetErrno) <= 0 || slices.ContainsFunc(findings, func(f Finding) bool { return slices.Contains(saysMore, f.Rule.ID) }) {
			continue
		}
		for i := range p.Syscalls {
			for k, name := range p.Syscalls[i].Names {
				_, known := arch.FindCall(name)
				if gone[[2]int{i, k}] || !known || slices.Contains(p.Syscalls[i].Names[:k], name) {
					continue
				}
				// What another one does as well is reported once: this one has an
				// effect where that is gone.
				if equal(without(func(rule, n int) bool { return gone[[2]int{rule, n}] || rule == i && n == k })) && there(archs, name) {
					t.Errorf("seed %d: rule %d: %s has no effect, and that is not reported", seed, i, name)
				}
				kept++
			}
		}
	}
	if removed < 50 || kept < 10 {
		t.Errorf("%d without effect, %d with", removed, kept)
	}
}

// there reports whether one of the architectures has a call.
func there(archs []*arch.Arch, name string) bool {
	return slices.ContainsFunc(archs, func(a *arch.Arch) bool { _, ok := a.Number(name); return ok })
}
