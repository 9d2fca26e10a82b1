package decompile

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// draft is a profile with one default action.
type draft struct {
	*decompiler
	archs    []*arch.Arch // that the profile lists
	fallback bpf.Return
	// caution says how each call is put into words.
	caution [arch.CallCount]caution
	// clashes are calls of which libseccomp refuses some rules.
	clashes [arch.CallCount]bool
	profile *spec.Profile
	// reading is what the profile means.
	reading *verify.Function
	// differences are where that is not what the filter does, milder says that
	// the profile's action is a milder one somewhere, and more that it lets a
	// call be made that the filter does not.
	differences  []difference
	milder, more bool
}

// caution is how much of a call's verdict is given up.
type caution uint8

const (
	plain    caution = iota // as the first of its architectures has it
	implied                 // say nothing: the calls behind socketcall or ipc say it
	jointly                 // what all architectures allow
	strictly                // the strictest verdict of all, whatever the arguments
)

// mostRounds bounds how often a draft is read back and changed.
const mostRounds = 5

// draft writes a profile with these architectures and default action. Its calls allow no more than
// the filter does, unless the default action itself allows more.
func (d *decompiler) draft(archs []*arch.Arch, fallback bpf.Return) (*draft, error) {
	one := &draft{decompiler: d, archs: archs, fallback: fallback}
	for _, companion := range arch.Companions() {
		if slices.ContainsFunc(d.calls[companion.Via], func(p place) bool { return p.arch.Multiplexed && !d.certain(p) }) {
			one.caution[companion.Via] = implied
		}
	}
	for round := 0; round < mostRounds; round++ {
		one.write()
		err := one.read()
		var conflict *spec.RuleError
		switch {
		case errors.As(err, &conflict):
			if !one.yield(conflict) {
				return nil, fmt.Errorf("%w: %w", errBroken, err)
			}
			round = 0 // no call yields more than a few times
		case err != nil:
			return nil, fmt.Errorf("decompile: %w", err)
		case !one.soften():
			return one, nil
		}
	}
	return one, one.read()
}

// yield gives up rules that libseccomp takes for a contradiction, which none is,
// and reports whether there are any.
func (o *draft) yield(conflict *spec.RuleError) bool {
	c, known := arch.FindCall(conflict.Call)
	if !known {
		return false
	}
	changed := false
	give := func(c arch.Call) {
		now := strictly
		if o.companion(c) && !o.clashes[c] {
			now = implied
		}
		changed = changed || o.caution[c] != now
		o.caution[c], o.clashes[c] = now, true
	}
	if give(c); changed {
		return true
	}
	// It is the rules of the calls behind it, which have lost what they say of
	// the first argument there.
	for _, by := range arch.Companions() {
		if by.Via == c {
			give(by.Call)
		}
	}
	return changed
}

// certain reports whether a call gets one verdict.
func (d *decompiler) certain(p place) bool {
	_, certain := d.at(p).Constant()
	return certain
}

// at returns what a call gets.
func (d *decompiler) at(p place) *verify.Choice { return d.filter.At(p.arch.Audit, p.nr) }

// soften raises the caution of calls of which the draft says something else,
// and reports whether there are any for which that makes a difference.
func (o *draft) soften() bool {
	changed := false
	for c := range o.calls {
		differs, milder := false, false
		for _, p := range o.calls[c] {
			if d := o.difference(p); d != nil {
				differs = differs || !d.differs.On(p.arch.Audit, p.nr).Empty()
				milder = milder || !d.milder.On(p.arch.Audit, p.nr).Empty()
			}
		}
		now := o.caution[c]
		switch {
		case differs && now == implied && o.clashes[c]:
			now = strictly
		case differs && now == implied:
			now = plain
		case milder && now == plain:
			now = jointly
		case milder:
			now = strictly
		}
		changed = changed || now != o.caution[c]
		o.caution[c] = now
	}
	return changed
}

// better reports whether o is to be preferred.
func (o *draft) better(than *draft) bool {
	score := func(d *draft) [5]int {
		all := d.count(func(c *comparison) verify.Set { return c.differs })
		return [5]int{boolean(d.more), d.less(), all, boolean(d.milder), len(d.profile.Syscalls)}
	}
	a, b := score(o), score(than)
	return slices.Compare(a[:], b[:]) < 0
}

// less counts the calls that the profile does not let be made and the filter
// does.
func (o *draft) less() int { return o.count(func(c *comparison) verify.Set { return c.less }) }

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// count counts the calls in a part of the differences; those without a name are
// one.
func (o *draft) count(of func(*comparison) verify.Set) int {
	if !slices.ContainsFunc(o.differences, func(d difference) bool { return !of(d.comparison).Empty() }) {
		return 0
	}
	n := 1
	for c := range o.calls {
		for _, p := range o.calls[c] {
			if d := o.difference(p); d != nil {
				n += boolean(!of(d.comparison).On(p.arch.Audit, p.nr).Empty())
			}
		}
	}
	return n
}

