package verify

import (
	"fmt"
	"strings"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Outcome is the answer of a comparison.
type Outcome uint8

// The answers. The zero value is Undecided, so that a Result nobody filled in
// never reads as a proof.
const (
	// Undecided: the budget ran out (Budget); nothing is known.
	Undecided Outcome = iota
	// Equal: both sides return the same value for every input. It is a proof.
	Equal
	// Different: the Witness is a call for which they do not.
	Different
)

func (o Outcome) String() string {
	switch o {
	case Equal:
		return "equal"
	case Different:
		return "different"
	default:
		return "undecided"
	}
}

// Result is what a comparison found.
type Result struct {
	Outcome Outcome
	Witness *Witness // where they differ; nil unless Outcome is Different
	At      *Calls   // where the budget ran out, if that can be told; nil unless Outcome is Undecided
	Effort  Effort
}

// Effort is what a comparison took, in units that do not depend on the
// machine (see Budget).
type Effort struct {
	Nodes int // nodes of the decision diagrams
	Steps int // recursion steps on them
}

// String is one line: "equal", "undecided", with the calls that it is about where
// they are known, or "different: " and the witness.
func (r Result) String() string {
	if r.Witness != nil {
		return r.Outcome.String() + ": " + r.Witness.String()
	}
	if r.At != nil {
		return r.Outcome.String() + " for " + r.At.String()
	}
	return r.Outcome.String()
}

// Witness is one call that the two sides treat differently. Both verdicts were
// confirmed by evaluating the call concretely on each side.
type Witness struct {
	Call          bpf.Data
	First, Second Verdict
}

// Verdict is what one side returns for the witness.
type Verdict struct {
	Return bpf.Return
	// Rule is the rule that decided, where the side is a policy and a rule of
	// it did: nil for a program, a default and an unlisted architecture.
	Rule *spec.Rule
}

// String gives the call and both verdicts: "nr=41 arch=0xc000003e
// args=[0x28 0x0 0x0 0x0 0x0 0x0]: first ALLOW, second ERRNO(1)".
func (w *Witness) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "nr=%d arch=%#x", w.Call.Nr, w.Call.Arch)
	if w.Call.IP != 0 {
		fmt.Fprintf(&b, " ip=%#x", w.Call.IP)
	}
	fmt.Fprintf(&b, " args=%#x: first %s, second %s", w.Call.Args, w.First, w.Second)
	return b.String()
}

// String is the return value and, in parentheses, the profile rule behind it.
func (v Verdict) String() string {
	if v.Rule != nil {
		return fmt.Sprintf("%s (%s)", v.Return, v.Rule.Place())
	}
	return v.Return.String()
}
