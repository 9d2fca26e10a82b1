package compile_test

import (
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// prove fails the test unless a program that the kernel would take is proved
// equal to its policy.
func prove(t testing.TB, policy *spec.Policy, program bpf.Program) {
	t.Helper()
	if err := program.Validate(); err != nil {
		t.Fatalf("%v\n%s", err, program)
	}
	result, err := verify.Policy(policy, program)
	if err != nil {
		t.Fatal(err)
	}
	if result.Outcome != verify.Equal {
		t.Fatalf("%s\n%s", result, program)
	}
}

// TestBuiltins proves the programs of the builtin profiles.
func TestBuiltins(t *testing.T) {
	for _, name := range []string{"builtin:docker", "builtin:containerd"} {
		for capabilities, list := range map[string][]string{"default": nil, "all": spec.AllCapabilities(), "none": {}} {
			for _, archs := range [][]string{
				{"x86_64"}, {"x86_64", "x86", "x32"}, {"x86"}, {"aarch64", "arm"}, {"arm"}, {"s390x", "s390"}, {"s390x"},
				{"ppc64le"}, {"riscv64"}, {"loongarch64"}, {"mipsel64", "mipsel", "mipsel64n32"}, {"mips64", "mips", "mips64n32"},
			} {
				policy := builtin(t, name, list, archs...)
				for _, goal := range goals {
					program, err := compile.Compile(policy, compile.Options{Optimize: goal})
					if err != nil {
						t.Fatalf("%s, capabilities %s, %v, %s: %v", name, capabilities, archs, goal, err)
					}
					prove(t, policy, program)
				}
			}
		}
	}
}
