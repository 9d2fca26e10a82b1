package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
)

// Comparison is where two profiles differ, for one target or for several.
type Comparison struct {
	Targets []spec.Target
	// Entries are the differences for people: one for each call.
	Entries []Entry
	// Direction is that of all of them together; it is not certain where
	// Undecided is set.
	Direction Direction
	Undecided bool
}

// Kind says what an entry is about.
type Kind string

// The kinds, as they are in JSON.
const (
	KindCall    Kind = "call"                 // one call, by name
	KindNumbers Kind = "numbers"              // a run of numbers without a name
	KindAdded   Kind = "architecture-added"   // an architecture that the first profile kills
	KindRemoved Kind = "architecture-removed" // one that the second kills
	KindOthers  Kind = "other-architectures"  // all that neither lists
	KindFlags   Kind = "flags"
	KindNotify  Kind = "listener"
)

// Entry is a difference as people see it: one for a call, however many
// architectures, arguments and targets it is about.
type Entry struct {
	Kind Kind
	// Call is the name, or the numbers, "470 to 0x3fffffff".
	Call  string
	Archs []string
	// Changes are the pairs of verdicts with an example each; none where the
	// proof's budget did not suffice.
	Changes   []Change
	Direction Direction
	// First and Second are what the profiles say, of KindFlags and KindNotify.
	First, Second string
	// Targets are the targets that it is found for, by their index.
	Targets []int
}

// Compare compares two profiles for targets, each by a proof. What it leaves out
// is the same. The error names a target for which one of them has no policy.
func Compare(a, b *spec.Profile, targets []spec.Target) (*Comparison, error) {
	c := &Comparison{Targets: targets}
	known := map[string]int{}
	for i, t := range targets {
		p, err := a.Resolve(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Describe(t), err)
		}
		q, err := b.Resolve(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Describe(t), err)
		}
		list, err := Diff(p, q)
		if err != nil {
			return nil, err
		}
		direction, certain := DirectionOf(list)
		c.Undecided = c.Undecided || !certain
		for _, e := range append(entries(p, q, list), attributes(a, b, p, q)...) {
			direction |= e.Direction
			key := e.key()
			if at, ok := known[key]; ok {
				c.Entries[at].join(e.Archs, i)
				continue
			}
			known[key] = len(c.Entries)
			e.Targets = []int{i}
			c.Entries = append(c.Entries, e)
		}
		c.Direction |= direction
	}
	return c, nil
}

// key is what an entry is, wherever that is: the same of two architectures, or of
// two targets, is one entry.
func (e *Entry) key() string {
	key := fmt.Sprint(e.Kind, e.Call, e.lines(), e.First, e.Second)
	if e.Kind == KindAdded || e.Kind == KindRemoved {
		key += e.Archs[0]
	}
	return key
}

// join adds another place of an entry.
func (e *Entry) join(archs []string, target int) {
	for _, name := range archs {
		if !slices.Contains(e.Archs, name) {
			e.Archs = append(e.Archs, name)
		}
	}
	e.Targets = append(e.Targets, target)
}

// lines are the changes as text, "(0x28): ALLOW, ERRNO(1)".
func (e *Entry) lines() []string {
	if len(e.Changes) == 0 {
		return []string{": undecided"}
	}
	var list []string
	for _, change := range e.Changes {
		args := ""
		if change.Args {
			args = Arguments(change.Call.Args)
		}
		list = append(list, fmt.Sprintf("%s: %s, %s", args, change.A, change.B))
	}
	return list
}

