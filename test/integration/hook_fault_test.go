//go:build integration

package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install"
)

// faultyHook returns the product's binary with the fault points of pkg/install
// in it.
func faultyHook(t *testing.T) string {
	t.Helper()
	return filepath.Join(faultyPrograms(t), "seccomp-hook")
}

// TestHookInstallerKilled kills the installer at each of its steps. Then the
// container is not created, or its program, whose first instruction is a
// denied call, gets the profile's errno. It never runs unfiltered.
func TestHookInstallerKilled(t *testing.T) {
	program := faultyHook(t)
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		outcomes := map[string]int{}
		for step := install.StepStart; step <= install.LastStep; step++ {
			t.Run(fmt.Sprintf("%d %s", step, step), func(t *testing.T) {
				h := newHooked(t, "", "deny.json", WithVictim(First(nrUnshare)))
				h.register(program, "createRuntime")
				h.hooks().CreateRuntime[0].Env = []string{fmt.Sprintf("SECCOMP_HOOK_FAULT=%d %d", step, unix.SIGKILL)}
				got := h.Run(rt)
				switch {
				case got.Code == denyErrno:
					outcomes["filtered"]++
				case got.Code == 0:
					t.Errorf("the program ran unfiltered: %s\n%s", got, h.logged())
				case step <= install.StepReport && step != install.StepListener && !strings.Contains(got.Stderr+h.logged(), install.ErrLost.Error()): // crun keeps a hook's output to itself
					t.Errorf("the error does not say what happened: %s\n%s", got, h.logged())
				default:
					outcomes["not created"]++
				}
			})
		}
		t.Log(outcomes)
		if outcomes["filtered"] == 0 || outcomes["not created"] < int(install.StepReport)/2 {
			t.Errorf("the faults did not take place: %v", outcomes)
		}
	})
}
