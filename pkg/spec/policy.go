package spec

import (
	"fmt"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// Policy is a total function from system calls to verdicts. Nothing in it
// depends on names, map order or the machine that made it.
type Policy struct {
	// Endian is the byte order of the native architecture, the one whose
	// struct seccomp_data the program will see.
	Endian bpf.Endian
	// Tokens has one entry for each AUDIT_ARCH_* token that the policy speaks
	// of, the native one first, the others in ascending order.
	Tokens []Token
	// Other is what a call of any other token gets.
	Other bpf.Return

	// Listener says that the profile has a NOTIFY rule, which wants a listener
	// even where no call of the target meets it (runc, patchbpf.filterFlags).
	// It is no part of the function.
	Listener bool
	// Warnings are about the profile, not about the function.
	Warnings Warnings
	// Sources is how many profiles the policy was made of (Stricter); 0 is one.
	Sources int
}

// Token says what calls get that carry one AUDIT_ARCH_* token. On x86 the
// numbers of x32, from 0x40000000, belong to the token of x86_64.
type Token struct {
	Audit uint32
	// Ranges cover all 2^32 numbers, ascending, without gap or overlap.
	Ranges []Range
}

// Range gives one verdict to a run of call numbers, both ends included.
type Range struct {
	First, Last uint32
	Verdict     Verdict
}

// Verdict is what a call gets: the Return of the first of Rules whose
// conditions all hold, else Default. Without Rules it is a constant.
type Verdict struct {
	Rules   []Rule
	Default bpf.Return
}

// Rule gives Return to calls for which every condition holds. A rule without
// conditions always applies.
type Rule struct {
	Conditions []Condition
	Return     bpf.Return
	// Origin is the index in the profile's syscalls list of the rule that this
	// one came from, for messages; it has no part in the meaning. Where a policy
	// is made of several profiles it can be ByDefault.
	Origin int
	// Source says which of the policy's profiles Origin is about, from 0.
	Source int
}

// ByDefault is the Origin of what the default action of a profile decides.
const ByDefault = -1

// Condition compares one argument: it holds where args[Arg]&Mask Op Value.
// A 32-bit comparison has no bit above 31 in Mask and Value.
type Condition struct {
	Arg   uint8 // 0 to 5
	Op    Op
	Mask  uint64
	Value uint64
}

// Op is a comparison of unsigned numbers.
type Op uint8

// The comparisons.
const (
	EQ Op = iota
	NE
	LT
	LE
	GT
	GE
)

var opSigns = [...]string{EQ: "==", NE: "!=", LT: "<", LE: "<=", GT: ">", GE: ">="}

func (o Op) String() string {
	if int(o) < len(opSigns) {
		return opSigns[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// Holds reports whether c holds for the given arguments.
func (c Condition) Holds(args *[6]uint64) bool {
	v := args[c.Arg] & c.Mask
	switch c.Op {
	case EQ:
		return v == c.Value
	case NE:
		return v != c.Value
	case LT:
		return v < c.Value
	case LE:
		return v <= c.Value
	case GT:
		return v > c.Value
	case GE:
		return v >= c.Value
	}
	return false
}

// Decide returns what a call with these arguments gets, and the rule that
// decided, nil where it was the default.
func (v *Verdict) Decide(args *[6]uint64) (bpf.Return, *Rule) {
next:
	for i := range v.Rules {
		r := &v.Rules[i]
		for _, c := range r.Conditions {
			if !c.Holds(args) {
				continue next
			}
		}
		return r.Return, r
	}
	return v.Default, nil
}

// Evaluate returns what call d gets under the policy: the definition of its
// meaning, that programs are tested and proved against.
func (p *Policy) Evaluate(d *bpf.Data) bpf.Return {
	for i := range p.Tokens {
		if t := &p.Tokens[i]; t.Audit == d.Arch {
			r, _ := t.Lookup(d.Nr).Decide(&d.Args)
			return r
		}
	}
	return p.Other
}

// Lookup returns the verdict for call number nr.
func (t *Token) Lookup(nr uint32) *Verdict {
	low, high := 0, len(t.Ranges)-1
	for low < high {
		mid := (low + high) / 2
		if nr > t.Ranges[mid].Last {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return &t.Ranges[low].Verdict
}

// Architectures returns the architectures that a policy means by a token, whose
// calls of unlisted architectures get other.
func (t *Token) Architectures(other bpf.Return) []*arch.Arch {
	var archs []*arch.Arch
	for _, a := range arch.All() {
		if a.Audit == t.Audit && (a.NumberBase != arch.X32Bit || t.hasX32(other)) {
			archs = append(archs, a)
		}
	}
	return archs
}

// hasX32 reports whether the token of x86_64 has x32 too. If it has not, all
// numbers that can be x32's get what a call of an unlisted architecture gets.
func (t *Token) hasX32(other bpf.Return) bool {
	for _, r := range t.Ranges {
		if r.Last < arch.X32Bit || r.First >= 2*arch.X32Bit {
			continue
		}
		if len(r.Verdict.Rules) > 0 || r.Verdict.Default != other {
			return true
		}
	}
	return false
}
