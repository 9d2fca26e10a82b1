package runtime

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go/features"
)

func TestEditFeatures(t *testing.T) {
	const text = `{
	"ociVersionMin": "1.0.0", "unknown": 1E+2,
	"linux": {"namespaces": [ "mount" ], "seccomp": {"enabled": false, "archs": ["SCMP_ARCH_X86"]}, "x": {"seccomp": 1}},
	"potentiallyUnsafeConfigAnnotations": ["bundle"]
}
`
	got, err := editFeatures([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(text, `{"enabled"`)
	_, after, _ := strings.Cut(rest, `["SCMP_ARCH_X86"]}`)
	after = strings.Replace(after, `["bundle"]`, `["bundle","io.seccomp-hook."]`, 1)
	if !strings.HasPrefix(string(got), before) || !strings.HasSuffix(string(got), after) {
		t.Errorf("something else has changed:\n%s", got)
	}
	var f features.Features
	if err := json.Unmarshal(got, &f); err != nil {
		t.Fatal(err)
	}
	s := f.Linux.Seccomp
	if !*s.Enabled || !slices.Contains(s.Archs, "SCMP_ARCH_RISCV64") || !slices.Contains(s.Actions, "SCMP_ACT_NOTIFY") || len(s.KnownFlags) != 4 {
		t.Errorf("seccomp is %+v", s)
	}
}

// What is not there is not invented.
func TestEditFeaturesOfLess(t *testing.T) {
	for _, text := range []string{`{"linux":{"namespaces":[]}}`, `{"mountOptions":[],"linux":{}}`} {
		got, err := editFeatures([]byte(text))
		if err != nil || string(got) != text {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
	if _, err := editFeatures([]byte("no JSON")); err == nil {
		t.Error("no error")
	}
}
