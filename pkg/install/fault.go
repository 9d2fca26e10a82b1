//go:build linux && faults

package install

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/deadline"
)

// In a build with the tag faults, SECCOMP_HOOK_FAULT in the hook's environment
// is "STEP SIGNAL", both as numbers: the installer sends itself the signal at
// the beginning of the step.
func init() {
	inherited = func() []string {
		return []string{
			faultVariable + "=" + os.Getenv(faultVariable),
			deadline.LimitVariable + "=" + os.Getenv(deadline.LimitVariable),
		}
	}
	fault = func(step Step) {
		var at Step
		var signal int
		if _, err := fmt.Sscan(os.Getenv(faultVariable), &at, &signal); err == nil && at == step {
			// To this thread, because another one may take notice later.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.Signal(signal))
		}
	}
}
