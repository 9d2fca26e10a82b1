//go:build faults

package runtime

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/deadline"
)

// In a build with the tag faults, SECCOMP_HOOK_RUNTIME_FAULT in the wrapper's
// environment is "STEP SIGNAL", both as numbers: the process that comes to the
// step sends itself the signal at its beginning. SECCOMP_HOOK_FAULT is the
// same for the steps of pkg/install, in the attendant.
const (
	faultVariable        = "SECCOMP_HOOK_RUNTIME_FAULT"
	installFaultVariable = "SECCOMP_HOOK_FAULT"
)

func init() {
	faultVariables = func() []string {
		return []string{
			faultVariable + "=" + os.Getenv(faultVariable),
			installFaultVariable + "=" + os.Getenv(installFaultVariable),
			deadline.LimitVariable + "=" + os.Getenv(deadline.LimitVariable),
		}
	}
	at = func(step Step) {
		var when Step
		var signal int
		if _, err := fmt.Sscan(os.Getenv(faultVariable), &when, &signal); err == nil && when == step {
			// To this thread: of a signal for the process, another thread may take
			// notice, and this one may have executed the runtime before it stops.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.Signal(signal))
		}
	}
}
