package spec

import (
	"fmt"

	"seccomp-hook/pkg/bpf"
)

// actions are the actions of the OCI runtime-spec. KILL is KILL_THREAD.
var actions = map[string]bpf.Return{
	"SCMP_ACT_KILL":         bpf.RetKillThread,
	"SCMP_ACT_KILL_THREAD":  bpf.RetKillThread,
	"SCMP_ACT_KILL_PROCESS": bpf.RetKillProcess,
	"SCMP_ACT_TRAP":         bpf.RetTrap,
	"SCMP_ACT_ERRNO":        bpf.RetErrno,
	"SCMP_ACT_TRACE":        bpf.RetTrace,
	"SCMP_ACT_ALLOW":        bpf.RetAllow,
	"SCMP_ACT_LOG":          bpf.RetLog,
	"SCMP_ACT_NOTIFY":       bpf.RetUserNotif,
}

// action is an action as written.
type action struct {
	ret   bpf.Return
	given bool
}

// read reads an action. The empty one counts as none: an empty defaultAction
// is how a profile is disabled.
func (a *action) read(d *decoder) error {
	d.space()
	pos := d.pos
	name, err := d.string()
	if err != nil || name == "" {
		return err
	}
	ret, ok := actions[name]
	if !ok {
		return d.fail(pos, "unknown action %q", name)
	}
	*a = action{ret, true}
	return nil
}

// defaultErrno is what ERRNO and TRACE without an errnoRet return: EPERM
// (runc, libcontainer/seccomp.getAction), which is 1 on every architecture.
const defaultErrno = 1

// errnoPath is where the errno of a rule is, -1 for that of the default action.
func errnoPath(rule int) string {
	if rule < 0 {
		return "defaultErrnoRet"
	}
	return fmt.Sprintf("syscalls[%d].errnoRet", rule)
}

// combine puts an action and its errno together. Other actions than ERRNO and
// TRACE take none: the spec calls that an error, runc ignores it.
func (o *object) combine(a action, e errno, rule int) bpf.Return {
	value, given := e.given()
	switch {
	case a.ret != bpf.RetErrno && a.ret != bpf.RetTrace:
		if given {
			o.warn(WarnErrno, rule, func() (string, string) {
				return errnoPath(rule), fmt.Sprintf("errno %d is ignored: %v takes none", value, a.ret)
			})
		}
		return a.ret
	case !given:
		value = defaultErrno
	}
	if e.local {
		o.errnoNames = true
	}
	return a.ret | bpf.Return(value)
}