// outcome is what a rule gives to which calls.
type outcome struct {
	ret bpf.Return
	term
}

// verdicts returns the rules of a call, none where it gets the default action.
func (o *draft) verdicts(c arch.Call) []outcome {
	if o.caution[c] == implied {
		return nil
	}
	var places []place
	silent := true // a profile that does not name the call says so too
	for _, p := range o.calls[c] {
		if slices.Contains(o.archs, p.arch) {
			places = append(places, p)
			all, certain := o.at(p).Constant()
			silent = silent && certain && (all == o.fallback || all == o.enosys && p.nr > o.tops[p.arch])
		}
	}
	if silent {
		return nil
	}
	choice := o.choice(places[0], c)
	if o.caution[c] == jointly {
		for _, p := range places[1:] {
			choice = o.stack(choice, o.choice(p, c))
		}
	}
	if o.caution[c] < strictly {
		if list, ok := o.cover(choice, uint8(places[0].arch.Bits)); ok {
			return list
		}
	}
	ret := choice.Parts[0].Return
	for _, p := range places[1:] {
		ret = verify.Stricter(o.choice(p, c).Parts[0].Return, ret)
	}
	if ret == o.fallback && o.companion(c) {
		// A rule with the default action is dropped, and would not win over
		// those of the calls behind this one.
		if ret = bpf.RetKillProcess; o.fallback.Action() == bpf.RetErrno && o.fallback != o.enosys {
			ret = o.enosys
		}
	}
	if ret == o.fallback {
		return nil
	}
	return []outcome{{ret: ret}}
}

// companion reports whether a call makes other calls.
func (o *draft) companion(c arch.Call) bool {
	return slices.ContainsFunc(arch.Companions(), func(by arch.Companion) bool { return by.Via == c }) &&
		slices.ContainsFunc(o.calls[c], func(p place) bool { return p.arch.Multiplexed })
}

// cover returns rules for a choice but for the default action; false where that
// takes too many. Their calls do not overlap unless their verdicts are the same,
// so that it does not matter how libseccomp orders them.
func (o *draft) cover(choice *verify.Choice, width uint8) ([]outcome, bool) {
	var list []outcome
	for _, p := range choice.Parts {
		if p.Return == o.fallback {
			continue
		}
		terms, ok := o.terms(p.Calls, width)
		if !ok || len(list)+len(terms) > mostTerms {
			return nil, false
		}
		for _, t := range terms {
			list = append(list, outcome{p.Return, t})
		}
	}
	return list, true
}

// terms is cover, which is asked the same in every draft.
func (d *decompiler) terms(set verify.Set, width uint8) ([]term, bool) {
	key := question{set, width}
	a, known := d.covers[key]
	if !known {
		fits := d.space.Within(stepsOfCover, func() { a.terms, a.ok = cover(d.space, set, width) })
		a.ok = a.ok && fits
		d.covers[key] = a
	}
	return a.terms, a.ok
}

// Steps on diagrams, enough for filters that are in use many times over.
const (
	stepsOfCover = 1 << 19
	stepsOfWords = 1 << 17 // for putting a choice into words, or comparing two
)

// question and answer are those of cover.
type question struct {
	set   verify.Set
	width uint8
}

type answer struct {
	terms []term
	ok    bool
}

// wording is a choice to be put into words, of write(2) or another call.
type wording struct {
	choice *verify.Choice
	write  bool
}

// choice returns what a call gets in words that a profile has: by arguments
// alone, the strictest first. Of verdicts that depend on the instruction pointer
// the strictest counts.
func (o *draft) choice(p place, c arch.Call) *verify.Choice {
	key := wording{o.at(p), c.Name() == "write"}
	choice := o.wordeds[key]
	if choice == nil {
		var parts []verify.Part
		enough := o.space.Within(stepsOfWords, func() {
			for _, part := range key.choice.Parts {
				parts = append(parts, verify.Part{Return: o.word(part.Return, key.write), Calls: part.Calls.AnyPointer()})
			}
		})
		if !enough {
			parts = []verify.Part{{Return: o.word(key.choice.Parts[0].Return, key.write), Calls: o.space.All()}}
		}
		choice = o.space.Settle(o.space.All(), parts, o.space.None(), false)
		o.wordeds[key] = choice
	}
	return choice
}

// word returns what a profile can say in place of r.
func (d *decompiler) word(r bpf.Return, write bool) bpf.Return {
	if r, _ = sayable(r); r == bpf.RetUserNotif && (d.ListenerPath == "" || write) {
		return d.enosys // what the kernel does without a listener
	}
	return r
}

