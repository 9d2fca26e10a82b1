package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/simplify"
	"seccomp-hook/pkg/spec"
)

func formatCommand() *cobra.Command {
	var check, write bool
	cmd := &cobra.Command{
		Use:   "format [flags] PROFILE…",
		Short: "Write a profile in canonical form",
		Long: `Write a profile in canonical form: properties in the order of the runtime-spec,
names sorted and each once, two spaces a level. Rules keep their order, and
Docker-format profiles their comments. The result is proved to mean the same on
every architecture, with any capabilities and on any kernel.

It takes OCI objects and Docker-format profiles without unknown properties.

` + exitCodes,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			run := func(cmd *cobra.Command, args []string) error { return format(cmd, args, check, write) }
			if check {
				return comparison(run)(cmd, args)
			}
			return run(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "print the names of profiles that are not in canonical form, and change nothing")
	cmd.Flags().BoolVarP(&write, "write", "w", false, "write the files instead of stdout")
	cmd.MarkFlagsMutuallyExclusive("check", "write")
	return cmd
}

func format(cmd *cobra.Command, names []string, check, write bool) error {
	if len(names) > 1 && !check && !write {
		return usage("several profiles take --check or --write")
	}
	code := exitOK
	for _, name := range names {
		before, p, err := readProfile(cmd, name)
		if err != nil {
			return err
		}
		after, err := simplify.Format(p)
		switch same := bytes.Equal(before, after); {
		case err != nil:
			return err
		case check && !same:
			code = exitDifferent
			_, err = fmt.Fprintln(cmd.OutOrStdout(), name)
		case check:
		case write && (name == stdin || strings.HasPrefix(name, "builtin:")):
			err = usage("--write: %s is no file", name)
		case write && !same:
			err = writeFile(name, func(w io.Writer) error { _, err := w.Write(after); return err })
		case !write:
			_, err = cmd.OutOrStdout().Write(after)
		}
		if err != nil {
			return err
		}
	}
	if code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

// readProfile reads a profile as it is written.
func readProfile(cmd *cobra.Command, name string) ([]byte, *spec.Profile, error) {
	var text []byte
	var err error
	if strings.HasPrefix(name, "builtin:") {
		text, err = spec.BuiltinText(name)
	} else {
		text, err = readFile(cmd, name, spec.MaxSize)
	}
	if err != nil {
		return nil, nil, err
	}
	p, err := spec.Parse(text, name)
	return text, p, err
}

func minimizeCommand() *cobra.Command {
	var form, output string
	cmd := &cobra.Command{
		Use:   "minimize [flags] PROFILE",
		Short: "Write a profile without what never decides",
		Long: `Write a profile without what never decides: calls that no architecture has,
rules and names that other rules hide, rules that say what the default action
says. What is left is proved to mean the same on every architecture, with any
capabilities and on any kernel; runc's ENOSYS for newer calls is part of that.
What is left out is told on stderr.

  profile  the profile, in the form that it has
  json     the profile, and what is left out`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if form != "profile" && form != "json" {
				return usage("--format %q: must be profile or json", form)
			}
			_, p, err := readProfile(cmd, args[0])
			if err != nil {
				return err
			}
			least, dropped, err := simplify.Minimize(p)
			if err != nil {
				return err
			}
			text, err := least.Encode(encodable(p.Form))
			if err != nil {
				return err
			}
			if form == "json" {
				text, err = minimized(text, dropped)
			} else {
				for _, d := range dropped {
					tell(cmd, []string{"left out: " + d.String()})
				}
			}
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { _, err := w.Write(text); return err }
			if output == "" {
				return write(cmd.OutOrStdout())
			}
			return writeFile(output, write)
		},
	}
	cmd.Flags().StringVar(&form, "format", "profile", "profile or json")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`FILE` to write, else stdout")
	return cmd
}

// encodable returns the form that a profile of that form is written in.
func encodable(f spec.Form) spec.Form {
	if f == spec.FormDocker {
		return f
	}
	return spec.FormRuntime
}

func minimized(text []byte, dropped []simplify.Dropped) ([]byte, error) {
	type left struct {
		Rule   int    `json:"rule"`
		Name   string `json:"name,omitempty"`
		Reason string `json:"reason"`
	}
	list := make([]left, len(dropped))
	for i, d := range dropped {
		list[i] = left(d)
	}
	text, err := json.MarshalIndent(struct {
		Version int             `json:"version"`
		Profile json.RawMessage `json:"profile"`
		Dropped []left          `json:"dropped"`
	}{schemaVersion, text, list}, "", "  ")
	return append(text, '\n'), err
}
