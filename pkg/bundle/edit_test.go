package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestApply(t *testing.T) {
	remove := Edit{RemoveSeccomp: true}
	annotate := func(pairs ...string) Edit {
		e := Edit{Annotations: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			e.Annotations[pairs[i]] = pairs[i+1]
		}
		return e
	}
	unhook := Edit{RemoveHook: func(stage Stage, path string, args []string) bool {
		return stage == Prestart && path == "/h" && slices.Equal(args, []string{"h", "x"})
	}}
	hook := func(stage Stage, path string) Hook { return Hook{stage, specs.Hook{Path: path}} }
	for _, c := range []struct {
		name, text string
		edit       Edit
		want       string
	}{
		{"nothing", `{ "linux" : {"seccomp":{} } }`, Edit{}, `{ "linux" : {"seccomp":{} } }`},
		{"no linux", `{"a":1}`, remove, `{"a":1}`},
		{"linux null", `{"linux":null}`, remove, `{"linux":null}`},
		{"no seccomp", `{"linux":{"a":1}}`, remove, `{"linux":{"a":1}}`},
		{"seccomp alone", `{"linux": { "seccomp" : {"x":[1]} }}`, remove, `{"linux": {  }}`},
		{"seccomp first", `{"linux":{"seccomp":{}, "a":1}}`, remove, `{"linux":{"a":1}}`},
		{"seccomp between", "{\"linux\":{\"a\":1,\n\t\"seccomp\":{},\n\t\"b\":2}}", remove, "{\"linux\":{\"a\":1,\n\t\"b\":2}}"},
		{"seccomp last", "{\"linux\":{\"a\":1,\n\t\"seccomp\":{}\n}}", remove, "{\"linux\":{\"a\":1\n}}"},
		{"seccomp null", `{"linux":{"seccomp":null,"a":1}}`, remove, `{"linux":{"a":1}}`},
		{"escaped key", `{"l\u0069nux":{"\u0073eccomp":{}}}`, remove, `{"l\u0069nux":{}}`},
		{"other seccomp", `{"seccomp":1,"linux":{"x":{"seccomp":2}}}`, remove, `{"seccomp":1,"linux":{"x":{"seccomp":2}}}`},
		{"numbers", `{"a":1.50e+01,"b":18446744073709551617,"linux":{"seccomp":{}}}`, remove, `{"a":1.50e+01,"b":18446744073709551617,"linux":{}}`},

		{"first annotation", `{}`, annotate("k", "v"), `{"annotations":{"k":"v"}}`},
		{"annotations null", `{"annotations":null}`, annotate("k", "v"), `{"annotations":{"k":"v"}}`},
		{"annotations empty", `{"annotations": { }}`, annotate("k", "v"), `{"annotations": {"k":"v" }}`},
		{"add and replace", "{\n \"annotations\": {\n  \"a\": \"old\",\n  \"c\": \"\"\n }\n}", annotate("c", "new", "b", "1", "d", "2"),
			"{\n \"annotations\": {\n  \"a\": \"old\",\n  \"c\": \"new\",\"b\":\"1\",\"d\":\"2\"\n }\n}"},
		{"annotations go", `{"annotations":{"a" : "1","b":"2","c":"3"},"x":0}`, Edit{RemoveAnnotations: []string{"b", "c"}}, `{"annotations":{"a" : "1"},"x":0}`},
		{"all annotations go", `{"annotations":{"b":"2","c":"3"}}`, Edit{RemoveAnnotations: []string{"c", "b"}}, `{"annotations":{}}`},
		{"annotations go and come", `{"annotations":{"\u0061":"1","b":"2","c":"3"}}`,
			Edit{RemoveAnnotations: []string{"a", "b"}, Annotations: map[string]string{"b": "new", "d": "4"}}, `{"annotations":{"c":"3","b":"new","d":"4"}}`},
		{"quoting", `{}`, annotate("a\"b", "<&>\n\u2028"), `{"annotations":{"a\"b":"<&>\n\u2028"}}`},

		{"first hook", `{"x":0}`, Edit{Hooks: []Hook{hook(Prestart, "/h")}}, `{"x":0,"hooks":{"prestart":[{"path":"/h"}]}}`},
		{"hooks null", `{"hooks":null}`, Edit{Hooks: []Hook{hook(Prestart, "/h")}}, `{"hooks":{"prestart":[{"path":"/h"}]}}`},
		{"stage null", `{"hooks":{"prestart":null}}`, Edit{Hooks: []Hook{hook(Prestart, "/h")}}, `{"hooks":{"prestart":[{"path":"/h"}]}}`},
		{"stage empty", `{"hooks":{"prestart":[ ]}}`, Edit{Hooks: []Hook{hook(Prestart, "/h")}}, `{"hooks":{"prestart":[{"path":"/h"} ]}}`},
		{"behind others", `{"hooks":{"poststop":[],"prestart":[ {"path":"/a"} ]}}`,
			Edit{Hooks: []Hook{hook(Poststop, "/s"), hook(Prestart, "/h"), hook(Prestart, "/i"), hook(CreateRuntime, "/c")}},
			`{"hooks":{"poststop":[{"path":"/s"}],"prestart":[ {"path":"/a"},{"path":"/h"},{"path":"/i"} ],"createRuntime":[{"path":"/c"}]}}`},

		{"a hook goes", `{"hooks":{"prestart":[ {"path":"/a"}, {"args":["h","x"],"path":"/h"} ]}}`, unhook, `{"hooks":{"prestart":[{"path":"/a"}]}}`},
		{"the only hook goes", `{"hooks": { "prestart":[ {"path":"/h","args":["h","x"]} ], "poststop":[] }}`, unhook, `{"hooks": { "prestart":[], "poststop":[] }}`},
		{"a hook of another stage", `{"hooks":{"poststop":[ {"path":"/h","args":["h","x"]} ]}}`, unhook, `{"hooks":{"poststop":[ {"path":"/h","args":["h","x"]} ]}}`},
		{"a hook with another argument", `{"hooks":{"prestart":[ {"path":"/h","args":["h","x","y"]} ]}}`, unhook, `{"hooks":{"prestart":[ {"path":"/h","args":["h","x","y"]} ]}}`},
		{"a hook that some read otherwise", `{"hooks":{"prestart":[ {"path":"/h","args":["h","x"],"Args":[]} ]}}`, unhook, `{"hooks":{"prestart":[ {"path":"/h","args":["h","x"],"Args":[]} ]}}`},
		{"no hook", `{"hooks":{"prestart":[ null, 1, {"path":1} ],"createRuntime":null}}`, unhook, `{"hooks":{"prestart":[ null, 1, {"path":1} ],"createRuntime":null}}`},
		{"a hook goes, another comes", `{"hooks":{"prestart":[{"path":"/h","args":["h","x"]}, {"path":"/a"}]}}`,
			Edit{RemoveHook: unhook.RemoveHook, Hooks: []Hook{hook(Prestart, "/n"), hook(Poststop, "/s")}},
			`{"hooks":{"prestart":[{"path":"/a"},{"path":"/n"}],"poststop":[{"path":"/s"}]}}`},

		{"sources", `{"mounts":[{"source":"a"},{"s":"a","source":"b"},1,{"source":2},{"source" : "\u0061","type":"bind"}]}`,
			Edit{MountSources: map[string]string{"a": "/<c>"}}, `{"mounts":[{"source":"/<c>"},{"s":"a","source":"b"},1,{"source":2},{"source" : "/<c>","type":"bind"}]}`},
		{"no sources", `{"mounts":null}`, Edit{MountSources: map[string]string{"a": "b"}}, `{"mounts":null}`},

		{"all at once, root last", `{"annotations":null,"linux":{"a":1,"seccomp":{"b":2}}}`,
			Edit{RemoveSeccomp: true, Hooks: []Hook{{CreateRuntime, specs.Hook{Path: "/h", Args: []string{"h", "createRuntime"}}}}, Annotations: map[string]string{"k": "v"}},
			`{"annotations":{"k":"v"},"linux":{"a":1},"hooks":{"createRuntime":[{"path":"/h","args":["h","createRuntime"]}]}}`},
		{"all at once, empty root", ` { } `,
			Edit{RemoveSeccomp: true, Hooks: []Hook{hook(CreateRuntime, "/h")}, Annotations: map[string]string{"k": "v"}},
			` {"hooks":{"createRuntime":[{"path":"/h"}]},"annotations":{"k":"v"} } `},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := Parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(config.Apply(c.edit)); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`[]`, `'{' was expected here`},
		{`{"linux":[]}`, `linux: an object was expected`},
		{`{"linux":{"seccomp":"x"}}`, `linux.seccomp: an object was expected`},
		{`{"linux":{"Seccomp":{}}}`, `linux.seccomp: the key "Seccomp" differs from it only in case`},
		{`{"linux":{"\u017feccomp":{}}}`, `linux.seccomp: the key "ſeccomp" differs from it only in case`},
		{`{"LINUX":{},"linux":{}}`, `linux: the key "LINUX" differs from it only in case`},
		{`{"hooks":[]}`, `hooks: an object was expected`},
		{`{"hooks":{"prestart":{}}}`, `hooks.prestart: an array was expected`},
		{`{"hooks":{"preStart":[]}}`, `hooks.prestart: the key "preStart" differs`},
		{`{"annotations":"x"}`, `annotations: an object was expected`},
		{`{"annotations":{"k":1}}`, `annotations.k: a string was expected`},
		{`{"process":{"noNewPrivileges":1}}`, `process.noNewPrivileges: true or false was expected`},
		{`{"process":{"NoNewPrivileges":true}}`, `process.noNewPrivileges: the key "NoNewPrivileges" differs`},
		{`{"process":{"capabilities":{"bounding":["CAP_KILL",1]}}}`, `process.capabilities.bounding: a string was expected`},
		{`{"process":{"capabilities":{"bounding":"CAP_KILL"}}}`, `process.capabilities.bounding: an array was expected`},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.text, err, c.want)
		}
	}
}

