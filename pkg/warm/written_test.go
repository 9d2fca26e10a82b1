package warm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/spec"
)

const plain = `{ "syscalls": [{"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7, "comment": ""}],
	"architectures": ["SCMP_ARCH_X86_64"], "defaultAction": "SCMP_ACT_ALLOW" }`

const conditional = `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
	{"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}}]}`

func TestWritten(t *testing.T) {
	for _, tc := range []struct {
		name, text   string
		capabilities []string
		want         []string
	}{
		{"order, spaces and comments are the engine's", plain, nil,
			[]string{`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":7}]}`}},
		{"conditions are decided, or not known", conditional, nil,
			[]string{`{"defaultAction":"SCMP_ACT_ERRNO"}`, `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["chroot"],"action":"SCMP_ACT_ALLOW"}]}`}},
		{"the capability is there", conditional, []string{"CAP_SYS_CHROOT"},
			[]string{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["chroot"],"action":"SCMP_ACT_ALLOW"}]}`}},
		{"a config.json's is there already", `{"ociVersion":"1.2.0","linux":{"seccomp": {"defaultAction" : "SCMP_ACT_ALLOW"} }}`, nil,
			[]string{`{"defaultAction" : "SCMP_ACT_ALLOW"}`}},
		{"none is asked for", `{"ociVersion":"1.2.0"}`, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := Written("a", []byte(tc.text), tc.capabilities)
			var have []string
			for _, text := range list {
				have = append(have, string(text))
			}
			if err != nil || !slices.Equal(have, tc.want) {
				t.Errorf("%v\nhave %q\nwant %q", err, have, tc.want)
			}
		})
	}
	if _, err := Written("a", []byte(`{"x":1}`), nil); err == nil {
		t.Error("no profile, and no error")
	}
}

// What is written says what the profile says.
func TestWrittenMeansTheSame(t *testing.T) {
	kernel := runningKernel(t)
	for _, name := range []string{"builtin:docker", "builtin:containerd"} {
		for _, capabilities := range [][]string{{}, spec.DefaultCapabilities(), spec.AllCapabilities()} {
			f, err := filter.Build(filter.Request{Profile: name, Capabilities: capabilities, Kernel: kernel})
			must(t, err)
			list, err := Written(name, nil, capabilities)
			if err != nil || len(list) != 1 {
				t.Fatal(len(list), err)
			}
			must(t, f.Prove(filter.Request{Profile: "config.json", Text: list[0], Seccomp: true, Kernel: kernel}))
		}
	}
}

// A start after Fill finds its filter, by linux.seccomp and by the annotation.
func TestFill(t *testing.T) {
	dir := t.TempDir()
	o := Options{Root: filepath.Join(dir, "root"), Capabilities: [][]string{spec.DefaultCapabilities(), {}}}
	filled, err := Fill(context.Background(), "builtin:docker", nil, o)
	if err != nil || filled.Filters != 4 || filled.Compiled != 4 {
		t.Fatalf("%+v, %v", filled, err)
	}
	if filled, err = Fill(context.Background(), "builtin:docker", nil, o); err != nil || filled.Compiled != 0 {
		t.Errorf("again: %+v, %v", filled, err)
	}
	text, err := Written("builtin:docker", nil, nil)
	must(t, err)
	for what, config := range map[string][]byte{
		"linux.seccomp":  configOf(text[0], "", nil),
		"the annotation": configOf(nil, "builtin:docker", spec.DefaultCapabilities()),
	} {
		f := &filling{Options: o}
		if err := f.decide(config); err != nil || f.Filters != 1 || f.Compiled != 0 {
			t.Errorf("%s: %+v, %v", what, f.Filled, err)
		}
	}
	if _, err := Fill(context.Background(), "a", []byte(`{"ociVersion":"1.2.0"}`), o); !errors.Is(err, filter.ErrDisabled) {
		t.Error("of no profile: ", err)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.json", "sub/b.json", "b/rootfs/c.json", "log"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	must(t, os.Symlink("a.json", filepath.Join(dir, "link.json")))
	files, err := Files(dir)
	if have := strings.ReplaceAll(strings.Join(files, " "), dir+"/", ""); err != nil || have != "a.json sub/b.json" {
		t.Error(have, err)
	}
	if names := relative([]string{dir + "/", "/etc"}, filepath.Join(dir, "sub/b.json")); !slices.Equal(names, []string{"sub/b.json"}) {
		t.Error(names)
	}
	if places := Places([]string{dir}); len(places) == 0 || places[0] != dir {
		t.Error(places)
	}
}

func runningKernel(t testing.TB) spec.KernelVersion {
	t.Helper()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	must(t, err)
	v, err := spec.ParseKernelVersion(strings.TrimSpace(string(release)))
	must(t, err)
	return v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
