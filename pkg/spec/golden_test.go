package spec_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden resolves profiles and compares the policies, as text, with
// testdata/NAME.policy.
func TestGolden(t *testing.T) {
	for _, test := range []struct {
		name, profile string
		native        string
		archs         []string // none: the profile's
		caps          string
	}{
		{"config", "testdata/config.json", "x86_64", nil, "none"},
		{"operators", "testdata/operators.json", "x86_64", nil, "none"},
		{"overlap", "testdata/overlap.json", "x86_64", nil, "none"},
		{"podman-s390x", "testdata/podman.json", "s390x", nil, "default"},
		{"podman-x86_64-admin", "testdata/podman.json", "x86_64", nil, "CAP_SYS_ADMIN"},
		{"docker-x86_64", "builtin:docker", "x86_64", nil, "default"},
		{"docker-x86_64-all", "builtin:docker", "x86_64", []string{"x86_64"}, "all"},
		{"docker-aarch64", "builtin:docker", "aarch64", nil, "default"},
		{"docker-s390x", "builtin:docker", "s390x", nil, "default"},
		{"containerd-x86_64", "builtin:containerd", "x86_64", nil, "default"},
		{"containerd-mips64el", "builtin:containerd", "mipsel64", nil, "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := spec.Load(test.profile)
			if err != nil {
				t.Fatal(err)
			}
			caps, err := spec.ParseCapabilities(test.caps)
			if err != nil {
				t.Fatal(err)
			}
			policy, err := p.Resolve(spec.Target{
				Native:       archs(t, test.native)[0],
				Archs:        archs(t, test.archs...),
				Capabilities: caps,
			})
			if err != nil {
				t.Fatal(err)
			}
			checkPolicy(t, policy)
			var b strings.Builder
			for _, w := range policy.Warnings {
				fmt.Fprintf(&b, "warning: %v\n", w)
			}
			fmt.Fprintf(&b, "%v", policy)
			golden := filepath.Join("testdata", test.name+".policy")
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("the policy is not that of %s (go test ./pkg/spec -update, then look at the difference):\n%s", golden, &b)
			}
		})
	}
}

// checkPolicy checks what Policy promises of its form.
func checkPolicy(t testing.TB, p *spec.Policy) {
	t.Helper()
	for i, token := range p.Tokens {
		if i > 1 && p.Tokens[i-1].Audit >= token.Audit || i > 0 && token.Audit == p.Tokens[0].Audit {
			t.Fatalf("token %d, %#x, is out of order", i, token.Audit)
		}
		next := uint64(0)
		for k, r := range token.Ranges {
			if uint64(r.First) != next || r.Last < r.First {
				t.Fatalf("%#x: range %d is %#x-%#x, after %#x", token.Audit, k, r.First, r.Last, next)
			}
			next = uint64(r.Last) + 1
			if k > 0 && reflect.DeepEqual(r.Verdict, token.Ranges[k-1].Verdict) {
				t.Fatalf("%#x: ranges %d and %d, at %#x, have one verdict", token.Audit, k-1, k, r.First)
			}
			for _, rule := range r.Verdict.Rules {
				for _, c := range rule.Conditions {
					if c.Arg > 5 || c.Op > spec.GE || c.Value&^c.Mask != 0 && c.Op == spec.EQ {
						t.Fatalf("%#x: range %d: condition %+v", token.Audit, k, c)
					}
				}
			}
		}
		if next != 1<<32 {
			t.Fatalf("%#x: the ranges end at %#x", token.Audit, next)
		}
	}
}

// resolveEverywhere resolves a profile for some very different targets: the
// form of the policy is checked, and that errors are one line.
func resolveEverywhere(t *testing.T, text []byte) {
	p, err := spec.Parse(text, "fuzz")
	if err != nil {
		return
	}
	for _, target := range []spec.Target{
		{Native: archs(t, "x86_64")[0]},
		{Archs: archs(t, "x86_64", "x86", "x32"), Capabilities: spec.AllCapabilities()},
		{Archs: archs(t, "s390x", "s390"), Kernel: spec.KernelVersion{Major: 4, Minor: 1}},
	} {
		policy, err := p.Resolve(target)
		if err != nil {
			if strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "spec: profile fuzz: ") {
				t.Errorf("error %q", err)
			}
			continue
		}
		checkPolicy(t, policy)
		if again, err := p.Resolve(target); err != nil || again.String() != policy.String() {
			t.Errorf("another policy the second time: %v", err)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(resolveEverywhere)
}

func TestResolveEverywhere(t *testing.T) {
	for _, text := range seeds(t) {
		resolveEverywhere(t, text)
	}
}

// TestEveryArchitecture resolves the builtins wherever a container could run.
func TestEveryArchitecture(t *testing.T) {
	for _, name := range []string{"builtin:docker", "builtin:containerd"} {
		p, err := spec.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range arch.All() {
			policy, err := p.Resolve(spec.Target{Native: a})
			if err != nil {
				t.Errorf("%s on %v: %v", name, a, err)
				continue
			}
			checkPolicy(t, policy)
			expect(t, name+" on "+a.Name, call(t, policy, a.Name, "read"), "ALLOW")
			expect(t, name+" on "+a.Name, call(t, policy, a.Name, "delete_module"), "ERRNO(1)")
		}
	}
}
