package simplify_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/simplify"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
	"seccomp-hook/pkg/verify"
)

func parse(t *testing.T, text string) *spec.Profile {
	t.Helper()
	p, err := spec.Parse([]byte(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// object is a profile for x86_64 that denies by default.
func object(rules string) string {
	return `{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[` + rules + `]}`
}

// TestMinimize: what is left out, and what has to stay.
func TestMinimize(t *testing.T) {
	const read = `{"names":["read","rseq"],"action":"SCMP_ACT_ALLOW"}`
	for _, test := range []struct {
		name, rules string
		dropped     []string // parts of the reasons
		rules2      int      // how many rules are left
	}{
		{"nothing to do", read, nil, 1},
		{"an unknown call", `{"names":["read","nonsense"],"action":"SCMP_ACT_ALLOW"}`, []string{"rule 0: nonsense"}, 1},
		{"the default action", read + `,{"names":["write"],"action":"SCMP_ACT_ERRNO"}`, []string{"rule 1: it says what the default action says"}, 1},
		{"the default action, where the stub begins", read + `,{"names":["landlock_create_ruleset"],"action":"SCMP_ACT_ERRNO"}`, nil, 2},
		{"hidden", read + `,{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}`, []string{"rule 1"}, 1},
		{"the same twice", read + `,` + read, []string{"rule 1"}, 1},
		{"half of it twice", read + `,{"names":["read","write"],"action":"SCMP_ACT_ALLOW"}`, []string{"rule 0: read"}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := parse(t, object(test.rules))
			least, dropped, err := simplify.Minimize(p)
			if err != nil {
				t.Fatal(err)
			}
			if len(dropped) != len(test.dropped) || len(least.Syscalls) != test.rules2 {
				t.Fatalf("%d rules are left, %d expected; left out: %v", len(least.Syscalls), test.rules2, dropped)
			}
			for i, want := range test.dropped {
				if got := dropped[i].String(); !strings.HasPrefix(got, want) {
					t.Errorf("left out %q, %q expected", got, want)
				}
			}
		})
	}
}

// TestRandom: minimized and formatted profiles mean the same, and doing it twice
// does nothing more.
func TestRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	native, _ := arch.ByName("x86_64")
	x86, _ := arch.ByName("x86")
	archs := []*arch.Arch{native, x86}
	for i := range 30 {
		p := spectest.Profile(r, spectest.Options{Archs: archs, Shape: spectest.Shape(i % 3)})
		before, err := p.Resolve(spec.Target{Native: native})
		if err != nil {
			continue // a conflict
		}
		least, _, err := simplify.Minimize(p)
		if err != nil {
			t.Fatalf("profile %d: %v", i, err)
		}
		after, err := least.Resolve(spec.Target{Native: native})
		if err != nil {
			t.Fatalf("profile %d: %v", i, err)
		}
		if result, err := verify.Policies(before, after); err != nil || result.Outcome != verify.Equal {
			t.Errorf("profile %d: %v %v", i, result, err)
		}
		if again, dropped, err := simplify.Minimize(least); err != nil || len(dropped) > 0 || len(again.Syscalls) != len(least.Syscalls) {
			t.Errorf("profile %d: the second time %v is left out (%v)", i, dropped, err)
		}
		text, err := simplify.Format(p)
		if err != nil {
			t.Fatalf("profile %d: %v", i, err)
		}
		if again, err := simplify.Format(parse(t, string(text))); err != nil || !bytes.Equal(again, text) {
			t.Errorf("profile %d: formatted again\n%s\nafter\n%s%v", i, again, text, err)
		}
	}
}

// TestFormatKeeps: comments, conditions of rules and their order stay.
func TestFormatKeeps(t *testing.T) {
	text, err := spec.BuiltinText("builtin:docker")
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, string(text))
	formatted, err := simplify.Format(p)
	if err != nil {
		t.Fatal(err)
	}
	q := parse(t, string(formatted))
	if len(p.Syscalls) != len(q.Syscalls) {
		t.Fatalf("%d rules of %d", len(q.Syscalls), len(p.Syscalls))
	}
	for i := range p.Syscalls {
		if a, b := p.Syscalls[i], q.Syscalls[i]; a.Comment != b.Comment || (a.Includes == nil) != (b.Includes == nil) || !slices.Equal(a.Args, b.Args) {
			t.Errorf("rule %d: %+v was %+v", i, b, a)
		}
	}
}

// TestFormatRefuses: nothing is lost without a word.
func TestFormatRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"unknown property": `{"defaultAction":"SCMP_ACT_ALLOW","odd":1}`,
		"config.json":      `{"ociVersion":"1.0.2","linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}`,
		"errno by name":    `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","errno":"ENOSYS"}]}`,
	} {
		if _, err := simplify.Format(parse(t, text)); !errors.Is(err, spec.ErrNotCanonical) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
