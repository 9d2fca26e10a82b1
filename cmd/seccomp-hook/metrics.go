package main

import (
	"github.com/spf13/cobra"

	"seccomp-hook/pkg/metrics"
)

func metricsCommand() *cobra.Command {
	var root, textfile string
	cmd := &cobra.Command{
		Use:   "metrics [--textfile FILE]",
		Short: "Print metrics of this host's filters, as Prometheus reads them",
		Long: `Print metrics of this host's filters in Prometheus's text format: what the
store holds and what was compiled for it, what failed, and the containers that
run. With --textfile they are written to a file of a folder that node_exporter's
textfile collector reads; call it from a timer.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := metrics.Text(root)
			if err != nil {
				return err
			}
			if textfile != "" {
				return metrics.WriteFile(textfile, text)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&textfile, "textfile", "", "write to `FILE`, whole, instead of printing")
	rootFlag(cmd, &root)
	return cmd
}
