package filter

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
	"seccomp-hook/pkg/verify"
)

var kernel618 = spec.KernelVersion{Major: 6, Minor: 18}

// deny is a request for a profile that denies one call.
func deny(more string) Request {
	return Request{
		Profile:       "deny.json",
		Text:          []byte(`{"defaultAction":"SCMP_ACT_ALLOW",` + more + `"syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":7}]}`),
		Architectures: archs("x86_64"),
		Kernel:        kernel618,
	}
}

// run evaluates a call of x86_64.
func (f *Filter) run(t *testing.T, name string) bpf.Return {
	t.Helper()
	nr, known := archs("x86_64")[0].Number(name)
	if !known {
		t.Fatalf("no call %s", name)
	}
	call := bpf.Data{Arch: archs("x86_64")[0].Audit, Nr: nr}
	words := call.Words(bpf.Little)
	r, err := f.Program.Run(&words)
	must(t, err)
	return r
}

func TestBuild(t *testing.T) {
	r := deny(`"flags":["SECCOMP_FILTER_FLAG_LOG"],"vendor":1,`)
	f, err := Build(r)
	must(t, err)
	if got := f.run(t, "unshare"); got != bpf.Errno(7) {
		t.Errorf("unshare gets %s", got)
	}
	if got := f.run(t, "read"); got != bpf.RetAllow {
		t.Errorf("read gets %s", got)
	}
	if !f.Verified || f.Compiler != "seccomp-hook "+compile.Version {
		t.Errorf("verified %v, compiler %q", f.Verified, f.Compiler)
	}
	if f.ProfileDigest != sha256.Sum256(r.Text) {
		t.Errorf("profile digest %x", f.ProfileDigest)
	}
	if f.Flags != (spec.Flags{Log: true}) || f.Listener != nil {
		t.Errorf("flags %+v, listener %+v", f.Flags, f.Listener)
	}
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "vendor") {
		t.Errorf("warnings %q", f.Warnings)
	}
	total, known := 0, 0
	for nr := range archs("x86_64")[0].Calls() {
		total++
		if nr < 470 { // the size of the table of 6.18
			known++
		}
	}
	// All but unshare are allowed, and the kernel has bits for those it knows.
	want := []precompute.Statistics{{Arch: "x86_64", Cached: known - 1, Constant: total, Total: total}}
	if !reflect.DeepEqual(f.Statistics, want) {
		t.Errorf("statistics %+v, want %+v", f.Statistics, want)
	}
}

func TestBuildOfEveryForm(t *testing.T) {
	const seccomp = `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],
		"syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO"}]}`
	for _, c := range []struct {
		name  string
		r     Request
		archs []string
	}{
		{"bare", Request{Profile: "p", Text: []byte(seccomp)}, []string{"x86_64", "x32", "x86"}},
		{"of a config.json", Request{Profile: "p", Text: []byte(seccomp), Seccomp: true}, []string{"x86_64", "x32", "x86"}},
		{"config.json", Request{Profile: "p", Text: []byte(`{"ociVersion":"1.2.0","linux":{"seccomp":` + seccomp + `}}`)}, []string{"x86_64", "x32", "x86"}},
		{"other architectures", Request{Profile: "p", Text: []byte(seccomp), Architectures: archs("aarch64", "arm")}, []string{"aarch64", "arm"}},
		{"big-endian", Request{Profile: "p", Text: []byte(seccomp), Architectures: archs("s390x")}, []string{"s390x"}},
		{"docker", Request{Profile: "builtin:docker", Architectures: archs("x86_64", "x86")}, []string{"x86_64", "x86"}},
		{"containerd", Request{Profile: "builtin:containerd", Architectures: archs("x86_64")}, []string{"x86_64"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.r.Architectures == nil && arch.Native() != archs("x86_64")[0] {
				t.Skip("the profile lists the architectures of x86_64; the native one comes in addition")
			}
			c.r.Kernel = kernel618
			f, err := Build(c.r)
			must(t, err)
			if !f.Verified {
				t.Error("not verified")
			}
			var names []string
			for _, s := range f.Statistics {
				names = append(names, s.Arch)
			}
			if !reflect.DeepEqual(names, c.archs) {
				t.Errorf("statistics of %q, want %q", names, c.archs)
			}
		})
	}
}

func TestBuildDependsOnCapabilities(t *testing.T) {
	for capability, want := range map[string]bpf.Return{"": bpf.Errno(1), "CAP_SYS_ADMIN": bpf.RetAllow} {
		capabilities := []string{}
		if capability != "" {
			capabilities = []string{capability}
		}
		f, err := Build(Request{Profile: "builtin:docker", Capabilities: capabilities, Architectures: archs("x86_64"), Kernel: kernel618})
		must(t, err)
		if got := f.run(t, "mount"); got != want {
			t.Errorf("with %q, mount gets %s, want %s", capabilities, got, want)
		}
	}
}

