package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/runtime"
	"seccomp-hook/pkg/spec"
)

func storeCommand() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use:   "store",
		Short: "List, verify or clear the store of filters",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage("a command is missing; see %s --help", cmd.CommandPath())
		},
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "list",
			Short: "List what is stored, what was used last first",
			Long: `List what is stored, what was used last first. A filter is what profiles
become; a ready filter is one in the form that seccomp-runc and the shim
start containers with, for one linux.seccomp.`,
			Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return listStore(cmd, root) },
		},
		&cobra.Command{
			Use:   "verify",
			Short: "Check all that is stored, and prove again what has its profile with it",
			Long: `Check all that is stored: that it is what was written, and of a ready filter,
which has its profile with it, that its program is what the profile says.

` + exitCodes,
			Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return verifyStore(cmd, root) },
		},
		&cobra.Command{
			Use:   "clear",
			Short: "Remove all that is stored; containers that run keep their filters",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withStore(root, func(s *filter.Store) error {
					removed, err := s.Clear()
					fmt.Fprintf(cmd.OutOrStdout(), "%d removed\n", removed)
					return err
				})
			},
		},
	)
	for _, sub := range cmd.Commands() {
		rootFlag(sub, &root)
	}
	return cmd
}

// withStore opens the store.
func withStore(root string, do func(*filter.Store) error) error {
	s, err := filter.Open(hook.StoreDir(root))
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// stored is an entry of the store, read.
type stored struct {
	filter.Entry
	kind  string // "filter" or "ready"
	ready *runtime.Ready
}

// inspected lists the store with its ready filters read.
func inspected(s *filter.Store) ([]stored, error) {
	entries, err := s.List()
	var list []stored
	for _, e := range entries {
		one := stored{Entry: e, kind: "filter"}
		if strings.HasPrefix(e.Name, "ready-") {
			one.kind = "ready"
		}
		if e.Ready != nil {
			one.ready, one.Err = runtime.ParseReady(e.Ready)
			if one.Err == nil {
				one.Filter = one.ready.Filter
				if one.ready.Name() != e.Name {
					one.Err = errors.New("it is the one of another key")
				}
			}
		}
		list = append(list, one)
	}
	return list, err
}

func listStore(cmd *cobra.Command, root string) error {
	return withStore(root, func(s *filter.Store) error {
		list, err := inspected(s)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tKIND\tUSED\tBYTES\tINSTRUCTIONS\tPROFILE\tSHA256")
		for _, e := range list {
			what := "\t\t" + fmt.Sprint(e.Err)
			if e.Err == nil {
				what = fmt.Sprintf("%d\t%s\t%.12x", len(e.Filter.Program), e.Filter.Profile, e.Filter.ProfileDigest)
			}
			fmt.Fprintf(table, "%.22s\t%s\t%s\t%d\t%s\n", e.Name, e.kind, e.Used.UTC().Format(time.RFC3339), e.Size, what)
		}
		return table.Flush()
	})
}

func verifyStore(cmd *cobra.Command, root string) error {
	return withStore(root, func(s *filter.Store) error {
		list, err := inspected(s)
		if err != nil {
			return err
		}
		bad, proved := 0, 0
		for _, e := range list {
			err := e.Err
			if err == nil {
				err = e.Filter.Program.Validate()
			}
			if err == nil && e.ready != nil {
				if err = proveReady(e.ready); err == nil {
					proved++
				}
			}
			if err != nil {
				bad++
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", e.Name, strings.ReplaceAll(err.Error(), "\n", "; "))
			}
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d stored: %d proved again, %d as written, %d bad\n", len(list), proved, len(list)-proved-bad, bad)
		if bad > 0 {
			return &exitError{code: exitDifferent}
		}
		return nil
	})
}

// proveReady proves that a ready filter's program is what its linux.seccomp says.
func proveReady(r *runtime.Ready) error {
	if !slices.Equal(r.Program, r.Filter.Program) {
		return errors.New("two programs")
	}
	kernel, err := spec.ParseKernelVersion(r.Kernel)
	if err != nil {
		return err
	}
	return r.Filter.Prove(filter.Request{Profile: r.Filter.Profile, Text: r.Seccomp, Seccomp: true, Kernel: kernel})
}
