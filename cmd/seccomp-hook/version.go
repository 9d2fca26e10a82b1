package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/filter"
)

func versionCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch format {
			case "json":
				return printJSON(cmd.OutOrStdout(), struct {
					Version  int    `json:"version"`
					Product  string `json:"seccompHook"`
					Compiler string `json:"compiler"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{schemaVersion, filter.Version(), compile.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			case "text":
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "seccomp-hook %s\ncompiler %s\n%s %s/%s\n",
					filter.Version(), compile.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return err
			}
			return usage("--format %q: must be text or json", format)
		},
	}
	formatFlag(cmd, &format)
	return cmd
}
