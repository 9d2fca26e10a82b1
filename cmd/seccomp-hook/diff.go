package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/explain"
)

func diffCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "diff [flags] PROFILE PROFILE2",
		Short: "List the calls that two profiles treat differently",
		Long: `List the calls that two profiles treat differently, with the verdict of the
first and of the second. Where the verdict depends on arguments, one example is
given. The list is complete: empty output is a proof that they are equal.

` + exitCodes,
		Args: cobra.ExactArgs(2),
		RunE: comparison(func(cmd *cobra.Command, args []string) error {
			first, err := t.request(args[0])
			if err != nil {
				return err
			}
			second, err := t.request(args[1])
			if err != nil {
				return err
			}
			a, _, err := first.Policy()
			if err != nil {
				return err
			}
			b, _, err := second.Policy()
			if err != nil {
				return err
			}
			differences, err := explain.Diff(a, b)
			if err != nil {
				return err
			}
			return printDifferences(cmd, differences)
		}),
	}
	t.register(cmd)
	return cmd
}

func printDifferences(cmd *cobra.Command, differences []explain.Difference) error {
	code := exitOK
	for _, d := range differences {
		for _, line := range d.Lines() {
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), line); err != nil {
				return err
			}
		}
		switch {
		case !d.Undecided:
			code = exitDifferent
		case code == exitOK:
			code = exitUndecided
		}
	}
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}
