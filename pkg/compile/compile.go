package compile

import (
	"errors"
	"fmt"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Version names this compiler's output: it changes whenever the same policy
// may give another program, so that stored programs are not taken for ones
// that this compiler would make.
const Version = "5"

// Options say what to optimise for. The zero value is the default.
type Options struct {
	Optimize Goal
	// Weights, where not nil, says how often calls are made, and takes
	// precedence over the goal's own table.
	Weights *Weights
}

// Goal is what the compiler minimises.
type Goal uint8

const (
	// Cache minimises the instructions that the kernel executes where it
	// keeps a cache of constant actions (Linux 5.11): calls that the cache
	// serves count little.
	Cache Goal = iota
	// Depth minimises the instructions executed per call, whether or not the
	// cache would serve it.
	Depth
	// Size minimises the length of the program.
	Size
)

var goalNames = [...]string{Cache: "cache", Depth: "depth", Size: "size"}

func (g Goal) String() string {
	if int(g) < len(goalNames) {
		return goalNames[g]
	}
	return fmt.Sprintf("Goal(%d)", uint8(g))
}

// ParseGoal returns the goal of the given name: "cache", "depth" or "size".
func ParseGoal(name string) (Goal, error) {
	for g, n := range goalNames {
		if n == name {
			return Goal(g), nil
		}
	}
	return Cache, fmt.Errorf("compile: unknown goal %q: must be cache, depth or size", name)
}

// TooLargeError says that a policy needs more instructions than the kernel
// takes.
type TooLargeError struct {
	// Instructions is the length of the program that the policy came to; of a
	// hopelessly large one, about that.
	Instructions int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("compile: the policy needs %d instructions, the kernel takes at most %d", e.Instructions, bpf.MaxInstructions)
}

// PolicyError says that a Policy is not one: what pkg/spec makes never is.
type PolicyError struct {
	Audit  uint32 // token, 0 where the error is not about one
	Reason string
}

func (e *PolicyError) Error() string {
	if e.Audit == 0 {
		return "compile: invalid policy: " + e.Reason
	}
	return fmt.Sprintf("compile: invalid policy: token %#x: %s", e.Audit, e.Reason)
}

// Compile returns a program that gives every call the return value that the
// policy gives it. The same policy and options give the same program, on any
// machine. The error is a *TooLargeError where the program would not fit, and a
// *PolicyError where the policy is not a total function.
func Compile(policy *spec.Policy, o Options) (bpf.Program, error) {
	if int(o.Optimize) >= len(balances) {
		return nil, fmt.Errorf("compile: unknown goal %s", o.Optimize)
	}
	if err := check(policy); err != nil {
		return nil, err
	}
	program, err := try(policy, o, false)
	var tooLarge *TooLargeError
	if errors.As(err, &tooLarge) {
		return try(policy, o, true)
	}
	return program, err
}

// try is Compile with bounded work for each call or, where thorough is set, with
// all that is ever done to make a program short.
func try(policy *spec.Policy, o Options, thorough bool) (bpf.Program, error) {
	b := newBuilder(policy, o, thorough)
	defer b.release()
	p, err := b.build()
	if err != nil {
		return nil, err
	}
	program := layout(optimize(p, passes))
	if len(program) > bpf.MaxInstructions {
		return nil, &TooLargeError{Instructions: len(program)}
	}
	return program, nil
}

// check reports the first thing in p that makes it not a total function.
func check(p *spec.Policy) error {
	if p.Endian != bpf.Little && p.Endian != bpf.Big {
		return &PolicyError{Reason: fmt.Sprintf("unknown byte order %d", p.Endian)}
	}
	seen := make(map[uint32]bool, len(p.Tokens))
	for i := range p.Tokens {
		t := &p.Tokens[i]
		fail := func(format string, args ...any) error {
			return &PolicyError{Audit: t.Audit, Reason: fmt.Sprintf(format, args...)}
		}
		if seen[t.Audit] {
			return fail("is there twice")
		}
		seen[t.Audit] = true
		next := uint64(0)
		for j := range t.Ranges {
			r := &t.Ranges[j]
			if uint64(r.First) != next || r.Last < r.First {
				return fail("range %d (%#x to %#x) does not begin at %#x", j, r.First, r.Last, next)
			}
			next = uint64(r.Last) + 1
			for k := range r.Verdict.Rules {
				for _, condition := range r.Verdict.Rules[k].Conditions {
					if condition.Arg > 5 || condition.Op > spec.GE {
						return fail("range %d: rule %d compares argument %d with %s", j, k, condition.Arg, condition.Op)
					}
				}
			}
		}
		if next != 1<<32 {
			return fail("ranges end at %#x", next)
		}
	}
	return nil
}
