package lint

import (
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// grant is what a profile may allow without a need.
type grant struct {
	id string
	// calls are enough for it, each on its own.
	calls []string
	// only are the calls that do it by an argument; without it all do.
	only *spec.Condition
	// caps are capabilities without which it is no use: a container whose
	// config.json has one is meant to do it.
	caps []string
	// since is the kernel from which on it is harmless.
	since *spec.KernelVersion
}

// bit is a bit of an argument, family a value of it.
func bit(arg uint8, value uint64) *spec.Condition {
	return &spec.Condition{Arg: arg, Op: spec.EQ, Mask: value, Value: value}
}

func family(n uint64) *spec.Condition {
	return &spec.Condition{Op: spec.EQ, Mask: ^uint64(0), Value: n}
}

const (
	cloneNewUser = 0x10000000 // <linux/sched.h>
	afALG        = 38         // <linux/socket.h>
	afVSOCK      = 40
)

var grants = [...]grant{
	{"grant-user-namespace", []string{"clone", "unshare"}, bit(0, cloneNewUser), []string{"CAP_SYS_ADMIN"}, nil},
	{"grant-user-namespace", []string{"clone3"}, nil, []string{"CAP_SYS_ADMIN"}, nil},
	{"grant-io-uring", []string{"io_uring_setup"}, nil, nil, nil},
	{"grant-bpf", []string{"bpf"}, nil, []string{"CAP_BPF", "CAP_SYS_ADMIN"}, nil},
	{"grant-perf", []string{"perf_event_open"}, nil, []string{"CAP_PERFMON", "CAP_SYS_ADMIN"}, nil},
	{"grant-keyring", []string{"keyctl", "add_key", "request_key"}, nil, nil, nil},
	{"grant-ptrace", []string{"ptrace"}, nil, []string{"CAP_SYS_PTRACE"}, &spec.KernelVersion{Major: 4, Minor: 8}},
	{"grant-userfaultfd", []string{"userfaultfd"}, nil, []string{"CAP_SYS_PTRACE"}, nil},
	{"grant-af-alg", []string{"socket"}, family(afALG), nil, nil},
	{"grant-af-vsock", []string{"socket"}, family(afVSOCK), nil, nil},
	{"grant-open-by-handle", []string{"open_by_handle_at"}, nil, []string{"CAP_DAC_READ_SEARCH"}, nil},
	{"grant-mount", []string{"mount", "fsopen", "open_tree", "move_mount", "mount_setattr"}, nil, []string{"CAP_SYS_ADMIN"}, nil},
	{"grant-module", []string{"init_module", "finit_module", "delete_module"}, nil, []string{"CAP_SYS_MODULE"}, nil},
	{"grant-kexec", []string{"kexec_load", "kexec_file_load"}, nil, []string{"CAP_SYS_BOOT"}, nil},
}

// grants reports what rules allow without a need. What the default action
// allows is one finding.
func (c *checker) grants(places []place) {
	var byDefault []string
	for i := range grants {
		g := &grants[i]
		if slices.ContainsFunc(g.caps, func(needed string) bool { return slices.Contains(c.profile.Bounding, needed) }) {
			continue
		}
		for _, name := range g.calls {
			call, _ := arch.FindCall(name)
			for _, p := range places {
				if _, ok := p.arch.NumberOf(call); !ok {
					continue
				}
				rule, ok := c.granted(g, call, p)
				if !ok {
					continue
				}
				if rule == nil || rule.Origin < 0 {
					if !slices.Contains(byDefault, name) {
						byDefault = append(byDefault, name)
					}
					continue
				}
				if g.since != nil && c.since(rule.Origin, *g.since) {
					continue
				}
				what := "it is allowed"
				if g.only != nil {
					what = fmt.Sprintf("it is allowed with %v", *g.only)
				}
				where := ""
				if p != places[0] {
					where = "on " + p.arch.Name
				}
				c.report(g.id, rule.Origin, c.nameOf(rule.Origin, call), []string{name}, where, "%s", what)
				break
			}
		}
	}
	if permits(c.profile.Default) {
		also := ""
		if len(byDefault) > 0 {
			also = ", among them " + enumerate(byDefault)
		}
		c.report("default-allow", -1, "defaultAction", nil, "", "what no rule names is allowed, calls of newer kernels too%s", also)
	}
	for _, p := range places {
		if p.arch.Name == "x32" {
			c.report("x32", -1, "architectures", nil, "", "x32 is listed, whose calls few programs make and fewer people test")
		}
	}
}

// granted reports whether a call is allowed at a place, and by which rule.
func (c *checker) granted(g *grant, call arch.Call, p place) (*spec.Rule, bool) {
	v, _ := c.at(call, p)
	only := g.only
	if only != nil && only.Value == cloneNewUser && call.Name() == "clone" && (p.arch.Name == "s390" || p.arch.Name == "s390x") {
		only = bit(1, cloneNewUser) // the flags are the second argument there (clone(2))
	}
	if ret, plain := constant(v); plain || only == nil {
		var rule *spec.Rule
		if len(v.Rules) > 0 {
			rule = &v.Rules[0]
		}
		return rule, plain && permits(ret)
	}
	for _, w := range c.differences(restricted(v, []spec.Condition{*only}), always(bpf.RetKillProcess)) {
		if permits(w.First.Return) {
			return w.First.Rule, true
		}
	}
	return nil, false
}

// since reports whether a rule counts from that kernel on only.
func (c *checker) since(rule int, version spec.KernelVersion) bool {
	f := c.profile.Syscalls[rule].Includes
	return f != nil && f.MinKernel != nil && f.MinKernel.Compare(version) >= 0
}

// nameOf is the path of a call's name in a rule.
func (c *checker) nameOf(rule int, call arch.Call) string {
	if k := slices.Index(c.known[rule], int(call)); k >= 0 {
		return namePath(rule, k)
	}
	return rulePath(rule)
}
