package main

import (
	"strings"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/hook"
)

// profiles completes a PROFILE: a file, or a builtin.
func profiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"builtin:docker", "builtin:containerd"}, cobra.ShellCompDirectiveDefault
}

// complete adds what a shell completes to the commands, where that is more than
// the names of files.
func complete(root *cobra.Command) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, name := range []string{"profile", "default-profile", "against"} {
			if cmd.Flags().Lookup(name) != nil {
				_ = cmd.RegisterFlagCompletionFunc(name, profiles) // the flag is there, and has none
			}
		}
		if strings.Contains(cmd.Use, "PROFILE") && cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = profiles
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(root)
}

// containers completes the id of a container of which a state is published.
func containers(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	dir, err := cmd.Flags().GetString("root")
	if err != nil || dir == "" {
		dir = hook.DefaultRoot
	}
	ids, err := hook.IDs(dir)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
