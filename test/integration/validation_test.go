//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// validationTimeout bounds a program of somebody else's validation, in seconds; the
// longest takes 17.
const validationTimeout = 120

// validationDiffers are the results that a plain runtime has and seccomp-runc cannot
// have, each with its reason.
var validationDiffers = map[string]string{
	`hooks_stdin: - the state of the container MUST be passed to "poststop" hook over stdin`: "the state's annotations have the product's beside the container's",
}

// TestRuntimeTools runs the OCI's validation of runtimes (runtime-tools, validation/),
// unchanged, against plain runc and against seccomp-runc before the same runc: each
// result that is good there is good here, and the programs end alike. All its containers
// have a profile, that of the validation's generator. It is a profile that the newest
// runc cannot start under, so Debian's is asked, and about cgroups only with -suite-all.
func TestRuntimeTools(t *testing.T) {
	programs := Tool(t, "runtime-tools")
	entries, err := os.ReadDir(programs)
	must(t, err)
	dir := t.TempDir() // where the programs look for what is in their containers
	module := strings.TrimSpace(MustCommand(t, "go", "-C", filepath.Join(Root(t), "hack/tools/runtime-tools"),
		"list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-tools").Stdout)
	copyProgram(t, filepath.Join(module, "rootfs-amd64.tar.gz"), filepath.Join(dir, "rootfs-amd64.tar.gz"))
	copyProgram(t, filepath.Join(programs, "runtimetest"), filepath.Join(dir, "runtimetest"))
	for _, e := range entries {
		name := e.Name()
		cgroups := strings.HasPrefix(name, "linux_cgroups_") // which share one
		if name == "runtimetest" || cgroups && !*suiteAll {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if !cgroups {
				t.Parallel()
			}
			compareValidation(t, name, RuncDebian(t), func(rt Runtime) *exec.Cmd {
				cmd := validation(filepath.Join(programs, name))
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "RUNTIME="+oneWord(t, rt))
				return cmd
			})
		})
	}
}

// crunRaces are the lines of crun's tests that name one which plain crun fails now and
// then: one wants a pid of five digits, the other a message within two seconds, which
// crun may pass on after thirty.
var crunRaces = regexp.MustCompile(`(?m)^ {4}"(exec_write_pid_file|sd-notify-proxy)" ?: .*\n`)

// TestCrunTests runs crun's own tests (tests/*.py) against plain crun and against
// seccomp-runc before it, with a default profile, so that each of its containers has a
// filter here.
func TestCrunTests(t *testing.T) {
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(Tool(t, "crun-tests"))))
	entries, err := os.ReadDir(filepath.Join(dir, "tests"))
	must(t, err)
	profiled := suite{dir: t.TempDir()}.profiled(t)
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), ".py")
		if !is || name == "tests_utils" {
			continue
		}
		file := filepath.Join(dir, "tests", e.Name())
		text, err := os.ReadFile(file)
		must(t, err)
		must(t, os.WriteFile(file, crunRaces.ReplaceAll(text, nil), 0o644))
		t.Run(name, func(t *testing.T) {
			compareValidation(t, name, Crun(t), func(rt Runtime) *exec.Cmd {
				// One namespace for all that a file does, with the cgroups that crun wants.
				python := Runtime{Argv: []string{"/usr/bin/python3"}, unified: rt.unified}
				cmd := validation(python.Command(file)...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), profiled, "INIT="+filepath.Join(dir, "tests/init"), "OCI_RUNTIME="+oneWord(t, rt))
				return cmd
			})
		})
	}
}

// compareValidation runs what validates a runtime, which writes TAP, against the plain
// one and against seccomp-runc before it.
func compareValidation(t *testing.T, name string, plain Runtime, validation func(rt Runtime) *exec.Cmd) {
	good := regexp.MustCompile(`^ok \d+ (.*)$`)
	validate := func(rt Runtime) (r Result, names []string) {
		r = run(t, validation(rt))
		for line := range strings.Lines(r.Stdout) {
			if m := good.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				names = append(names, m[1])
			}
		}
		return r, names
	}
	want, goodThere := validate(plain)
	got, goodHere := validate(front(t, plain))
	if got.Code != want.Code {
		t.Errorf("%s: %s\nseccomp-runc: %s", plain.Name, want, got)
	}
	for _, result := range goodThere {
		at := slices.Index(goodHere, result)
		if reason := validationDiffers[name+": "+result]; (at < 0) != (reason != "") {
			t.Errorf("%s: listed as different: %q\n%s", result, reason, got)
		} else if at >= 0 {
			goodHere = slices.Delete(goodHere, at, at+1)
		}
	}
}

// validation is a command in a mount namespace of its own: what shares mounts leaves
// some behind.
func validation(argv ...string) *exec.Cmd {
	return exec.Command("timeout", append([]string{"--kill-after=5", fmt.Sprint(validationTimeout), "unshare", "--mount", "--propagation", "private"}, argv...)...)
}

// oneWord makes a program of a runtime's command line.
func oneWord(t *testing.T, rt Runtime) string {
	script := filepath.Join(t.TempDir(), "runtime")
	must(t, os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nexec %s \"$@\"\n", strings.Join(rt.Argv, " ")), 0o755))
	return script
}
