package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// libseccomp is the value of --against that means another compiler.
const libseccomp = "libseccomp"

func verifyCommand() *cobra.Command {
	var t target
	var program, against string
	cmd := &cobra.Command{
		Use:   "verify [flags] PROFILE (--program FILE | --against PROFILE2 | --against libseccomp)",
		Short: "Decide whether a program or another profile says the same as a profile",
		Long: `Decide, for every possible call, whether a program (in the raw format), another
profile, or the program that libseccomp makes of the profile gives the same
verdict as the profile. Prints "equal", or a call for which they differ, and the
time that it took.

` + exitCodes,
		Args: cobra.ExactArgs(1),
		RunE: comparison(func(cmd *cobra.Command, args []string) error {
			r, err := t.request(args[0])
			if err != nil {
				return err
			}
			policy, _, err := r.Policy()
			if err != nil {
				return err
			}
			begin := time.Now()
			result, err := t.compare(&r, policy, program, against)
			if err != nil {
				return err
			}
			return conclude(cmd, result, time.Since(begin))
		}),
	}
	t.register(cmd)
	cmd.Flags().StringVar(&program, "program", "", "`FILE` with a program in the raw format")
	cmd.Flags().StringVar(&against, "against", "", "another `PROFILE`, or libseccomp")
	cmd.MarkFlagsMutuallyExclusive("program", "against")
	cmd.MarkFlagsOneRequired("program", "against")
	return cmd
}

// compare compares a policy with a program or with another profile.
func (t *target) compare(r *filter.Request, policy *spec.Policy, program, against string) (verify.Result, error) {
	var p bpf.Program
	var err error
	switch {
	case against == libseccomp:
		p, err = referenceProgram(r)
	case program != "":
		p, err = readProgram(program)
	default:
		var other filter.Request
		if other, err = t.request(against); err != nil {
			return verify.Result{}, err
		}
		var second *spec.Policy
		if second, _, err = other.Policy(); err != nil {
			return verify.Result{}, err
		}
		return verify.Policies(policy, second)
	}
	if err != nil {
		return verify.Result{}, err
	}
	return verify.Policy(policy, p)
}

// conclude prints the outcome of a proof and turns it into an exit code.
func conclude(cmd *cobra.Command, result verify.Result, took time.Duration) error {
	text := result.Outcome.String()
	if w := result.Witness; w != nil {
		text += fmt.Sprintf(": %s%s: first %s, second %s", explain.Name(w.Call.Arch, w.Call.Nr), explain.Arguments(w.Call.Args), w.First, w.Second)
		if w.Call.IP != 0 {
			text += fmt.Sprintf(", instruction pointer %#x", w.Call.IP)
		}
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s (%s)\n", text, took.Round(time.Microsecond)); err != nil {
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
