package lint

import (
	"errors"
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Options say what to look at.
type Options struct {
	// Native is the architecture of profiles that name none; nil stands for
	// this machine's.
	Native *arch.Arch
	// Archs take the place of the profile's architectures, the native one first.
	Archs []*arch.Arch
	// Off are ids of rules that are not looked for.
	Off []string
}

// Check returns what is found in a profile, in the profile's order. text is
// what it was read from, for the positions; nil where that is unknown.
func Check(p *spec.Profile, text []byte, o Options) []Finding {
	if p.Disabled {
		return nil
	}
	c := &checker{profile: p, off: o.Off, calls: map[arch.Call]*subject{}, dropped: map[naming]bool{}, opened: map[naming]bool{}}
	var all bool
	c.targets, all = spec.Targets(o.Native, o.Archs, p)
	if !all {
		c.report("incomplete", -1, "syscalls", nil, "", "more than eight capabilities decide about one call: not every set of them was looked at")
	}
	c.written()
	if c.resolve() {
		c.index()
		c.circumstances()
		c.constants()
		c.effects()
		c.conditions()
		c.overlaps()
		c.truncations()
		c.signs()
		places := c.base()
		c.siblings(places)
		c.detours(places)
		c.standIns(places)
		c.grants(places)
	}
	if c.exhausted {
		c.report("incomplete", -1, "syscalls", nil, "", "there are too many conditions to compare all of them")
	}
	return c.finish(text)
}

// checker is the work on one profile.
type checker struct {
	profile *spec.Profile
	off     []string
	targets []spec.Target
	// archs and active are, for each target, the ABIs of its policy, and which
	// rules count.
	archs  [][]*arch.Arch
	active [][]bool
	// known has, for each rule, its names as calls; -1 for one that is unknown.
	known [][]int
	// calls are the calls that rules speak of, in the order of their names.
	calls map[arch.Call]*subject
	order []arch.Call
	// dropped are the names of rules that have no effect.
	dropped map[naming]bool
	// opened are those of which constants has said so.
	opened map[naming]bool

	findings  []Finding
	effort    int
	exhausted bool
}

// naming is a rule that names a call.
type naming struct {
	rule int
	call arch.Call
}

// report adds a finding.
func (c *checker) report(id string, syscall int, path string, calls []string, where, format string, args ...any) {
	if slices.Contains(c.off, id) {
		return
	}
	f := Finding{
		Rule: find(id), Profile: c.profile.Name, Syscall: syscall, Path: path, Calls: calls, Where: where,
		Message: fmt.Sprintf(format, args...), seen: 1, everywhere: id == "always-true" || id == "overlap",
	}
	for i := range c.findings {
		g := &c.findings[i]
		if g.Rule == f.Rule && g.Path == f.Path && g.Syscall == f.Syscall && slices.Equal(g.Calls, f.Calls) {
			g.seen++ // the first place is enough
			return
		}
	}
	c.findings = append(c.findings, f)
}

// finish puts the findings into order and gives them their positions.
func (c *checker) finish(text []byte) []Finding {
	for i := range c.findings {
		f := &c.findings[i]
		if f.everywhere && len(f.Calls) == 1 {
			if call, _ := arch.FindCall(f.Calls[0]); f.seen == len(c.calls[call].in) {
				f.Where = ""
			}
		}
	}
	slices.SortStableFunc(c.findings, order)
	if len(c.findings) > 0 && text != nil {
		places := spec.FindPlaces(text)
		for i := range c.findings {
			c.findings[i].Position = places.Of(c.findings[i].Path)
		}
	}
	return c.findings
}

// rulePath is the place of a rule, namePath that of one of its names, argPath
// that of a condition.
func rulePath(rule int) string          { return fmt.Sprintf("syscalls[%d]", rule) }
func namePath(rule, name int) string    { return fmt.Sprintf("syscalls[%d].names[%d]", rule, name) }
func argPath(rule, argument int) string { return fmt.Sprintf("syscalls[%d].args[%d]", rule, argument) }

// resolve looks for targets for which the profile is refused, and settles what
// the others have. It returns false where there are none.
func (c *checker) resolve() bool {
	var fine []spec.Target
	var seen *arch.Arch
	for i := range c.targets {
		t := &c.targets[i]
		if t.Native != seen {
			seen = t.Native
			if _, err := c.profile.Resolve(*t); err != nil && !errors.Is(err, spec.ErrErrnoNames) {
				c.refused(t, err)
				continue
			}
		}
		archs, err := c.profile.ArchitecturesFor(t)
		if err != nil {
			continue // refused with the first of this architecture
		}
		active := make([]bool, len(c.profile.Syscalls))
		for k := range active {
			active[k] = c.profile.Syscalls[k].Applies(t)
		}
		fine = append(fine, *t)
		c.archs = append(c.archs, archs)
		c.active = append(c.active, active)
	}
	c.targets = fine
	return len(fine) > 0
}

// subject is a call that rules speak of.
type subject struct {
	call arch.Call
	// uses are the rules that name it, and where it is a multiplexer those that
	// name a call behind it, in the profile's order.
	uses []spec.Use
	via  bool // some of uses are such
	// filtered says that some of the rules do not count for every target.
	filtered bool
	in       []*circumstance
}

// circumstance is what a call gets under one choice of rules, wherever that is.
type circumstance struct {
	subject *subject
	bits    int
	// uses are the rules that count.
	uses    []spec.Use
	verdict spec.Verdict
	// places are where: the first one, and those without capabilities; for a call
	// whose rules always count, one for each ABI.
	places []place
}

// place is an ABI of a target's.
type place struct {
	target int
	arch   *arch.Arch
}

// companions are the calls that are made by socketcall and ipc.
var companions = func() map[arch.Call]arch.Companion {
	list := map[arch.Call]arch.Companion{}
	for _, c := range arch.Companions() {
		list[c.Call] = c
	}
	return list
}()

// behind says of each call whether it is one of companions.
var behind = func() (list [arch.CallCount]bool) {
	for call := range companions {
		list[call] = true
	}
	return list
}()

// made are the calls that socketcall and ipc make, by their first argument.
var made = func() map[through]arch.Call {
	list := map[through]arch.Call{}
	for _, c := range arch.Companions() {
		list[through{c.Via, c.Which}] = c.Call
	}
	return list
}()

type through struct {
	via   arch.Call
	which uint32
}

// index finds the calls that rules speak of.
func (c *checker) index() {
	use := func(call arch.Call, u spec.Use) {
		s := c.calls[call]
		if s == nil {
			s = &subject{call: call}
			c.calls[call] = s
			c.order = append(c.order, call)
		}
		s.uses = append(s.uses, u)
		s.via = s.via || u.Through != 0
		s.filtered = s.filtered || u.Rule.Filtered()
	}
	c.known = make([][]int, len(c.profile.Syscalls))
	for i := range c.profile.Syscalls {
		rule := &c.profile.Syscalls[i]
		c.known[i] = make([]int, len(rule.Names))
		seen := make(map[arch.Call]bool, len(rule.Names))
		for k, name := range rule.Names {
			call, ok := arch.FindCall(name)
			if !ok {
				c.known[i][k] = -1
				continue
			}
			c.known[i][k] = int(call)
			if seen[call] {
				c.report("redundant", i, namePath(i, k), []string{name}, "", "the rule names it twice")
				c.known[i][k] = -1
				continue
			}
			seen[call] = true
			use(call, spec.Use{Rule: rule, Origin: i})
			if companion, ok := companions[call]; ok {
				use(companion.Via, spec.Use{Rule: rule, Origin: i, Through: companion.Which})
			}
		}
	}
	slices.Sort(c.order)
}

// circumstances finds, for each call, every choice of rules that some target
// has, and what the call gets there.
func (c *checker) circumstances() {
	var abis []place
	for t := range c.targets {
		for _, a := range c.archs[t] {
			if !slices.ContainsFunc(abis, func(p place) bool { return p.arch == a }) {
				abis = append(abis, place{t, a})
			}
		}
	}
	var every []place
	for t := range c.targets {
		for _, a := range c.archs[t] {
			every = append(every, place{t, a})
		}
	}
	highest := map[place]uint32{}
	for _, call := range c.order {
		s := c.calls[call]
		_, companion := companions[call]
		places := abis
		if s.filtered || s.via || companion {
			places = every
		}
		choices := map[string]*circumstance{}
		for _, p := range places {
			nr, ok := p.arch.NumberOf(call)
			if !ok {
				continue
			}
			if p.arch.Multiplexed && (s.via || companion) && nr > c.highest(highest, p) {
				continue // the -ENOSYS stub comes first
			}
			key := []byte{byte(p.arch.Bits), 0}
			if p.arch.Multiplexed && s.via {
				key[1] = 1
			}
			if s.filtered {
				for _, u := range s.uses {
					key = append(key, '0')
					if c.active[p.target][u.Origin] {
						key[len(key)-1] = '1'
					}
				}
			}
			in := choices[string(key)]
			if in == nil {
				in = &circumstance{subject: s, bits: p.arch.Bits}
				for _, u := range s.uses {
					if c.active[p.target][u.Origin] && (u.Through == 0 || p.arch.Multiplexed) {
						in.uses = append(in.uses, u)
					}
				}
				var err error
				if in.verdict, err = spec.Combine(in.uses, in.bits, c.profile.Default); err != nil {
					c.refused(&c.targets[p.target], err)
				} else {
					s.in = append(s.in, in)
				}
				choices[string(key)] = in
			}
			if base := len(c.targets[p.target].Capabilities) == 0; base || len(in.places) == 0 {
				in.places = append(in.places, p)
			}
		}
	}
}

// highest returns the highest number that the -ENOSYS stub lets through on an
// architecture that multiplexes calls: these do not count for it.
func (c *checker) highest(known map[place]uint32, p place) uint32 {
	switch c.profile.Default.Action() {
	case bpf.RetAllow, bpf.RetLog, bpf.RetTrace:
		return ^uint32(0) // no stub
	}
	if highest, ok := known[p]; ok {
		return highest
	}
	var highest uint32
	for i, names := range c.known {
		if !c.active[p.target][i] {
			continue
		}
		for _, call := range names {
			if call < 0 {
				continue
			}
			if behind[call] {
				continue
			}
			if nr, ok := p.arch.NumberOf(arch.Call(call)); ok {
				highest = max(highest, nr)
			}
		}
	}
	if highest == 0 {
		highest = ^uint32(0) // no stub either
	}
	known[p] = highest
	return highest
}

// without returns what a call gets without one rule's naming of another call,
// which may be itself, and without those that are dropped already.
func (c *checker) without(in *circumstance, n naming) (*spec.Verdict, bool) {
	kept := make([]spec.Use, 0, len(in.uses))
	there := false
	for _, u := range in.uses {
		switch of := c.namingOf(in, u); {
		case of == n:
			there = true
		case c.dropped[of]:
		default:
			kept = append(kept, u)
		}
	}
	if !there {
		return nil, false
	}
	v, err := spec.Combine(kept, in.bits, c.profile.Default)
	return &v, err == nil
}

// namingOf returns the naming that a use of a call comes from.
func (c *checker) namingOf(in *circumstance, u spec.Use) naming {
	if u.Through == 0 {
		return naming{u.Origin, in.subject.call}
	}
	return naming{u.Origin, made[through{in.subject.call, u.Through}]}
}

// concerned returns the circumstances that a rule's naming of a call can make a
// difference to: the call's, and those of its multiplexer.
func (c *checker) concerned(n naming) []*circumstance {
	var list []*circumstance
	calls := []arch.Call{n.call}
	if companion, ok := companions[n.call]; ok {
		calls = append(calls, companion.Via)
	}
	for _, call := range calls {
		for _, in := range c.calls[call].in {
			if slices.ContainsFunc(in.uses, func(u spec.Use) bool { return c.namingOf(in, u) == n }) {
				list = append(list, in)
			}
		}
	}
	return list
}

// where says for which of a call's targets something was found, empty where it
// is the same for all.
func (c *checker) where(in *circumstance) string {
	if len(in.subject.in) <= 1 {
		return ""
	}
	p := in.places[0]
	text := "on " + p.arch.Name
	if t := &c.targets[p.target]; in.subject.filtered {
		if len(t.Capabilities) > 0 {
			text += " with " + enumerate(t.Capabilities)
		}
		if c.oldest(t) {
			text += " on Linux " + t.Kernel.String()
		}
	}
	return text
}

// oldest reports whether a target's kernel is not the newest one of all.
func (c *checker) oldest(t *spec.Target) bool {
	return slices.ContainsFunc(c.targets, func(u spec.Target) bool { return u.Kernel.Compare(t.Kernel) > 0 })
}

// by says what decided: a rule, the way that it speaks of a call, or nothing.
func (c *checker) by(rule *spec.Rule, call arch.Call) string {
	if rule == nil || rule.Origin < 0 {
		return "the default action"
	}
	text := fmt.Sprintf("rule %d", rule.Origin)
	names := c.known[rule.Origin]
	if slices.Contains(names, int(call)) {
		return text
	}
	for _, name := range names {
		if companion, ok := companions[arch.Call(max(name, 0))]; name >= 0 && ok && companion.Via == call {
			return text + fmt.Sprintf(", which names %s and so speaks of %s too", companion.Call.Name(), call.Name())
		}
	}
	return text
}

// example writes a call with its first least arguments, and the others without
// the zeros at the end.
func example(call arch.Call, args *[6]uint64, least int) string {
	n := len(args)
	for n > least && args[n-1] == 0 {
		n--
	}
	text := call.Name() + "("
	for i, v := range args[:n] {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%#x", v)
	}
	return text + ")"
}
