//go:build linux

package doctor

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// host makes a host below a directory: files by their paths, of which those in
// /bin are programs, and a configuration.
func host(t *testing.T, files map[string]string) *Host {
	t.Helper()
	root := t.TempDir()
	h := &Host{
		Root: root, Path: root + "/bin", Self: root + "/bin/seccomp-hook", State: root + "/run",
		Getenv: func(name string) string {
			if name == "SECCOMP_HOOK_CONFIG" {
				return root + "/config.toml"
			}
			return ""
		},
	}
	all := map[string]string{"/config.toml": ""}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		path := root + name
		mode := os.FileMode(0o644)
		if strings.HasPrefix(name, "/bin/") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "@", root)), mode); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

const version = "#!/bin/sh\necho $(basename $0) version 1\necho more\n"

// What each check says of a host, but for those that ask the kernel.
func TestExamine(t *testing.T) {
	complete := map[string]string{
		"/bin/runc": version, "/bin/seccomp-hook": "", "/bin/seccomp-runc": "", "/bin/seccomp-hook-runtime": "", "/bin/seccomp-hook-announce": "",
	}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for _, m := range []map[string]string{complete, more} {
			for name, text := range m {
				all[name] = text
			}
		}
		return all
	}
	for _, test := range []struct {
		name  string
		files map[string]string
		want  []string // lines there must be, of those about the checks that the first words name
	}{
		{"a host without engines", complete, []string{
			"ok state @/run is not there yet; the first container makes it",
			"ok configuration no default profile: a container that asks for no filter has none",
			"ok runtime @/bin/runc: runc version 1, used",
			"ok programs @/bin/seccomp-runc and what it starts",
		}},
		{"no runtime", map[string]string{"/bin/seccomp-hook": ""}, []string{
			"fail runtime runtime: real runtime: no runc or crun on PATH (@/bin); install runc or crun, or name one as real_runtime in /etc/seccomp-hook/config.toml",
			"note programs no seccomp-runc beside @/bin/seccomp-hook: only the hook and the command line; for engines, install the files of one version into one folder (docs/runtime.md)",
		}},
		{"a runtime that does not run", with(map[string]string{"/bin/runc": "#!/bin/sh\nexit 3\n"}), []string{
			"fail runtime @/bin/runc --version: exit status 3; reinstall it",
		}},
		{"crun named, runc there", with(map[string]string{"/bin/crun": version, "/config.toml": "real_runtime = \"crun\"\n"}), []string{
			"ok runtime @/bin/crun: crun version 1, used",
			"ok runtime @/bin/runc: runc version 1, not used unless named",
		}},
		{"half of the front", map[string]string{"/bin/runc": version, "/bin/seccomp-hook": "", "/bin/seccomp-runc": ""}, []string{
			"fail programs no seccomp-hook-runtime beside @/bin/seccomp-runc, which cannot start a container without it; install the files of one version into one folder (docs/runtime.md)",
		}},
		{"a default profile", with(map[string]string{"/config.toml": "default_profile = \"@/profile.json\"\nprofile_dirs = [\"@/none\"]\n", "/profile.json": `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}`}), []string{
			"note configuration @/none is not there: annotations can name no profile in it; make it, or take it out of profile_dirs",
			"ok configuration default profile @/profile.json: ",
		}},
		{"a default profile that is none", with(map[string]string{"/config.toml": "default_profile = \"@/profile.json\"\n", "/profile.json": "{"}), []string{
			"fail configuration default profile: spec: profile @/profile.json: ",
		}},
		{"a configuration that is none", with(map[string]string{"/config.toml": "colour = 1\n"}), []string{
			"fail configuration runtime: configuration @/config.toml: unknown key \"colour\"; mend it: seccomp-runc refuses every container until then",
		}},
		{"Docker that is not told", with(map[string]string{"/bin/dockerd": ""}), []string{
			"note docker @/bin/dockerd is not told to use seccomp-hook; add it to \"runtimes\" of /etc/docker/daemon.json (docs/runtime.md)",
		}},
		{"Docker", with(map[string]string{"/bin/dockerd": "", "/etc/docker/daemon.json": `{"runtimes": {"proved": {"path": "@/bin/seccomp-runc"}, "other": {"path": "/usr/bin/runsc"}}}`}), []string{
			"ok docker /etc/docker/daemon.json: runtimes.proved.path is @/bin/seccomp-runc",
		}},
		{"Docker, a program that is gone", with(map[string]string{"/etc/docker/daemon.json": `{"runtimes": {"proved": {"path": "/gone/seccomp-runc"}}}`}), []string{
			"fail docker /etc/docker/daemon.json: runtimes.proved.path is /gone/seccomp-runc, but there is no such program; install it there, or correct the file",
		}},
		{"Docker, a file that is no JSON", with(map[string]string{"/etc/docker/daemon.json": `{`}), []string{
			"note docker /etc/docker/daemon.json: unexpected end of JSON input",
		}},
		{"Podman, the last file", with(map[string]string{"/etc/containers/containers.conf.d/10.conf": "[engine]\nruntime = \"seccomp-runc\"\n[engine.runtimes]\nseccomp-runc = [\"@/bin/seccomp-runc\"]\n"}), []string{
			"ok podman /etc/containers/containers.conf.d/10.conf: engine.runtime is seccomp-runc",
			"ok podman /etc/containers/containers.conf.d/10.conf: engine.runtimes.seccomp-runc is @/bin/seccomp-runc",
		}},
		{"containerd without the shim", with(map[string]string{"/etc/containerd/config.toml": "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.seccomp]\nruntime_type = \"io.containerd.seccomp.v2\"\n"}), []string{
			"fail containerd /etc/containerd/config.toml: plugins.io.containerd.grpc.v1.cri.containerd.runtimes.seccomp.runtime_type is io.containerd.seccomp.v2, but there is no containerd-shim-seccomp-v2 on PATH; install it there, or correct the file",
		}},
		{"CRI-O", with(map[string]string{"/etc/crio/crio.conf.d/seccomp.conf": "[crio.runtime.runtimes.seccomp]\nruntime_path = \"@/bin/seccomp-runc\"\n"}), []string{
			"ok cri-o /etc/crio/crio.conf.d/seccomp.conf: crio.runtime.runtimes.seccomp.runtime_path is @/bin/seccomp-runc",
		}},
		{"a hook for all", with(map[string]string{"/etc/containers/oci/hooks.d/seccomp.json": `{"version": "1.0.0", "hook": {"path": "@/bin/seccomp-hook", "args": ["seccomp-hook", "createRuntime"]}, "stages": ["createRuntime"]}`}), []string{
			"ok hooks /etc/containers/oci/hooks.d/seccomp.json: hook.path is @/bin/seccomp-hook",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := host(t, test.files)
			findings := h.examineFiles(context.Background())
			var text bytes.Buffer
			if err := WriteText(&text, findings); err != nil {
				t.Fatal(err)
			}
			var lines []string
			for line := range strings.Lines(strings.ReplaceAll(text.String(), h.Root, "@")) {
				lines = append(lines, strings.Join(strings.Fields(line), " "))
			}
			for _, want := range test.want {
				if !slices.ContainsFunc(lines, func(line string) bool {
					return line == want || strings.HasSuffix(want, " ") && strings.HasPrefix(line, strings.TrimSuffix(want, " "))
				}) {
					t.Errorf("%q is not in\n%s", want, strings.Join(lines, "\n"))
				}
			}
			failing := slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == Fail })
			if want := slices.ContainsFunc(test.want, func(line string) bool { return strings.HasPrefix(line, "fail ") }); failing != want {
				t.Errorf("fails: %t, want %t\n%s", failing, want, strings.Join(lines, "\n"))
			}
		})
	}
}

// The folder of states must be its owner's alone.
func TestStateOfOthers(t *testing.T) {
	h := host(t, nil)
	if err := os.Mkdir(h.State, 0o711); err != nil {
		t.Fatal(err)
	}
	if f := h.state(context.Background()); f[0].Status != OK {
		t.Error(f)
	}
	if err := os.Chmod(h.State, 0o777); err != nil {
		t.Fatal(err)
	}
	if f := h.state(context.Background()); f[0].Status != Fail || f[0].Advice == "" {
		t.Error(f)
	}
}

// Every failure says what to do, on this very host too.
func TestHere(t *testing.T) {
	h, err := Here(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	findings := h.Examine(context.Background())
	if len(findings) < 9 {
		t.Errorf("only %v", findings)
	}
	for _, f := range findings {
		if f.Check == "" || f.Found == "" || strings.Contains(f.Found+f.Advice, "\n") {
			t.Errorf("%+v", f)
		}
	}
}
