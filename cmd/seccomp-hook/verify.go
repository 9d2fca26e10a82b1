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
			begin := time.Now()
			result, err := t.compare(cmd, r, program, against)
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

// compare compares a profile with a program, or with another profile.
func (t *target) compare(cmd *cobra.Command, r filter.Request, program, against string) (verify.Result, error) {
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
		p, err := readProgram(program)
		if err != nil {
			return verify.Result{}, err
		}
		return verify.Policy(policy, p)
	}
	other, err := t.request(against)
	if err != nil {
		return verify.Result{}, err
	}
	second, _, err := other.Policy()
	if err != nil {
		return verify.Result{}, err
	}
	return verify.Policies(policy, second)
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
