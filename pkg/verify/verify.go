package verify

import (
	"errors"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Budget bounds what a comparison may take. Where it is used up the outcome
// is Undecided. It counts work and not time, so that the same question has the
// same answer on every machine. A zero field means the default.
type Budget struct {
	// Nodes bounds the memory: diagram nodes of about 24 bytes each.
	Nodes int
	// Steps bounds the time: recursion steps, some ten million a second.
	Steps int
}

// Policy decides whether prog gives every system call what policy says, on a
// machine of the policy's byte order. The error says that prog or policy is
// not valid; an undecided comparison is not an error.
func Policy(policy *spec.Policy, prog bpf.Program) (Result, error) {
	return Budget{}.Policy(policy, prog)
}

// Programs decides whether a and b return the same value for every system call
// on a machine of the given byte order.
func Programs(a, b bpf.Program, endian bpf.Endian) (Result, error) {
	return Budget{}.Programs(a, b, endian)
}

// Policies decides whether a and b give every system call the same verdict.
// Their byte orders have no part in that.
func Policies(a, b *spec.Policy) (Result, error) {
	return Budget{}.Policies(a, b)
}

// Policy is the function Policy within budget.
func (budget Budget) Policy(policy *spec.Policy, prog bpf.Program) (Result, error) {
	return Result{}, errors.ErrUnsupported
}

// Programs is the function Programs within budget.
func (budget Budget) Programs(a, b bpf.Program, endian bpf.Endian) (Result, error) {
	return Result{}, errors.ErrUnsupported
}

// Policies is the function Policies within budget.
func (budget Budget) Policies(a, b *spec.Policy) (Result, error) {
	return Result{}, errors.ErrUnsupported
}
