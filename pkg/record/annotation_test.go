package record

import (
	"strings"
	"testing"
)

func TestParseAnnotation(t *testing.T) {
	for text, want := range map[string][2]string{
		"of:/tmp/a.json":                   {"/tmp/a.json", ""},
		"of:/tmp/a.json;if:/tmp/b.json":    {"/tmp/a.json", "/tmp/b.json"},
		"if:/tmp/b.json; of:/tmp/a.json":   {"/tmp/a.json", "/tmp/b.json"},
		"of:/tmp/a.json;if:builtin:docker": {"/tmp/a.json", "builtin:docker"},
	} {
		if output, input, err := ParseAnnotation(text); err != nil || output != want[0] || input != want[1] {
			t.Errorf("%q: %q, %q, %v", text, output, input, err)
		}
	}
	for text, want := range map[string]string{
		"":                  "neither",
		"if:/a":             "of:PATH is missing",
		"of:a":              "not an absolute path",
		"of:/a;if:b":        "not an absolute path",
		"of:/a;of:/b":       "twice",
		"of:/a;":            "neither",
		"of:builtin:docker": "not an absolute path",
		"/tmp/a.json":       "neither",
	} {
		if output, input, err := ParseAnnotation(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %q, %v; want an error with %q", text, output, input, err, want)
		}
	}
}
