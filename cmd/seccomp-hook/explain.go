package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/explain"
)

func explainCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "explain [flags] PROFILE CALL…",
		Short: "Say what calls get under a profile, and which rule says so",
		Long: `Say what calls get under a profile, and which rule says so. Rules are counted
from 0, in the profile's order. A CALL is a name or number, with an architecture
in front and arguments behind it if they matter:

  socket    'socket(40, 1)'    x86:socketcall    0x40000003:11

Without arguments all cases are listed; arguments that are left out are 0.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := t.request(args[0])
			if err != nil {
				return err
			}
			policy, profile, err := r.Policy()
			if err != nil {
				return err
			}
			for _, text := range args[1:] {
				call, given, err := explain.ParseCall(text, nativeOf(r.Architectures))
				if err != nil {
					return usage("%w", err)
				}
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), explain.Why(policy, profile, &call, given)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	t.register(cmd)
	return cmd
}
