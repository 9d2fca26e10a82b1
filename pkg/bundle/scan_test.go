package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// documents are texts that encoding/json takes or refuses for one reason each;
// they seed the fuzzer too.
var documents = []string{
	``, ` `, `{}`, `[]`, `""`, `0`, `-0`, `01`, `-`, `1.`, `.5`, `1.5e`, `1e+3`, `1E-30`, `+1`, `1e400`,
	`18446744073709551616`, `0.1000`, `tru`, `true`, `truex`, `null`, `nul`, `NaN`, `{"a":1,}`, `{"a":1 "b":2}`,
	`{"a"}`, `{"a":}`, `{a:1}`, `{1:1}`, `[1,]`, `[,]`, `[1 2]`, `[`, `{`, `"`, `"\`, `"\u12"`, `"\u12G4"`, `"\x"`,
	`"\u0000"`, "\"\x00\"", "\"\n\"", "\"\t\"", "\"\x7f\"", "\"\xff\"", `"\ud800"`, `{"a":1}{}`, `{"a":1} x`, "\ufeff{}",
	`{"a":{"b":[{"c":null}]}}`, "{\r\n\t\"a\" : [ 1 , 2 ] }\n", `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":1,"":2}`,
	`{"a":{"x":1},"b":{"x":1}}`, `[{"a":1},{"a":1}]`, `{"a":[{"b":1,"b":1}]}`, "{\"\xff\":1,\"\xfe\":2}", "\x00",
	strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth),
	strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2),
}

func TestScannerAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range documents {
		agree(t, []byte(text))
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range documents {
		f.Add([]byte(text))
	}
	f.Fuzz(agree)
}

// agree checks that the scanner accepts what encoding/json accepts, less
// repeated names and deep nesting, both found here by other means.
func agree(t *testing.T, text []byte) {
	s := scanner{text: text}
	err := s.document()
	want := json.Valid(text) && tokens(text)
	if got := err == nil; got != want {
		t.Errorf("%.200q: accepted = %v (%v), want %v", text, got, err, want)
	}
	if err == nil {
		return
	}
	var syntax *SyntaxError
	if !errors.As(err, &syntax) {
		t.Fatalf("%.200q: %T is no *SyntaxError", text, err)
	}
	if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("%.200q: the message has several lines: %q", text, err)
	}
	if syntax.Line < 1 || syntax.Line > 1+bytes.Count(text, []byte("\n")) || syntax.Column < 1 {
		t.Errorf("%.200q: no such place: line %d, column %d", text, syntax.Line, syntax.Column)
	}
}

// tokens reports whether no object of a valid text has a name twice and
// nothing is nested too deep, by way of json.Decoder.
func tokens(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	type frame struct {
		names map[string]bool // nil for an array
		key   bool            // the next token is a key
	}
	var stack []frame
	for {
		token, err := decoder.Token()
		if err != nil {
			return len(stack) == 0
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].names != nil {
			top := &stack[n-1]
			if top.key {
				name := token.(string)
				if top.names[name] {
					return false
				}
				top.names[name], top.key = true, false
				continue
			}
			top.key = true
		}
		if len(stack) > maxDepth {
			return false
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, frame{map[string]bool{}, true})
		case json.Delim('['):
			stack = append(stack, frame{})
		}
	}
}

func TestSyntaxErrorNamesThePlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{\n  \"linux\": {\n    \"seccomp\": {},\n    \"seccomp\": {}\n  }\n}",
			`bundle: config.json: line 4, column 14: linux.seccomp: the key occurs twice`},
		{`{"a.b": {"c\n": [01]}}`,
			`bundle: config.json: line 1, column 19: "a.b"."c\n": a comma or ']' was expected here`},
		{`{"x": "` + "\n" + `"}`, `bundle: config.json: line 1, column 8: x: control character in a string`},
		{``, `bundle: config.json: line 1, column 1: unexpected end of the document`},
		{`{} {}`, `bundle: config.json: line 1, column 4: data after the end of the document`},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// TestDecides: what a runtime in front looks for before it takes a container.
func TestDecides(t *testing.T) {
	for _, tc := range []struct {
		text           string
		hooked, mounts bool
	}{
		{`{}`, false, false},
		{`{"hooks": null, "linux": {"namespaces": null}}`, false, false},
		{`{"hooks": {"prestart": [], "poststop": null}}`, false, false},
		{`{"hooks": {"poststop": [{"path": "/x"}]}}`, true, false},
		{`{"linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}}`, false, true},
		{`{"linux": {"namespaces": [{"type": "mount", "path": ""}]}}`, false, true},
		{`{"linux": {"namespaces": [{"type": "mount", "path": "/proc/1/ns/mnt"}]}}`, false, false},
		{`{"linux": {"namespaces": [{"type": "mount", "Path": "/proc/1/ns/mnt"}]}}`, false, false},
		{`{"linux": {"namespaces": [1, "mount"]}}`, false, false},
	} {
		c, err := Parse([]byte(tc.text))
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if c.Hooked() != tc.hooked || c.MountNamespace() != tc.mounts {
			t.Errorf("%s: hooked %v, mounts %v", tc.text, c.Hooked(), c.MountNamespace())
		}
	}
}
