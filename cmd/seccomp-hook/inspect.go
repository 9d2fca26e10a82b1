package main

import (
	"github.com/spf13/cobra"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install/live"
)

func inspectCommand() *cobra.Command {
	var pid int
	var format, root string
	var o live.InspectOptions
	cmd := &cobra.Command{
		Use:   "inspect --pid N [flags]",
		Short: "Describe the filters of a live process",
		Long: `Describe the filters of a live process: length, digest, whether one comes from
the store, flags where they are known, how many calls of each architecture are
cached by the kernel, constant and dynamic, and whether the kernel's own table
is the predicted one.

It takes root: CAP_SYS_ADMIN for the programs, CAP_BPF and CAP_PERFMON for the
kernel's table.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage("--format %q: must be text or json", format)
			}
			// Without a store no program is known from there.
			store, err := filter.Open(hook.StoreDir(root))
			if err == nil {
				defer store.Close()
				o.Known = known(store)
			}
			in, err := live.Inspect(pid, o)
			if err != nil {
				return err
			}
			if format == "text" {
				return in.WriteText(cmd.OutOrStdout())
			}
			return printJSON(cmd.OutOrStdout(), struct {
				Version int `json:"version"`
				*live.Inspection
			}{schemaVersion, in})
		},
	}
	cmd.Flags().IntVar(&pid, "pid", 0, "process, or thread, to look at")
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&o.Disassemble, "disassemble", false, "print the programs too")
	rootFlag(cmd, &root)
	_ = cmd.MarkFlagRequired("pid")
	return cmd
}

// known says what the store calls a program: the profile it was made of.
func known(store *filter.Store) func([32]byte) (string, bool) {
	return func(digest [32]byte) (string, bool) {
		f, err := store.Find(digest)
		if err != nil || f == nil {
			return "", false
		}
		return f.Profile, true
	}
}
