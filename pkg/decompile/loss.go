package decompile

import (
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// Loss is a run of call numbers of which the profile does not say what the
// filter does.
type Loss struct {
	// Token is the AUDIT_ARCH_* token of the calls; Others says that it stands
	// for all that the profile does not list, and Call is an example.
	Token  uint32
	Others bool
	// First and Last are the ends of the run, both included.
	First, Last uint32
	// Call is one of the calls, and what it gets from each.
	Call            bpf.Data
	Filter, Profile bpf.Return
	// Reason is why no profile says it.
	Reason string
	// Pointer says that it is for the instruction pointer.
	Pointer bool
	// Undecided says that no call was found that shows a difference, and no proof
	// that there is none. Filter and Profile are the same then.
	Undecided bool
}

// Minor reports whether the loss is about numbers of which no kernel makes
// calls, from 0x80000000 on, and both deny them: runc's stub fails with ENOSYS
// what libseccomp's filter behind it kills.
func (l Loss) Minor() bool {
	return !l.Others && l.First >= 2*arch.X32Bit && rank(l.Filter) == denied && rank(l.Profile) == denied
}

// mostRuns bounds the runs of numbers without a name that are told for one
// architecture: a filter can tell every second of 2^32 apart.
const mostRuns = 16

// losses lists where the draft is not the filter, call by call. policy is what
// the draft means.
func (o *draft) losses(policy *spec.Policy) ([]Loss, error) {
	w := &witnesses{draft: o, policy: policy, left: mostSamples}
	var list []Loss
	var done []uint32
	for _, a := range o.decompiler.archs {
		if slices.Contains(done, a.Audit) {
			continue
		}
		done = append(done, a.Audit)
		var runs []run
		for i := range o.differences {
			if d := &o.differences[i]; !d.elsewhere && d.token == a.Audit {
				named, unnamed := o.divide(d)
				for _, nr := range named {
					list = append(list, w.loss(d, span{nr, nr}, true))
				}
				for _, u := range unnamed {
					runs = join(runs, u)
				}
			}
		}
		for _, r := range runs {
			list = append(list, w.loss(r.difference, r.span, false))
		}
	}
	for i := range o.differences {
		if d := &o.differences[i]; d.elsewhere || !slices.Contains(done, d.token) {
			loss := w.loss(d, span{d.first, d.last}, false)
			loss.First, loss.Last = 0, ^uint32(0)
			loss.Token, loss.Others = loss.Call.Arch, true
			loss.Reason = "every profile kills the threads of architectures that it does not list"
			list = append(list, loss)
			break
		}
	}
	return w.decided(list)
}

// run is a run of numbers of which the same calls differ.
type run struct {
	span
	*difference
}

// join adds a run to those of the same architecture, as one with the last if
// they are the same, or if there are too many.
func join(runs []run, next run) []run {
	if n := len(runs); n > 0 {
		last := &runs[n-1]
		if n == mostRuns || last.span.last+1 == next.span.first && last.differs == next.differs && last.doubt == next.doubt {
			last.span.last = next.span.last
			return runs
		}
	}
	return append(runs, next)
}

// divide returns the numbers of a difference: those of calls that have a name,
// and runs of the others.
func (o *draft) divide(d *difference) (named []uint32, unnamed []run) {
	var names []uint32
	for _, a := range o.archs {
		for nr := range a.Calls() {
			if a.Audit == d.token && d.first <= nr && nr <= d.last {
				names = append(names, nr)
			}
		}
	}
	slices.Sort(names)
	between := func(first, last uint32) {
		if !d.differs.Numbered() {
			unnamed = append(unnamed, run{span{first, last}, d})
			return
		}
		list, _ := d.differs.And(o.space.Between(first, last)).Runs(mostRuns)
		for _, r := range list {
			unnamed = append(unnamed, run{span{r.First, r.Last}, d})
		}
	}
	next := uint64(d.first)
	for _, nr := range names {
		if uint64(nr) > next {
			between(uint32(next), nr-1)
		}
		next = uint64(nr) + 1
		if !d.differs.On(d.token, nr).Empty() {
			named = append(named, nr)
		}
	}
	if next <= uint64(d.last) {
		between(uint32(next), d.last)
	}
	return named, unnamed
}

// loss describes the calls of one run.
func (w *witnesses) loss(d *difference, s span, named bool) Loss {
	o := w.draft
	token, first := d.token, s.first
	l := Loss{Token: token, First: first, Last: s.last}
	var shown bool
	l.Call, shown = w.find(d, s)
	l.Undecided = !shown
	l.Filter, l.Profile = w.results(&l.Call)
	choice := o.filter.At(l.Call.Arch, l.Call.Nr)
	if l.Undecided || choice.Doubt.Contains(&l.Call) {
		l.Reason = "it compares arguments with each other, or computes with them, in a way that no rules say"
		return l
	}
	_, unsayable := sayable(l.Filter)
	l.Pointer = slices.ContainsFunc(choice.Parts, func(p verify.Part) bool { return p.Calls.AnyPointer() != p.Calls })
	switch {
	case l.Pointer:
		l.Reason = "it depends on the instruction pointer"
	case unsayable != "":
		l.Reason = unsayable
	case l.Filter == bpf.RetUserNotif && o.ListenerPath == "":
		l.Reason = "there is no listener's path"
	case l.Filter == bpf.RetUserNotif && named && callName(token, first) == "write":
		l.Reason = "no profile notifies of write"
	case l.Profile == o.enosys && !named:
		l.Reason = "runc lets calls fail with ENOSYS whose numbers are above all that the profile names"
	case !named && o.unlisted(token, first):
		l.Reason = "every profile kills the threads of architectures that it does not list"
	case !named:
		l.Reason = "the number has no name"
	case !o.fits(token, first):
		l.Reason = "it takes too many rules"
	default:
		l.Reason = "a profile says one thing of a call for all architectures, and of the calls behind socketcall and ipc with it"
	}
	return l
}

// unlisted reports whether a number belongs to an ABI that the profile does not
// list: x32's, where it lists x86_64.
func (o *draft) unlisted(token, nr uint32) bool {
	x32, _ := arch.ByName("x32")
	return token == x32.Audit && nr >= arch.X32Bit && !slices.Contains(o.archs, x32)
}

// fits reports whether rules were found for a call.
func (o *draft) fits(token, nr uint32) bool {
	for c := range o.calls {
		for _, p := range o.calls[c] {
			if p.arch.Audit == token && p.nr == nr {
				_, ok := o.cover(o.choice(p, arch.Call(c)), uint8(p.arch.Bits))
				return ok
			}
		}
	}
	return false
}

// callName returns the name of a call number.
func callName(token, nr uint32) string {
	for _, a := range arch.All() {
		if name := a.CallName(nr); a.Audit == token && name != "" {
			return name
		}
	}
	return ""
}
