//go:build linux

package front

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/bundle"
)

// configReader is the front's reader of config.json, which answers for one text
// after the other.
type configReader struct{ conversation }

func newConfigReader(t testing.TB) *configReader {
	t.Helper()
	return &configReader{converse(t, "config", []string{"config.c"})}
}

// answer is what the front finds in a config.json.
type answer struct {
	understood                                      bool
	annotated, decided, hooked, mounts              bool
	seccomp, withAnnotations, withoutBoth, replaced string
}

func (r *configReader) read(t testing.TB, text []byte) (a answer) {
	t.Helper()
	size := binary.NativeEndian.AppendUint32(nil, uint32(len(text)))
	if _, err := r.in.Write(append(size, text...)); err != nil {
		t.Fatal(err)
	}
	part := func() string {
		t.Helper()
		if _, err := io.ReadFull(r.out, size); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		b := make([]byte, binary.NativeEndian.Uint32(size))
		if _, err := io.ReadFull(r.out, b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	flags := part()
	if flags == "" {
		return a
	}
	a = answer{true, flags[0] == '1', flags[1] == '1', flags[2] == '1', flags[3] == '1', part(), part(), part(), part()}
	return a
}

// checkConfig checks the front's reader against pkg/bundle's: what the front
// understands, it understands in the same way, and its edits are the same.
func checkConfig(t testing.TB, r *configReader, text []byte) (understood bool) {
	t.Helper()
	a := r.read(t, text)
	if !a.understood {
		return false
	}
	if !json.Valid(text) {
		t.Errorf("%q is no JSON", text)
		return true
	}
	c, err := bundle.Parse(text)
	if err != nil {
		// A key that occurs twice decides nothing where the front does not look for it.
		if !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "expected") && !strings.Contains(err.Error(), "differs") {
			t.Errorf("%q: %v", text, err)
		}
		return true
	}
	if a.seccomp != string(c.Seccomp()) || c.Hooked() && !a.hooked || a.mounts != c.MountNamespace() {
		t.Errorf("%q is %+v, and pkg/bundle finds %q %v %v", text, a, c.Seccomp(), c.Hooked(), c.MountNamespace())
	}
	for name := range c.Annotations() {
		decides := strings.HasPrefix(name, "io.seccomp-hook.") || strings.HasPrefix(name, "run.oci.seccomp") || strings.HasPrefix(name, "run.oci.handler")
		if decides && !a.decided {
			t.Errorf("%q: the front does not see the annotation %q", text, name)
		}
	}
	if a.decided {
		return true
	}
	for i, edited := range []string{a.withAnnotations, a.withoutBoth, a.replaced} {
		if !bytes.Contains(text, []byte(`"linux"`)) {
			continue // the front makes no such container
		}
		want := c.Apply(bundle.Edit{RemoveSeccomp: i == 1, Annotations: map[string]string{"io.seccomp-hook.x": "1"}})
		var x, y any
		if err := json.Unmarshal([]byte(edited), &x); err != nil {
			t.Errorf("%q is edited to %q: %v", text, edited, err)
		}
		if err := json.Unmarshal(want, &y); err != nil {
			t.Fatal(err)
		}
		if i == 2 && c.Seccomp() != nil {
			y.(map[string]any)["linux"].(map[string]any)["seccomp"] = map[string]any{}
		}
		if !reflect.DeepEqual(x, y) {
			t.Errorf("%q is edited to %q, want %q", text, edited, want)
		}
	}
	return true
}

// TestConfig: what engines write is understood, and what two readers could
// understand in two ways is not.
func TestConfig(t *testing.T) {
	r := newConfigReader(t)
	for _, text := range configs {
		if !checkConfig(t, r, []byte(text)) {
			t.Errorf("not understood: %q", text)
		}
	}
	for _, text := range []string{
		``, `{`, `[]`, `null`, `{} {}`, `{"linux": {}`, `{"a": 01}`, `{"a": 1.}`, `{"a": tru}`, `{"a": "\x"}`, "{\"a\": \"\n\"}", `{"a": 1,}`, `{,"a": 1}`,
		`{"a" 1}`, `{"a": "\u12g4"}`, `{"a": /* c */ 1}`, "{} // c", "{}\x00", "\ufeff{}", `{"a": +1}`, `{"a": -}`, `{"a": [1 2]}`, `{a: 1}`, `{"a": 1e}`,
		`{"Linux": {}}`, `{"linux": {}, "linux": {}}`, `{"linux": {"seccomp": {}, "seccomp": null}}`, `{"linux": {"SECCOMP": {}}}`,
		`{"\u006cinux": {}}`, `{"linux": {"\u0073eccomp": {}}}`, "{\"linux\": {\"\u017feccomp\": {}}}", `{"linux": 1}`, `{"linux": {"namespaces": {}}}`,
		`{"hooks": 1}`, `{"hooks": {"prestart": {}}}`, `{"Hooks": {}}`, "{\"hoo\u212as\": {}}", `{"annotations": []}`, `{"annotations": {"a": 1}}`, `{"annotations": null}`,
		`{"annotations": {"\u0069o.seccomp-hook.profile": "x"}}`, `{"linux": {"namespaces": [{"type": "mount", "type": "pid"}]}}`,
		`{"linux": {"namespaces": [{"type": "mount", "PATH": "/x"}]}}`, strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200),
	} {
		if checkConfig(t, r, []byte(text)) {
			t.Errorf("understood: %q", text)
		}
	}
}