// entries puts differences together by call.
func entries(a, b *spec.Policy, list []Difference) []Entry {
	before, after := architecturesOf(a), architecturesOf(b)
	var whole []Entry
	mark := func(kind Kind, archs, others []*arch.Arch) {
		for _, one := range archs {
			if slices.Contains(others, one) {
				continue
			}
			e := Entry{Kind: kind, Archs: []string{one.Name}}
			for i := range list {
				if !list[i].Others && archOf(list[i].Token, list[i].First) == one {
					d, _ := DirectionOf(list[i : i+1])
					e.Direction |= d
				}
			}
			whole = append(whole, e)
		}
	}
	mark(KindRemoved, before, after)
	mark(KindAdded, after, before)

	var single []Entry
	places := map[string]int{}
	add := func(e Entry) {
		key := e.key()
		if at, ok := places[key]; ok {
			single[at].Archs = append(single[at].Archs, e.Archs...)
			return
		}
		places[key] = len(single)
		single = append(single, e)
	}
	for i := range list {
		d := &list[i]
		direction, _ := DirectionOf(list[i : i+1])
		if d.Others {
			add(Entry{Kind: KindOthers, Changes: d.Changes, Direction: direction})
			continue
		}
		name := fmt.Sprintf("%#x", d.Token)
		if one := archOf(d.Token, d.First); one != nil {
			if slices.Contains(before, one) != slices.Contains(after, one) {
				continue // all of it is another's
			}
			name = one.Name
		}
		for _, r := range d.runs() {
			add(Entry{Kind: r.kind, Call: r.call, Archs: []string{name}, Changes: d.Changes, Direction: direction})
		}
	}
	return append(whole, single...)
}

// architecturesOf returns the architectures that a policy lists.
func architecturesOf(p *spec.Policy) []*arch.Arch {
	var archs []*arch.Arch
	for i := range p.Tokens {
		archs = append(archs, p.Tokens[i].Architectures(p.Other)...)
	}
	return archs
}

// run is a call with a name, or numbers without.
type run struct {
	kind Kind
	call string
}

// runs splits a difference into the calls that have a name and the numbers
// between them.
func (d *Difference) runs() []run {
	var list []run
	between := func(first, last uint32) {
		_, text, _ := strings.Cut(Name(d.Token, first), ":")
		if last > first {
			text += fmt.Sprintf(" to %#x", last)
		}
		list = append(list, run{KindNumbers, text})
	}
	next := uint64(d.First)
	for _, nr := range named(d) {
		if uint64(nr) > next {
			between(uint32(next), nr-1)
		}
		_, name, _ := strings.Cut(Name(d.Token, nr), ":")
		list = append(list, run{KindCall, name})
		next = uint64(nr) + 1
	}
	if next <= uint64(d.Last) {
		between(uint32(next), d.Last)
	}
	return list
}

