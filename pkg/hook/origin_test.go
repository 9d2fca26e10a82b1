package hook

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/filter"
)

// TestOrigin: what a container's annotation names is found again, each profile of
// several by its own name, and makes the same program.
func TestOrigin(t *testing.T) {
	bundle := t.TempDir()
	seccomp := `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":7}]}`
	config := `{"ociVersion":"1.2.0","process":{"capabilities":{"bounding":["CAP_CHOWN"]}},"linux":{"seccomp":` + seccomp + `}}`
	file := filepath.Join(bundle, "file.json")
	for path, text := range map[string]string{filepath.Join(bundle, "config.json"): config, file: seccomp} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"config.json", "builtin:docker", file, "config.json + builtin:docker", "builtin:docker + config.json + " + file} {
		state := &specs.State{ID: "c", Bundle: bundle, Annotations: map[string]string{filter.AnnotationProfile: name}}
		r, err := Origin(state)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f, err := filter.Build(r)
		if err != nil || f.Profile != name {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	for _, name := range []string{"", file + " + nowhere"} {
		if r, err := Origin(&specs.State{Bundle: bundle, Annotations: map[string]string{filter.AnnotationProfile: name}}); err == nil {
			t.Errorf("%q: %+v", name, r)
		}
	}
}