var configs = []string{
	`{}`, ` { "a" : [ 1 , -0.5e+3 , true , false , null , "\"\\\/\b\f\n\r\t\u00e9" , { } ] } `,
	`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}`, `{"linux":{"seccomp":null}}`, `{"linux":{"a":1,"seccomp":{},"b":2}}`,
	`{"linux":{"a":1 , "seccomp":{} }, "annotations": {}}`, `{"linux":{ "seccomp" : {"linux": {"seccomp": 1}} , "b":2}, "annotations": {"a": "b"}}`,
	`{"annotations": { "a": "b" }, "linux": {"x": 1, "seccomp": {}, "namespaces": [{"type": "pid"}, {"type": "mount"}]}}`,
	`{"linux":{"namespaces":[{"type":"mount","path":""}]}}`, `{"linux":{"namespaces":[{"type":"mount","path":"/proc/1/ns/mnt"}]}}`,
	`{"hooks":null,"linux":{}}`, `{"hooks":{"prestart":[],"poststop":null},"linux":{}}`, `{"hooks":{"createRuntime":[{"path":"/x"}]},"linux":{}}`,
	`{"process":{"capabilities":{"bounding":["CAP_KILL"],"effective":[]}},"linux":{}}`, `{"process":{"capabilities":{"bounding":null}},"linux":{}}`,
	`{"process":{"capabilities":null},"linux":{}}`, `{"annotations":{"io.seccomp-hook.profile":"builtin:docker"},"linux":{}}`,
	`{"annotations":{"run.oci.seccomp_bpf_data":"AAAA"},"linux":{}}`, `{"linux":{"x":{"a":1,"a":2}}}`,
}

// FuzzConfig is checkConfig for any text.
func FuzzConfig(f *testing.F) {
	for _, text := range configs {
		f.Add([]byte(text))
	}
	r := newConfigReader(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) < 1<<16 {
			checkConfig(t, r, text)
		}
	})
}

// TestConfigMutated: texts that are nearly right.
func TestConfigMutated(t *testing.T) {
	r := newConfigReader(t)
	understood := 0
	for _, text := range configs {
		for i := range text {
			for _, by := range []string{"", `"`, "{", "}", "[", "]", ",", ":", "\\", "null", " ", "0", "\x00", "S"} {
				mutated := slices.Concat([]byte(text[:i]), []byte(by), []byte(text[i+1:]))
				if checkConfig(t, r, mutated) && !bytes.Equal(mutated, []byte(text)) {
					understood++
				}
			}
		}
	}
	if understood < 1000 {
		t.Errorf("only %d mutated texts are understood", understood)
	}
	t.Log(fmt.Sprint(understood, " understood"))
}
