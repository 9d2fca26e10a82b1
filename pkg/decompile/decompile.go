package decompile

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// Options say what the profile is for, and what no filter tells.
type Options struct {
	// Native is the architecture of the kernel; nil stands for this machine's.
	Native *arch.Arch
	// Flags, ListenerPath and ListenerMetadata go into the profile as they are.
	Flags                          spec.Flags
	ListenerPath, ListenerMetadata string
	// Name is for messages.
	Name string
}

// Result is a profile and what it does not say.
type Result struct {
	// Profile is one of the OCI form. It allows no call that the filter does
	// not allow.
	Profile *spec.Profile
	// Policy is what the profile means, read back from its text.
	Policy *spec.Policy
	// Losses are the calls for which the profile does not say what the filter
	// does. Where there are none the two are proved equal.
	Losses []Loss
}

// budget is enough for the largest filters that are in use several times over.
var budget = verify.Budget{Nodes: 1 << 20, Steps: 10_000_000}

// errBroken says that this package has a defect.
var errBroken = errors.New("decompile: internal error")

// Profile returns the profile that comes nearest to a filter. The error says
// that the filter is not valid, or wraps verify.ErrBudget.
func Profile(f verify.Filter, o Options) (*Result, error) {
	if o.Native == nil {
		o.Native = arch.Native()
	}
	if o.Native == nil {
		return nil, fmt.Errorf("decompile: no native architecture is given, and this machine's is unknown")
	}
	space := verify.NewSpace(budget)
	function, err := space.Function(f)
	if err != nil {
		return nil, fmt.Errorf("decompile: %w", err)
	}
	d := &decompiler{Options: o, space: space, filter: function, enosys: bpf.Errno(spec.Enosys(o.Native)), covers: map[question]answer{}, choices: map[place]verify.Choice{}, wordeds: map[place]verify.Choice{}}
	d.findArchs()
	d.findNumbers()
	best, err := d.best()
	if err != nil {
		return nil, err
	}
	r := &Result{Profile: best.profile, Losses: best.found}
	return r, r.prove(f, d)
}

// decompiler is the work on one filter.
type decompiler struct {
	Options
	space  *verify.Space
	filter *verify.Function
	enosys bpf.Return // what runc's stub returns
	// What was asked before: in every draft the questions are the same.
	covers  map[question]answer
	choices map[place]verify.Choice // of the filter
	wordeds map[place]verify.Choice // the same in words that a profile has
	// archs are those that the profile may list, and likely those that it
	// probably does, the native one first.
	archs, likely []*arch.Arch
	// tops are the highest numbers of each that get anything but ENOSYS.
	tops map[*arch.Arch]uint32
	// behind are the calls that can be made through socketcall and ipc.
	behind [arch.CallCount]bool
	// calls are the numbers of every call that one of the archs has.
	calls [arch.CallCount][]place
}

// place is a call on one architecture.
type place struct {
	arch *arch.Arch
	nr   uint32
}

// best returns the draft that comes nearest to the filter, and of several the
// shortest. Where the budget ends before all are tried it is the best of those
// that were.
func (d *decompiler) best() (*draft, error) {
	var best *draft
	try := func(archs []*arch.Arch, fallback bpf.Return) (enough bool, err error) {
		one, err := d.draft(archs, fallback)
		if err != nil {
			return false, err
		}
		if best == nil || one.better(best) {
			one.found = one.losses()
			if d.exhausted() {
				return true, nil
			}
			best = one
		}
		return one.differs.Empty() || one.more.Empty() && one.count(one.less) <= mostLess, nil
	}
	fallbacks := d.fallbacks()
	// A profile says one thing of a call for all the architectures that it
	// lists, so what is said of few may be nearer than what is said of many.
	lists := [][]*arch.Arch{d.likely, d.archs, d.archs[:1]}
	for i, archs := range lists {
		if i > 0 && len(archs) == len(lists[i-1]) {
			continue
		}
		for _, fallback := range fallbacks {
			enough, err := try(archs, fallback)
			if enough || err != nil {
				if best == nil && err == nil {
					err = d.space.Err()
				}
				if best != nil && errors.Is(err, verify.ErrBudget) {
					err = nil
				}
				return best, err
			}
		}
	}
	return best, nil
}

func (d *decompiler) exhausted() bool { return d.space.Err() != nil }

// prove reads the profile's text and compares it with the filter, as anybody
// would.
func (r *Result) prove(f verify.Filter, d *decompiler) error {
	text, err := r.Profile.Encode(spec.FormRuntime)
	if err != nil {
		return err
	}
	read, err := spec.Parse(text, d.Name)
	if err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	if r.Policy, err = read.Resolve(spec.Target{Native: d.Native}); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	result, err := verify.Compare(f, verify.OfPolicy(r.Policy))
	switch {
	case err != nil:
		return err
	case result.Outcome == verify.Undecided:
		return fmt.Errorf("decompile: %w", verify.ErrBudget)
	case (result.Outcome == verify.Equal) != (len(r.Losses) == 0):
		return fmt.Errorf("%w: %v, but %d losses", errBroken, result, len(r.Losses))
	}
	return nil
}

// at returns what a call gets.
func (d *decompiler) at(p place) verify.Choice {
	c, known := d.choices[p]
	if !known {
		c = d.filter.At(p.arch.Audit, p.nr)
		d.choices[p] = c
	}
	return c
}

// domain returns the calls of an architecture. x32 and x86_64 share a token, and
// runc and libseccomp tell them apart in different ways from number 0x80000000
// on; the kernel has no calls there.
func (d *decompiler) domain(a *arch.Arch) verify.Set {
	token := d.space.Token(a.Audit)
	switch a.Name {
	case "x86_64":
		return token.And(d.space.Between(0, arch.X32Bit-1))
	case "x32":
		return token.And(d.space.Between(arch.X32Bit, 2*arch.X32Bit-1))
	}
	return token
}

