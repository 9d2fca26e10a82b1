//go:build linux

package install

import "fmt"

// Step is one step of an installation into another process, in the order in
// which they happen. The installer can be killed or stopped at the beginning
// of each: doc.go says what then becomes of the container.
type Step uint8

// The steps.
const (
	StepStart    Step = iota + 1 // the installer has been started
	StepRequest                  // read the request
	StepIdentify                 // check who the process is
	StepSeize                    // seize every thread, with seccomp suspended
	StepConfirm                  // check again who the process is, now that it cannot get away
	StepProbe                    // ask the kernel for the dispatch, where there is to be one
	StepStop                     // stop one thread
	StepMap                      // inject mmap(2)
	StepWrite                    // write the program
	StepAttach                   // inject seccomp(2)
	StepUnmap                    // inject munmap(2)
	StepListener                 // take the listener, inject close(2)
	StepRestore                  // put registers and signal mask back
	StepVerify                   // read back what every thread has
	StepReport                   // tell the hook
	StepWait                     // wait for the exec
	StepExec                     // the exec has happened
	StepDispatch                 // arm the dispatch, where there is to be one
	StepRelease                  // let go: the filter is live
	stepEnd
)

var stepNames = [...]string{
	StepStart:    "start the installer",
	StepRequest:  "read the request",
	StepIdentify: "identify the process",
	StepSeize:    "seize the threads",
	StepConfirm:  "confirm the process",
	StepProbe:    "probe the dispatch",
	StepStop:     "stop a thread",
	StepMap:      "map memory",
	StepWrite:    "write the program",
	StepAttach:   "attach the filter",
	StepUnmap:    "unmap memory",
	StepListener: "take the listener",
	StepRestore:  "restore the thread",
	StepVerify:   "verify the filter",
	StepReport:   "report",
	StepWait:     "wait for the exec",
	StepExec:     "handle the exec",
	StepDispatch: "arm the dispatch",
	StepRelease:  "release",
}

func (s Step) String() string {
	if int(s) < len(stepNames) && stepNames[s] != "" {
		return stepNames[s]
	}
	return fmt.Sprintf("Step(%d)", uint8(s))
}

// LastStep is the last step, for tests that go through them all.
const LastStep = stepEnd - 1

// fault is called at the beginning of every step. It does nothing, except in
// tests and in builds with the tag faults (fault.go), where it can kill or
// stop the installer there.
var fault = func(Step) {}

// faultVariable is the environment variable that says what fault does. An
// installer has no other environment than Command.Env; in a build with the tag
// faults it inherits this one.
const faultVariable = "SECCOMP_HOOK_FAULT"

// inherited returns the environment that an installer has beside Command.Env.
var inherited = func() []string { return nil }
