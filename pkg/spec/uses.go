package spec

import (
	"errors"
	"fmt"
	"sync"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// uses says which rules speak of which calls.
type uses struct {
	// list has every call that a rule with an effect names, in order, once for
	// each rule; but not what comes after an unconditional rule for the call,
	// unless that is multiplexed.
	list []use
	// byCall are the rules of each call, in order: those of call c are
	// byCall[start[c]:start[c+1]].
	byCall []int32
	start  [arch.CallCount + 1]int32
	// named says which calls are named by a rule, with effect or without.
	named [arch.CallCount]bool
	// companions says by which call a multiplexed one is made, and multiplexer
	// which calls those are.
	companions  *[arch.CallCount]companion
	multiplexer *[arch.CallCount]bool
}

// use is one rule speaking of one call.
type use struct {
	call arch.Call
	rule int32 // index in resolver.rules
}

// companion is socketcall or ipc, and its first argument; 0 for calls that are
// not multiplexed.
type companion struct {
	via   arch.Call
	which uint8
}

// maxRules is how many rules there may be, when each call and each alternative
// of a rule's conditions counts as one. No program has room for as many by far,
// but some kilobytes of profile can ask for millions.
const maxRules = 1 << 19

// ErrTooMany says that a profile has too many rules: more than a program of the
// kernel's can hold, by far, or than can be put in order in a second.
var ErrTooMany = errors.New("too many rules")

var errTooManyByCall = fmt.Errorf("%w: more than %d, counted by call", ErrTooMany, maxRules)

// collect finds the rules that count for the target, and the calls that they
// speak of.
func (r *resolver) collect() error {
	p, u := r.profile, &r.uses
	if err := checkErrno(p.Default); err != nil {
		return fmt.Errorf("spec: profile %s: defaultAction: %w", p.Name, err)
	}
	u.companions, u.multiplexer = multiplexing()
	var last [arch.CallCount]int     // the rule that named a call last, from 1
	var settled [arch.CallCount]bool // no later rule makes a difference
	rules := 0
	var unknown unknownNames
	u.list = make([]use, 0, 512)
	r.rules = make([]expanded, 0, min(len(p.Syscalls), 64))
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		if !s.Applies(&r.target) {
			for k, name := range s.Names {
				if _, ok := arch.FindCall(name); !ok {
					unknown.add(name, i, k)
				}
			}
			continue
		}
		if s.Return == bpf.RetUserNotif && len(s.Names) > 0 {
			r.policy.Listener = true
		}
		// A rule with the default action adds nothing, and libseccomp does
		// not take it (runc, matchCall).
		effect := s.Return != p.Default
		var e expanded
		known := false
		for k, name := range s.Names {
			if s.Return == bpf.RetUserNotif && name == "write" {
				return &RuleError{p.Name, i, name, errNotifyWrite}
			}
			c, ok := arch.FindCall(name)
			if !ok {
				unknown.add(name, i, k)
				continue
			}
			u.named[c] = true
			if !effect {
				continue
			}
			if err := checkErrno(s.Return); err != nil {
				return &RuleError{p.Name, i, name, err}
			}
			if !known {
				e, known = newExpanded(s, i), true
			}
			if last[c] == i+1 || settled[c] {
				continue // the rule names it twice, or in vain
			}
			last[c] = i + 1
			settled[c] = e.always != nil && u.companions[c].which == 0
			if rules += max(1, len(e.wide)); rules > maxRules {
				return fmt.Errorf("spec: profile %s: %w", p.Name, errTooManyByCall)
			}
			u.list = append(u.list, use{c, int32(len(r.rules))})
		}
		if known {
			r.rules = append(r.rules, e)
		}
	}
	unknown.warn(&r.policy.Warnings)
	u.index()
	return nil
}

// unknownNames are names that no architecture has a call for. So many can be in a
// profile that a warning for each would take longer than everything else; beyond
// mostWarnings there is one that counts them.
type unknownNames struct {
	count int
	first [mostWarnings]unknownName
}

type unknownName struct {
	name     string
	rule, at int
}

func (u *unknownNames) add(name string, rule, at int) {
	if u.count < mostWarnings {
		u.first[u.count] = unknownName{name, rule, at}
	}
	u.count++
}

func (u *unknownNames) warn(w *Warnings) {
	if u.count > mostWarnings {
		w.add(WarnName, -1, "syscalls", "%d names of calls are unknown and ignored, %q the first of them", u.count, u.first[0].name)
		return
	}
	for _, n := range u.first[:u.count] {
		w.unknownName(n.rule, n.at, n.name)
	}
}

// unknownName warns of a call that no architecture has.
func (w *Warnings) unknownName(rule, name int, call string) {
	w.add(WarnName, rule, fmt.Sprintf("syscalls[%d].names[%d]", rule, name), "call %q is unknown and ignored", call)
}

// index fills byCall, by counting.
func (u *uses) index() {
	for _, use := range u.list {
		u.start[use.call+1]++
	}
	for c := range u.start[1:] {
		u.start[c+1] += u.start[c]
	}
	u.byCall = make([]int32, len(u.list))
	next := u.start
	for _, use := range u.list {
		u.byCall[next[use.call]] = use.rule
		next[use.call]++
	}
}

// multiplexing returns what uses has of arch.Companions.
var multiplexing = sync.OnceValues(func() (*[arch.CallCount]companion, *[arch.CallCount]bool) {
	var companions [arch.CallCount]companion
	var multiplexer [arch.CallCount]bool
	for _, c := range arch.Companions() {
		companions[c.Call] = companion{c.Via, uint8(c.Which)}
		multiplexer[c.Via] = true
	}
	return &companions, &multiplexer
})

// of returns the rules that name call c.
func (u *uses) of(c arch.Call) []int32 { return u.byCall[u.start[c]:u.start[c+1]] }

// maxErrno is the highest errno that a filter can have: libseccomp takes none
// from MAX_ERRNO on, and runc then fails (sys_chk_seccomp_action).
const maxErrno = 4094

func checkErrno(ret bpf.Return) error {
	if ret.Action() == bpf.RetErrno && ret.Data() > maxErrno {
		return fmt.Errorf("errno %d is more than %d", ret.Data(), maxErrno)
	}
	return nil
}
