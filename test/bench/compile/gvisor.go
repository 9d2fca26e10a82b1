package main

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	gseccomp "gvisor.dev/gvisor/pkg/seccomp"

	"seccomp-hook/pkg/bpf"
)

// gvisor gives gVisor's compiler the rules by number. It has no -ENOSYS stub.
func gvisor(p *policy) (bpf.Program, error) {
	calls, err := native(p)
	if err != nil {
		return nil, err
	}
	byAction := map[gseccomp.Action]map[uintptr]gseccomp.SyscallRule{}
	var order []gseccomp.Action
	for _, c := range calls {
		for _, s := range c.rules {
			if c.always && len(s.Args) > 0 {
				continue // beaten by the unconditional one
			}
			action, err := gvisorAction(s.Action, number(s.ErrnoRet))
			if err != nil {
				return nil, err
			}
			rule, err := gvisorRule(s.Args)
			if err != nil {
				return nil, err
			}
			rules := byAction[action]
			if rules == nil {
				rules = map[uintptr]gseccomp.SyscallRule{}
				byAction[action] = rules
				order = append(order, action)
			}
			if before, ok := rules[uintptr(c.nr)]; ok {
				rule = gseccomp.Or{before, rule}
			}
			rules[uintptr(c.nr)] = rule
		}
	}
	fallback, err := gvisorAction(p.object.DefaultAction, number(p.object.DefaultErrnoRet))
	if err != nil {
		return nil, err
	}
	program := gseccomp.Program{Options: gseccomp.ProgramOptions{DefaultAction: fallback, BadArchAction: gseccomp.KillThread}}
	for _, action := range order {
		program.RuleSets = append(program.RuleSets, gseccomp.RuleSet{Rules: gseccomp.MakeSyscallRules(byAction[action]), Action: action})
	}
	instructions, _, err := program.Build()
	if err != nil {
		return nil, err
	}
	converted := make(bpf.Program, len(instructions))
	for i, in := range instructions {
		converted[i] = bpf.Instruction{Code: in.OpCode, Jt: in.JumpIfTrue, Jf: in.JumpIfFalse, K: in.K}
	}
	return converted, nil
}

func gvisorAction(action specs.LinuxSeccompAction, errno uint) (gseccomp.Action, error) {
	switch action {
	case specs.ActAllow:
		return gseccomp.Allow, nil
	case specs.ActErrno:
		return gseccomp.ReturnError.Code(uint16(errno)), nil
	}
	return "", unknown("action", action)
}

func gvisorRule(args []specs.LinuxSeccompArg) (gseccomp.SyscallRule, error) {
	if len(args) == 0 {
		return gseccomp.MatchAll{}, nil
	}
	var rule gseccomp.PerArg
	for i := range rule {
		rule[i] = gseccomp.AnyValue{}
	}
	for _, a := range args {
		value := uintptr(a.Value)
		switch a.Op {
		case specs.OpEqualTo:
			rule[a.Index] = gseccomp.EqualTo(value)
		case specs.OpNotEqual:
			rule[a.Index] = gseccomp.NotEqual(value)
		case specs.OpLessThan:
			rule[a.Index] = gseccomp.LessThan(value)
		case specs.OpLessEqual:
			rule[a.Index] = gseccomp.LessThanOrEqual(value)
		case specs.OpGreaterThan:
			rule[a.Index] = gseccomp.GreaterThan(value)
		case specs.OpGreaterEqual:
			rule[a.Index] = gseccomp.GreaterThanOrEqual(value)
		case specs.OpMaskedEqual:
			rule[a.Index] = gseccomp.MaskedEqual(value, uintptr(a.ValueTwo))
		default:
			return nil, unknown("operator", a.Op)
		}
	}
	return rule, nil
}
