package spec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/spec"
)

func TestForms(t *testing.T) {
	for text, want := range map[string]spec.Form{
		`{"defaultAction": "SCMP_ACT_ALLOW"}`:                         spec.FormRuntime,
		`{"syscalls": []}`:                                            spec.FormRuntime,
		`{"ociVersion": "1.2.0"}`:                                     spec.FormConfig,
		`{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}}`: spec.FormConfig,
		`{"archMap": [], "defaultAction": "SCMP_ACT_ALLOW"}`:          spec.FormDocker,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "action": "SCMP_ACT_LOG"}]}`:                spec.FormDocker,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_LOG", "comment": ""}]}`: spec.FormDocker,
	} {
		if p := mustParse(t, text); p.Form != want {
			t.Errorf("%s: %v, want %v", text, p.Form, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, "line 1, column 1: the text ends, an object expected"},
		{`[]`, "line 1, column 1: '[' found, an object expected"},
		{`{}`, "neither an OCI config.json nor a seccomp profile"},
		{`{"hostname": "x"}`, "neither an OCI config.json nor a seccomp profile"},
		{`{"linux": {}, "syscalls": []}`, "properties of both a config.json and a seccomp object"},
		{`{"syscalls": []} x`, "line 1, column 18: data after the profile"},
		{"{\"syscalls\": []}\x00", "line 1, column 17: data after the profile"},
		{`{"syscalls": []}{}`, "line 1, column 17: data after the profile"},
		{`{"syscalls": [}`, "column 15: syscalls[0]: '}' found, an object expected"},
		{`{"syscalls": [{]}`, "column 16: syscalls[0]: ']' found, a string expected"},
		{`{"syscalls": [], }`, "column 18: '}' found, a string expected"},
		{`{"syscalls" []}`, "column 13: syscalls: '[' found, ':' expected"},
		{`{"syscalls": []`, "column 16: the text ends, ',' or '}' expected"},
		{`{"defaultAction": 5}`, "column 19: defaultAction: '5' found, a string expected"},
		{`{"defaultAction": "SCMP_ACT_ALLOW`, "column 19: defaultAction: string without an end"},
		{"{\"defaultAction\": \"SCMP\nACT\"}", `column 24: defaultAction: control character '\n' in a string`},
		{"{\"defaultAction\": \"SCMP\xff\"}", "defaultAction: string is not UTF-8"},
		{`{"defaultAction": "\q"}`, "defaultAction: invalid escape in a string"},
		{`{"defaultAction": "SCMP_ACT_LOG",` + "\n" + ` "defaultAction": "SCMP_ACT_LOG"}`, "line 2, column 2: defaultAction: duplicate property"},
		{`{"ociVersion": "1", "annotations": {"a": "b", "a": "c"}}`, "annotations.a: duplicate property"},
		{`{"ociVersion": "1", "linux": {"seccomp": {"syscalls": [{"names": ["a"], "names": ["a"]}]}}}`, "linux.seccomp.syscalls[0].names: duplicate property"},
		{`{"ociVersion": "1", "linux": {"Seccomp": {}}}`, `linux.Seccomp: property "Seccomp" must be written "seccomp"`},
		{`{"DEFAULTACTION": "SCMP_ACT_LOG"}`, `property "DEFAULTACTION" must be written "defaultAction"`},
		{"{\"\u017fyscalls\": []}", `must be written "syscalls"`}, // ſ folds to s
		{`{"ociVersion": "1", "linux": []}`, "linux: '[' found, an object expected"},
		{`{"ociVersion": "1", "process": {"capabilities": {"bounding": "CAP_KILL"}}}`, `process.capabilities.bounding: '"' found, an array expected`},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1.0}`, "defaultErrnoRet: 1.0 is not an integer"},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1e3}`, "defaultErrnoRet: 1e3 is not an integer"},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": "1"}`, "defaultErrnoRet: '\"' found, a number expected"},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 01}`, "',' or '}' expected"},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": +1}`, "'+' found, a number expected"},
		{`{"syscalls": [null]}`, "syscalls[0]: 'n' found, an object expected"},
		{`{"syscalls": [{"names": [null]}]}`, "syscalls[0].names[0]: 'n' found, a string expected"},
		{`{"syscalls": [{"args": [{"value": 18446744073709551616}]}]}`, "syscalls[0].args[0].value: 18446744073709551616 is out of range, 0 to 18446744073709551615"},
		{`{"syscalls": [{"args": [{"value": -1}]}]}`, "syscalls[0].args[0].value: -1 is out of range"},
		{`{"syscalls": [{"errno": "EWHATEVER"}]}`, `syscalls[0].errno: unknown errno "EWHATEVER"`},
		{`{"defaultAction": truth}`, "a string expected"},
		{`{"x": truth, "syscalls": []}`, "x: 't' found, a value expected"},
		{`{"a\nb": {"": 1x}}`, "line 1, column 16: [\"a\\nb\"]: 'x' found, ',' or '}' expected"},
		{`{"a b": {"": x}}`, "[\"a b\"][\"\"]: 'x' found, a value expected"},
		{`{"x": 1., "syscalls": []}`, "x: ',' found, a digit expected"},
		{`{"x": ` + strings.Repeat("[", 100000), "nested more than 10000 deep"},
	} {
		_, err := spec.Parse([]byte(test.text), "test")
		var parse *spec.ParseError
		if !errors.As(err, &parse) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.80q: error %.300v, want %q", test.text, err, test.want)
			continue
		}
		if !strings.HasPrefix(err.Error(), "spec: profile test: line ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80q: error %.300q", test.text, err)
		}
	}
}

func TestUnknownProperties(t *testing.T) {
	p := mustParse(t, `{"defaultAction": "SCMP_ACT_ALLOW", "color": "red", "archMap": [{"planet": "mars"}], "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_LOG", "when": {"moon": ["full"]}, "includes": {"phase": 1},
		 "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ", "because": null}]}]}`)
	var got []string
	for _, w := range p.Warnings {
		got = append(got, w.String())
	}
	want := []string{
		"unknown-property: property archMap[0].planet is unknown and ignored",
		"unknown-property: rule 0: property syscalls[0].when is unknown and ignored",
		"unknown-property: rule 0: property syscalls[0].includes.phase is unknown and ignored",
		"unknown-property: rule 0: property syscalls[0].args[0].because is unknown and ignored",
		"unknown-property: property color is unknown and ignored",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("warnings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !errors.Is(p.Warnings.Strict(), spec.ErrStrict) {
		t.Error("strict allows them")
	}
	// The rest of a config.json is none of this package's business.
	p = mustParse(t, `{"ociVersion": "1.2.0", "hostname": "h", "linux": {"namespaces": [], "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}},
		"process": {"args": ["sh"], "capabilities": {"bounding": ["CAP_KILL"], "effective": []}}}`)
	if len(p.Warnings) > 0 || !reflect.DeepEqual(p.Bounding, []string{"CAP_KILL"}) {
		t.Errorf("warnings %v, bounding set %v", p.Warnings, p.Bounding)
	}
}

func TestBoundingSet(t *testing.T) {
	for process, want := range map[string][]string{
		`{}`:                     nil,
		`{"capabilities": null}`: nil,
		`{"capabilities": {}}`:   {},
		`{"capabilities": {"effective": ["CAP_KILL"], "bounding": ["CAP_CHOWN"]}}`: {"CAP_CHOWN"},
	} {
		p := mustParse(t, `{"ociVersion": "1.2.0", "process": `+process+`}`)
		if !reflect.DeepEqual(p.Bounding, want) {
			t.Errorf("%s: %#v, want %#v", process, p.Bounding, want)
		}
	}
}

// Older engines write null for what is not there.
func TestNullIsAbsent(t *testing.T) {
	p := mustParse(t, `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": null, "architectures": null, "archMap": null, "flags": null,
		"listenerPath": null, "syscalls": [{"name": null, "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null,
		"comment": null, "includes": null, "excludes": null, "errnoRet": null}]}`)
	policy, err := p.Resolve(spec.Target{Archs: archs(t, "x86_64")})
	if err != nil || len(policy.Warnings) > 0 {
		t.Fatalf("%v, warnings %v", err, policy.Warnings)
	}
	expect(t, "read", call(t, policy, "x86_64", "read"), "ALLOW")
	expect(t, "write", call(t, policy, "x86_64", "write"), "ERRNO(1)")
}

// Podman writes errnos by name as well; the name wins.
func TestErrnoNames(t *testing.T) {
	p := mustParse(t, `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "ENOSYS", "defaultErrnoRet": 1, "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errno": "EWOULDBLOCK"},
		{"names": ["write"], "action": "SCMP_ACT_ERRNO", "errno": "22", "errnoRet": 7},
		{"names": ["open"], "action": "SCMP_ACT_ERRNO", "errno": "", "errnoRet": 7}]}`)
	policy, err := p.Resolve(spec.Target{Archs: archs(t, "x86_64")})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"read": "ERRNO(11)", "write": "ERRNO(22)", "open": "ERRNO(7)", "stat": "ERRNO(38)"} {
		expect(t, name, call(t, policy, "x86_64", name), want)
	}
	if _, err := p.Resolve(spec.Target{Archs: archs(t, "mips")}); err == nil || !strings.Contains(err.Error(), "mips has its own errnos") {
		t.Errorf("mips: %v", err)
	}
}

func TestSizeLimit(t *testing.T) {
	text := []byte(`{"defaultAction": "SCMP_ACT_ALLOW"}`)
	padded := slices.Concat(text, bytes.Repeat([]byte{' '}, spec.MaxSize-len(text)))
	if _, err := spec.Parse(padded, "test"); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := spec.Parse(append(padded, ' '), "test"); !errors.Is(err, spec.ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
	file := filepath.Join(t.TempDir(), "profile.json")
	if err := os.WriteFile(file, append(padded, ' '), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spec.Load(file); !errors.Is(err, spec.ErrTooLarge) {
		t.Errorf("a file above the limit: %v", err)
	}
}

// A resource in YAML takes many times its size to read.
func TestYAMLSizeLimit(t *testing.T) {
	resource := func(size int) []byte {
		head := "apiVersion: security-profiles-operator.x-k8s.io/v1beta1\nkind: SeccompProfile\nspec:\n  defaultAction: SCMP_ACT_ERRNO\n#"
		return []byte(head + strings.Repeat("x", size-len(head)))
	}
	if _, err := spec.Parse(resource(spec.MaxSize/4), "test"); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := spec.Parse(resource(spec.MaxSize/4+1), "test"); !errors.Is(err, spec.ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
}

// A few kilobytes can ask for millions of rules.
func TestTooManyRules(t *testing.T) {
	profile := func(alternatives int) *spec.Profile {
		return mustParse(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW",
			"names": ["read", "write", "open", "close"`+strings.Repeat(`, "read", "write"`, 1000)+`],
			"args": [`+strings.Repeat(`{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},`, alternatives-1)+`
			{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}`)
	}
	target := spec.Target{Archs: archs(t, "x86_64")}
	if _, err := profile(1000).Resolve(target); err != nil {
		t.Error(err)
	}
	// This many from four calls, however often they are named.
	p := profile(5000)
	for len(p.Syscalls) < 27 {
		p.Syscalls = append(p.Syscalls, p.Syscalls[0])
	}
	if _, err := p.Resolve(target); !errors.Is(err, spec.ErrTooMany) {
		t.Errorf("540000 rules: %v", err)
	}
}