// constant returns what all calls of a set get, if they get the same.
func (d *decompiler) constant(set verify.Set) (bpf.Return, bool) {
	for _, p := range d.filter.Returns() {
		if set.Minus(p.Calls).Empty() {
			return p.Return, true
		}
	}
	return 0, false
}

// findArchs finds the architectures that the profile may list: those of the
// native one's byte order that the filter does not kill as a profile does with
// architectures that it does not list. Likely are those that it does not deny as
// a whole, nor treats as ones that it has never heard of. Where the filter lets
// unheard-of architectures make calls, the likely ones are those that the native
// kernel runs.
func (d *decompiler) findArchs() {
	elsewhere := d.space.All()
	for _, a := range arch.All() {
		elsewhere = elsewhere.Minus(d.space.Token(a.Audit))
	}
	other, settled := d.constant(elsewhere)
	d.archs = []*arch.Arch{d.Native}
	d.likely = []*arch.Arch{d.Native}
	for _, a := range arch.All() {
		if a.Endian != d.Native.Endian || a == d.Native {
			continue
		}
		all, same := d.constant(d.domain(a))
		foreign := !runs(d.Native, a)
		unheard := same && settled && all == other && foreign
		if unheard || same && all == bpf.RetKillThread || foreign && !settled {
			continue
		}
		d.archs = append(d.archs, a)
		if !same || rank(all) != denied {
			d.likely = append(d.likely, a)
		}
	}
}

// runs reports whether a kernel for native can run programs of a as well.
func runs(native, a *arch.Arch) bool {
	for _, family := range [...][]string{
		{"x86_64", "x86", "x32"}, {"aarch64", "arm"}, {"s390x", "s390"}, {"ppc64", "ppc"}, {"parisc64", "parisc"},
		{"mips64", "mips", "mips64n32"}, {"mipsel64", "mipsel", "mipsel64n32"},
	} {
		if family[0] == native.Name {
			return slices.Contains(family, a.Name)
		}
	}
	return false
}

// findNumbers finds the calls that there are on the architectures.
func (d *decompiler) findNumbers() {
	d.tops = map[*arch.Arch]uint32{}
	for _, companion := range arch.Companions() {
		d.behind[companion.Call] = true
	}
	for _, a := range d.archs {
		for nr, c := range a.Calls() {
			d.calls[c] = append(d.calls[c], place{a, nr})
		}
		numbers := d.domain(a)
		for _, p := range d.filter.Returns() {
			if p.Return == d.enosys {
				numbers = numbers.Minus(p.Calls)
			}
		}
		if !numbers.Empty() {
			d.tops[a] = numbers.Highest()
		}
	}
	for c := range d.calls {
		// 64 bits first: what is said of them holds for 32 bits, cut.
		slices.SortStableFunc(d.calls[c], func(a, b place) int { return b.arch.Bits - a.arch.Bits })
	}
}

// gaps returns the numbers of an architecture between and right behind its
// calls, which have no name.
func (d *decompiler) gaps(a *arch.Arch) verify.Set {
	gaps := d.space.None()
	next := a.NumberBase
	for nr := range a.Calls() {
		if nr > next {
			gaps = gaps.Or(d.space.Between(next, nr-1))
		}
		next = nr + 1
	}
	return gaps.Or(d.space.Between(next, next)).And(d.space.Token(a.Audit))
}

// Ranks of actions, by who decides in the end.
const (
	denied = iota
	supervised
	executed
)

// rank says whether a call that gets r is executed.
func rank(r bpf.Return) int {
	switch r.Action() {
	case bpf.RetAllow, bpf.RetLog:
		return executed
	case bpf.RetTrace, bpf.RetUserNotif:
		return supervised
	}
	return denied
}

// fallbacks returns what may be the profile's default action, the likeliest
// first: what calls without a name get, then what most calls get.
func (d *decompiler) fallbacks() []bpf.Return {
	count := map[bpf.Return]int{}
	note := func(r bpf.Return, weight int) {
		if r, _ = sayable(r); r.Action() != bpf.RetUserNotif {
			count[r] += weight
		}
	}
	const nameless = 1 << 20
	for _, a := range d.archs {
		// Above the top it may be the stub that says ENOSYS.
		below := d.space.Between(0, d.tops[a])
		gaps := d.gaps(a)
		for _, p := range d.filter.Returns() {
			calls := p.Calls.And(gaps)
			if p.Return == d.enosys {
				calls = calls.And(below)
			}
			if !calls.Empty() {
				note(p.Return, nameless)
			}
		}
		if r, certain := d.filter.At(a.Audit, ^uint32(0)).Constant(); certain && a.Name == "x86_64" && rank(r) == denied && r != bpf.RetKillThread {
			note(r, nameless) // what libseccomp's filters give to -1
		}
		for nr := range a.Calls() {
			for _, p := range d.at(place{a, nr}) {
				if p.Return != d.enosys || nr <= d.tops[a] {
					note(p.Return, 1)
				}
			}
		}
	}
	list := slices.Collect(maps.Keys(count))
	slices.SortFunc(list, func(a, b bpf.Return) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return int(int64(a) - int64(b))
	})
	list = list[:min(len(list), mostFallbacks)]
	if !slices.ContainsFunc(list, func(r bpf.Return) bool { return rank(r) == denied }) {
		list = append(list, bpf.Errno(1)) // a profile that is certain to allow no more
	}
	return list
}

// mostLess is how many calls a draft may deny against the filter for it to be
// near enough that no other one is tried.
const mostLess = 8

// mostFallbacks is how many default actions are tried.
const mostFallbacks = 5
