package main

import (
	"github.com/spf13/cobra"

	"seccomp-hook/pkg/runtime"
)

// runtimeCommand is in the list of commands for its help. main has seen to it
// before any flag is read: they are all the real runtime's.
func runtimeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "runtime [--real-runtime PATH] [flags of runc] COMMAND",
		Short: "Be an OCI runtime in front of runc or crun",
		Long: `Be an OCI runtime in front of runc or crun; the same as the executable by the
name of ` + runtime.Name + `. See docs/runtime.md.

create, run and exec give the container's processes its filter. Everything else
is the real runtime's: --real-runtime PATH, which must be the first argument;
$` + runtime.EnvRealRuntime + `; real_runtime in ` + runtime.ConfigFile + `
(or the file that $` + runtime.EnvConfig + ` names); runc, then crun, on PATH.

The exit codes are the real runtime's.`,
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return usage("runtime must be the first argument")
		},
	}
}
