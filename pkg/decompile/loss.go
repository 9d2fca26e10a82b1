package decompile

import (
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
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

// losses lists where the draft is not the filter, call by call.
func (o *draft) losses() []Loss {
	var list []Loss
	elsewhere := o.differs
	var done []uint32
	for _, a := range o.decompiler.archs {
		if slices.Contains(done, a.Audit) {
			continue
		}
		done = append(done, a.Audit)
		token := o.space.Token(a.Audit)
		here := o.differs.And(token)
		elsewhere = elsewhere.Minus(token)
		var numbers []uint32
		for c := range o.calls {
			for _, p := range o.calls[c] {
				if p.arch.Audit == a.Audit && slices.Contains(o.archs, p.arch) && !here.On(a.Audit, p.nr).Empty() {
					numbers = append(numbers, p.nr)
				}
			}
		}
		slices.Sort(numbers)
		for _, nr := range numbers {
			calls := here.And(o.space.Between(nr, nr))
			list = append(list, o.loss(a.Audit, nr, nr, calls, true))
			here = here.Minus(calls)
		}
		runs, complete := here.Runs(mostRuns)
		for i, r := range runs {
			calls := here.And(o.space.Between(r.First, r.Last))
			if i == len(runs)-1 && !complete {
				r.Last = here.Highest()
			}
			list = append(list, o.loss(a.Audit, r.First, r.Last, calls, false))
		}
	}
	if !elsewhere.Empty() {
		loss := o.loss(0, 0, ^uint32(0), elsewhere, false)
		loss.Token, loss.Others = loss.Call.Arch, true
		loss.Reason = "every profile kills the threads of architectures that it does not list"
		list = append(list, loss)
	}
	return list
}

// loss describes the calls of one run.
func (o *draft) loss(token, first, last uint32, calls verify.Set, named bool) Loss {
	l := Loss{Token: token, First: first, Last: last, Call: calls.Call()}
	find := func(f *verify.Function) bpf.Return {
		for _, p := range f.Returns() {
			if p.Calls.Contains(&l.Call) {
				return p.Return
			}
		}
		return bpf.RetKillProcess // not reached: the parts are all calls
	}
	l.Filter, l.Profile = find(o.filter), find(o.reading)
	_, unsayable := sayable(l.Filter)
	choice := o.filter.At(l.Call.Arch, l.Call.Nr)
	l.Pointer = slices.ContainsFunc(choice, func(p verify.Part) bool { return p.Calls.AnyPointer() != p.Calls })
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
