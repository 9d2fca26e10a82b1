package differential

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// rules reads an object for one call at a time, without any order among the
// rules: the third opinion. It shares nothing with pkg/spec.
type rules struct {
	object  *specs.LinuxSeccomp
	native  *arch.Arch
	archs   []*arch.Arch
	highest map[*arch.Arch]uint32 // number that is named, 0 for none
	about   map[string][]use      // the rules for a call, in order
}

// use is a rule for a call; which is not 0 where the rule is for one that the
// call multiplexes.
type use struct {
	rule  *specs.LinuxSyscall
	which uint32
}

func newRules(object *specs.LinuxSeccomp, native *arch.Arch) *rules {
	m := &rules{
		object: object, native: native, archs: []*arch.Arch{native},
		highest: map[*arch.Arch]uint32{}, about: map[string][]use{},
	}
	for _, name := range object.Architectures {
		if a, ok := arch.ByOCI(string(name)); ok && !slices.Contains(m.archs, a) {
			m.archs = append(m.archs, a)
		}
	}
	behind := map[string]arch.Companion{}
	for _, c := range arch.Companions() {
		behind[c.Call.Name()] = c
	}
	for i := range object.Syscalls {
		rule := &object.Syscalls[i]
		for _, name := range rule.Names {
			m.about[name] = append(m.about[name], use{rule, 0})
			c, multiplexed := behind[name]
			if multiplexed {
				via := c.Via.Name()
				m.about[via] = append(m.about[via], use{rule, c.Which})
			}
			for _, a := range m.archs {
				if nr, ok := a.Number(name); ok && !(a.Multiplexed && multiplexed) {
					m.highest[a] = max(m.highest[a], nr)
				}
			}
		}
	}
	return m
}

// names returns all names that the object has rules for.
func (m *rules) names() []string {
	var list []string
	for _, rule := range m.object.Syscalls {
		list = append(list, rule.Names...)
	}
	return list
}

// verdicts returns what the call can get, whichever of the rules that speak of
// it wins; one where that is settled.
func (m *rules) verdicts(d *bpf.Data) []bpf.Return {
	a := m.archOf(d)
	if m.beyond(d) {
		errno := uint16(38)
		if len(m.native.Name) > 4 && m.native.Name[:4] == "mips" {
			errno = 89
		}
		return []bpf.Return{bpf.Errno(errno)}
	}
	if a == nil {
		return []bpf.Return{bpf.RetKillThread}
	}
	fallback := value(m.object.DefaultAction, m.object.DefaultErrnoRet)
	var list []bpf.Return
	for _, u := range m.about[a.CallName(d.Nr)] {
		ret := value(u.rule.Action, u.rule.ErrnoRet)
		switch {
		case ret == fallback:
		case u.which == 0 && always(u.rule.Args, a):
			return []bpf.Return{ret} // the first unconditional rule wins
		case u.which == 0:
			if applies(u.rule.Args, a, d, nil) {
				list = append(list, ret)
			}
		case a.Multiplexed:
			first := specs.LinuxSeccompArg{Index: 0, Value: uint64(u.which), Op: specs.OpEqualTo}
			if applies(u.rule.Args, a, d, &first) {
				list = append(list, ret)
			}
		}
	}
	if len(list) == 0 {
		return []bpf.Return{fallback}
	}
	return list
}

// archOf returns the architecture whose rules a call meets, nil for none.
func (m *rules) archOf(d *bpf.Data) *arch.Arch {
	x32 := slices.ContainsFunc(m.archs, func(a *arch.Arch) bool { return a.Name == "x32" })
	for _, a := range m.archs {
		if a.Audit != d.Arch {
			continue
		}
		switch a.Name {
		case "x86_64":
			if d.Nr < arch.X32Bit || !x32 && d.Nr == 0xffffffff {
				return a
			}
		case "x32":
			if d.Nr >= arch.X32Bit {
				return a
			}
		default:
			return a
		}
	}
	return nil
}

// beyond reports whether the -ENOSYS stub answers the call.
func (m *rules) beyond(d *bpf.Data) bool {
	switch m.object.DefaultAction {
	case specs.ActAllow, specs.ActLog, specs.ActTrace:
		return false
	}
	for _, a := range m.archs {
		switch {
		case a.Audit != d.Arch,
			a.Name == "x86_64" && d.Nr&arch.X32Bit != 0,
			a.Name == "x32" && d.Nr&arch.X32Bit == 0:
			continue
		}
		most := m.highest[a]
		if most > 0 && (d.Nr > most || d.Nr == 0 && (a.Name == "s390" || a.Name == "s390x")) {
			return true
		}
	}
	return false
}

// always reports whether a rule has no condition: none is written, or what is
// written looks at no bit.
func always(args []specs.LinuxSeccompArg, a *arch.Arch) bool {
	for _, c := range args {
		vanishes := c.Op == specs.OpMaskedEqual && (c.Value == 0 || a.Bits == 32 && uint32(c.Value) == 0)
		if alternatives(args) {
			if vanishes {
				return true
			}
		} else if !vanishes {
			return false
		}
	}
	return !alternatives(args)
}

// alternatives reports whether one of a rule's conditions is enough, as it is
// where an argument occurs twice.
func alternatives(args []specs.LinuxSeccompArg) bool {
	var seen [6]bool
	for _, c := range args {
		if seen[c.Index] {
			return true
		}
		seen[c.Index] = true
	}
	return false
}

// applies reports whether a rule's conditions hold; first takes the place of
// what they say of the first argument.
func applies(args []specs.LinuxSeccompArg, a *arch.Arch, d *bpf.Data, first *specs.LinuxSeccompArg) bool {
	repeated := alternatives(args)
	if first != nil && !holds(*first, a, d) {
		return false
	}
	for _, c := range args {
		met := first != nil && c.Index == 0 || holds(c, a, d)
		if repeated && met {
			return true
		}
		if !repeated && !met {
			return false
		}
	}
	return !repeated
}

func holds(c specs.LinuxSeccompArg, a *arch.Arch, d *bpf.Data) bool {
	arg, value, two := d.Args[c.Index], c.Value, c.ValueTwo
	if a.Bits == 32 {
		arg, value, two = arg&0xffffffff, value&0xffffffff, two&0xffffffff
	}
	switch c.Op {
	case specs.OpEqualTo:
		return arg == value
	case specs.OpNotEqual:
		return arg != value
	case specs.OpLessThan:
		return arg < value
	case specs.OpLessEqual:
		return arg <= value
	case specs.OpGreaterThan:
		return arg > value
	case specs.OpGreaterEqual:
		return arg >= value
	case specs.OpMaskedEqual:
		return arg&value == two&value
	}
	return false
}

// value returns the return value of an action.
func value(action specs.LinuxSeccompAction, errno *uint) bpf.Return {
	data := bpf.Return(1)
	if errno != nil {
		data = bpf.Return(*errno) & bpf.DataMask
	}
	switch action {
	case specs.ActKillProcess:
		return bpf.RetKillProcess
	case specs.ActTrap:
		return bpf.RetTrap
	case specs.ActErrno:
		return bpf.RetErrno | data
	case specs.ActTrace:
		return bpf.RetTrace | data
	case specs.ActLog:
		return bpf.RetLog
	case specs.ActAllow:
		return bpf.RetAllow
	case specs.ActNotify:
		return bpf.RetUserNotif
	default:
		return bpf.RetKillThread
	}
}
