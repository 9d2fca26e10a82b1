package spec

import "fmt"

// work is what is left to do of the most that libseccomp's trees may take for
// one policy, in tests that are looked at. It is counted so that a profile has a
// policy or not, whatever machine it is on.
//
// To put a rule in its place, libseccomp looks at all tests that are there. So
// do a few shapes of rules here, and only they come to the end of it.
type work struct {
	left      int
	gathering int // for what may as well be left undone (argTree.gather)
}

const (
	maxWork = 1 << 25
	// workOfTest is that of making a test. Of tests that are only moved, or
	// passed without a look below them, several are as fast as one.
	workOfTest   = 16
	testsMoved   = 64
	testsSkipped = 4
	// fewTests are passed one by one sooner than by a search for what comes
	// behind them.
	fewTests = 16
)

// maxTests is how many tests one tree may have. A condition of a rule is one
// instruction at least of libseccomp's program, and the six that a rule can have
// are at most 189 tests: a program of 4,096 instructions has 129,024.
const maxTests = 1 << 17

func newWork() *work { return &work{left: maxWork, gathering: gathering} }

func (w *work) spend(n int) { w.left -= n }

var errTooManyTogether = fmt.Errorf("%w on the arguments of one call", ErrTooMany)
