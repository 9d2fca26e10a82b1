package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
)

// compiler makes a program of a policy.
type compiler struct {
	name    string
	compile func(*policy) (bpf.Program, error)
}

// errCannot says that a compiler has no way to express a policy.
var errCannot = errors.New("cannot express this policy")

// compilers are all that are compared; the first is the measure.
var compilers = []compiler{
	{"seccomp-hook", ours(compile.Cache, (*policy).resolve)},
	{"seccomp-hook, depth", ours(compile.Depth, (*policy).resolve)},
	{"seccomp-hook, size", ours(compile.Size, (*policy).resolve)},
	{"seccomp-hook, from JSON", ours(compile.Cache, (*policy).read)},
	{"runc + libseccomp", runc},
	{"gVisor pkg/seccomp", gvisor},
	{"elastic/go-seccomp-bpf", elastic},
}

// ours makes a program of what resolve returns.
func ours(goal compile.Goal, resolve func(*policy) (*spec.Policy, error)) func(*policy) (bpf.Program, error) {
	return func(p *policy) (bpf.Program, error) {
		meaning, err := resolve(p)
		if err != nil {
			return nil, err
		}
		return compile.Compile(meaning, compile.Options{Optimize: goal})
	}
}

// runc goes from the object that runc has parsed to the program.
func runc(p *policy) (bpf.Program, error) {
	program, err := reference.Compile(p.object, p.target.Native)
	if errors.Is(err, reference.ErrNotBuilt) {
		return nil, errCannot
	}
	return program, err
}

// versions names the compilers' versions.
func versions() string {
	list := []string{"seccomp-hook's compiler version " + compile.Version}
	if v, err := reference.Version(); err == nil {
		list = append(list, "libseccomp "+v)
	} else {
		list = append(list, "no libseccomp ("+err.Error()+")")
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "gvisor.dev/gvisor" || m.Path == "github.com/elastic/go-seccomp-bpf" {
				list = append(list, m.Path+" "+m.Version)
			}
		}
	}
	return strings.Join(list, "; ")
}

// native returns what the compilers that know one architecture only need of a
// policy: its rules call by call, in order, by number.
func native(p *policy) ([]call, error) {
	if len(p.target.Archs) != 1 || p.target.Native.Name != "x86_64" {
		return nil, errCannot
	}
	var calls []call
	index := map[uint32]int{}
	for _, s := range p.object.Syscalls {
		if s.Action == p.object.DefaultAction && number(s.ErrnoRet) == number(p.object.DefaultErrnoRet) {
			continue
		}
		for _, name := range s.Names {
			nr, ok := p.target.Native.Number(name)
			if !ok {
				continue
			}
			at, seen := index[nr]
			if !seen {
				at = len(calls)
				index[nr] = at
				calls = append(calls, call{name: name, nr: nr})
			}
			c := &calls[at]
			c.rules = append(c.rules, s)
			c.always = c.always || len(s.Args) == 0
		}
	}
	return calls, nil
}

// call is the rules of one call.
type call struct {
	name   string
	nr     uint32
	rules  []specs.LinuxSyscall
	always bool // one of them has no condition
}

func number(errno *uint) uint {
	if errno == nil {
		return 1 // EPERM
	}
	return *errno
}

func unknown(kind string, what any) error { return fmt.Errorf("%s %v: %w", kind, what, errCannot) }