// named returns the numbers in a run that are calls with a name, ascending.
func named(d *Difference) []uint32 {
	set := map[uint32]bool{}
	for _, a := range arch.All() {
		if a.Audit != d.Token {
			continue
		}
		for nr := range a.Calls() {
			if d.First <= nr && nr <= d.Last {
				set[nr] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Attributes says how two profiles differ in what is no part of the verdicts,
// "flags: none, LOG".
func Attributes(a, b *spec.Profile, p, q *spec.Policy) []string {
	var list []string
	for _, e := range attributes(a, b, p, q) {
		list = append(list, fmt.Sprintf("%s: %s, %s", e.Kind, e.First, e.Second))
	}
	return list
}

// attributes compares what of two profiles is no part of the function.
func attributes(a, b *spec.Profile, p, q *spec.Policy) []Entry {
	var list []Entry
	add := func(kind Kind, first, second string) {
		if first != second {
			list = append(list, Entry{Kind: kind, First: first, Second: second, Direction: Changed})
		}
	}
	add(KindFlags, flags(a.Flags), flags(b.Flags))
	add(KindNotify, listener(a, p), listener(b, q))
	return list
}

func flags(f spec.Flags) string {
	if f.Unset {
		return "SPEC_ALLOW if the kernel has it"
	}
	var names []string
	for _, flag := range []struct {
		set  bool
		name string
	}{{f.Log, "LOG"}, {f.SpecAllow, "SPEC_ALLOW"}, {f.WaitKillableRecv, "WAIT_KILLABLE_RECV"}} {
		if flag.set {
			names = append(names, flag.name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

func listener(profile *spec.Profile, policy *spec.Policy) string {
	switch {
	case !policy.Listener:
		return "none"
	case profile.ListenerMetadata != "":
		return fmt.Sprintf("%s with metadata %q", profile.ListenerPath, profile.ListenerMetadata)
	}
	return profile.ListenerPath
}

// Describe says what a target is: "x86_64 with CAP_SYS_ADMIN on Linux 6.1".
func Describe(t spec.Target) string {
	text := "this machine"
	switch {
	case len(t.Archs) > 0:
		names := make([]string, len(t.Archs))
		for i, a := range t.Archs {
			names[i] = a.Name
		}
		text = strings.Join(names, ", ")
	case t.Native != nil:
		text = t.Native.Name
	}
	switch {
	case t.Capabilities == nil || slices.Equal(t.Capabilities, spec.DefaultCapabilities()):
		text += " with the default capabilities"
	case len(t.Capabilities) == 0:
		text += " without capabilities"
	case len(t.Capabilities) == len(spec.AllCapabilities()):
		text += " with all capabilities"
	default:
		text += " with " + strings.Join(t.Capabilities, ", ")
	}
	if v := t.Kernel.String(); t.Kernel != (spec.KernelVersion{}) && t.Kernel.Major < 1<<16 {
		text += " on Linux " + v
	}
	return text
}

// subject is what an entry is about, "x86_64,x86:socket".
func (e *Entry) subject() string {
	archs := strings.Join(e.Archs, ",")
	switch e.Kind {
	case KindAdded:
		return "architecture " + archs + " added"
	case KindRemoved:
		return "architecture " + archs + " removed"
	case KindOthers:
		return "other architectures"
	case KindFlags, KindNotify:
		return string(e.Kind)
	}
	return archs + ":" + e.Call
}

// place says for which targets an entry is, where that is not all.
func (c *Comparison) place(e *Entry) string {
	if len(e.Targets) == len(c.Targets) {
		return ""
	}
	return fmt.Sprintf(" (%s; %d of %d targets)", Describe(c.Targets[e.Targets[0]]), len(e.Targets), len(c.Targets))
}

// many is how many calls with the same verdicts are a line together: what a
// deny list or the -ENOSYS stub of one profile has over the other's.
const many = 8

// together returns the entries with those put together that are about many calls
// and say the same of each.
func (c *Comparison) together() []Entry {
	same := func(e *Entry) string {
		if e.Kind != KindCall || len(e.Changes) != 1 || e.Changes[0].Args {
			return ""
		}
		return fmt.Sprint(e.Archs, e.lines(), e.Targets)
	}
	calls := map[string][]string{}
	for i := range c.Entries {
		if key := same(&c.Entries[i]); key != "" {
			calls[key] = append(calls[key], c.Entries[i].Call)
		}
	}
	var list []Entry
	for _, e := range c.Entries {
		key := same(&e)
		if names := calls[key]; key != "" && len(names) > many {
			if e.Call != names[0] {
				continue
			}
			e.Call = "{" + strings.Join(names, ",") + "}"
		}
		list = append(list, e)
	}
	return list
}

// WriteText writes a comparison as lines, one for each pair of verdicts of a
// call.
func (c *Comparison) WriteText(w io.Writer) error {
	for _, e := range c.together() {
		var lines []string
		switch e.Kind {
		case KindAdded, KindRemoved:
			lines = []string{""}
		case KindFlags, KindNotify:
			lines = []string{fmt.Sprintf(": %s, %s", e.First, e.Second)}
		default:
			lines = e.lines()
		}
		for _, line := range lines {
			if _, err := fmt.Fprintf(w, "%s%s%s\n", e.subject(), line, c.place(&e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// WriteMarkdown writes a comparison as a table for a pull request.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	if len(c.Entries) == 0 {
		b.WriteString("The profiles are equal for ")
	} else {
		fmt.Fprintf(&b, "**%s**\n\n| call | architectures | before | after | |\n| --- | --- | --- | --- | --- |\n", c.Direction)
	}
	for _, e := range c.together() {
		row := func(what, first, second string, d Direction) {
			fmt.Fprintf(&b, "| %s%s | %s | %s | %s | %s |\n", what, c.place(&e), strings.Join(e.Archs, ", "), first, second, d)
		}
		switch {
		case e.Kind == KindAdded:
			row("all calls", "not listed", "listed", e.Direction)
		case e.Kind == KindRemoved:
			row("all calls", "listed", "not listed", e.Direction)
		case e.Kind == KindFlags || e.Kind == KindNotify:
			row(string(e.Kind), e.First, e.Second, e.Direction)
		case len(e.Changes) == 0:
			row("`"+e.Call+"`", "undecided", "undecided", e.Direction)
		}
		for _, change := range e.Changes {
			what := "other architectures"
			if e.Kind != KindOthers {
				what = e.Call
				if change.Args {
					what += Arguments(change.Call.Args)
				}
				what = "`" + what + "`"
			}
			row(what, change.A.String(), change.B.String(), change.Direction())
		}
	}
	if len(c.Entries) > 0 {
		b.WriteString("\nDecided for ")
	}
	b.WriteString(c.Scope() + ".\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Scope says for what a comparison was decided.
func (c *Comparison) Scope() string {
	if len(c.Targets) == 1 {
		return Describe(c.Targets[0])
	}
	return fmt.Sprintf("%d targets", len(c.Targets))
}

// Version is the version of what WriteJSON writes. It grows when a field changes
// its meaning or goes; new ones may come.
const Version = 1

type (
	jsonComparison struct {
		Version     int          `json:"version"`
		Direction   string       `json:"direction"`
		Undecided   bool         `json:"undecided"`
		Targets     []jsonTarget `json:"targets"`
		Differences []jsonEntry  `json:"differences"`
	}
	jsonTarget struct {
		Native       string   `json:"native"`
		Capabilities []string `json:"capabilities"`
		Kernel       string   `json:"kernel,omitempty"`
	}
	jsonEntry struct {
		Kind      Kind         `json:"kind"`
		Call      string       `json:"call,omitempty"`
		Archs     []string     `json:"architectures,omitempty"`
		Direction string       `json:"direction"`
		Changes   []jsonChange `json:"changes,omitempty"`
		First     string       `json:"first,omitempty"`
		Second    string       `json:"second,omitempty"`
		Targets   []int        `json:"targets"`
	}
	jsonChange struct {
		Arguments []string `json:"arguments,omitempty"`
		First     string   `json:"first"`
		Second    string   `json:"second"`
		Direction string   `json:"direction"`
	}
)

// WriteJSON writes a comparison as one object, as docs/cli.md has it.
func (c *Comparison) WriteJSON(w io.Writer) error {
	j := jsonComparison{Version: Version, Direction: c.Direction.String(), Undecided: c.Undecided, Differences: []jsonEntry{}}
	for _, t := range c.Targets {
		one := jsonTarget{Capabilities: t.Capabilities}
		if t.Capabilities == nil {
			one.Capabilities = spec.DefaultCapabilities()
		}
		if t.Native != nil {
			one.Native = t.Native.Name
		}
		if t.Kernel.Major < 1<<16 {
			one.Kernel = t.Kernel.String()
		}
		j.Targets = append(j.Targets, one)
	}
	for i := range c.Entries {
		e := &c.Entries[i]
		one := jsonEntry{
			Kind: e.Kind, Call: e.Call, Archs: e.Archs, Direction: e.Direction.String(),
			First: e.First, Second: e.Second, Targets: e.Targets,
		}
		for _, change := range e.Changes {
			x := jsonChange{First: change.A.String(), Second: change.B.String(), Direction: change.Direction().String()}
			if change.Args {
				for _, v := range change.Call.Args {
					x.Arguments = append(x.Arguments, fmt.Sprintf("%#x", v))
				}
			}
			one.Changes = append(one.Changes, x)
		}
		j.Differences = append(j.Differences, one)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(j)
}
