//go:build libseccomp

package differential

import (
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

// The builtin profiles are equal to what runc and libseccomp make of them, for
// every input, but for calls that the installed libseccomp does not know: those
// are left out on both sides, and counted. The -ENOSYS stub is part of it.
func TestBuiltinsAreEqual(t *testing.T) {
	for _, name := range []string{"builtin:docker", "builtin:containerd"} {
		for _, capabilities := range []string{"default", "all", "none"} {
			for _, names := range machines {
				t.Run(strings.Join([]string{name, capabilities, strings.Join(names, "+")}, "/"), func(t *testing.T) {
					archs := architectures(t, names)
					profile, err := spec.Builtin(name)
					if err != nil {
						t.Fatal(err)
					}
					target := spec.Target{Native: archs[0], Archs: archs}
					if target.Capabilities, err = spec.ParseCapabilities(capabilities); err != nil {
						t.Fatal(err)
					}
					leftOut := restrict(t, profile, archs)
					t.Logf("%d names left out: %s", len(leftOut), strings.Join(leftOut, " "))
					if len(leftOut) == 0 || len(leftOut) > 20 {
						t.Errorf("%d names are left out: neither none nor many are new", len(leftOut))
					}
					builtinIsEqual(t, profile, target)
				})
			}
		}
	}
}

// restrict takes the names out of a profile that libseccomp resolves otherwise,
// and returns them.
func restrict(t *testing.T, p *spec.Profile, archs []*arch.Arch) []string {
	t.Helper()
	var all []string
	for i := range p.Syscalls {
		all = append(all, p.Syscalls[i].Names...)
	}
	differing, err := reference.Differing(all, archs...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		s.Names = slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool { return slices.Contains(differing, name) })
	}
	slices.Sort(differing)
	return slices.Compact(differing)
}

func builtinIsEqual(t *testing.T, profile *spec.Profile, target spec.Target) {
	t.Helper()
	policy, err := profile.Resolve(target)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := reference.Profile(profile, target)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := compile.Compile(policy, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := verify.Policy(policy, theirs); err != nil || r.Outcome != verify.Equal {
		t.Errorf("policy and libseccomp's program: %v %v", r, err)
	}
	if r, err := verify.Programs(compiled, theirs, policy.Endian); err != nil || r.Outcome != verify.Equal {
		t.Errorf("our program and libseccomp's: %v %v", r, err)
	}
	// The proof and what it stands on, held to running the programs.
	object, err := reference.Object(profile, target)
	if err != nil {
		t.Fatal(err)
	}
	c := &comparison{rules: *newRules(object, target.Native), policy: policy, program: theirs}
	s := spectest.NewSampler(profile, target.Archs)
	r := rand.New(rand.NewPCG(3, 4))
	for _, audit := range tokens(target.Archs) {
		for _, nr := range numbers(target.Archs) {
			for range 4 {
				d := bpf.Data{Nr: nr, Arch: audit, Args: s.Arguments(r)}
				c.same(t, compiled, &d)
			}
		}
	}
}

// tokens are those of the architectures, and some of none.
func tokens(archs []*arch.Arch) []uint32 {
	list := []uint32{0, 0xffffffff, 0xc000003f}
	for _, a := range archs {
		if !slices.Contains(list, a.Audit) {
			list = append(list, a.Audit)
		}
	}
	return list
}

// numbers are those of all calls there are, of x32, and the ends.
func numbers(archs []*arch.Arch) []uint32 {
	list := []uint32{0x7fffffff, 0x80000000, 0x80000258, 0xbfffffff, 0xc0000000, 0xfffffffe, 0xffffffff}
	for nr := range uint32(601) {
		list = append(list, nr, arch.X32Bit+nr)
		for _, a := range archs {
			if a.NumberBase != 0 && a.NumberBase != arch.X32Bit {
				list = append(list, a.NumberBase+nr)
			}
		}
	}
	return list
}

// same holds policy and both programs together for one call.
func (c *comparison) same(t *testing.T, compiled bpf.Program, d *bpf.Data) {
	t.Helper()
	words := d.Words(c.policy.Endian)
	theirs, err := c.program.Run(&words)
	if err != nil {
		t.Fatal(err)
	}
	program, err := compiled.Run(&words)
	if err != nil {
		t.Fatal(err)
	}
	policy := c.policy.Evaluate(d)
	if policy != theirs || program != theirs || !slices.Contains(c.verdicts(d), theirs) {
		t.Errorf("%s: policy %v, program %v, libseccomp %v, the rules say %v", call(d), policy, program, theirs, c.verdicts(d))
	}
}

// A call that only this project knows is the difference to libseccomp, and the
// only kind there is: without the names that libseccomp does not know the
// profiles are equal (TestBuiltinsAreEqual), with them this call is not.
func TestNewNamesAreHonoured(t *testing.T) {
	for _, names := range machines {
		archs := architectures(t, names)
		profile, err := spec.Builtin("builtin:docker")
		if err != nil {
			t.Fatal(err)
		}
		target := spec.Target{Native: archs[0], Archs: archs}
		policy, err := profile.Resolve(target)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := reference.Profile(profile, target)
		if err != nil {
			t.Fatal(err)
		}
		r, err := verify.Policy(policy, theirs)
		if err != nil || r.Outcome != verify.Different {
			t.Errorf("%v: %v %v", names, r, err)
			continue
		}
		a, ok := arch.ByAudit(r.Witness.Call.Arch)
		if !ok {
			t.Errorf("%v: %v", names, r)
			continue
		}
		name := a.CallName(r.Witness.Call.Nr)
		if different, err := reference.Differing([]string{name}, archs...); err != nil || len(different) != 1 {
			t.Errorf("%v: %s (%v) is no new call: %v", names, name, r, err)
		}
	}
}

// An architecture that the installed libseccomp does not know has no reference.
func TestUnknownArchitectures(t *testing.T) {
	for _, name := range []string{"loongarch64", "m68k", "sh", "sheb"} {
		a := architectures(t, []string{name})[0]
		if p, err := reference.Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow}, a); err == nil {
			t.Errorf("%v: %d instructions: libseccomp knows it now; add it to machines", a, len(p))
		}
	}
}
