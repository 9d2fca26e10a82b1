package hook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
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
		{"a builtin annotation", Options{}, map[string]string{filter.AnnotationProfile: "builtin:docker"}, without, "builtin:docker", "", ""},
		{"an absolute annotation", Options{}, map[string]string{filter.AnnotationProfile: named}, without, named, "named", ""},
		{"only config.json has the annotation", Options{}, nil, `{"annotations":{"` + filter.AnnotationProfile + `":"named.json"}}`, named, "named", ""},

		{"the annotation beside linux.seccomp", Options{DefaultProfile: fallback}, annotation, withSeccomp, "config.json + " + named, `{"a":1} + named`, ""},
		{"the annotation beside the default", Options{DefaultProfile: fallback}, annotation, without, fallback + " + " + named, "default + named", ""},
		{"all beside the caller's", Options{Profile: own, DefaultProfile: fallback}, annotation, withSeccomp, own + " + config.json + " + named, `own + {"a":1} + named`, ""},
		{"the caller's instead of the default", Options{Profile: own, DefaultProfile: fallback}, nil, without, own, "own", ""},
		{"the annotation for linux.seccomp", Options{AnnotationReplaces: true}, annotation, withSeccomp, named, "named", ""},
		{"the annotation for the default", Options{AnnotationReplaces: true, DefaultProfile: fallback}, annotation, without, named, "named", ""},
		{"the caller's for the annotation", Options{AnnotationReplaces: true, Profile: own}, annotation, without, own, "own", ""},

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
			list, err := c.options.choose(c.annotations, config, false)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
				return
			}
			must(t, err)
			texts := make([]string, len(list))
			for i, p := range list {
				texts[i] = string(p.text)
			}
			if text := strings.Join(texts, " + "); list.name() != c.profile || text != c.text {
				t.Errorf("got %q (%q), want %q (%q)", list.name(), text, c.profile, c.text)
			}
		})
	}
}

// TestChooseBesideTheRuntime leaves linux.seccomp out where the runtime installs it
// and there is another: the kernel puts two filters together.
func TestChooseBesideTheRuntime(t *testing.T) {
	config, err := bundle.Parse([]byte(`{"linux":{"seccomp":{"a":1}}}`))
	must(t, err)
	annotation := map[string]string{filter.AnnotationProfile: "builtin:docker"}
	foreign := map[string]string{filter.AnnotationProfile: "builtin:docker", AnnotationProgram: "AAAA"}
	for _, c := range []struct {
		options     Options
		annotations map[string]string
		want        string
	}{
		// crun installs that program, and not linux.seccomp.
		{Options{}, foreign, "config.json + builtin:docker"},
		{Options{Profile: "builtin:containerd"}, foreign, "builtin:containerd + config.json + builtin:docker"},
		{Options{}, nil, "config.json"},
		{Options{}, annotation, "builtin:docker"},
		{Options{Profile: "builtin:containerd"}, nil, "builtin:containerd"},
		{Options{Profile: "builtin:containerd"}, annotation, "builtin:containerd + builtin:docker"},
	} {
		list, err := c.options.choose(c.annotations, config, true)
		if err != nil || list.name() != c.want {
			t.Errorf("got %q (%v), want %q", list.name(), err, c.want)
		}
	}
	config, err = bundle.Parse([]byte(`{"annotations":{"` + AnnotationProgram + `":"AAAA"},"linux":{"seccomp":{"a":1}}}`))
	must(t, err)
	o := Options{}
	if list, err := o.choose(annotation, config, true); err != nil || list.name() != "config.json + builtin:docker" {
		t.Errorf("configured: got %q (%v)", list.name(), err)
	}
}

// TestAnnotationNeverWeakens asks for the filter that a runtime installs instead of
// linux.seccomp, where an annotation names a profile that allows more.
func TestAnnotationNeverWeakens(t *testing.T) {
	config, err := bundle.Parse([]byte(`{"annotations": {"io.seccomp-hook.profile": "builtin:docker"}, "linux": {"seccomp": {
		"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}}}`))
	must(t, err)
	const mkdir, mount = 83, 165
	verdicts := func(o Options) (string, string, *Result) {
		o.Root = t.TempDir()
		r, err := Decide(config, o)
		must(t, err)
		run := func(nr uint32) string {
			words := (&bpf.Data{Nr: nr, Arch: arch.Native().Audit}).Words(arch.Native().Endian)
			ret, err := r.Filter.Program.Run(&words)
			must(t, err)
			return ret.String()
		}
		return run(mkdir), run(mount), r
	}
	if arch.Native().Name != "x86_64" {
		t.Skip("the numbers are those of x86_64")
	}
	first, second, r := verdicts(Options{})
	if first != "ERRNO(13)" || second != "ERRNO(1)" {
		t.Errorf("both: mkdir gets %s, mount %s", first, second)
	}
	if name := r.Annotations[filter.AnnotationProfile]; name != "config.json + builtin:docker" {
		t.Errorf("the annotation names %q", name)
	}
	if first, second, _ = verdicts(Options{AnnotationReplaces: true}); first != "ALLOW" || second != "ERRNO(1)" {
		t.Errorf("replaced: mkdir gets %s, mount %s", first, second)
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
