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
// Where it is not, more is doubtful.
var budget = verify.Budget{Nodes: 1 << 20, Steps: 10_000_000}

// errBroken says that this package has a defect.
var errBroken = errors.New("decompile: internal error")

// Profile returns the profile that comes nearest to a filter. The error says
// that the filter is not valid.
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
	d := &decompiler{
		Options: o, space: space, whole: f, filter: function, enosys: bpf.Errno(spec.Enosys(o.Native)),
		covers: map[question]answer{}, wordeds: map[wording]*verify.Choice{}, pairs: map[pair]*comparison{},
	}
	d.findArchs()
	d.findNumbers()
	best, err := d.best()
	if err != nil {
		return nil, err
	}
	r := &Result{Profile: best.profile}
	return r, r.prove(d, best)
}

// decompiler is the work on one filter.
type decompiler struct {
	Options
	space  *verify.Space
	whole  verify.Filter
	filter *verify.Function
	enosys bpf.Return // what runc's stub returns
	// What was asked before: in every draft the questions are the same.
	covers  map[question]answer
	wordeds map[wording]*verify.Choice
	pairs   map[pair]*comparison
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
// shortest.
func (d *decompiler) best() (*draft, error) {
	var best *draft
	fallbacks := d.fallbacks()
	// A profile says one thing of a call for all the architectures that it
	// lists, so what is said of few may be nearer than what is said of many.
	lists := [][]*arch.Arch{d.likely, d.archs, d.archs[:1]}
	for i, archs := range lists {
		if i > 0 && len(archs) == len(lists[i-1]) {
			continue
		}
		for _, fallback := range fallbacks {
			one, err := d.draft(archs, fallback)
			if err != nil {
				return nil, err
			}
			if best == nil || one.better(best) {
				best = one
			}
			if len(one.differences) == 0 || !one.more && (one.less() <= mostLess || d.space.Spent()) {
				return best, nil
			}
		}
	}
	if best.more {
		// One that says as little of each call as there is to say.
		one := &draft{decompiler: d, archs: d.archs[:1], fallback: bpf.Errno(1)}
		for c := range one.caution {
			one.caution[c] = strictly
		}
		one.write()
		if err := one.read(); err != nil || one.more {
			return nil, fmt.Errorf("%w: no profile allows no more: %w", errBroken, err)
		}
		best = one
	}
	return best, nil
}

// prove reads the profile's text, as anybody would, and compares what it means
// with the filter.
func (r *Result) prove(d *decompiler, best *draft) error {
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
	if best.reading, err = d.space.Function(verify.OfPolicy(r.Policy)); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	before := len(best.differences)
	if best.compare(); len(best.differences) != before {
		return fmt.Errorf("%w: the profile's text does not mean what the profile does", errBroken)
	}
	r.Losses, err = best.losses(r.Policy)
	return err
}

// span is a part of an architecture's numbers.
type span struct{ first, last uint32 }

// domain returns the numbers of an architecture's calls. x32 and x86_64 share a
// token, and runc and libseccomp tell them apart in different ways from number
// 0x80000000 on; the kernel has no calls there.
func domain(a *arch.Arch) span {
	switch a.Name {
	case "x86_64":
		return span{0, arch.X32Bit - 1}
	case "x32":
		return span{arch.X32Bit, 2*arch.X32Bit - 1}
	}
	return span{0, ^uint32(0)}
}

// within returns what of the stretches is in a span.
func within(list []verify.Stretch, s span) []verify.Stretch {
	var cut []verify.Stretch
	for _, t := range list {
		if t.Last >= s.first && t.First <= s.last {
			cut = append(cut, verify.Stretch{First: max(t.First, s.first), Last: min(t.Last, s.last), Choice: t.Choice})
		}
	}
	return cut
}

// constant returns what all calls of some stretches get, if they get the same.
func constant(list []verify.Stretch) (bpf.Return, bool) {
	all, same := list[0].Constant()
	for _, t := range list {
		one, certain := t.Constant()
		same = same && certain && one == all
	}
	return all, same
}

// of returns what the filter gives to an architecture's calls.
func (d *decompiler) of(a *arch.Arch) []verify.Stretch {
	return within(d.filter.Of(a.Audit), domain(a))
}

// findArchs finds the architectures that the profile may list: those of the
// native one's byte order that the filter does not kill as a profile does with
// architectures that it does not list. Likely are those that it does not deny as
// a whole, nor treats as ones that it has never heard of. Where the filter lets
// unheard-of architectures make calls, the likely ones are those that the native
// kernel runs.
func (d *decompiler) findArchs() {
	elsewhere := slices.Clone(d.filter.Elsewhere())
	for _, token := range d.filter.Tokens() {
		if _, known := arch.ByAudit(token); !known {
			elsewhere = append(elsewhere, d.filter.Of(token)...)
		}
	}
	other, settled := constant(elsewhere)
	d.archs = []*arch.Arch{d.Native}
	d.likely = []*arch.Arch{d.Native}
	for _, a := range arch.All() {
		if a.Endian != d.Native.Endian || a == d.Native {
			continue
		}
		all, same := constant(d.of(a))
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
		for _, t := range d.of(a) {
			for _, p := range t.Parts {
				if p.Return != d.enosys {
					d.tops[a] = max(d.tops[a], highest(t, p.Calls))
				}
			}
		}
	}
	for c := range d.calls {
		// 64 bits first: what is said of them holds for 32 bits, cut.
		slices.SortStableFunc(d.calls[c], func(a, b place) int { return b.arch.Bits - a.arch.Bits })
	}
}

// highest returns the highest number of a stretch whose calls are in a set of the
// stretch.
func highest(t verify.Stretch, calls verify.Set) uint32 {
	if !calls.Numbered() {
		return t.Last
	}
	return min(t.Last, calls.Highest())
}

// gaps returns the numbers of an architecture between and right behind its
// calls, which have no name.
func gaps(a *arch.Arch) []span {
	var list []span
	next := a.NumberBase
	for nr := range a.Calls() {
		if nr > next {
			list = append(list, span{next, nr - 1})
		}
		next = nr + 1
	}
	return append(list, span{next, next})
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
		counted := map[bpf.Return]bool{}
		for _, gap := range gaps(a) {
			for _, t := range within(d.filter.Of(a.Audit), gap) {
				for _, p := range t.Parts {
					if !counted[p.Return] && (p.Return != d.enosys || t.First <= d.tops[a]) {
						counted[p.Return] = true
						note(p.Return, nameless)
					}
				}
			}
		}
		if r, certain := d.filter.At(a.Audit, ^uint32(0)).Constant(); certain && a.Name == "x86_64" && rank(r) == denied && r != bpf.RetKillThread {
			note(r, nameless) // what libseccomp's filters give to -1
		}
		for nr := range a.Calls() {
			for _, p := range d.filter.At(a.Audit, nr).Parts {
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
