package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/runtime"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/warm"
)

// runtimeProgram is the program beside this one that makes ready filters.
const runtimeProgram = "seccomp-hook-runtime"

func warmCommand() *cobra.Command {
	var o warm.Options
	var capabilities, runtimes []string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "warm [flags] [DIR|PROFILE…]",
		Short: "Fill the store ahead, so that no start waits for a compilation",
		Long: `Compile, prove and store what containers with these profiles look up, before
they start: the filters, and the ready filters of seccomp-runc and of the
shim. Of a DIR all files *.json that are profiles are taken, those below it
included.

Without arguments it is the builtins, the profile directories, the kubelet's
and Podman's profiles, and the bundles of the containers that run, where these
exist. The store does not outlive the boot: call it at every one.

A profile that fails is told, and the others are done all the same.

` + exitCodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, set := range capabilities {
				list, err := spec.ParseCapabilities(set)
				if err != nil {
					return usage("--caps: %w", err)
				}
				o.Capabilities = append(o.Capabilities, list)
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			// Ready filters are looked up in the default place alone.
			if program := filepath.Join(filepath.Dir(self), runtimeProgram); o.Root == hook.DefaultRoot && isFile(program) {
				o.Program = program
			}
			if o.Runtimes, err = realRuntimes(self, runtimes); err != nil {
				return err
			}
			o.Stderr = cmd.ErrOrStderr()
			w := warming{cmd: cmd, options: o, quiet: quiet}
			for _, place := range places(args, o.ProfileDirs) {
				w.place(cmd.Context(), place, len(args) > 0)
			}
			if w.failed > 0 {
				return &exitError{code: exitFailure}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&capabilities, "caps", []string{"default", "none"}, "`SET` of capabilities that containers have: CAP_A,CAP_B, default, all or none; can be repeated")
	flags.StringArrayVar(&runtimes, "real-runtime", nil, "`PATH` of runc or crun, for their ready filters; can be repeated (default: the configuration's, and those on PATH)")
	flags.StringArrayVar(&o.ProfileDirs, "profile-dir", []string{hook.DefaultProfileDir}, "`DIR` of the profiles that annotations name; can be repeated")
	flags.BoolVarP(&quiet, "quiet", "q", false, "tell only what fails")
	rootFlag(cmd, &o.Root)
	return cmd
}

// places are what warm fills the store for.
func places(args, profileDirs []string) []string {
	if len(args) > 0 {
		return args
	}
	return append([]string{"builtin:containerd", "builtin:docker"}, warm.Places(profileDirs)...)
}

// realRuntimes returns the real runtimes that ready filters are made for.
func realRuntimes(self string, named []string) ([]string, error) {
	if len(named) > 0 {
		return named, nil
	}
	config, err := runtime.LoadConfig(os.Getenv)
	if err != nil {
		return nil, err
	}
	candidates := []string{"runc", "crun"}
	if config.RealRuntime != "" {
		candidates = append([]string{config.RealRuntime}, candidates...)
	}
	var found []string
	var kinds []runtime.Kind
	for _, name := range candidates {
		path, err := runtime.Config{RealRuntime: name}.Runtime(os.Getenv("PATH"), self)
		// One of each family: of two runcs a ready filter does not know which.
		if kind := runtime.KindOf(path); err == nil && !slices.Contains(kinds, kind) {
			found, kinds = append(found, path), append(kinds, kind)
		}
	}
	return found, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// warming is a call of warm.
type warming struct {
	cmd     *cobra.Command
	options warm.Options
	quiet   bool
	failed  int
}

// place fills the store for a profile, or for all of a folder; named says that the
// command line names it.
func (w *warming) place(ctx context.Context, place string, named bool) {
	if strings.HasPrefix(place, "builtin:") {
		w.profile(ctx, place, nil, true)
		return
	}
	info, err := os.Stat(place)
	if err != nil {
		w.fail(err)
		return
	}
	files := []string{place}
	if info.IsDir() {
		if files, err = warm.Files(place); err != nil {
			w.fail(err)
		}
	}
	for _, file := range files {
		text, err := readFile(w.cmd, file, spec.MaxSize)
		if err != nil {
			w.fail(err)
			continue
		}
		w.profile(ctx, file, text, named && !info.IsDir())
	}
}

// profile fills the store for one profile. One that nobody named need not be one.
func (w *warming) profile(ctx context.Context, name string, text []byte, named bool) {
	filled, err := warm.Fill(ctx, name, text, w.options)
	var syntax *spec.ParseError
	switch {
	case err == nil:
		if !w.quiet {
			tell(w.cmd, filled.Warnings)
			fmt.Fprintf(w.cmd.OutOrStdout(), "%s: %d filters, %d of them compiled; %d ready filters\n", name, filled.Filters, filled.Compiled, filled.Ready)
		}
	case errors.Is(err, filter.ErrDisabled), !named && errors.As(err, &syntax):
		// Such a container waits for nothing; such a file is something else.
		if named && !w.quiet {
			tell(w.cmd, []string{err.Error()})
		}
	default:
		w.fail(err)
	}
}

func (w *warming) fail(err error) {
	w.failed++
	fmt.Fprintf(w.cmd.ErrOrStderr(), "%s: %s\n", w.cmd.CommandPath(), strings.ReplaceAll(err.Error(), "\n", "; "))
}
