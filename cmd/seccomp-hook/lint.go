package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func lintCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "lint [flags] PROFILE",
		Short: "List what in a profile may not mean what its author had in mind",
		Long: `List what in a profile may not mean what its author had in mind, one line each:
unknown properties and calls, rules that repeat an argument and so allow
everything, rules that overlap, comparisons of arguments that the kernel cuts to
32 bits.

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
			for _, w := range policy.Warnings {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), w); err != nil {
					return err
				}
			}
			if len(policy.Warnings) > 0 {
				return &exitError{code: exitDifferent}
			}
			return nil
		}),
	}
	t.register(cmd)
	return cmd
}
