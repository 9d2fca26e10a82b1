package differential

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
	"seccomp-hook/pkg/verify"
)

// machines are sets of architectures that come together, the native one first.
var machines = [][]string{
	{"x86_64"},
	{"x86_64", "x86", "x32"},
	{"x86"},
	{"aarch64", "arm"},
	{"s390x", "s390"},
	{"ppc64le"},
	{"ppc64", "ppc"},
	{"riscv64"},
	{"mipsel64", "mipsel", "mipsel64n32"},
	{"mips64", "mips", "mips64n32"},
}

func architectures(t *testing.T, names []string) []*arch.Arch {
	t.Helper()
	var list []*arch.Arch
	for _, name := range names {
		a, ok := arch.ByName(name)
		if !ok {
			t.Fatalf("no architecture %s", name)
		}
		list = append(list, a)
	}
	return list
}

// A profile with rules of any shape, those with which libseccomp errs among
// them, means what its rules say of each call: the policy and the program are
// held to that reading, and to each other by the proof. Nothing here asks
// libseccomp.
func TestRulesDecide(t *testing.T) {
	const profiles, calls = 60, 200
	for k, names := range machines {
		t.Run(strings.Join(names, "+"), func(t *testing.T) {
			archs := architectures(t, names)
			refused, ordered := 0, 0
			for run := range uint64(profiles) {
				r := rand.New(rand.NewPCG(run, uint64(k)))
				p := spectest.Profile(r, spectest.Options{Archs: archs, Shape: spectest.Anything})
				object, err := reference.Object(p, spec.Target{Native: archs[0]})
				if err != nil {
					t.Fatal(err)
				}
				object.ListenerPath = p.ListenerPath
				var conflict *spec.ConflictError
				if _, err := resolve(t, object, archs[0]); errors.As(err, &conflict) {
					refused++
					continue
				}
				policy, program := ours(t, object, archs[0])
				rules := newRules(object, archs[0])
				sampler := spectest.NewSampler(p, archs)
				for range calls {
					d := sampler.Call(r)
					words := d.Words(policy.Endian)
					got, err := program.Run(&words)
					if err != nil {
						t.Fatal(err)
					}
					possible := rules.verdicts(&d)
					if want := policy.Evaluate(&d); got != want || !slices.Contains(possible, got) {
						t.Fatalf("%s: the program gives %v, the policy %v, the rules %v\n%s\n%v", call(&d), got, want, possible, text(object), policy)
					}
					if len(possible) > 1 {
						ordered++
					}
				}
			}
			if refused > profiles/2 || ordered == 0 {
				t.Errorf("%d of %d profiles contradict themselves, %d calls meet several rules", refused, profiles, ordered)
			}
		})
	}
}

// ours returns the policy and the program that this project makes of an object.
func ours(t *testing.T, object *specs.LinuxSeccomp, native *arch.Arch) (*spec.Policy, bpf.Program) {
	t.Helper()
	policy, err := resolve(t, object, native)
	if err != nil {
		t.Fatalf("%v\n%s", err, text(object))
	}
	program, err := compile.Compile(policy, compile.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text(object))
	}
	if r, err := verify.Policy(policy, program); err != nil || r.Outcome != verify.Equal {
		t.Fatalf("our program is not our policy: %v %v\n%s", r, err, text(object))
	}
	return policy, program
}

func resolve(t *testing.T, object *specs.LinuxSeccomp, native *arch.Arch) (*spec.Policy, error) {
	t.Helper()
	profile, err := spec.Parse([]byte(text(object)), "test")
	if err != nil {
		t.Fatalf("%v\n%s", err, text(object))
	}
	return profile.Resolve(spec.Target{Native: native})
}

// text returns the object as it stands in config.json.
func text(object *specs.LinuxSeccomp) string {
	text, err := json.Marshal(object)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func call(d *bpf.Data) string {
	return fmt.Sprintf("arch=%#x nr=%#x args=%#x", d.Arch, d.Nr, d.Args)
}
