//go:build machine

package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"seccomp-hook/test/integration"
)

// served returns a machine for each series of kernels that Debian serves for x86_64: of its
// releases, and of the backports that are there at the moment.
func served(t *testing.T) (list []machine) {
	t.Helper()
	cmd := exec.Command(filepath.Join(integration.Root(t), "hack/vm.sh"), "--arch", "amd64", "--kernels")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	must(t, err)
	for line := range strings.Lines(string(out)) {
		series, suite, _ := strings.Cut(strings.TrimSpace(line), " ")
		list = append(list, machine{arch: "amd64", kernel: series, suite: suite})
	}
	if len(list) == 0 {
		t.Fatal("Debian serves no kernels")
	}
	return list
}

// TestKernels: what is said of each kernel is so, containers are filtered there
// under runc and crun, by the hook and by seccomp-runc, and so are their execs.
func TestKernels(t *testing.T) {
	for _, m := range served(t) {
		t.Run(m.kernel, func(t *testing.T) {
			m.run(t, 2400, suite{"test/integration", []string{"-random-filters", "50", "-test.run", strings.Join([]string{
				"^TestKernel|^TestInspect|^TestWatchCounts$|^TestHook32Bit$",
				"^TestHookFilters$/^(runc-1.5|crun-1.8)$/^createRuntime$/^uid1000$",
				"^TestRuntimeLife$/^(runc-1.5|crun-1.8)$/^uid1000$/^nnp-false$",
				"^(TestHookNotify|TestHookDispatch)$/^runc-1.5$",
			}, "|")}})
		})
	}
}
