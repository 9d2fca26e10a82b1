package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/printable"
)

// Exit codes, as docs/cli.md and --help have them.
const (
	exitOK        = 0
	exitFailure   = 1  // of a command that only does something
	exitDifferent = 1  // of a command that compares
	exitUndecided = 2  // of a command that compares
	exitTrouble   = 3  // of a command that compares: it could not
	exitUsage     = 64 // EX_USAGE of sysexits.h
)

const exitCodes = `Exit codes:
  0   done; for verify, diff, lint, doctor and cache --diff: equal, nothing found
  1   failed, with one line on stderr that names the step and the cause;
      for verify, diff, lint, doctor and cache --diff: different, something found
  2   verify, diff: undecided within the proof's budget
  3   verify, diff, lint, doctor, cache --diff: failed
  64  wrong usage`

// exitError ends a command with a code; a nil error has been told already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as one of the command line.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// comparison wraps a command whose exit code 1 is an answer: its errors get
// another one.
func comparison(run func(cmd *cobra.Command, args []string) error) func(cmd *cobra.Command, args []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		var exit *exitError
		if err == nil || errors.As(err, &exit) {
			return err
		}
		return &exitError{exitTrouble, err}
	}
}

// run is the command without the process.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	began := false
	root := newRoot(&began)
	root.SetArgs(args)
	root.SetIn(stdin)
	// What others have written is in the output and in the errors.
	out, errs := printable.NewWriter(stdout), printable.NewWriter(stderr)
	defer func() {
		_, _ = out.Close(), errs.Close() // what is left is the begin of a character
	}()
	stdout, stderr = out, errs
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return exitOK
	}
	code, say := exitFailure, true
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		code, say = exit.code, exit.err != nil
	case !began: // cobra's own complaints about the command line
		code = exitUsage
	}
	if say {
		// One line: runtimes show it in the middle of their own message.
		fmt.Fprintf(stderr, "%s: %s\n", cmd.CommandPath(), strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return code
}

// raw returns where a command writes what is no text.
func raw(out io.Writer) io.Writer {
	if text, is := out.(*printable.Writer); is {
		return text.Raw()
	}
	return out
}

// extra are commands that only some builds have.
var extra []func() *cobra.Command

// newRoot returns the command; began is set when one of its commands is run, so
// that its arguments were fine.
func newRoot(began *bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "seccomp-hook",
		Short: "Give containers a compiled, proved and measured seccomp filter",
		Long: `seccomp-hook gives containers a compiled, proved and measured seccomp filter.

PROFILE is a file (an OCI config.json, a bare linux.seccomp object, a
Docker-format profile: told apart by content), builtin:docker or
builtin:containerd.

` + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage("a command is missing; see %s --help", cmd.CommandPath())
		},
		Args: cobra.NoArgs,
	}
	cobra.EnableCommandSorting = false
	root.AddCommand(
		hookCommand("prestart", "Install the filter into a container, as prestart hook"),
		hookCommand("createRuntime", "Install the filter into a container, as createRuntime hook"),
		poststopCommand(),
		runtimeCommand(),
		stateCommand(),
		compileCommand(),
		decompileCommand(),
		mergeCommand(),
		formatCommand(),
		minimizeCommand(),
		evalCommand(),
		cacheCommand(),
		inspectCommand(),
		watchCommand(),
		recordCommand(),
		recordHookCommand(),
		explainCommand(),
		diffCommand(),
		lintCommand(),
		verifyCommand(),
		warmCommand(),
		storeCommand(),
		metricsCommand(),
		doctorCommand(),
		versionCommand(),
	)
	for _, command := range extra {
		root.AddCommand(command())
	}
	complete(root)
	noteBegin(root, began)
	return root
}

// noteBegin has the commands below one set began when they are run.
func noteBegin(parent *cobra.Command, began *bool) {
	for _, cmd := range parent.Commands() {
		noteBegin(cmd, began)
		if inner := cmd.RunE; inner != nil {
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				*began = true
				return inner(cmd, args)
			}
		}
	}
}
