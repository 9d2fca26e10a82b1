//go:build machine

package machine

import "testing"

var arm64 = machine{arch: "arm64", kernel: "6.1", suite: "bookworm"}

// TestARM64 is the core of what must hold on arm64: a few minutes.
func TestARM64(t *testing.T) {
	arm64.run(t, 600,
		suite{"pkg/install", []string{"-test.run", "^(TestInstall|TestInstallerKilled|TestSelf)"}},
		suite{"test/integration", []string{"-random-filters", "300", "-test.run", "^(TestHookFilters|TestHook32Bit|TestHookBeforeTheFirstInstruction|TestRuntimeFirstInstruction|TestKernelDecides|TestKernelTables|TestKernelCachesHand)"}},
	)
}
