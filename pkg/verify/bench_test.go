package verify_test

import (
	"fmt"
	"os"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// dockerPolicy is Docker's default profile on the given architectures, the
// native one first.
func dockerPolicy(b testing.TB, names ...string) *spec.Policy {
	b.Helper()
	profile, err := spec.Builtin("builtin:docker")
	if err != nil {
		b.Fatal(err)
	}
	var target spec.Target
	for _, name := range names {
		a, known := arch.ByName(name)
		if !known {
			b.Fatalf("no architecture %s", name)
		}
		target.Archs = append(target.Archs, a)
	}
	policy, err := profile.Resolve(target)
	if err != nil {
		b.Fatal(err)
	}
	return policy
}

// manyRules is a policy with n rules on two arguments each, spread over calls,
// as long as there are calls, and then more for each.
func manyRules(n int) *spec.Policy {
	p := &spec.Policy{Other: bpf.RetKillThread}
	t := spec.Token{Audit: 0xc000003e}
	const calls = 300
	for nr := range uint32(calls) {
		v := spec.Verdict{Default: bpf.Errno(1)}
		for i := int(nr); i < n; i += calls {
			v.Rules = append(v.Rules, spec.Rule{Return: bpf.RetAllow, Origin: i, Conditions: []spec.Condition{
				{Arg: uint8(i % 3), Op: spec.EQ, Mask: ^uint64(0), Value: uint64(i) * 7919},
				{Arg: uint8(3 + i%3), Op: spec.GE, Mask: 0xffffffff, Value: uint64(i)},
			}})
		}
		t.Ranges = append(t.Ranges, spec.Range{First: nr, Last: nr, Verdict: v})
	}
	t.Ranges = append(t.Ranges, spec.Range{First: calls, Last: ^uint32(0), Verdict: spec.Verdict{Default: bpf.Errno(38)}})
	p.Tokens = append(p.Tokens, t)
	return p
}

func BenchmarkPolicy(b *testing.B) {
	for _, archs := range [][]string{{"x86_64", "x86", "x32"}, {"x86_64"}, {"aarch64", "arm"}, {"s390x", "s390"}} {
		benchmarkPolicy(b, fmt.Sprint("docker ", archs), dockerPolicy(b, archs...))
	}
	for _, n := range []int{10, 100, 300} {
		benchmarkPolicy(b, fmt.Sprintf("%d rules", n), manyRules(n))
	}
}

func benchmarkPolicy(b *testing.B, name string, policy *spec.Policy) {
	b.Run(name, func(b *testing.B) {
		prog, err := compile.Compile(policy, compile.Options{})
		if err != nil {
			b.Fatal(err)
		}
		var r verify.Result
		b.ReportAllocs()
		for b.Loop() {
			if r, err = verify.Policy(policy, prog); err != nil || r.Outcome != verify.Equal {
				b.Fatal(r, err)
			}
		}
		b.ReportMetric(float64(r.Effort.Nodes), "nodes")
		b.ReportMetric(float64(len(prog)), "instructions")
	})
}

// libseccomp's binary tree and its linear program, 1246 and 1001 instructions
// for Docker's default profile on x86_64, x86 and x32.
func BenchmarkPrograms(b *testing.B) {
	read := func(name string) (p bpf.Program) {
		raw, err := os.ReadFile("testdata/" + name)
		if err == nil {
			err = p.UnmarshalBinary(raw)
		}
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	const stub = 14 // instructions that runc puts in front
	tree, linear := read("docker-runc.bpf")[stub:], read("docker-crun.bpf")
	var r verify.Result
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if r, err = verify.Programs(tree, linear, bpf.Little); err != nil || r.Outcome != verify.Equal {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(r.Effort.Nodes), "nodes")
}

// Two policies of more rules than a program can hold.
func BenchmarkPolicies(b *testing.B) {
	for _, n := range []int{1000, 2000, 4000} {
		b.Run(fmt.Sprintf("%d rules", n), func(b *testing.B) {
			p, q := manyRules(n), manyRules(n)
			var r verify.Result
			var err error
			b.ReportAllocs()
			for b.Loop() {
				if r, err = verify.Policies(p, q); err != nil || r.Outcome != verify.Equal {
					b.Fatal(r, err)
				}
			}
			b.ReportMetric(float64(r.Effort.Nodes), "nodes")
		})
	}
}
