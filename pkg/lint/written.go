package lint

import (
	"errors"
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// written reports what is in the profile's text, whatever it means.
func (c *checker) written() {
	p := c.profile
	for _, w := range p.Warnings {
		c.report(w.Kind.String(), w.Rule, w.Path, nil, "", "%s%s", w.Text, hint(w))
	}
	if p.Default == bpf.Errno(0) {
		c.report("errno-zero", -1, "defaultErrnoRet", nil, "", "calls that no rule names report success and are not made")
	}
	notifies, permitted := false, permits(p.Default) || p.Default.Action() == bpf.RetTrace
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		notifies = notifies || s.Return == bpf.RetUserNotif
		permitted = permitted || len(s.Names) > 0 && s.Return.Milder(bpf.RetErrno) > 0
		if len(s.Names) == 0 {
			c.report("empty-rule", i, rulePath(i), nil, "", "there are no names")
		}
		if s.Return == bpf.Errno(0) {
			c.report("errno-zero", i, rulePath(i)+".errnoRet", nil, "", "%s: the calls are not made and report success", enumerate(s.Names))
		}
		for k, name := range s.Names {
			if _, ok := arch.FindCall(name); !ok {
				c.report("unknown-syscall", i, namePath(i, k), nil, "", "call %q is unknown and ignored%s", name, suggest(name))
			}
		}
		for k := range s.Args {
			c.value(i, k, &s.Args[k])
		}
	}
	if !permitted {
		c.report("nothing-allowed", -1, "defaultAction", nil, "", "every call gets %v or another denial", p.Default)
	}
	if p.Flags.WaitKillableRecv && !notifies {
		c.report("unused-flag", -1, "flags", nil, "", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is about a listener, and no rule has the action SCMP_ACT_NOTIFY")
	}
	if p.ListenerPath != "" && !notifies {
		c.report("unused-listener", -1, "listenerPath", nil, "", "no rule has the action SCMP_ACT_NOTIFY")
	}
}

// value looks at the constants of one condition.
func (c *checker) value(rule, argument int, a *spec.Arg) {
	path := argPath(rule, argument)
	switch {
	case !a.Masked && a.ValueTwo != 0:
		c.report("unused-value", rule, path+".valueTwo", nil, "", "valueTwo %d is for SCMP_CMP_MASKED_EQ only", a.ValueTwo)
	case a.Masked && a.Value == 0:
		c.report("empty-mask", rule, path, nil, "", "argument %d is compared with %#x under a mask of 0, which always holds", a.Index, a.ValueTwo)
	case a.Masked && a.ValueTwo&^a.Value != 0:
		c.report("unused-value", rule, path+".valueTwo", nil, "",
			"the bits %#x of valueTwo are outside the mask %#x", a.ValueTwo&^a.Value, a.Value)
	}
}

// refused reports a target for which no container can be created.
func (c *checker) refused(t *spec.Target, err error) {
	rule, path := -1, "syscalls"
	var about *spec.RuleError
	var conflict *spec.ConflictError
	cause := err
	switch {
	case errors.As(err, &conflict):
		rule, cause = conflict.Second.Origin, conflict
	case errors.As(err, &about):
		rule, cause = about.Rule, fmt.Errorf("%s: %w", about.Call, about.Err)
	}
	if rule >= 0 {
		path = rulePath(rule)
	}
	where := "on " + t.Native.Name
	if len(t.Capabilities) > 0 {
		where += " with " + enumerate(slices.Clone(t.Capabilities))
	}
	c.report("refused", rule, path, nil, where, "%v", cause)
}