func TestLoad(t *testing.T) {
	if _, err := spec.Load(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := spec.Load("builtin:nothing"); err == nil {
		t.Error("there is a builtin:nothing")
	}
	for _, name := range []string{"builtin:docker", "builtin:containerd"} {
		p, err := spec.Load(name)
		if err != nil || p.Form != spec.FormDocker || p.Name != name || len(p.Warnings) > 0 {
			t.Errorf("%s: %v, %+v", name, err, p)
		}
	}
}

// ParseLikeJSON holds Parse to encoding/json: what Parse takes encoding/json
// takes too, as the same profile. (Not the other way round: Parse is strict.)
func parseLikeJSON(t *testing.T, text []byte) {
	p, err := spec.Parse(text, "fuzz")
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("an error of two lines: %q", err)
		}
		return
	}
	if !json.Valid(text) {
		t.Fatalf("%q is no JSON", text)
	}
	var object specs.LinuxSeccomp
	if p.Form == spec.FormConfig {
		var config struct {
			Linux *struct{ Seccomp *specs.LinuxSeccomp }
		}
		if err := json.Unmarshal(text, &config); err != nil {
			t.Fatalf("%q: encoding/json: %v", text, err)
		}
		if config.Linux != nil && config.Linux.Seccomp != nil {
			object = *config.Linux.Seccomp
		} else if !p.Absent {
			t.Fatalf("%q: encoding/json finds no seccomp object", text)
		}
	} else if err := json.Unmarshal(text, &object); err != nil {
		t.Fatalf("%q: encoding/json: %v", text, err)
	}
	if disabled := object.DefaultAction == "" && len(object.Syscalls) == 0; disabled != p.Disabled {
		t.Fatalf("%q: disabled %v", text, p.Disabled)
	}
	if p.ListenerPath != object.ListenerPath || p.ListenerMetadata != object.ListenerMetadata ||
		p.Flags.Unset != (object.Flags == nil) || len(p.Architectures) != len(object.Architectures) ||
		len(p.Syscalls) != len(object.Syscalls) {
		t.Fatalf("%q: %+v, encoding/json has %+v", text, p, object)
	}
	for i, a := range object.Architectures {
		if p.Architectures[i].OCI != string(a) {
			t.Fatalf("%q: architecture %d is %v", text, i, p.Architectures[i])
		}
	}
	for i, s := range object.Syscalls {
		got := p.Syscalls[i]
		if p.Form != spec.FormDocker && strings.Join(got.Names, "\x00") != strings.Join(s.Names, "\x00") || len(got.Args) != len(s.Args) {
			t.Fatalf("%q: rule %d is %+v, encoding/json has %+v", text, i, got, s)
		}
		for k, a := range s.Args {
			g := got.Args[k]
			if uint(g.Index) != a.Index || g.Value != a.Value || g.ValueTwo != a.ValueTwo ||
				g.Masked != (a.Op == specs.OpMaskedEqual) {
				t.Fatalf("%q: rule %d, condition %d is %+v, encoding/json has %+v", text, i, k, g, a)
			}
		}
	}
}

// seeds are profiles that fuzzing starts from.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no profiles in testdata: %v", err)
	}
	var list [][]byte
	for _, name := range append(files, "builtin/docker.json", "builtin/containerd.json") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	return append(list, []byte(`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","flags":[]}}}`), []byte(`{"\u0073yscalls":[]}`))
}

func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(parseLikeJSON)
}

// TestParseLikeJSON cuts and bends profiles: every prefix of a small one, and
// each byte of it changed.
func TestParseLikeJSON(t *testing.T) {
	for _, text := range seeds(t) {
		parseLikeJSON(t, text)
		if len(text) > 4000 {
			continue
		}
		for i := range text {
			parseLikeJSON(t, text[:i])
			bent := bytes.Clone(text)
			for _, b := range []byte(`"{}[]:,0-.n\ A`) {
				bent[i] = b
				parseLikeJSON(t, bent)
			}
		}
	}
}
