package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/doctor"
)

func doctorCommand() *cobra.Command {
	var format, root string
	cmd := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Say what this host can do, and what to do about what it cannot",
		Long: `Say what this host can do: the kernel, how filters can be installed, what the
kernel caches, the runtimes and their versions, the files and the configuration
of seccomp-hook, and the engines' configurations that point at it. One line
each, with what to do about it:

  ok    as it should be
  note  it works; something is left out, or could be better
  fail  filters cannot be installed, or not in this way: exit code 1

Nothing is changed. Run it as root, and with the PATH of the engine.`,
		Args: cobra.NoArgs,
		RunE: comparison(func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage("--format %q: must be text or json", format)
			}
			host, err := doctor.Here(root)
			if err != nil {
				return err
			}
			findings := host.Examine(cmd.Context())
			if format == "json" {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				err = encoder.Encode(findings)
			} else {
				err = doctor.WriteText(cmd.OutOrStdout(), findings)
			}
			if err == nil && doctor.Failed(findings) {
				return &exitError{code: exitDifferent}
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	rootFlag(cmd, &root)
	return cmd
}
