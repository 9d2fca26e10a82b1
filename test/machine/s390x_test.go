//go:build machine

package machine

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"seccomp-hook/test/integration"
)

// TestS390X holds interpreter, chain and cache against a big-endian kernel. Filters
// are not installed into containers there (install.ErrUnsupported).
func TestS390X(t *testing.T) {
	m := machine{arch: "s390x", kernel: "6.1", suite: "bookworm"}
	m.run(t, 2400,
		suite{"test/integration", []string{"-random-filters", "300", "-test.run", "^TestKernel", "-test.skip", "^TestKernelCaches"}}, // without BTF nothing reads the cache
		// What qemu-user cannot run: openat2(2), a test that executes itself.
		suite{"pkg/filter", []string{"-test.short"}},
	)
}

// TestS390XPackages runs the packages' own tests as programs of a big-endian machine,
// without a kernel of it: compiler, proof and interpreter.
func TestS390XPackages(t *testing.T) {
	cmd := exec.Command("go", "test", "-short", "-exec", "qemu-s390x-static",
		"./pkg/arch", "./pkg/bpf/...", "./pkg/compile", "./pkg/decompile", "./pkg/explain", "./pkg/lint", "./pkg/precompute", "./pkg/simplify", "./pkg/spec", "./pkg/verify")
	cmd.Dir = integration.Root(t)
	cmd.Env = append(os.Environ(), "GOARCH=s390x", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "no tests to run") {
		t.Errorf("%v\n%s", err, out)
	}
}
