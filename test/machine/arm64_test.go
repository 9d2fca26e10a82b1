//go:build machine

package machine

import (
	"flag"
	"strings"
	"testing"
)

var whole = flag.Bool("whole", false, "run all tests in the machine, not only the core of them")

var arm64 = machine{arch: "arm64", kernel: "6.1", suite: "bookworm"}

// TestARM64 is what must hold on arm64; without -whole the core of it.
func TestARM64(t *testing.T) {
	if *whole {
		arm64.run(t, 5400,
			suite{"pkg/install", []string{"-test.skip", "Dispatch"}},
			suite{"pkg/install/live", nil},
			suite{"test/integration", []string{"-random-filters", "300", "-test.run", "^(" + strings.Join([]string{
				// The kernel, against what is predicted of it.
				"TestKernel.*", "TestInspect.*",
				// The hook: every runtime, both stages, noNewPrivileges both ways.
				"TestHookFilters", "TestHookBeforeTheFirstInstruction", "TestHook32Bit", "TestHookPublishes", "TestHookUserNamespace",
				"TestHookNotify", "TestHookInstallerKilled",
				// seccomp-runc: every runtime, with execs.
				"TestRuntimeLife", "TestRuntimeFirstInstruction", "TestRuntimeNotify", "TestInstallExec.*",
			}, "|") + ")$"}},
		)
		return
	}
	arm64.run(t, 1200,
		suite{"pkg/install", []string{"-test.run", "^(TestSuspend|TestInstallerKilled|TestSelf|TestInterruptedCalls)$"}},
		suite{"test/integration", []string{"-random-filters", "300", "-test.run",
			"^(TestKernelFacts|TestKernelDecidesAsPredicted|TestHook32Bit)$"}},
	)
}
