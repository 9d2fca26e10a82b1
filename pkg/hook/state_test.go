package hook

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// states are what a runtime may and may not hand over, and what is wrong.
var states = []struct{ name, text, want string }{
	{"runc's", `{"ociVersion":"1.2.0","id":"c1","status":"creating","pid":42,"bundle":"/b","annotations":{"a":"b"}}`, ""},
	{"created", `{"ociVersion":"1.0.2","id":"c1","status":"created","pid":42,"bundle":"/b"}`, ""},
	{"unknown properties", `{"id":"c1","pid":42,"bundle":"/b","owner":{"x":[1,{"pid":7}]},"PID":7}`, ""},
	{"no annotations", `{"id":"c1","pid":42,"bundle":"/b","annotations":null}`, ""},
	{"white space", " \n{ \"id\" : \"c1\" , \"pid\" : 42 , \"bundle\" : \"/b\" }\n", ""},

	{"nothing", ``, "empty"},
	{"space", ` `, "unexpected EOF"},
	{"not JSON", `id=c1`, "invalid character"},
	{"an array", `[]`, "not a JSON object"},
	{"cut", `{"id":"c1","pid":42,"bundle":"/b`, "unexpected EOF"},
	{"cut after a member", `{"id":"c1","pid":42`, "unexpected EOF"},
	{"two documents", `{"id":"c1","pid":42,"bundle":"/b"}{}`, "data after the end"},
	{"pid twice", `{"id":"c1","pid":42,"pid":43,"bundle":"/b"}`, `"pid" occurs twice`},
	{"pid twice, escaped", `{"id":"c1","pid":42,"\u0070id":43,"bundle":"/b"}`, `"pid" occurs twice`},
	{"annotation twice", `{"id":"c1","pid":42,"bundle":"/b","annotations":{"a":"1","a":"2"}}`, `"annotations": "a" occurs twice`},
	{"annotation no string", `{"id":"c1","pid":42,"bundle":"/b","annotations":{"a":1}}`, `"annotations": "a": json: cannot unmarshal number`},
	{"annotations no object", `{"id":"c1","pid":42,"bundle":"/b","annotations":["a"]}`, `"annotations": not a JSON object`},
	{"no id", `{"pid":42,"bundle":"/b"}`, "not the id of a container"},
	{"id with a slash", `{"id":"a/b","pid":42,"bundle":"/b"}`, "not the id of a container"},
	{"id is the directory above", `{"id":"..","pid":42,"bundle":"/b"}`, "not the id of a container"},
	{"id with a NUL", `{"id":"a\u0000","pid":42,"bundle":"/b"}`, "not the id of a container"},
	{"id too long", `{"id":"` + strings.Repeat("x", 256) + `","pid":42,"bundle":"/b"}`, "not the id of a container"},
	{"id no string", `{"id":1,"pid":42,"bundle":"/b"}`, `"id": json: cannot unmarshal number`},
	{"no pid", `{"id":"c1","bundle":"/b"}`, "0 is not a process"},
	{"negative pid", `{"id":"c1","pid":-1,"bundle":"/b"}`, "-1 is not a process"},
	{"pid a string", `{"id":"c1","pid":"42","bundle":"/b"}`, `"pid": json: cannot unmarshal string`},
	{"pid a fraction", `{"id":"c1","pid":4.2,"bundle":"/b"}`, `"pid": json: cannot unmarshal number 4.2`},
	{"no bundle", `{"id":"c1","pid":42}`, "not an absolute path"},
	{"relative bundle", `{"id":"c1","pid":42,"bundle":"b"}`, "not an absolute path"},
	{"stopped", `{"id":"c1","pid":42,"bundle":"/b","status":"stopped"}`, "stopped"},
	{"too large", `{"id":"c1","pid":42,"bundle":"/b","x":"` + strings.Repeat("x", maxState) + `"}`, "larger than 1048576 bytes"},
}

// parseState is what Run does first.
func parseState(text string) (*specs.State, error) {
	state, err := readState(strings.NewReader(text))
	if err == nil {
		err = checkCreating(state)
	}
	return state, err
}

func TestReadState(t *testing.T) {
	for _, c := range states {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseState(c.text)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	state, err := parseState(states[0].text)
	if err != nil {
		t.Fatal(err)
	}
	want := &specs.State{Version: "1.2.0", ID: "c1", Status: specs.StateCreating, Pid: 42, Bundle: "/b", Annotations: map[string]string{"a": "b"}}
	if !reflect.DeepEqual(state, want) {
		t.Errorf("got %+v, want %+v", state, want)
	}
}

// FuzzState: whatever is accepted reads the same to encoding/json, once names
// are what they are and not what they fold to.
func FuzzState(f *testing.F) {
	for _, c := range states {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		state, err := parseState(text)
		if err != nil {
			return
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &raw); err != nil {
			t.Fatalf("accepted %q, which is no JSON object: %v", text, err)
		}
		for name, field := range map[string]any{"ociVersion": state.Version, "id": state.ID, "status": state.Status, "pid": state.Pid, "bundle": state.Bundle} {
			again := reflect.New(reflect.TypeOf(field))
			if raw[name] != nil {
				if err := json.Unmarshal(raw[name], again.Interface()); err != nil {
					t.Fatalf("%q: %s: %v", text, name, err)
				}
			}
			if !reflect.DeepEqual(again.Elem().Interface(), field) {
				t.Errorf("%q: %s is %v, encoding/json has %v", text, name, field, again.Elem())
			}
		}
	})
}
