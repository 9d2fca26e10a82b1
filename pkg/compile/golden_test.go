package compile_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares the programs of small profiles with what they were when
// somebody last read them.
func TestGolden(t *testing.T) {
	profiles, err := filepath.Glob("testdata/*.json")
	if err != nil || len(profiles) == 0 {
		t.Fatalf("no profiles: %v", err)
	}
	for _, name := range profiles {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			policy := profile(t, name)
			var text bytes.Buffer
			for _, goal := range goals {
				program, err := compile.Compile(policy, compile.Options{Optimize: goal})
				if err != nil {
					t.Fatal(err)
				}
				prove(t, policy, program)
				text.WriteString("; " + goal.String() + "\n" + program.String())
			}
			golden := strings.TrimSuffix(name, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text.Bytes(), want) {
				t.Errorf("got\n%swant\n%s", text.Bytes(), want)
			}
		})
	}
}

// TestDocumentation compiles the profile of docs/compiler.md, which shows its
// program.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/compiler.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```json\n")
	text, rest, closed := strings.Cut(rest, "```\n")
	_, rest, shown := strings.Cut(rest, "```\n")
	want, _, ended := strings.Cut(rest, "```\n")
	if !found || !closed || !shown || !ended {
		t.Fatal("the page has no profile and no program")
	}
	p, err := spec.Parse([]byte(text), "docs/compiler.md")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := p.Resolve(spec.Target{Native: p.Architectures[0]})
	if err != nil {
		t.Fatal(err)
	}
	program, err := compile.Compile(policy, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := program.String(); got != want {
		t.Errorf("got\n%sthe page has\n%s", got, want)
	}
}

var goals = [...]compile.Goal{compile.Cache, compile.Depth, compile.Size}

// profile reads a profile and resolves it for the architectures that it lists.
func profile(t testing.TB, name string) *spec.Policy {
	t.Helper()
	p, err := spec.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := p.Resolve(spec.Target{Native: p.Architectures[0]})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// builtin resolves a builtin profile.
func builtin(t testing.TB, name string, caps []string, archs ...string) *spec.Policy {
	t.Helper()
	p, err := spec.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	target := spec.Target{Capabilities: caps}
	for _, name := range archs {
		a, ok := arch.ByName(name)
		if !ok {
			t.Fatalf("no architecture %q", name)
		}
		target.Archs = append(target.Archs, a)
	}
	policy, err := p.Resolve(target)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// run returns what a valid program does with a call, and the instructions that
// it took.
func run(t testing.TB, p bpf.Program, e bpf.Endian, d *bpf.Data) (bpf.Return, int) {
	t.Helper()
	w := d.Words(e)
	r, executed, err := p.RunCount(&w)
	if err != nil {
		t.Fatal(err)
	}
	return r, executed
}
