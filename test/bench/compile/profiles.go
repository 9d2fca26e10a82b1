package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

// argumentHeavy allows what Docker's default profile allows on x86_64, but
// looks into the arguments of 23 calls, for 168 constants.
//
//go:embed testdata/argument-heavy.json
var argumentHeavy []byte

// benchmarks are the profiles that are compiled.
var benchmarks = []benchmark{
	{"Docker default, x86_64 + x86 + x32", docker, nil, []string{"x86_64", "x86", "x32"}},
	{"Docker default, x86_64", docker, nil, []string{"x86_64"}},
	{"Docker, all capabilities, x86_64", docker, spec.AllCapabilities(), []string{"x86_64"}},
	{"23 argument-checked calls, 168 constants, x86_64", heavy, nil, []string{"x86_64"}},
}

// The hard profiles: those whose rules overlap so much that no decision diagram
// holds them.
func init() {
	x86_64, _ := arch.ByName("x86_64")
	for _, kind := range spectest.HardProfiles {
		benchmarks = append(benchmarks, benchmark{
			name:  "Hard: " + kind.Name + ", x86_64",
			read:  func() (*spec.Profile, error) { return kind.Profile(0, x86_64), nil },
			archs: []string{"x86_64"},
		})
	}
}

type benchmark struct {
	name  string
	read  func() (*spec.Profile, error)
	caps  []string
	archs []string
}

func docker() (*spec.Profile, error) { return spec.Builtin("builtin:docker") }

func heavy() (*spec.Profile, error) { return spec.Parse(argumentHeavy, "argument-heavy.json") }

// policy is a profile in the forms in which compilers take it.
type policy struct {
	text    []byte              // JSON
	object  *specs.LinuxSeccomp // that, parsed as runc does
	parsed  *spec.Profile       // and as this project does
	target  spec.Target
	meaning *spec.Policy
}

// load resolves b for its target, without the names in left.
func (b *benchmark) load(left []string) (*policy, error) {
	profile, err := b.read()
	if err != nil {
		return nil, err
	}
	p := &policy{target: spec.Target{Capabilities: b.caps}}
	for _, name := range b.archs {
		a, ok := arch.ByName(name)
		if !ok {
			return nil, fmt.Errorf("no architecture %q", name)
		}
		p.target.Archs = append(p.target.Archs, a)
	}
	p.target.Native = p.target.Archs[0]
	if p.object, err = reference.Object(profile, p.target); err != nil {
		return nil, err
	}
	for i := range p.object.Syscalls {
		names := &p.object.Syscalls[i].Names
		*names = slices.DeleteFunc(slices.Clone(*names), func(name string) bool { return slices.Contains(left, name) })
	}
	p.object.Syscalls = slices.DeleteFunc(p.object.Syscalls, func(s specs.LinuxSyscall) bool { return len(s.Names) == 0 })
	if p.text, err = json.Marshal(p.object); err != nil {
		return nil, err
	}
	if p.parsed, err = spec.Parse(p.text, "benchmark"); err != nil {
		return nil, err
	}
	p.meaning, err = p.resolve()
	return p, err
}

// resolve goes from parsed rules to the policy, as all of this project's
// compiling begins.
func (p *policy) resolve() (*spec.Policy, error) { return p.parsed.Resolve(p.target) }

// read is resolve from JSON text.
func (p *policy) read() (*spec.Policy, error) {
	profile, err := spec.Parse(p.text, "benchmark")
	if err != nil {
		return nil, err
	}
	return profile.Resolve(p.target)
}

// leftOut returns the names that libseccomp, if it is there, knows differently.
func leftOut() ([]string, error) {
	if _, err := reference.Version(); errors.Is(err, reference.ErrNotBuilt) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var names []string
	for _, b := range benchmarks {
		profile, err := b.read()
		if err != nil {
			return nil, err
		}
		for _, s := range profile.Syscalls {
			names = append(names, s.Names...)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var archs []*arch.Arch
	for _, name := range benchmarks[0].archs {
		a, _ := arch.ByName(name)
		archs = append(archs, a)
	}
	return reference.Differing(names, archs...)
}