func TestReading(t *testing.T) {
	config, err := Parse([]byte(`{"linux":{"seccomp": {"a" :1}},"annotations":{"k":"\u00e9\n"},
		"process":{"capabilities":{"bounding":["CAP_KILL","CAP_CHOWN"]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(config.Seccomp()); got != `{"a" :1}` {
		t.Errorf("Seccomp() = %s", got)
	}
	if got, ok := config.Annotation("k"); !ok || got != "é\n" {
		t.Errorf("Annotation(k) = %q, %v", got, ok)
	}
	if _, ok := config.Annotation("l"); ok {
		t.Error("there is no annotation l")
	}
	if got := config.Bounding(); !reflect.DeepEqual(got, []string{"CAP_KILL", "CAP_CHOWN"}) {
		t.Errorf("Bounding() = %q", got)
	}
	for text, want := range map[string]bool{
		`{}`:                                     false,
		`{"process":null}`:                       false,
		`{"process":{"noNewPrivileges":null}}`:   false,
		`{"process":{"noNewPrivileges":false}}`:  false,
		`{"process":{"noNewPrivileges": true }}`: true,
	} {
		config, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := config.NoNewPrivileges(); got != want {
			t.Errorf("%s: NoNewPrivileges() = %v", text, got)
		}
	}
	for text, want := range map[string][]string{
		`{}`:                              nil,
		`{"process":null}`:                nil,
		`{"process":{"capabilities":{}}}`: nil,
		`{"process":{"capabilities":{"bounding":null}}}`:   nil,
		`{"process":{"capabilities":{"bounding":[ ]}}}`:    {},
		`{"process":{"capabilities":{"effective":["A"]}}}`: nil,
	} {
		config, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := config.Bounding(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Bounding() = %#v, want %#v", text, got, want)
		}
		if config.Seccomp() != nil {
			t.Errorf("%s: there is no linux.seccomp", text)
		}
	}
}

// TestApplyChangesNothingElse edits random documents and compares with the
// same edit made on the decoded document.
func TestApplyChangesNothingElse(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		checkEdit(t, randomConfig(r), Edit{
			RemoveSeccomp: r.IntN(4) > 0,
			Hooks: []Hook{
				{Stage(r.IntN(len(stageNames))), specs.Hook{Path: "/one"}},
				{Stage(r.IntN(len(stageNames))), specs.Hook{Path: "/two"}},
			}[:r.IntN(3)],
			Annotations: map[string]string{"a": "1", "io.seccomp-hook.profile": `"x"`},
		})
	}
}

func FuzzApply(f *testing.F) {
	for _, text := range documents {
		f.Add([]byte(text))
	}
	for seed := range uint64(8) {
		f.Add(randomConfig(rand.New(rand.NewPCG(seed, 2))))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkEdit(t, text, Edit{
			RemoveSeccomp: true,
			Hooks:         []Hook{{Prestart, specs.Hook{Path: "/h"}}},
			Annotations:   map[string]string{"a": "b"},
		})
	})
}

// checkEdit compares Apply with the edit made on maps of json.RawMessage, so
// that what is not edited is compared byte for byte.
func checkEdit(t *testing.T, text []byte, e Edit) {
	t.Helper()
	config, err := Parse(text)
	if err != nil {
		return
	}
	if same := config.Apply(Edit{}); !bytes.Equal(same, text) {
		t.Fatalf("an empty edit changed %s to %s", text, same)
	}
	edited := config.Apply(e)
	if _, err := Parse(edited); err != nil {
		t.Fatalf("%s\nbecame unreadable: %v\n%s", text, err, edited)
	}
	want := membersOf(t, text)
	if linux := membersOf(t, want["linux"]); e.RemoveSeccomp && linux["seccomp"] != nil {
		delete(linux, "seccomp")
		want["linux"] = flat(linux)
	}
	if len(e.Annotations) > 0 {
		annotations := membersOf(t, want["annotations"])
		for name, value := range e.Annotations {
			annotations[name] = encode(value)
		}
		want["annotations"] = flat(annotations)
	}
	if len(e.Hooks) > 0 {
		hooks := membersOf(t, want["hooks"])
		for _, h := range e.Hooks {
			var list []json.RawMessage
			_ = json.Unmarshal(hooks[h.Stage.String()], &list)
			list = append(list, encode(h.Hook))
			hooks[h.Stage.String()], _ = json.Marshal(list)
		}
		want["hooks"] = flat(hooks)
	}
	got := membersOf(t, edited)
	for _, name := range []string{"linux", "hooks", "annotations"} {
		// The parts of these were compared as maps; their white space is not.
		if string(got[name]) != string(want[name]) && compact(got[name]) != compact(want[name]) &&
			!reflect.DeepEqual(membersOf(t, got[name]), membersOf(t, want[name])) {
			if name != "hooks" || !sameHooks(t, got[name], want[name]) {
				t.Fatalf("%s\n%s is %s, want %s", text, name, got[name], want[name])
			}
		}
		delete(got, name)
		delete(want, name)
	}
	if !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		t.Fatalf("%s\nbecame\n%s", text, edited)
	}
}

func sameHooks(t *testing.T, a, b []byte) bool {
	return maps.EqualFunc(membersOf(t, a), membersOf(t, b), func(a, b json.RawMessage) bool { return compact(a) == compact(b) })
}

// membersOf decodes one level of an object; null and nothing are empty.
func membersOf(t *testing.T, text []byte) map[string]json.RawMessage {
	o := map[string]json.RawMessage{}
	if len(text) == 0 || string(text) == "null" {
		return o
	}
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

// flat writes an object back without touching its values, as json.Marshal
// would by compacting them.
func flat(o map[string]json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for name, value := range o {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(encode(name))
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

func compact(text []byte) string {
	var b bytes.Buffer
	_ = json.Compact(&b, text)
	return b.String()
}

// randomConfig writes a config.json with the parts that are edited present,
// null, empty or absent, in any order and with any white space.
func randomConfig(r *rand.Rand) []byte {
	space := func() string { return []string{"", " ", "\n\t", "\r\n  "}[r.IntN(4)] }
	list := func(open, end string, elements []string) string {
		r.Shuffle(len(elements), func(i, j int) { elements[i], elements[j] = elements[j], elements[i] })
		kept := elements[:r.IntN(len(elements)+1)]
		return open + space() + strings.Join(kept, space()+","+space()) + space() + end
	}
	object := func(members ...string) string { return list("{", "}", members) }
	key := func(name, value string) string { return fmt.Sprintf("%q%s:%s%s", name, space(), space(), value) }
	oneOf := func(values ...string) string { return values[r.IntN(len(values))] }

	seccomp := oneOf("null", object(key("defaultAction", `"SCMP_ACT_ERRNO"`), key("n", "1.0e2")))
	linux := oneOf("null", object(key("seccomp", seccomp), key("unknown", "[1.10,18446744073709551616]"), key("namespaces", "[]")))
	stage := func() string { return oneOf("null", list("[", "]", []string{`{"path":"/a"}`, `{"path" : "/b"}`})) }
	hooks := oneOf("null", object(key("prestart", stage()), key("createRuntime", stage()), key("poststop", stage()), key("other", "0")))
	annotations := oneOf("null", object(key("a", `"\u0061"`), key("z", `"/"`), key("io.seccomp-hook.profile", `""`)))
	return []byte(space() + object(
		key("linux", linux), key("hooks", hooks), key("annotations", annotations),
		key("ociVersion", `"1.0.2"`), key("number", "-0.50E+3"), key("x", `{ "seccomp" : { } }`)) + space())
}
