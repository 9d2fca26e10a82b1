package reference

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Profile returns the program that runc would install for p on the target
// (Object, Compile). What Target leaves open is as for spec.Profile.Resolve.
func Profile(p *spec.Profile, t spec.Target) (bpf.Program, error) {
	if t.Native == nil && len(t.Archs) > 0 {
		t.Native = t.Archs[0]
	}
	if t.Native == nil {
		t.Native = arch.Native()
	}
	object, err := Object(p, t)
	if err != nil {
		return nil, err
	}
	return Compile(object, t.Native)
}

// Object returns the linux.seccomp object that a container engine would write
// for p: of a Docker-format profile the rules that count for the target, as
// moby chooses them (profiles/seccomp, setupSeccomp), and of its archMap the
// entry of the native architecture. Target.Native must be set.
func Object(p *spec.Profile, t spec.Target) (*specs.LinuxSeccomp, error) {
	if t.Native == nil {
		return nil, fmt.Errorf("reference: profile %s: no native architecture", p.Name)
	}
	action, errno, err := actionName(p.Default)
	if err != nil {
		return nil, fmt.Errorf("reference: profile %s: default action: %w", p.Name, err)
	}
	object := &specs.LinuxSeccomp{DefaultAction: action, DefaultErrnoRet: errno, Architectures: architectures(p, t)}
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		if !counts(s, t) {
			continue
		}
		action, errno, err := actionName(s.Return)
		if err != nil {
			return nil, fmt.Errorf("reference: profile %s: rule %d: %w", p.Name, i, err)
		}
		rule := specs.LinuxSyscall{Names: s.Names, Action: action, ErrnoRet: errno}
		for _, a := range s.Args {
			rule.Args = append(rule.Args, specs.LinuxSeccompArg{
				Index: uint(a.Index), Value: a.Value, ValueTwo: a.ValueTwo, Op: operatorName(a),
			})
		}
		object.Syscalls = append(object.Syscalls, rule)
	}
	return object, nil
}

func architectures(p *spec.Profile, t spec.Target) []specs.Arch {
	var list []specs.Arch
	add := func(archs []*arch.Arch) {
		for _, a := range archs {
			list = append(list, specs.Arch(a.OCI))
		}
	}
	if len(t.Archs) > 0 {
		add(t.Archs)
		return list
	}
	add(p.Architectures)
	for _, m := range p.ArchMap {
		if m.Architecture == t.Native.OCI {
			list = append(list, specs.Arch(m.Architecture))
			for _, sub := range m.SubArchitectures {
				list = append(list, specs.Arch(sub))
			}
			break
		}
	}
	return list
}

// counts reports whether a rule's includes and excludes let it in.
func counts(s *spec.Syscall, t spec.Target) bool {
	capabilities := t.Capabilities
	if capabilities == nil {
		capabilities = spec.DefaultCapabilities()
	}
	has := func(name string) bool { return slices.Contains(capabilities, name) }
	native := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[t.Native.Name]
	if native == "" {
		native = t.Native.Name
	}
	newEnough := func(v *spec.KernelVersion) bool {
		return t.Kernel == spec.KernelVersion{} || t.Kernel.Major > v.Major ||
			t.Kernel.Major == v.Major && t.Kernel.Minor >= v.Minor
	}
	if out := s.Excludes; out != nil {
		if slices.Contains(out.Arches, native) || slices.ContainsFunc(out.Caps, has) ||
			out.MinKernel != nil && newEnough(out.MinKernel) {
			return false
		}
	}
	if in := s.Includes; in != nil {
		lacks := func(name string) bool { return !has(name) }
		return (len(in.Arches) == 0 || slices.Contains(in.Arches, native)) &&
			!slices.ContainsFunc(in.Caps, lacks) &&
			(in.MinKernel == nil || newEnough(in.MinKernel))
	}
	return true
}

var actionNames = map[bpf.Return]specs.LinuxSeccompAction{
	bpf.RetKillThread:  specs.ActKillThread,
	bpf.RetKillProcess: specs.ActKillProcess,
	bpf.RetTrap:        specs.ActTrap,
	bpf.RetErrno:       specs.ActErrno,
	bpf.RetTrace:       specs.ActTrace,
	bpf.RetAllow:       specs.ActAllow,
	bpf.RetLog:         specs.ActLog,
	bpf.RetUserNotif:   specs.ActNotify,
}

// actionName returns the name of r's action, and its errno where it has one.
func actionName(r bpf.Return) (specs.LinuxSeccompAction, *uint, error) {
	name, ok := actionNames[r.Action()]
	if !ok {
		return "", nil, fmt.Errorf("%v has no name in the runtime-spec", r)
	}
	if r.Action() != bpf.RetErrno && r.Action() != bpf.RetTrace {
		return name, nil, nil
	}
	errno := uint(r.Data())
	return name, &errno, nil
}

var operatorNames = [...]specs.LinuxSeccompOperator{
	spec.EQ: specs.OpEqualTo, spec.NE: specs.OpNotEqual,
	spec.LT: specs.OpLessThan, spec.LE: specs.OpLessEqual,
	spec.GT: specs.OpGreaterThan, spec.GE: specs.OpGreaterEqual,
}

func operatorName(a spec.Arg) specs.LinuxSeccompOperator {
	if a.Masked {
		return specs.OpMaskedEqual
	}
	return operatorNames[a.Op]
}
