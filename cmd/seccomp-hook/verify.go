package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/verify"
)

// libseccomp is the value of --against that means another compiler.
const libseccomp = "libseccomp"

func verifyCommand() *cobra.Command {
	var s scope
	var program, against, format string
	cmd := &cobra.Command{
		Use:   "verify [flags] PROFILE (--program FILE | --against PROFILE2 | --against libseccomp)",
		Short: "Decide whether a program or another profile says the same as a profile",
		Long: `Decide, for every possible call, whether a program (in the raw format), another
profile, or the program that libseccomp makes of the profile gives the same
verdict as the profile. Prints "equal", or a call for which they differ, and the
time that it took. Two profiles are compared for the targets that are told on
stderr; that flags or listeners differ is a warning.

` + exitCodes,
		Args: cobra.ExactArgs(1),
		RunE: comparison(func(cmd *cobra.Command, args []string) error {
			r, err := s.request(args[0])
			if err != nil {
				return err
			}
			if format != "text" && format != "json" {
				return usage("--format %q: must be text or json", format)
			}
			kernels, err := s.kernels(nil)
			if err != nil {
				return err
			}
			r.Kernel = kernels[0]
			begin := time.Now()
			result, err := s.against(cmd, r, program, against)
			if err != nil {
				return err
			}
			return conclude(cmd, result, time.Since(begin), format)
		}),
	}
	s.register(cmd)
	formatFlag(cmd, &format)
	cmd.Flags().StringVar(&program, "program", "", "`FILE` with a program in the raw format")
	cmd.Flags().StringVar(&against, "against", "", "another `PROFILE`, or libseccomp")
	cmd.MarkFlagsMutuallyExclusive("program", "against")
	cmd.MarkFlagsOneRequired("program", "against")
	cmd.MarkFlagsMutuallyExclusive("program", "all-targets", "kernel-range")
	return cmd
}

// against compares a profile with a program, or with another profile.
func (s *scope) against(cmd *cobra.Command, r filter.Request, program, against string) (verify.Result, error) {
	if against == libseccomp {
		result, left, err := filter.CompareReference(r)
		if len(left) > 0 {
			tell(cmd, []string{fmt.Sprintf("left out, as libseccomp has them differently or not at all: %s", strings.Join(left, ", "))})
		}
		return result, err
	}
	policy, _, err := r.Policy()
	if err != nil {
		return verify.Result{}, err
	}
	if program != "" {
		p, err := readProgram(cmd, program)
		if err != nil {
			return verify.Result{}, err
		}
		return verify.Policy(policy, p)
	}
	return s.profiles(cmd, r.Profile, against)
}

// profiles compares two profiles for each target, until they differ.
func (s *scope) profiles(cmd *cobra.Command, first, second string) (verify.Result, error) {
	a, err := s.load(first)
	if err != nil {
		return verify.Result{}, err
	}
	b, err := s.load(second)
	if err != nil {
		return verify.Result{}, err
	}
	targets, err := s.targets(cmd, a, b)
	if err != nil {
		return verify.Result{}, err
	}
	all := verify.Result{Outcome: verify.Equal}
	var besides []string // what is no part of the policies
	for _, target := range targets {
		p, err := a.Resolve(target)
		if err != nil {
			return verify.Result{}, fmt.Errorf("%s: %w", explain.Describe(target), err)
		}
		q, err := b.Resolve(target)
		if err != nil {
			return verify.Result{}, fmt.Errorf("%s: %w", explain.Describe(target), err)
		}
		result, err := verify.Policies(p, q)
		if err != nil {
			return verify.Result{}, err
		}
		if result.Outcome == verify.Different {
			decided(cmd, explain.Describe(target))
			return result, nil
		}
		if result.Outcome == verify.Undecided {
			all = result
		}
		besides = explain.Attributes(a, b, p, q)
	}
	tell(cmd, besides)
	decided(cmd, (&explain.Comparison{Targets: targets}).Scope())
	return all, nil
}

// conclude prints the outcome of a proof and turns it into an exit code.
func conclude(cmd *cobra.Command, result verify.Result, took time.Duration, format string) error {
	text := result.Outcome.String()
	if w := result.Witness; w != nil {
		text += fmt.Sprintf(": %s%s: first %s, second %s", explain.Name(w.Call.Arch, w.Call.Nr), explain.Arguments(w.Call.Args), w.First, w.Second)
		if w.Call.IP != 0 {
			text += fmt.Sprintf(", instruction pointer %#x", w.Call.IP)
		}
	}
	var err error
	if format == "json" {
		err = printJSON(cmd.OutOrStdout(), conclusion(result, took))
	} else {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s (%s)\n", text, took.Round(time.Microsecond))
	}
	if err != nil {
		return err
	}
	switch result.Outcome {
	case verify.Equal:
		return nil
	case verify.Different:
		return &exitError{code: exitDifferent}
	default:
		return &exitError{code: exitUndecided}
	}
}

// verification is what --format json writes.
type verification struct {
	Version int    `json:"version"`
	Outcome string `json:"outcome"` // equal, different, undecided
	// Call is one for which the two differ, and First and Second what it gets.
	Call         string `json:"call,omitempty"`
	First        string `json:"first,omitempty"`
	Second       string `json:"second,omitempty"`
	Pointer      uint64 `json:"instructionPointer,omitempty"`
	Microseconds int64  `json:"microseconds"`
}

func conclusion(result verify.Result, took time.Duration) verification {
	v := verification{Version: schemaVersion, Outcome: result.Outcome.String(), Microseconds: took.Microseconds()}
	if w := result.Witness; w != nil {
		v.Call = explain.Name(w.Call.Arch, w.Call.Nr) + explain.Arguments(w.Call.Args)
		v.First, v.Second, v.Pointer = w.First.String(), w.Second.String(), w.Call.IP
	}
	return v
}
