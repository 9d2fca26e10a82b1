//go:build machine

package machine

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"seccomp-hook/test/integration"
)

var update = flag.Bool("update", false, "write what the machines say into docs/kernels.md")

// kernels are what Debian serves for x86_64: of its releases, and of the backports
// that are there at the moment.
var kernels = []machine{
	{arch: "amd64", kernel: "5.10", suite: "bullseye"},
	{arch: "amd64", kernel: "6.1", suite: "bookworm"},
	{arch: "amd64", kernel: "6.12", suite: "bookworm-backports"},
	{arch: "amd64", kernel: "6.18", suite: "trixie-backports"},
	{arch: "amd64", kernel: "6.19", suite: "trixie-backports"},
	{arch: "amd64", kernel: "7.0", suite: "trixie-backports"},
	{arch: "amd64", kernel: "7.1", suite: "trixie-backports"},
	{arch: "amd64", kernel: "7.2", suite: "trixie-backports"},
	{arch: "amd64", kernel: "7.3", suite: "trixie-backports"},
}

// TestKernels: what is said of each kernel is so, and containers are filtered.
func TestKernels(t *testing.T) {
	for _, m := range kernels {
		t.Run(m.kernel, func(t *testing.T) {
			m.run(t, 1200, suite{"test/integration", []string{"-random-filters", "50", "-test.run",
				"^(TestKernel.*|TestInspect|TestHookFilters|TestHook32Bit|TestHookNotify|TestRuntimeFirstInstruction)$"}})
		})
	}
}

// facts are a row of docs/kernels.md, as integration's TestKernelFacts logs it.
var facts = regexp.MustCompile(`facts: (\| [0-9.]+ \| [^ ]+ \|.*\|)`)

// compareFacts holds a machine's row against the one in docs/kernels.md.
func compareFacts(t *testing.T, output string) {
	t.Helper()
	match := facts.FindStringSubmatch(output)
	if match == nil {
		return // not asked
	}
	page := filepath.Join(integration.Root(t), "docs/kernels.md")
	text, err := os.ReadFile(page)
	must(t, err)
	row := match[1]
	key := strings.Join(strings.SplitAfterN(row, "|", 4)[:3], "") // kernel and architecture
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, key) {
			continue
		}
		if line == row {
			return
		}
		if *update {
			lines[i] = row
			must(t, os.WriteFile(page, []byte(strings.Join(lines, "\n")), 0o644))
			return
		}
		t.Errorf("docs/kernels.md has\n%s\nand the kernel says\n%s", line, row)
		return
	}
	t.Errorf("docs/kernels.md has no row\n%s", row)
}
