package main

import (
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/lint"
	"seccomp-hook/pkg/spec"
)

func lintCommand() *cobra.Command {
	var archs, format, fail string
	var off, only []string
	cmd := &cobra.Command{
		Use:   "lint [flags] PROFILE…",
		Short: "List what in a profile may not mean what its author had in mind",
		Long: `List what in a profile may not mean what its author had in mind, and what to do
about it: rules and conditions without effect, conditions that always hold,
arguments that the kernel cuts to 32 bits, ways round a rule that the profile
leaves open, dangerous grants. Every target that the profile tells apart is
looked at: architectures, capabilities, kernels. docs/lint.md has all rules.

` + exitCodes,
		Args: cobra.MinimumNArgs(1),
		RunE: comparison(func(cmd *cobra.Command, args []string) error {
			write, known := lintFormats[format]
			if !known {
				return usage("--format %q: must be text, json or sarif", format)
			}
			severity, err := lint.ParseSeverity(fail)
			if err != nil {
				return usage("--fail-on %q: must be note, warning or error", fail)
			}
			var o lint.Options
			if o.Archs, err = architectures(archs); err != nil {
				return err
			}
			if o.Off, err = turnedOff(off, only); err != nil {
				return err
			}
			var findings []lint.Finding
			var failures []error
			for _, name := range args {
				list, err := lintProfile(cmd, name, o)
				findings = append(findings, list...)
				failures = append(failures, err)
			}
			if err := write(cmd.OutOrStdout(), findings); err != nil {
				return err
			}
			if err := errors.Join(failures...); err != nil {
				return err
			}
			for _, f := range findings {
				if f.Rule.Severity >= severity {
					return &exitError{code: exitDifferent}
				}
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&archs, "arch", "", "`LIST` of architectures in place of the profile's, the native one first")
	cmd.Flags().StringVar(&format, "format", "text", "text, json or sarif")
	cmd.Flags().StringVar(&fail, "fail-on", "warning", "the least `SEVERITY` that makes exit code 1: note, warning or error")
	cmd.Flags().StringSliceVar(&off, "off", nil, "`RULES` that are not looked for, by id, separated by commas")
	cmd.Flags().StringSliceVar(&only, "only", nil, "`RULES` that alone are looked for")
	cmd.MarkFlagsMutuallyExclusive("off", "only")
	return cmd
}

// lintFormats are the forms that lint writes.
var lintFormats = map[string]func(io.Writer, []lint.Finding) error{
	"text": lint.WriteText,
	"json": lint.WriteJSON,
	"sarif": func(w io.Writer, findings []lint.Finding) error {
		return lint.WriteSARIF(w, findings, filter.Version())
	},
}

// lintProfile looks at one profile. One that asks for no filter has nothing.
func lintProfile(cmd *cobra.Command, name string, o lint.Options) ([]lint.Finding, error) {
	var text []byte
	var err error
	if strings.HasPrefix(name, "builtin:") {
		text, err = spec.BuiltinText(name)
	} else {
		text, err = readFile(cmd, name, spec.MaxSize)
	}
	if err != nil {
		return nil, err
	}
	p, err := spec.Parse(text, name)
	if err != nil {
		return nil, err
	}
	return lint.Check(p, text, o), nil
}

// turnedOff returns the rules that are not looked for.
func turnedOff(off, only []string) ([]string, error) {
	known := map[string]bool{}
	for _, r := range lint.Rules() {
		known[r.ID] = len(only) == 0 // off unless named
	}
	for _, id := range only {
		if _, ok := known[id]; !ok {
			return nil, usage("--only: unknown rule %q", id)
		}
		known[id] = true
	}
	for _, id := range off {
		if _, ok := known[id]; !ok {
			return nil, usage("--off: unknown rule %q", id)
		}
		known[id] = false
	}
	var list []string
	for _, r := range lint.Rules() {
		if !known[r.ID] {
			list = append(list, r.ID)
		}
	}
	return list, nil
}