func TestBuildListener(t *testing.T) {
	const text = `{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/a.sock","listenerMetadata":"m","syscalls":[{"names":["%s"],"action":"%s"}]}`
	for action, want := range map[string]*Listener{"SCMP_ACT_NOTIFY": {Path: "/run/a.sock", Metadata: "m"}, "SCMP_ACT_LOG": nil} {
		f, err := Build(Request{Profile: "p", Text: []byte(fmt.Sprintf(text, "unshare", action)), Architectures: archs("x86_64")})
		must(t, err)
		if !reflect.DeepEqual(f.Listener, want) {
			t.Errorf("%s: listener %+v, want %+v", action, f.Listener, want)
		}
	}
}

func TestBuildFails(t *testing.T) {
	var tooMany strings.Builder // every constant another verdict, so that nothing can be shared
	for i := range 5000 {
		fmt.Fprintf(&tooMany, `,{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","errnoRet":%d,"args":[{"index":1,"value":%d,"op":"SCMP_CMP_EQ"}]}`, i%4000+1, uint64(i)*0x100000003)
	}
	for _, c := range []struct {
		name string
		r    Request
		want string
	}{
		{"malformed", Request{Profile: "p", Text: []byte(`{`)}, "profile p"},
		{"empty", Request{Profile: "p", Text: []byte{}}, "profile p"},
		{"no such builtin", Request{Profile: "builtin:none"}, "builtin:none"},
		{"no text and no builtin", Request{Profile: "p"}, "profile p"},
		{"too large", Request{Profile: "p", Text: []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["unshare"],"action":"SCMP_ACT_LOG"}` + tooMany.String() + `]}`)}, "4096"},
		{"strict", func() Request { r := deny(`"vendor":1,`); r.Strict = true; return r }(), "vendor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Build(c.r)
			if f != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, %v; want an error with %q", f, err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("several lines: %q", err)
			}
		})
	}
	for _, text := range []string{`{"ociVersion":"1.2.0"}`, `{"linux":{"seccomp":null}}`, `{"linux":{"seccomp":{}}}`, `{"syscalls":[]}`} {
		if _, err := Build(Request{Profile: "p", Text: []byte(text)}); !errors.Is(err, ErrDisabled) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Build(Request{Profile: "p", Text: []byte(`{}`), Seccomp: true}); !errors.Is(err, ErrDisabled) {
		t.Errorf("an empty linux.seccomp: %v", err)
	}
}

// TestUnprovedProgramsAreRefused breaks the program that the proof is given.
func TestUnprovedProgramsAreRefused(t *testing.T) {
	r := deny("")
	policy, _, err := r.Policy()
	must(t, err)
	program, err := compile.Compile(policy, compile.Options{})
	must(t, err)
	must(t, prove(r.Profile, policy, program))
	for i, in := range program {
		if in.Code != bpf.RET|bpf.K {
			continue
		}
		broken := slices.Clone(program)
		broken[i].K ^= 1
		err := prove(r.Profile, policy, broken)
		var proof *ProofError
		if !errors.As(err, &proof) || proof.Result.Outcome != verify.Different || proof.Result.Witness == nil {
			t.Fatalf("with another return value at %d: %v", i, err)
		}
		if text := err.Error(); !strings.Contains(text, "internal error") || !strings.Contains(text, "deny.json") || !strings.Contains(text, "arch=") {
			t.Errorf("the error does not tell all: %s", text)
		}
	}
	undecided := &NoProgramError{"p", new(ProofError)}
	if !strings.Contains(undecided.Error(), "could not be proved") {
		t.Error(undecided)
	}
}

// TestValidProfilesWithoutProgram tells a profile that has no program from one
// that is wrong.
func TestValidProfilesWithoutProgram(t *testing.T) {
	rules := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `%s{"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": %d, "op": "SCMP_CMP_EQ"}]}`,
				[]string{"", ","}[min(i, 1)], uint64(i)*0x9e3779b97f4a7c15)
		}
		return b.String()
	}
	build := func(rules string) error {
		_, err := Build(Request{Profile: "many.json", Text: []byte(`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [` + rules + `]}`)})
		return err
	}
	var none *NoProgramError
	var large *compile.TooLargeError
	if err := build(rules(3000)); !errors.As(err, &none) || none.Profile != "many.json" || !errors.As(err, &large) {
		t.Errorf("3000 constants: %v", err)
	}
	if err := build(rules(300)); err != nil {
		t.Errorf("300 constants: %v", err)
	}
	if err := build(`{"names": [""], "action": "SCMP_ACT_ALLOW"}`); err == nil || errors.As(err, &none) {
		t.Errorf("an empty name: %v", err)
	}
}

// TestUndecidedProfile: a profile whose proof takes more than there is has no program,
// whatever the compiler says, and the error names the call. The runtime then has its
// own way (NoProgramError). What stands here is provable, with more.
func TestUndecidedProfile(t *testing.T) {
	kind := spectest.HardProfiles[len(spectest.HardProfiles)-1]
	text, err := kind.Profile(0, arch.Native()).Encode(spec.FormRuntime)
	must(t, err)
	whole := proof
	defer func() { proof = whole }()
	r := Request{Profile: "config.json", Text: text, Seccomp: true}
	for _, proof.Steps = range []int{10, 1000, 5000} {
		_, err = Build(r)
		var none *NoProgramError
		var undecided *ProofError
		if !errors.As(err, &none) || !errors.As(err, &undecided) || undecided.Result.Outcome != verify.Undecided ||
			!strings.Contains(err.Error(), "could not be proved: undecided") {
			t.Errorf("%d steps: %T: %v", proof.Steps, err, err)
		}
	}
	proof = whole
	if _, err = Build(r); err != nil {
		t.Error(err)
	}
}

func TestAnnotations(t *testing.T) {
	f := sample()
	program := f.Program.Digest()
	want := map[string]string{
		"io.seccomp-hook.profile":               "/etc/seccomp-hook/profiles/x.json",
		"io.seccomp-hook.profile.sha256":        "010203" + strings.Repeat("0", 58),
		"io.seccomp-hook.program.sha256":        fmt.Sprintf("%x", program),
		"io.seccomp-hook.program.instructions":  "4",
		"io.seccomp-hook.compiler":              "seccomp-hook 1",
		"io.seccomp-hook.verified":              "true",
		"io.seccomp-hook.cache.x86_64.cached":   "1",
		"io.seccomp-hook.cache.x86_64.constant": "2",
		"io.seccomp-hook.cache.x86_64.dynamic":  "3",
		"io.seccomp-hook.cache.x86_64.total":    "5",
		"io.seccomp-hook.cache.x86.cached":      "0",
		"io.seccomp-hook.cache.x86.constant":    "0",
		"io.seccomp-hook.cache.x86.dynamic":     "0",
		"io.seccomp-hook.cache.x86.total":       "0",
	}
	if got := f.Annotations(); !maps.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestStoreFilter(t *testing.T) {
	s := openStore(t)
	r := deny("")
	first, err := s.Filter(r)
	must(t, err)
	second, err := s.Filter(r)
	must(t, err)
	if first.Hit || !second.Hit || first.Fault != nil || second.Fault != nil {
		t.Errorf("hits %v, %v; faults %v, %v", first.Hit, second.Hit, first.Fault, second.Fault)
	}
	if !reflect.DeepEqual(first.Filter, second.Filter) {
		t.Errorf("stored %+v, got %+v", first.Filter, second.Filter)
	}
	// By its program.
	if f, err := s.Find(first.Filter.Program.Digest()); err != nil || !reflect.DeepEqual(f, first.Filter) {
		t.Errorf("Find() = %+v, %v", f, err)
	}
	if f, err := s.Find([32]byte{}); err != nil || f != nil {
		t.Errorf("Find() of what is not there: %+v, %v", f, err)
	}
	// A damaged entry is told, and made anew.
	change(t, s.path(s.names(t)[0]), func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	third, err := s.Filter(r)
	must(t, err)
	if third.Hit || !errors.Is(third.Fault, ErrDamaged) || !reflect.DeepEqual(third.Filter, first.Filter) {
		t.Errorf("from a damaged entry: hit %v, fault %v", third.Hit, third.Fault)
	}
	if fourth, err := s.Filter(r); err != nil || !fourth.Hit {
		t.Errorf("after that: hit %v, %v", fourth.Hit, err)
	}
	// What fails is not stored.
	if _, err := s.Filter(Request{Profile: "p", Text: []byte(`{`)}); err == nil || len(s.names(t)) != 1 {
		t.Errorf("after a failure (%v) the store has %q", err, s.names(t))
	}
	// Weights of one's own have no place in a key.
	r.Compile.Weights = &compile.Weights{}
	if f, err := s.Filter(r); err != nil || f.Hit || len(s.names(t)) != 1 {
		t.Errorf("with weights: hit %v, %v, store %q", f.Hit, err, s.names(t))
	}
}

func TestStoreFaultsAreNoErrors(t *testing.T) {
	for name, s := range map[string]*Store{
		"no store":        nil,
		"a removed store": removedStore(t),
	} {
		result, err := s.Filter(deny(""))
		if err != nil || result.Filter == nil || !result.Filter.Verified || result.Hit {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
		if (result.Fault != nil) != (s != nil) {
			t.Errorf("%s: fault %v", name, result.Fault)
		}
	}
}

// removedStore is a store whose directory is gone: nothing can be written.
func removedStore(t *testing.T) *Store {
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	must(t, err)
	t.Cleanup(func() { s.Close() })
	must(t, os.Remove(s.dir.Name()))
	return s
}

// BenchmarkStore compares a start from the store with one that runs the
// pipeline.
func BenchmarkStore(b *testing.B) {
	r := Request{Profile: "builtin:docker", Capabilities: spec.DefaultCapabilities(), Kernel: kernel618}
	b.Run("miss", func(b *testing.B) {
		for b.Loop() {
			if _, err := Build(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hit", func(b *testing.B) {
		s := openStore(b)
		if _, err := s.Filter(r); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if result, err := s.Filter(r); err != nil || !result.Hit {
				b.Fatal(result, err)
			}
		}
	})
}
