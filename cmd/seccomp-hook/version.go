package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/filter"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "seccomp-hook %s\ncompiler %s\n%s %s/%s\n",
				filter.Version(), compile.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
