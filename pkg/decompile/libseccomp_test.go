//go:build libseccomp

package decompile_test

import (
	"encoding/json"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/decompile"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// TestBuiltinsThroughLibseccomp: both builtins come back from the programs that
// runc and libseccomp make of them, with no more rules than they have. All that
// differs is a call that libseccomp does not know on x32.
func TestBuiltinsThroughLibseccomp(t *testing.T) {
	for _, name := range []string{"builtin:docker", "builtin:containerd"} {
		for _, machine := range [][]string{{"x86_64"}, {"x86_64", "x86", "x32"}, {"aarch64", "arm"}} {
			archs := architectures(t, machine)
			profile, err := spec.Builtin(name)
			if err != nil {
				t.Fatal(err)
			}
			r, err := decompile.Profile(verify.OfProgram(through(t, profile, archs), bpf.Little), decompile.Options{
				Native: archs[0], Flags: spec.Flags{Unset: true}, Name: name,
			})
			if err != nil {
				t.Errorf("%s %v: %v", name, machine, err)
				continue
			}
			if rules := len(r.Profile.Syscalls); rules > len(profile.Syscalls) {
				t.Errorf("%s %v: %d rules, the profile has %d", name, machine, rules, len(profile.Syscalls))
			}
			for _, l := range r.Losses {
				// libseccomp 2.5.4 does not know that x32 has map_shadow_stack.
				if !l.Minor() && archs[0].CallName(l.First) != "map_shadow_stack" {
					t.Errorf("%s %v: %+v", name, machine, l)
				}
			}
			t.Logf("%s %v: %d rules of %d, %d losses", name, machine, len(r.Profile.Syscalls), len(profile.Syscalls), len(r.Losses))
		}
	}
}

// through compiles a profile as runc does.
func through(t *testing.T, profile *spec.Profile, archs []*arch.Arch) bpf.Program {
	t.Helper()
	policy, err := profile.Resolve(spec.Target{Archs: archs})
	if err != nil {
		t.Fatal(err)
	}
	// What the profile means for the target, as a linux.seccomp object.
	plain, err := decompile.Profile(verify.OfPolicy(policy), decompile.Options{Native: archs[0]})
	if err != nil || len(plain.Losses) > 0 {
		t.Fatal(err, plain)
	}
	text, err := plain.Profile.Encode(spec.FormRuntime)
	if err != nil {
		t.Fatal(err)
	}
	var object specs.LinuxSeccomp
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	p, err := reference.Compile(&object, archs[0])
	if err != nil {
		t.Fatal(err)
	}
	return p
}
