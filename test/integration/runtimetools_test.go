//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// toolsTimeout bounds one of the validation's programs, in seconds; the longest takes 17.
const toolsTimeout = 120

// toolsDiffer are the results of the validation that plain runc has and seccomp-runc
// cannot have, each with its reason.
var toolsDiffer = map[string]string{
	`hooks_stdin: - the state of the container MUST be passed to "poststop" hook over stdin`: "the state's annotations have the product's beside the container's",
}

// TestRuntimeTools runs the OCI's validation of runtimes (runtime-tools, validation/),
// unchanged, against plain runc and against seccomp-runc before the same runc: each
// result that is good there is good here, and the programs end alike. All its containers
// have a profile, that of the validation's generator. It is a profile that the newest
// runc cannot start under, so by default Debian's is asked, and not about cgroups.
func TestRuntimeTools(t *testing.T) {
	programs := Tool(t, "runtime-tools")
	entries, err := os.ReadDir(programs)
	must(t, err)
	dir := t.TempDir() // where the programs look for what is in their containers
	module := strings.TrimSpace(MustCommand(t, "go", "-C", filepath.Join(Root(t), "hack/tools/runtime-tools"),
		"list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-tools").Stdout)
	copyProgram(t, filepath.Join(module, "rootfs-amd64.tar.gz"), filepath.Join(dir, "rootfs-amd64.tar.gz"))
	copyProgram(t, filepath.Join(programs, "runtimetest"), filepath.Join(dir, "runtimetest"))
	plain, ours := RuncDebian(t), front(t, RuncDebian(t))
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
			validate := func(rt Runtime) (r Result, good []string) {
				r = run(t, validation(t, filepath.Join(programs, name), dir, rt))
				for line := range strings.Lines(r.Stdout) {
					if m := tapLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil && m[1] == "ok" {
						good = append(good, m[2])
					}
				}
				return r, good
			}
			want, goodThere := validate(plain)
			got, goodHere := validate(ours)
			if got.Code != want.Code {
				t.Errorf("%s: %s\n%s: %s", plain.Name, want, ours.Name, got)
			}
			for _, result := range goodThere {
				at := slices.Index(goodHere, result)
				if reason := toolsDiffer[name+": "+result]; (at < 0) != (reason != "") {
					t.Errorf("%s: listed as different: %q\n%s", result, reason, got)
				} else if at >= 0 {
					goodHere = slices.Delete(goodHere, at, at+1)
				}
			}
		})
	}
}

// validation is a program of the validation with a runtime, for which it wants one word,
// and in a mount namespace of its own: what shares mounts leaves some behind.
func validation(t *testing.T, program, dir string, rt Runtime) *exec.Cmd {
	runtime := filepath.Join(t.TempDir(), "runtime")
	must(t, os.WriteFile(runtime, fmt.Appendf(nil, "#!/bin/sh\nexec %s \"$@\"\n", strings.Join(rt.Argv, " ")), 0o755))
	cmd := exec.Command("timeout", "--kill-after=5", fmt.Sprint(toolsTimeout), "unshare", "--mount", "--propagation", "private", program)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "RUNTIME="+runtime)
	return cmd
}
