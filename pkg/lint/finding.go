package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"seccomp-hook/pkg/spec"
)

// Finding is one thing that was found, where, and what it is.
type Finding struct {
	Rule *Rule
	// Profile is the profile's name.
	Profile string
	// Syscall is the index of the rule in the profile's syscalls list, -1
	// where the finding is not about a rule.
	Syscall int
	// Path is the place in the seccomp object: "syscalls[3].names[0]", "flags".
	Path string
	// Position is the same in the text, zero where that is not known.
	Position spec.Position
	// Calls are the calls that it is about, by name.
	Calls []string
	// Where is the part of the profile's targets for which it was found, "on
	// x86 with CAP_SYS_ADMIN"; empty for all.
	Where   string
	Message string

	// seen is in how many circumstances of its call it was found. Where
	// everywhere is set and these are all, Where is empty.
	seen       int
	everywhere bool
}

// String is one line, as compilers write it: "p.json:3:12: warning: void-deny: …".
func (f Finding) String() string {
	place := f.Profile
	if f.Position != (spec.Position{}) {
		place += fmt.Sprintf(":%d:%d", f.Position.Line, f.Position.Column)
	}
	return fmt.Sprintf("%s: %s: %s: %s", place, f.Rule.Severity, f.Rule.ID, f.text())
}

// text is the message with what it is about in front.
func (f Finding) text() string {
	var b strings.Builder
	if f.Syscall >= 0 {
		fmt.Fprintf(&b, "rule %d: ", f.Syscall)
	}
	if len(f.Calls) > 0 {
		fmt.Fprintf(&b, "%s: ", enumerate(f.Calls))
	}
	b.WriteString(f.Message)
	if f.Where != "" {
		b.WriteString(" " + f.Where)
	}
	return b.String()
}

// maxNames is how many names a line has room for.
const maxNames = 8

// enumerate writes names with commas between, of many the first ones.
func enumerate(names []string) string {
	if len(names) > maxNames {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), len(names)-maxNames)
	}
	return strings.Join(names, ", ")
}

// order compares findings by their place in the profile, then by rule.
func order(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Syscall, b.Syscall), cmp.Compare(a.Rule.place(), b.Rule.place()),
		slices.Compare(a.Calls, b.Calls), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Where, b.Where))
}

// place is a rule's place in the table.
func (r *Rule) place() int {
	for i := range rules {
		if &rules[i] == r {
			return i
		}
	}
	return -1
}
