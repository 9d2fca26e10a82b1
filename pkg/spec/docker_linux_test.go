package spec_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
)

// TestStatement20AsMoby lets moby evaluate the conditions of Docker's default
// profile, for this machine, and compares the policies.
func TestStatement20AsMoby(t *testing.T) {
	if arch.Native() == nil {
		t.Skip("no profile can name this machine's architecture")
	}
	p, err := spec.Load("builtin:docker")
	if err != nil {
		t.Fatal(err)
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	kernel, err := spec.ParseKernelVersion(unix.ByteSliceToString(name.Release[:]))
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string][]string{
		"none": {}, "default": spec.DefaultCapabilities(), "all": spec.AllCapabilities(),
	}
	for _, c := range spec.AllCapabilities() {
		sets[c] = []string{c}
	}
	for name, caps := range sets {
		process := &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: caps}}
		evaluated, err := seccomp.GetDefaultProfile(&specs.Spec{Process: process})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(evaluated)
		if err != nil {
			t.Fatal(err)
		}
		want, err := mustParse(t, string(text)).Resolve(spec.Target{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Resolve(spec.Target{Capabilities: caps, Kernel: kernel})
		if err != nil {
			t.Fatal(err)
		}
		checkPolicy(t, got)
		diff(t, name, got, want)
	}
}

// diff compares the verdicts of two policies, whatever rules they come from.
func diff(t *testing.T, what string, got, want *spec.Policy) {
	t.Helper()
	if a, b := plain(got), plain(want); a != b {
		t.Errorf("%s: the policy is\n%s\nwant\n%s", what, a, b)
	}
}

// plain returns a policy as text without the rules that verdicts come from.
func plain(p *spec.Policy) string {
	for i := range p.Tokens {
		var merged []spec.Range
		for _, r := range p.Tokens[i].Ranges {
			r.Verdict.Rules = slices.Clone(r.Verdict.Rules)
			for k := range r.Verdict.Rules {
				r.Verdict.Rules[k].Origin = 0
			}
			if n := len(merged); n > 0 && reflect.DeepEqual(r.Verdict, merged[n-1].Verdict) {
				merged[n-1].Last = r.Last
				continue
			}
			merged = append(merged, r)
		}
		p.Tokens[i].Ranges = merged
	}
	return p.String()
}
