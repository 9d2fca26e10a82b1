package runtime

import "fmt"

// Step is one step of a container's creation, or of an exec, in one of the
// three processes that take part: the wrapper, which becomes the runtime, the
// attendant, and the hook that announces init. Each can be killed or stopped at the
// beginning of each of its steps. pkg/install has the steps of the
// installation itself, which happen in the attendant.
type Step uint8

// The steps.
const (
	StepPrepare  Step = iota + 1 // wrapper: read the command line and the configuration
	StepLock                     // wrapper: lock the bundle and read config.json
	StepDecide                   // wrapper: choose the profile and get the filter
	StepAttend                   // wrapper: start the attendant
	StepReplace                  // wrapper: put the edited config.json in the place of the bundle's
	StepBecome                   // wrapper: execute the real runtime
	StepAwait                    // attendant: wait for the hook, or the runtime's end
	StepAnnounce                 // hook: tell the attendant which process init is
	StepGiveBack                 // attendant: give the bundle its own config.json back
	StepInstall                  // attendant: install the filter
	StepFinish                   // attendant: publish, hand the listener over
	StepAnswer                   // attendant: let the hook return
	StepReturn                   // hook: return
	StepLeave                    // attendant: init has executed the container's program
	StepIdentify                 // wrapper, exec: find the container's init and its filter
	StepFollow                   // wrapper: attach the filter to itself, suspended
	StepReady                    // wrapper: find the ready filter, or have it made
	stepEnd
)

var stepNames = [...]string{
	StepPrepare:  "prepare",
	StepLock:     "lock the bundle",
	StepDecide:   "decide on the filter",
	StepAttend:   "start the attendant",
	StepReplace:  "replace config.json",
	StepBecome:   "become the runtime",
	StepAwait:    "await the hook",
	StepAnnounce: "announce init",
	StepGiveBack: "give config.json back",
	StepInstall:  "install the filter",
	StepFinish:   "finish the installation",
	StepAnswer:   "answer the hook",
	StepReturn:   "return from the hook",
	StepLeave:    "leave the container",
	StepIdentify: "identify the container",
	StepFollow:   "follow the exec",
	StepReady:    "find the ready filter",
}

func (s Step) String() string {
	if int(s) < len(stepNames) && stepNames[s] != "" {
		return stepNames[s]
	}
	return fmt.Sprintf("Step(%d)", uint8(s))
}

// LastStep is the last step, for tests that go through them all.
const LastStep = stepEnd - 1

// at is called at the beginning of every step. It does nothing, except in
// builds with the tag faults, where it can kill or stop the process.
var at = func(Step) {}

// faultVariables are the environment variables that say where; the attendant
// and the hook have no other environment. See fault.go.
var faultVariables = func() []string { return nil }
