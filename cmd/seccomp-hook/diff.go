package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/spec"
)

func diffCommand() *cobra.Command {
	var s scope
	var format string
	var direction bool
	cmd := &cobra.Command{
		Use:   "diff [flags] PROFILE PROFILE2",
		Short: "List the calls that two profiles treat differently",
		Long: `List the calls that two profiles treat differently, with the verdict of the
first and of the second. Where the verdict depends on arguments, one example is
given for each pair of verdicts. The list is complete for the targets that it is
decided for, which are told on stderr: no line is a proof that they are equal.

With --direction one word is printed: equal, changed (another errno, flags or
listener, but no other action), tightened, loosened or both. The exit code is
then 0 if the second profile is at most as permissive as the first.

` + exitCodes,
		Args: cobra.ExactArgs(2),
		RunE: comparison(func(cmd *cobra.Command, args []string) error {
			write, known := diffFormats[format]
			if !known {
				return usage("--format %q: must be text, json or markdown", format)
			}
			c, err := s.compare(cmd, args[0], args[1])
			if err != nil {
				return err
			}
			if direction {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), c.Direction); err != nil {
					return err
				}
				return verdict(c.Direction&explain.Loosened != 0, c.Undecided)
			}
			if err := write(c, cmd.OutOrStdout()); err != nil {
				return err
			}
			return verdict(c.Direction != explain.Same, c.Undecided)
		}),
	}
	s.register(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text, json or markdown")
	cmd.Flags().BoolVar(&direction, "direction", false, "print one word: equal, changed, tightened, loosened or both")
	cmd.MarkFlagsMutuallyExclusive("direction", "format")
	return cmd
}

// diffFormats are the forms that diff writes.
var diffFormats = map[string]func(*explain.Comparison, io.Writer) error{
	"text":     (*explain.Comparison).WriteText,
	"json":     (*explain.Comparison).WriteJSON,
	"markdown": (*explain.Comparison).WriteMarkdown,
}

// verdict is the exit code of a comparison: what was found counts more than what
// could not be decided.
func verdict(found, undecided bool) error {
	switch {
	case found:
		return &exitError{code: exitDifferent}
	case undecided:
		return &exitError{code: exitUndecided}
	}
	return nil
}

// scope is the flags that say for which targets two profiles are compared.
type scope struct {
	target
	all             bool
	kernel, between string
}

func (s *scope) register(cmd *cobra.Command) {
	s.target.register(cmd)
	cmd.Flags().BoolVar(&s.all, "all-targets", false, "compare for every combination of architecture, capabilities and kernel that the profiles tell apart")
	cmd.Flags().StringVar(&s.kernel, "kernel", kernelRunning, "`VERSION` of the kernel, such as 6.12, or running")
	cmd.Flags().StringVar(&s.between, "kernel-range", "", "`FIRST-LAST` kernels, such as 4.19-6.18: each that the profiles tell apart")
	cmd.MarkFlagsMutuallyExclusive("kernel", "kernel-range", "all-targets")
	cmd.MarkFlagsMutuallyExclusive("caps", "all-targets")
}

// compare compares two profiles, and tells for what.
func (s *scope) compare(cmd *cobra.Command, first, second string) (*explain.Comparison, error) {
	a, err := s.load(first)
	if err != nil {
		return nil, err
	}
	b, err := s.load(second)
	if err != nil {
		return nil, err
	}
	targets, err := s.targets(cmd, a, b)
	if err != nil {
		return nil, err
	}
	c, err := explain.Compare(a, b, targets)
	if err != nil {
		return nil, err
	}
	decided(cmd, c.Scope())
	return c, nil
}

// decided tells for what a comparison is.
func decided(cmd *cobra.Command, scope string) {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: decided for %s\n", cmd.CommandPath(), scope)
}

// load reads a profile that asks for a filter.
func (s *scope) load(name string) (*spec.Profile, error) {
	r, err := s.request(name)
	if err != nil {
		return nil, err
	}
	_, p, err := r.Policy()
	return p, err
}

// targets returns what two profiles are compared for.
func (s *scope) targets(cmd *cobra.Command, profiles ...*spec.Profile) ([]spec.Target, error) {
	archs, err := architectures(s.archs)
	if err != nil {
		return nil, err
	}
	native := arch.Native()
	if len(archs) > 0 {
		native = archs[0]
	}
	all, complete := spec.Targets(native, archs, profiles...)
	if s.all {
		if !complete {
			tell(cmd, []string{"more than eight capabilities decide about one call: not every set of them is compared"})
		}
		return all, nil
	}
	one := spec.Target{Native: native, Archs: archs}
	if s.caps != "" {
		if one.Capabilities, err = spec.ParseCapabilities(s.caps); err != nil {
			return nil, usage("--caps: %w", err)
		}
	}
	kernels, err := s.kernels(profiles)
	if err != nil {
		return nil, err
	}
	var list []spec.Target
	for _, version := range kernels {
		one.Kernel = version
		list = append(list, one)
	}
	return list, nil
}

// kernels returns the versions of --kernel or --kernel-range.
func (s *scope) kernels(profiles []*spec.Profile) ([]spec.KernelVersion, error) {
	if s.between == "" {
		if s.kernel == kernelRunning {
			version, err := runningKernel()
			return []spec.KernelVersion{version}, err
		}
		version, err := spec.ParseKernelVersion(s.kernel)
		if err != nil {
			return nil, usage("--kernel: %w", err)
		}
		return []spec.KernelVersion{version}, nil
	}
	first, last, found := strings.Cut(s.between, "-")
	low, err := spec.ParseKernelVersion(first)
	if err != nil {
		return nil, usage("--kernel-range: %w", err)
	}
	high, err := spec.ParseKernelVersion(last)
	if err != nil || !found || high.Compare(low) < 0 {
		return nil, usage("--kernel-range %q: must be FIRST-LAST, such as 4.19-6.18", s.between)
	}
	return spec.Kernels(low, high, profiles...), nil
}
