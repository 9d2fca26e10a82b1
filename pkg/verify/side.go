package verify

import (
	"fmt"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// side is one of the two things that are compared.
type side interface {
	// check reports whether the side is valid.
	check() error
	// outcomes says what all calls get, as diagrams.
	outcomes(d *forest, o *order) *outcomes
	// verdict says what one call gets, without any diagram.
	verdict(call *bpf.Data) (Verdict, error)
	// conditions is how many conditions rules have, each counted once. It is 0
	// for a program.
	conditions() int
	// tokens are architecture tokens of which a witness is worth more than of
	// others, the best one first.
	tokens() []uint32
}

// policySide is a policy to be compared.
type policySide struct{ *spec.Policy }

func (s policySide) check() error {
	if err := checkPolicy(s.Policy); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	return nil
}

func (s policySide) outcomes(d *forest, o *order) *outcomes { return d.policy(s.Policy, o) }

func (s policySide) verdict(call *bpf.Data) (Verdict, error) {
	v := Verdict{Return: s.Evaluate(call)}
	for i := range s.Tokens {
		if t := &s.Tokens[i]; t.Audit == call.Arch {
			_, v.Rule = t.Lookup(call.Nr).Decide(&call.Args)
		}
	}
	return v, nil
}

func (s policySide) conditions() int {
	seen := make(map[spec.Condition]struct{})
	for i := range s.Tokens {
		for k := range s.Tokens[i].Ranges {
			for _, rule := range s.Tokens[i].Ranges[k].Verdict.Rules {
				for _, c := range rule.Conditions {
					seen[c] = struct{}{}
				}
			}
		}
	}
	return len(seen)
}

func (s policySide) tokens() []uint32 {
	var tokens []uint32
	for _, t := range s.Tokens {
		tokens = append(tokens, t.Audit)
	}
	return tokens
}

// programSide is a program to be compared, on a machine of one byte order.
type programSide struct {
	prog   bpf.Program
	endian bpf.Endian
}

func (s programSide) check() error {
	if err := checkEndian(s.endian); err != nil {
		return err
	}
	if err := s.prog.Validate(); err != nil {
		return fmt.Errorf("program: %w", err)
	}
	return nil
}

func (s programSide) outcomes(d *forest, o *order) *outcomes { return d.execute(s.prog, o, s.endian) }

func (s programSide) verdict(call *bpf.Data) (Verdict, error) {
	w := call.Words(s.endian)
	r, err := s.prog.Run(&w)
	return Verdict{Return: r}, err
}

func (s programSide) conditions() int { return 0 }

// tokens are the constants of equality tests right after a load of the
// architecture.
func (s programSide) tokens() []uint32 {
	var tokens []uint32
	arch := false
	for _, in := range s.prog {
		switch in.Code {
		case bpf.LD | bpf.W | bpf.ABS:
			arch = in.K == bpf.OffArch
		case bpf.JMP | bpf.JEQ | bpf.K:
			if arch {
				tokens = append(tokens, in.K)
			}
		}
	}
	return tokens
}
