//go:build linux

package front

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/runtime"
)

// steps are those of both packages, by the front's names.
var steps = map[string]int{
	"STEP_PREPARE":   int(runtime.StepPrepare),
	"STEP_LOCK":      int(runtime.StepLock),
	"STEP_DECIDE":    int(runtime.StepDecide),
	"STEP_ATTEND":    int(runtime.StepAttend),
	"STEP_REPLACE":   int(runtime.StepReplace),
	"STEP_BECOME":    int(runtime.StepBecome),
	"STEP_AWAIT":     int(runtime.StepAwait),
	"STEP_ANNOUNCE":  int(runtime.StepAnnounce),
	"STEP_GIVE_BACK": int(runtime.StepGiveBack),
	"STEP_INSTALL":   int(runtime.StepInstall),
	"STEP_FINISH":    int(runtime.StepFinish),
	"STEP_ANSWER":    int(runtime.StepAnswer),
	"STEP_RETURN":    int(runtime.StepReturn),
	"STEP_LEAVE":     int(runtime.StepLeave),
	"STEP_IDENTIFY":  int(runtime.StepIdentify),
	"STEP_FOLLOW":    int(runtime.StepFollow),
	"STEP_READY":     int(runtime.StepReady),

	"INSTALL_START":    int(install.StepStart),
	"INSTALL_REQUEST":  int(install.StepRequest),
	"INSTALL_IDENTIFY": int(install.StepIdentify),
	"INSTALL_SEIZE":    int(install.StepSeize),
	"INSTALL_CONFIRM":  int(install.StepConfirm),
	"INSTALL_PROBE":    int(install.StepProbe),
	"INSTALL_STOP":     int(install.StepStop),
	"INSTALL_MAP":      int(install.StepMap),
	"INSTALL_WRITE":    int(install.StepWrite),
	"INSTALL_ATTACH":   int(install.StepAttach),
	"INSTALL_UNMAP":    int(install.StepUnmap),
	"INSTALL_LISTENER": int(install.StepListener),
	"INSTALL_RESTORE":  int(install.StepRestore),
	"INSTALL_VERIFY":   int(install.StepVerify),
	"INSTALL_REPORT":   int(install.StepReport),
	"INSTALL_WAIT":     int(install.StepWait),
	"INSTALL_EXEC":     int(install.StepExec),
	"INSTALL_DISPATCH": int(install.StepDispatch),
	"INSTALL_RELEASE":  int(install.StepRelease),
}

// TestSteps: a step of the front has the number that pkg/runtime or pkg/install
// gives it, or the tests of faults would disturb another one than they say.
func TestSteps(t *testing.T) {
	header, err := os.ReadFile("../../cmd/seccomp-runc/steps.h")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\t(\w+) = (\d+),$`).FindAllStringSubmatch(string(header), -1)
	for _, step := range found {
		want, known := steps[step[1]]
		if got, _ := strconv.Atoi(step[2]); !known || got != want {
			t.Errorf("%s is %s, want %d", step[1], step[2], want)
		}
	}
	if constants := regexp.MustCompile(`\b(?:STEP|INSTALL)_\w+`).FindAll(header, -1); len(found) == 0 || len(constants) != len(found) {
		t.Errorf("%d of the header's %d steps were read", len(found), len(constants))
	}
}
