package spec

import (
	"errors"
	"fmt"
)

// WarningKind says what a warning is about.
type WarningKind uint8

// The kinds.
const (
	// WarnProperty is a property that the profile's form does not have. The
	// OCI spec says to ignore it.
	WarnProperty WarningKind = iota
	// WarnName is a call that no architecture has: the rule is ignored for it.
	WarnName
	// WarnErrno is an errnoRet with an action that takes none: runc ignores it.
	WarnErrno
	// WarnAlwaysTrue is a rule that repeats an argument, which makes its
	// conditions alternatives, and they cover everything (CVE-2026-31431).
	WarnAlwaysTrue
	// WarnOverlap is two rules with different actions that apply to the same
	// call, where the later one wins.
	WarnOverlap
	// WarnTruncated is a comparison of an argument that the kernel cuts to 32
	// bits after the filter saw 64, where setting a high bit gives a milder
	// action.
	WarnTruncated
)

var warningNames = [...]string{
	WarnProperty:   "unknown-property",
	WarnName:       "unknown-syscall",
	WarnErrno:      "errno-ignored",
	WarnAlwaysTrue: "always-true",
	WarnOverlap:    "overlap",
	WarnTruncated:  "truncated-argument",
}

func (k WarningKind) String() string { return warningNames[k] }

// Warning is something in a profile that has a meaning, but likely not the one
// that its author had in mind.
type Warning struct {
	Kind WarningKind
	// Rule is the index in the profile's syscalls list, -1 where the warning
	// is not about a rule.
	Rule int
	Text string
}

func (w Warning) String() string {
	if w.Rule >= 0 {
		return fmt.Sprintf("%s: rule %d: %s", w.Kind, w.Rule, w.Text)
	}
	return fmt.Sprintf("%s: %s", w.Kind, w.Text)
}

// Warnings is a list of warnings, in the profile's order.
type Warnings []Warning

// ErrStrict is in the error of Strict.
var ErrStrict = errors.New("not allowed under strict")

// Strict returns an error for the first warning that strict mode does not
// allow: unknown properties and calls, and an errnoRet that is ignored.
func (w Warnings) Strict() error {
	for _, one := range w {
		switch one.Kind {
		case WarnProperty, WarnName, WarnErrno:
			return fmt.Errorf("spec: %w: %s", ErrStrict, one)
		}
	}
	return nil
}

func (w *Warnings) add(kind WarningKind, rule int, format string, args ...any) {
	*w = append(*w, Warning{Kind: kind, Rule: rule, Text: fmt.Sprintf(format, args...)})
}
