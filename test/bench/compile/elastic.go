package main

import (
	eseccomp "github.com/elastic/go-seccomp-bpf"
	earch "github.com/elastic/go-seccomp-bpf/arch"
	"github.com/opencontainers/runtime-spec/specs-go"
	xbpf "golang.org/x/net/bpf"

	"seccomp-hook/pkg/bpf"
)

// elastic gives the rules to go-seccomp-bpf: by name, one group for each
// action. It knows one errno, has no mask but "these bits clear", and no
// -ENOSYS stub.
func elastic(p *policy) (bpf.Program, error) {
	calls, err := native(p)
	if err != nil {
		return nil, err
	}
	fallback, err := elasticAction(p.object.DefaultAction, number(p.object.DefaultErrnoRet))
	if err != nil {
		return nil, err
	}
	group := eseccomp.SyscallGroup{Action: eseccomp.ActionAllow}
	for _, c := range calls {
		if c.always {
			if c.rules[0].Action != specs.ActAllow {
				continue // another errno than the default
			}
			group.Names = append(group.Names, c.name)
			continue
		}
		for _, s := range c.rules {
			if s.Action != specs.ActAllow {
				continue
			}
			conditions, err := elasticConditions(s.Args)
			if err != nil {
				return nil, err
			}
			group.NamesWithCondtions = append(group.NamesWithCondtions, eseccomp.NameWithConditions{Name: c.name, Conditions: conditions})
		}
	}
	group.Names, group.NamesWithCondtions = elasticKnown(group)
	policy := eseccomp.Policy{DefaultAction: fallback, Syscalls: []eseccomp.SyscallGroup{group}}
	instructions, err := policy.Assemble()
	if err != nil {
		return nil, err
	}
	raw, err := xbpf.Assemble(instructions)
	if err != nil {
		return nil, err
	}
	converted := make(bpf.Program, len(raw))
	for i, in := range raw {
		converted[i] = bpf.Instruction{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return converted, nil
}

func elasticAction(action specs.LinuxSeccompAction, errno uint) (eseccomp.Action, error) {
	switch {
	case action == specs.ActAllow:
		return eseccomp.ActionAllow, nil
	case action == specs.ActErrno && errno == 1:
		return eseccomp.ActionErrno, nil
	}
	return 0, unknown("action", action)
}

func elasticConditions(args []specs.LinuxSeccompArg) (eseccomp.ArgumentConditions, error) {
	var conditions eseccomp.ArgumentConditions
	for _, a := range args {
		c := eseccomp.Condition{Argument: uint32(a.Index), Value: a.Value}
		switch {
		case a.Op == specs.OpEqualTo:
			c.Operation = eseccomp.Equal
		case a.Op == specs.OpNotEqual:
			c.Operation = eseccomp.NotEqual
		case a.Op == specs.OpLessThan:
			c.Operation = eseccomp.LessThan
		case a.Op == specs.OpLessEqual:
			c.Operation = eseccomp.LessOrEqual
		case a.Op == specs.OpGreaterThan:
			c.Operation = eseccomp.GreaterThan
		case a.Op == specs.OpGreaterEqual:
			c.Operation = eseccomp.GreaterOrEqual
		case a.Op == specs.OpMaskedEqual && a.ValueTwo == 0:
			c.Operation = eseccomp.BitsNotSet
		default:
			return nil, unknown("operator", a.Op)
		}
		conditions = append(conditions, c)
	}
	return conditions, nil
}

// elasticKnown leaves out the names that are not in elastic's tables, for which
// it would refuse the policy.
func elasticKnown(g eseccomp.SyscallGroup) (names []string, checked []eseccomp.NameWithConditions) {
	for _, name := range g.Names {
		if _, known := earch.X86_64.SyscallNames[name]; known {
			names = append(names, name)
		}
	}
	for _, c := range g.NamesWithCondtions {
		if _, known := earch.X86_64.SyscallNames[c.Name]; known {
			checked = append(checked, c)
		}
	}
	return names, checked
}
