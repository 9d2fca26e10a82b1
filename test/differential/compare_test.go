//go:build libseccomp

package differential

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
	"seccomp-hook/pkg/verify"
)

// fault is a way in which libseccomp gets a profile wrong.
type fault string

const (
	faultNone fault = ""
	// faultHangs: it does not come back.
	faultHangs fault = "hangs"
	// faultProgram: the program tests another word than the listing says.
	faultProgram fault = "program"
	// faultBranches: the tree shows a rule where its own conditions were not
	// tested, because branches share what follows them.
	faultBranches fault = "shared branches"
	// faultLost: a rule that is the only one to apply has no effect.
	faultLost fault = "lost rule"
)

// comparison is one profile on both sides.
type comparison struct {
	rules
	policy  *spec.Policy
	program bpf.Program
	listing listing
}

// outcome is what a comparison came to.
type outcome struct {
	conflict bool  // both refuse the profile
	proved   bool  // equal for every input
	fault    fault // of the proof's witness, where not
}

// allFaults are what rules of any shape can meet.
var allFaults = []fault{faultHangs, faultProgram, faultBranches, faultLost}

// compare holds the two sides of an object together. It fails the test on a
// difference that is none of the given faults of libseccomp's. What shows a
// fault of libseccomp's is neither printed nor kept: a profile that is drawn at
// random has a seed, one that is written has a name.
func compare(t *testing.T, object *specs.LinuxSeccomp, native *arch.Arch, faults ...fault) outcome {
	t.Helper()
	answer, err := ask(t, object, native)
	if err != nil {
		c := comparison{rules: *newRules(object, native)}
		if !slices.Contains(faults, faultHangs) || !errors.Is(err, errHangs) || !c.sharesBranches() {
			t.Fatal(err)
		}
		return outcome{fault: faultHangs}
	}
	var conflict *spec.ConflictError
	switch _, err := resolve(t, object, native); {
	case errors.As(err, &conflict) && answer.Conflict:
		return outcome{conflict: true}
	case err != nil || answer.Error != "":
		t.Fatalf("ours: %v\nlibseccomp: %s\n%s", err, answer.Error, text(object))
	}

	policy, program := ours(t, object, native)
	c := &comparison{rules: *newRules(object, native), policy: policy, program: answer.Program, listing: newListing(answer.Listing)}
	r, err := verify.Programs(program, c.program, native.Endian)
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, text(object))
	case r.Outcome == verify.Undecided:
		t.Fatalf("undecided\n%s", text(object))
	case r.Outcome == verify.Equal:
		return outcome{proved: true}
	}
	met := c.sample(t)
	o := outcome{fault: c.fault(t, &r.Witness.Call)}
	met[o.fault]++
	for f := range met {
		if !slices.Contains(faults, f) {
			t.Fatalf("libseccomp errs where it should not: %s", f)
		}
	}
	return o
}

// sample checks calls of the profile one by one.
func (c *comparison) sample(t *testing.T) map[fault]int {
	t.Helper()
	p, err := spec.Parse([]byte(text(c.object)), "test")
	if err != nil {
		t.Fatal(err)
	}
	count := map[fault]int{}
	r := rand.New(rand.NewPCG(1, 2))
	s := spectest.NewSampler(p, c.archs)
	for range 500 {
		d := s.Call(r)
		if f := c.fault(t, &d); f != faultNone {
			count[f]++
		}
	}
	return count
}

// fault compares the two sides for one call and says what libseccomp gets
// wrong, if anything.
func (c *comparison) fault(t *testing.T, d *bpf.Data) fault {
	t.Helper()
	words := d.Words(c.policy.Endian)
	theirs, err := c.program.Run(&words)
	if err != nil {
		t.Fatal(err)
	}
	ours := c.policy.Evaluate(d)
	possible := c.verdicts(d)
	if !slices.Contains(possible, ours) {
		t.Fatalf("%s: ours is %v, the rules say %v\n%s\n%v", call(d), ours, possible, text(c.object), c.policy)
	}
	if ours == theirs {
		return faultNone
	}
	listed, ok := c.listing.verdict(d)
	if !ok {
		listed = value(c.object.DefaultAction, c.object.DefaultErrnoRet)
	}
	switch {
	case listed != theirs:
		return faultProgram
	case c.sharesBranches():
		return faultBranches
	case !slices.Contains(possible, theirs) && !ok:
		return faultLost
	}
	t.Fatalf("ours is %v, libseccomp's %v, and so its listing; the rules say %v", ours, theirs, possible)
	return faultNone
}

// sharesBranches reports whether the profile has a rule with which libseccomp's
// tree of 64-bit tests can mix others up: one that goes on to a further
// argument after a test that several outcomes meet.
func (c *comparison) sharesBranches() bool {
	if !slices.ContainsFunc(c.archs, func(a *arch.Arch) bool { return a.Bits == 64 }) {
		return false
	}
	for _, rule := range c.object.Syscalls {
		highest := uint(0)
		for _, a := range rule.Args {
			highest = max(highest, a.Index)
		}
		for _, a := range rule.Args {
			if a.Index < highest && a.Op != specs.OpEqualTo && a.Op != specs.OpMaskedEqual {
				return true
			}
		}
	}
	return false
}

// tally counts outcomes.
type tally struct {
	conflicts, proved int
	faults            map[fault]int
}

func (n *tally) add(o outcome) {
	switch {
	case o.conflict:
		n.conflicts++
	case o.proved:
		n.proved++
	default:
		if n.faults == nil {
			n.faults = map[fault]int{}
		}
		n.faults[o.fault]++
	}
}

func (n tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d proved equal, %d refused by both", n.proved, n.conflicts)
	for _, f := range slices.Sorted(maps.Keys(n.faults)) {
		fmt.Fprintf(&b, ", %d with libseccomp's fault %q", n.faults[f], f)
	}
	return b.String()
}