// stack returns the stricter of two choices, for each call.
func (d *decompiler) stack(a, b *verify.Choice) *verify.Choice {
	var parts []verify.Part
	if !d.space.Within(stepsOfWords, func() {
		for _, p := range a.Parts {
			for _, q := range b.Parts {
				if calls := p.Calls.And(q.Calls); !calls.Empty() {
					parts = append(parts, verify.Part{Return: verify.Stricter(p.Return, q.Return), Calls: calls})
				}
			}
		}
	}) {
		parts = []verify.Part{{Return: verify.Stricter(a.Parts[0].Return, b.Parts[0].Return), Calls: d.space.All()}}
	}
	return d.space.Settle(d.space.All(), parts, d.space.None(), false)
}

// write puts the rules of all calls together: one for each verdict and
// conditions, with all the calls that have it.
func (o *draft) write() {
	p := &spec.Profile{
		Name: o.Name, Default: o.fallback, Architectures: o.archs,
		Flags: o.Flags, ListenerPath: o.ListenerPath, ListenerMetadata: o.ListenerMetadata,
	}
	o.profile = p
	index := map[string]int{}
	add := func(c arch.Call, ret bpf.Return, t term) {
		key := t.key(ret)
		i, there := index[key]
		if !there {
			i = len(p.Syscalls)
			index[key] = i
			p.Syscalls = append(p.Syscalls, spec.Syscall{Return: ret, Args: t})
		}
		p.Syscalls[i].Names = append(p.Syscalls[i].Names, c.Name())
	}
	var named [arch.CallCount]bool
	for c := range arch.Call(arch.CallCount) {
		for _, v := range o.verdicts(c) {
			add(c, v.ret, v.term)
			named[c] = true
		}
	}
	o.limits(&named, func(c arch.Call, ret bpf.Return) { add(c, ret, nil) })
	slices.SortStableFunc(p.Syscalls, func(a, b spec.Syscall) int {
		return cmp.Or(
			cmp.Compare(min(len(a.Args), 1), min(len(b.Args), 1)),
			cmp.Compare(boolean(a.Return == o.fallback), boolean(b.Return == o.fallback)),
			cmp.Compare(a.Names[0], b.Names[0]),
		)
	})
	if !slices.ContainsFunc(p.Syscalls, func(s spec.Syscall) bool { return s.Return == bpf.RetUserNotif }) {
		p.ListenerPath, p.ListenerMetadata = "", ""
	}
}

// key is the same for the same rule.
func (t term) key(ret bpf.Return) string {
	b := binary.LittleEndian.AppendUint32(nil, uint32(ret))
	for _, a := range t {
		b = append(b, a.Index, byte(a.Op), byte(boolean(a.Masked)))
		b = binary.LittleEndian.AppendUint64(b, a.Value)
		b = binary.LittleEndian.AppendUint64(b, a.ValueTwo)
	}
	return string(b)
}

// limits names calls for the sake of runc's -ENOSYS stub alone, which
// begins behind the highest number that a profile names. A rule with the
// default action names a call and does nothing else.
func (o *draft) limits(named *[arch.CallCount]bool, add func(arch.Call, bpf.Return)) {
	if rank(o.fallback) != denied {
		return
	}
	for _, a := range o.archs {
		top, there := o.tops[a]
		if !there {
			continue
		}
		if top > a.Max() && !o.begun(a, named) {
			continue // there is no stub on a, and the filter has none
		}
		limit, moves, found := o.limit(a, min(top, a.Max()))
		if !found || named[limit] {
			continue
		}
		named[limit] = true
		if moves > 0 {
			add(limit, o.enosys) // as it was
		} else {
			add(limit, o.fallback)
		}
	}
}

// begun reports whether a call that is named moves the stub of a.
func (o *draft) begun(a *arch.Arch, named *[arch.CallCount]bool) bool {
	for nr, c := range a.Calls() {
		if nr > 0 && named[c] && !(a.Multiplexed && o.behind[c]) {
			return true
		}
	}
	return false
}

// limit returns the call from number least on that moves the stubs of all
// architectures least: how many numbers beyond their tops, for which the default
// action takes the place of ENOSYS.
func (o *draft) limit(a *arch.Arch, least uint32) (limit arch.Call, moves uint32, found bool) {
	for nr, c := range a.Calls() {
		if nr < least || a.Multiplexed && o.behind[c] {
			continue // libseccomp gives multiplexed calls no number
		}
		sum := uint32(0)
		for _, p := range o.calls[c] {
			if p.nr > o.tops[p.arch] && !(p.arch.Multiplexed && o.behind[c]) {
				sum += p.nr - o.tops[p.arch]
			}
		}
		if !found || sum < moves {
			limit, moves, found = c, sum, true
		}
		if sum == 0 || nr > least+mostLimits {
			break
		}
	}
	return limit, moves, found
}

// mostLimits is how far a limit is looked for.
const mostLimits = 64

// read says what the draft means.
func (o *draft) read() error {
	policy, err := o.profile.Resolve(spec.Target{Native: o.Native})
	if err != nil {
		return err
	}
	if o.reading, err = o.space.Function(verify.OfPolicy(policy)); err != nil {
		return err
	}
	o.compare()
	return nil
}
