//go:build machine

package machine

import (
	"flag"
	"testing"
)

var whole = flag.Bool("whole", false, "run all tests in the machine, not only the core of them")

var arm64 = machine{arch: "arm64", kernel: "6.1", suite: "bookworm"}

// TestARM64 is what must hold on arm64; without -whole the core of it.
func TestARM64(t *testing.T) {
	if *whole {
		arm64.run(t, 3000,
			suite{"pkg/install", []string{"-test.skip", "Dispatch"}},
			suite{"pkg/install/live", nil},
			suite{"test/integration", []string{"-random-filters", "300", "-test.skip", "Dispatch|Containerd|Engine|RuncSuite|^TestFaults$|Lint"}},
		)
		return
	}
	arm64.run(t, 1200,
		suite{"pkg/install", []string{"-test.run", "^(TestSuspend|TestInstallerKilled|TestSelf|TestInterruptedCalls)$"}},
		suite{"test/integration", []string{"-random-filters", "300", "-test.run",
			"^(TestKernelFacts|TestKernelDecidesAsPredicted|TestHook32Bit)$"}},
	)
}
