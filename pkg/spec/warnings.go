package spec

import (
	"errors"
	"fmt"
	"slices"
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
	// WarnCapability is a capability in includes or excludes that Linux does not
	// have: a rule that includes it never counts.
	WarnCapability
	// WarnArch is an architecture in includes or excludes that moby does not
	// call so, or in an archMap that OCI does not.
	WarnArch
	// WarnErrno is an errnoRet with an action that takes none: runc ignores it.
	WarnErrno
	// WarnKernel is a minKernel with a third number, which counts without it.
	// Moby refuses it.
	WarnKernel
)

const kindsOfWarnings = int(WarnKernel) + 1

var warningNames = [...]string{
	WarnProperty:   "unknown-property",
	WarnName:       "unknown-syscall",
	WarnCapability: "unknown-capability",
	WarnArch:       "unknown-architecture",
	WarnErrno:      "errno-ignored",
	WarnKernel:     "kernel-version",
}

func (k WarningKind) String() string { return warningNames[k] }

// Warning is something in a profile that is ignored, and likely should not be.
// What else a profile may not mean as its author had in mind is pkg/lint's.
type Warning struct {
	Kind WarningKind
	// Rule is the index in the profile's syscalls list, -1 where the warning
	// is not about a rule.
	Rule int
	// Path is the place in the seccomp object: "syscalls[3].names[0]".
	Path string
	Text string
	// Source says which of a policy's profiles the warning is about (Stricter).
	Source int
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
// allow, which is every kind there is.
func (w Warnings) Strict() error {
	if len(w) == 0 {
		return nil
	}
	return fmt.Errorf("spec: %w: %s", ErrStrict, w[0])
}

// mostWarnings is how many warnings of one kind there are before they are but
// counted: some megabytes of profile can give reason for a million.
const mostWarnings = 64

// warn adds a warning about what is being read.
func (o *object) warn(kind WarningKind, rule int, tell func() (path, text string)) {
	if o.warned[kind]++; o.warned[kind] <= mostWarnings {
		path, text := tell()
		o.Warnings = append(o.Warnings, Warning{Kind: kind, Rule: rule, Path: path, Text: text})
	}
}

// sumUp makes one warning, which counts them, of those of a kind that are many.
func (o *object) sumUp() {
	for kind, n := range o.warned {
		if n <= mostWarnings {
			continue
		}
		seen := false
		o.Warnings = slices.DeleteFunc(o.Warnings, func(w Warning) bool {
			again := w.Kind == WarningKind(kind) && seen
			seen = seen || w.Kind == WarningKind(kind)
			return again
		})
		at := slices.IndexFunc(o.Warnings, func(w Warning) bool { return w.Kind == WarningKind(kind) })
		o.Warnings[at].Text += fmt.Sprintf(", and %d more of this kind", n-1)
	}
}

func (w *Warnings) add(kind WarningKind, rule int, path, format string, args ...any) {
	*w = append(*w, Warning{Kind: kind, Rule: rule, Path: path, Text: fmt.Sprintf(format, args...)})
}
