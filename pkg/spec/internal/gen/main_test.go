//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
)

func TestDockerIsFresh(t *testing.T) {
	fresh, err := docker()
	if err != nil {
		t.Fatal(err)
	}
	checkFresh(t, "docker.json", fresh)
}

func checkFresh(t *testing.T, name string, fresh []byte) {
	t.Helper()
	checkedIn, err := os.ReadFile("../../builtin/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(fresh, checkedIn) {
		t.Errorf("pkg/spec/builtin/%s is stale: run go generate ./pkg/spec", name)
	}
}

// TestContainerd checks that containerd.json is fresh, and that it says what
// the function says that it comes from: for every architecture, kernel and
// capability both resolve to the same policy.
func TestContainerd(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a program")
	}
	answers, err := runProbe()
	if errors.Is(err, errNoModule) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := format(asDocker(answers))
	if err != nil {
		t.Fatal(err)
	}
	checkFresh(t, "containerd.json", fresh)

	ours, err := spec.Load("builtin:containerd")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		text, err := json.Marshal(a.Profile)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := spec.Parse(text, "containerd")
		if err != nil {
			t.Fatal(err)
		}
		name := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[a.GOARCH]
		if name == "" {
			name = dockerName(a.GOARCH)
		}
		native, ok := arch.ByName(name)
		if !ok {
			t.Fatalf("no architecture %q", name)
		}
		target := spec.Target{Native: native, Capabilities: []string{}, Kernel: spec.KernelVersion{Major: 4, Minor: 7}}
		if a.Kernel {
			target.Kernel.Minor = 8
		}
		if a.Capability != "" {
			target.Capabilities = []string{a.Capability}
		}
		got, want := verdicts(t, ours, target), verdicts(t, theirs, target)
		if got != want {
			t.Fatalf("%s, new kernel %v, capability %q: the policy is\n%s\nwant\n%s", a.GOARCH, a.Kernel, a.Capability, got, want)
		}
	}
}

// verdicts returns what every call of every architecture gets.
func verdicts(t *testing.T, p *spec.Profile, target spec.Target) string {
	t.Helper()
	policy, err := p.Resolve(target)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, token := range policy.Tokens {
		a, _ := arch.ByAudit(token.Audit)
		for nr, c := range a.Calls() {
			fmt.Fprintf(&b, "%v %s %s\n", a, c.Name(), verdict(token.Lookup(nr)))
		}
	}
	return b.String()
}

// verdict returns v as text without the indexes of its rules.
func verdict(v *spec.Verdict) string {
	if len(v.Rules) > 0 && len(v.Rules[0].Conditions) == 0 {
		return v.Rules[0].Return.String()
	}
	return fmt.Sprint(v.Rules, v.Default)
}
