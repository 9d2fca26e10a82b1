package hook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestChoose(t *testing.T) {
	dir := t.TempDir()
	named, fallback, own := filepath.Join(dir, "named.json"), filepath.Join(t.TempDir(), "default.json"), filepath.Join(t.TempDir(), "own.json")
	for path, text := range map[string]string{named: "named", fallback: "default", own: "own"} {
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	const withSeccomp, without = `{"linux":{"seccomp":{"a":1}}}`, `{"linux":{"seccomp":null}}`
	annotation := map[string]string{filter.AnnotationProfile: "named.json"}
	for _, c := range []struct {
		name        string
		options     Options
		annotations map[string]string
		config      string
		profile     string // "" for none
		text        string
		want        string // error
	}{
		{"nothing at all", Options{}, nil, without, "", "", ""},
		{"the default", Options{DefaultProfile: fallback}, nil, without, fallback, "default", ""},
		{"a builtin default", Options{DefaultProfile: "builtin:docker"}, nil, without, "builtin:docker", "", ""},
		{"linux.seccomp before the default", Options{DefaultProfile: fallback}, nil, withSeccomp, "config.json", `{"a":1}`, ""},
		{"the annotation before linux.seccomp", Options{DefaultProfile: fallback}, annotation, withSeccomp, named, "named", ""},
		{"a builtin annotation", Options{}, map[string]string{filter.AnnotationProfile: "builtin:docker"}, without, "builtin:docker", "", ""},
		{"an absolute annotation", Options{}, map[string]string{filter.AnnotationProfile: named}, without, named, "named", ""},
		{"only config.json has the annotation", Options{}, nil, `{"annotations":{"` + filter.AnnotationProfile + `":"named.json"}}`, named, "named", ""},
		{"the caller's before all", Options{Profile: own, DefaultProfile: fallback}, annotation, withSeccomp, own, "own", ""},

		{"two annotations", Options{}, annotation, `{"annotations":{"` + filter.AnnotationProfile + `":"other"}}`, "", "", `the state has "named.json", config.json has "other"`},
		{"an empty annotation", Options{DefaultProfile: fallback}, map[string]string{filter.AnnotationProfile: ""}, without, "", "", "empty"},
		{"a handler of crun's, stated", Options{DefaultProfile: fallback}, map[string]string{"run.oci.handler": "wasm"}, without, "", "", "run.oci.handler: wasm: the program of such a container is not started by execve"},
		{"a handler of crun's, configured", Options{DefaultProfile: fallback}, nil, `{"annotations":{"module.wasm.image/variant":"compat"}}`, "", "", "not started by execve"},
		{"a handler and no profile", Options{}, map[string]string{"run.oci.handler": "wasm"}, without, "", "", ""},
		{"a handler, only observed", Options{DefaultProfile: fallback, Observe: true}, map[string]string{"run.oci.handler": "wasm"}, without, fallback, "default", ""},
		{"no such default", Options{DefaultProfile: "/nowhere"}, nil, without, "", "", "/nowhere: no such file"},
		{"a directory as default", Options{DefaultProfile: dir}, nil, without, "", "", "not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := bundle.Parse([]byte(c.config))
			must(t, err)
			c.options.ProfileDirs = []string{dir}
			p, err := c.options.choose(c.annotations, config)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
				return
			}
			must(t, err)
			if p == nil {
				p = &profile{}
			}
			if p.name != c.profile || string(p.text) != c.text {
				t.Errorf("got %q (%q), want %q (%q)", p.name, p.text, c.profile, c.text)
			}
		})
	}
}

// TestNamedProfilesStayInTheirDirectories: whoever starts a container writes
// the annotation.
func TestNamedProfilesStayInTheirDirectories(t *testing.T) {
	base := t.TempDir()
	first, second := filepath.Join(base, "first"), filepath.Join(base, "second")
	for _, dir := range []string{first, second, first + "/sub", base + "/firstborn"} {
		must(t, os.Mkdir(dir, 0o700))
	}
	for path, text := range map[string]string{
		"secret": "secret", "firstborn/x": "secret", "first/a": "first a", "first/sub/b": "first b", "second/a": "second a", "second/c": "second c", "first/mine": "mine",
	} {
		must(t, os.WriteFile(filepath.Join(base, path), []byte(text), 0o600))
	}
	for link, target := range map[string]string{
		"first/inside": "sub/b", "first/up": "../secret", "first/absolute": base + "/secret", "first/upanddown": "../first/a", "first/dir": "..", "first/loop": "loop",
	} {
		must(t, os.Symlink(target, filepath.Join(base, link)))
	}
	must(t, unix.Mkfifo(filepath.Join(first, "fifo"), 0o600))
	must(t, os.Truncate(filepath.Join(first, "mine"), 4<<20+1))
	o := Options{ProfileDirs: []string{first + "/", second}}
	for _, c := range []struct{ name, text, want string }{
		{"a", "first a", ""},
		{"c", "second c", ""},
		{"sub/b", "first b", ""},
		{"sub/../a", "first a", ""},
		{"./a", "first a", ""},
		{"inside", "first b", ""},
		{first + "/a", "first a", ""},
		{second + "/a", "second a", ""},
		{first + "//a", "", "leaves"}, // the rest, "/a", is absolute
		{"nothing", "", "no such file in the profile directories"},
		{first + "/nothing", "", "no such file"},
		{base + "/secret", "", "not in a profile directory"},
		{base + "/firstborn/x", "", "not in a profile directory"},
		{"/etc/passwd", "", "not in a profile directory"},
		{"../secret", "", "leaves"},
		{first + "/../secret", "", "leaves"},
		{"sub/../../secret", "", "leaves"},
		{"up", "", "leaves"},
		{"absolute", "", "leaves"},
		{"upanddown", "", "leaves"},
		{"dir/secret", "", "leaves"},
		{"loop", "", "too many levels of symbolic links"},
		{"sub", "", "not a regular file"},
		{".", "", "not a regular file"},
		{"fifo", "", "not a regular file"},
		{"mine", "", "larger than"},
		{"a/b", "", "not a directory"},
		{"a\x00", "", "invalid argument"},
		{strings.Repeat("x", 5000), "", "file name too long"},
	} {
		p, err := o.loadNamed(c.name)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%.60q: %v", c.name, err)
		case c.want == "" && string(p.text) != c.text:
			t.Errorf("%.60q: read %q, want %q", c.name, p.text, c.text)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%.60q: got %v, want an error with %q", c.name, err, c.want)
		}
	}
	missing := Options{ProfileDirs: []string{base + "/missing"}}
	if _, err := missing.loadNamed("a"); err == nil {
		t.Error("a profile came from a directory that is not there")
	}
}
