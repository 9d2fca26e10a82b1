package verify

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
)

var (
	update       = flag.Bool("update", false, "write the golden files anew")
	allMutations = flag.Bool("mutations", false, "mutate every instruction of every program, not just some of the large ones (minutes)")
)

// realPrograms are filters of Docker's default profile, as other compilers
// made them (testdata/README.md), and how many of their instructions the short
// test leaves out between two that it mutates.
var realPrograms = []struct {
	name   string
	length int
	stride int
}{
	{"docker-x86_64-gvisor", 171, 3},
	{"docker-x86_64-runc", 424, 23},
	{"docker-x86_64-crun", 337, 17},
	{"docker-runc", 1260, 97},
	{"docker-crun", 1001, 89},
}

func readProgram(t testing.TB, name string) bpf.Program {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".bpf"))
	if err != nil {
		t.Fatal(err)
	}
	var p bpf.Program
	if err := p.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return p
}

// libseccomp's binary tree and its linear program for the same rules have
// hardly an instruction in the same place, and are equal; runc's stub in front
// of the tree is not nothing; architectures and compilers that know x32 and
// ones that do not show where they differ.
func TestRealPrograms(t *testing.T) {
	three, one := readProgram(t, "docker-runc"), readProgram(t, "docker-x86_64-runc")
	const stub, stubOne = 14, 9 // instructions of runc's stub
	tests := []struct {
		name string
		a, b bpf.Program
		want string
	}{
		{"tree and linear", three[stub:], readProgram(t, "docker-crun"), "equal"},
		{"tree and linear, x86_64", one[stubOne:], readProgram(t, "docker-x86_64-crun"), "equal"},
		{"stub", three, three[stub:], "different: nr=457 arch=0xc000003e args=[0x0 0x0 0x0 0x0 0x0 0x0]: first ERRNO(38), second ERRNO(1)"},
		{"x32", one, three, "different: nr=1073741824 arch=0xc000003e args=[0x0 0x0 0x0 0x0 0x0 0x0]: first KILL_THREAD, second ALLOW"},
		{"gVisor, which was not given the rule for clone3", one[stubOne:], readProgram(t, "docker-x86_64-gvisor"),
			"different: nr=435 arch=0xc000003e args=[0x0 0x0 0x0 0x0 0x0 0x0]: first ERRNO(38), second ERRNO(1)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Programs(tt.a, tt.b, bpf.Little)
			if err != nil || r.String() != tt.want {
				t.Errorf("got  %v (%v)\nwant %s", r, err, tt.want)
			}
		})
	}
}

// prover compares many programs with one, and keeps what it knows of that one.
type prover struct {
	forest *forest
	prog   bpf.Program
	known  *outcomes
}

func (p *prover) compare(t testing.TB, other bpf.Program) Result {
	t.Helper()
	if p.forest == nil || len(p.forest.nodes) > 1<<20 || p.forest.steps > 1<<24 {
		p.forest = newForest(DefaultBudget)
		p.known = p.forest.execute(p.prog, wordwise, bpf.Little)
	}
	d := p.forest
	differ := d.difference(p.known, d.execute(other, wordwise, bpf.Little))
	if d.exhausted {
		p.forest = nil
		return Result{}
	}
	if differ == none {
		return Result{Outcome: Equal}
	}
	first, second := programSide{p.prog, bpf.Little}, programSide{other, bpf.Little}
	w, err := confirm(d.witness(differ, wordwise, first.tokens()), first, second)
	if err != nil {
		t.Fatal(err)
	}
	return Result{Outcome: Different, Witness: w}
}

// TestMutationsAreCaught changes single instructions of real programs in every
// field. A change is caught when a confirmed witness shows it. What is not
// caught must be equivalent: no call out of many thousands around all
// constants may show a difference, and all such changes of the whole programs
// are in a golden file to be looked at.
func TestMutationsAreCaught(t *testing.T) {
	for _, real := range realPrograms {
		t.Run(real.name, func(t *testing.T) {
			prog := readProgram(t, real.name)
			if len(prog) != real.length {
				t.Fatalf("%d instructions, want %d", len(prog), real.length)
			}
			switch {
			case *allMutations:
				real.stride = 1
			case testing.Short():
				real.stride *= 8
			}
			r := rand.New(rand.NewPCG(1, 1))
			p := prover{prog: prog}
			count := map[Outcome]int{}
			var equivalent strings.Builder
			for i := 0; i < len(prog); i += real.stride {
				for _, mutant := range mutants(prog, i) {
					result := p.compare(t, mutant)
					count[result.Outcome]++
					if result.Outcome == Undecided {
						t.Logf("undecided: %d: %v -> %v", i, prog[i], mutant[i])
					}
					if result.Outcome != Equal {
						continue
					}
					fmt.Fprintf(&equivalent, "%d: %v -> %v\n", i, prog[i], mutant[i])
					sampler := bpftest.NewSampler(bpf.Little, prog, mutant)
					checkAgreement(t, 2000, func() bpf.Data { return sampler.Call(r) },
						programSide{prog, bpf.Little}, programSide{mutant, bpf.Little})
				}
			}
			total := count[Equal] + count[Different] + count[Undecided]
			t.Logf("%d mutants: %d caught, %d equivalent, %d undecided", total, count[Different], count[Equal], count[Undecided])
			if missed := count[Undecided]; missed*1000 > count[Different] {
				t.Errorf("%d of %d semantic mutations were not caught", missed, count[Different]+missed)
			}
			checkEquivalent(t, real.name, equivalent.String(), real.stride)
		})
	}
}

// checkEquivalent compares the list of equivalent changes with the golden one,
// which has all of them; one from a stride is a part of it.
func checkEquivalent(t *testing.T, name, got string, stride int) {
	t.Helper()
	path := filepath.Join("testdata", name+".equivalent.txt")
	if *update && stride == 1 {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if stride == 1 && got != string(golden) {
		t.Errorf("%s does not list the same mutants (go test -mutations -update writes it)", path)
	}
	listed := strings.Split(string(golden), "\n")
	for line := range strings.Lines(got) {
		if !slices.Contains(listed, strings.TrimSuffix(line, "\n")) {
			t.Errorf("%s does not list %q", path, line)
		}
	}
}
