package spec_test

import (
	"testing"

	"seccomp-hook/pkg/spec"
)

func TestPlaces(t *testing.T) {
	for _, test := range []struct {
		text, path string
		want       spec.Position
	}{
		{"{\"syscalls\": [{\"names\": [\"read\",\n  \"write\"]}]}", "syscalls[0].names[1]", spec.Position{Line: 2, Column: 3}},
		{"{\"syscalls\": [{\"names\": [\"read\",\n  \"write\"]}]}", "syscalls[0].names[0]", spec.Position{Line: 1, Column: 26}},
		{"{\"x\": \"é\", \"syscalls\": [\n{}]}", "syscalls", spec.Position{Line: 1, Column: 12}},
		{"{\"syscalls\": [\n{}]}", "syscalls[0].args[2].op", spec.Position{Line: 2, Column: 1}}, // what is not there is in what is
		{"{\n\"linux\": {\"seccomp\": {\n\"flags\": []}}}", "flags", spec.Position{Line: 3, Column: 1}},
		{`{"defaultAction": `, "defaultAction", spec.Position{}},
		{`{}`, "flags", spec.Position{}},
	} {
		if got := spec.FindPlaces([]byte(test.text)).Of(test.path); got != test.want {
			t.Errorf("%s in %s: %v, want %v", test.path, test.text, got, test.want)
		}
	}
}
