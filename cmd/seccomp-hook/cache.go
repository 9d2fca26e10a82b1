package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/precompute"
)

// kernelRunning is the value of --kernel for the kernel that this runs on.
const kernelRunning = "running"

func cacheCommand() *cobra.Command {
	var c cacheOptions
	cmd := &cobra.Command{
		Use:   "cache (--profile PROFILE | --filter F [--filter G …]) [flags]",
		Short: "Print the kernel's table of calls that need no filter",
		Long: `Print the table of calls that a kernel allows without running the filters, as
/proc/PID/seccomp_cache of that kernel does: ALLOW or FILTER for every number of
the native table and then of the compat table.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&c.profile, "profile", "", "`PROFILE` to compile")
	flags.StringArrayVar(&c.filters, "filter", nil, "`FILE` with a program in the raw format; repeat it for a chain, the oldest first")
	flags.StringVar(&c.kernel, "kernel", kernelRunning, "`VERSION` of the kernel, such as 6.12, or running")
	flags.BoolVar(&c.summary, "summary", false, "print counts instead of the table")
	c.target.registerCompile(cmd)
	cmd.MarkFlagsMutuallyExclusive("profile", "filter")
	cmd.MarkFlagsOneRequired("profile", "filter")
	return cmd
}

type cacheOptions struct {
	profile string
	filters []string
	kernel  string
	summary bool
	target  target
}

func (c *cacheOptions) run(cmd *cobra.Command) error {
	native, programs, err := c.programs(cmd)
	if err != nil {
		return err
	}
	kernel, err := kernelFor(c.kernel, native)
	if err != nil {
		return err
	}
	cache, err := kernel.Predict(programs...)
	if err != nil {
		return err
	}
	if c.summary {
		return summarise(cmd.OutOrStdout(), cache)
	}
	_, err = cache.WriteTo(cmd.OutOrStdout())
	return err
}

// programs returns the chain, and the native architecture of its machine.
func (c *cacheOptions) programs(cmd *cobra.Command) (*arch.Arch, []bpf.Program, error) {
	if c.profile == "" {
		archs, err := architectures(c.target.archs)
		if err != nil {
			return nil, nil, err
		}
		programs, err := readPrograms(c.filters)
		return nativeOf(archs), programs, err
	}
	r, err := c.target.request(c.profile)
	if err != nil {
		return nil, nil, err
	}
	f, err := filter.Build(r)
	if err != nil {
		return nil, nil, err
	}
	tell(cmd, f.Warnings)
	return nativeOf(r.Architectures), []bpf.Program{f.Program}, nil
}

// nativeOf returns the first architecture of --arch, or this machine's.
func nativeOf(archs []*arch.Arch) *arch.Arch {
	if len(archs) > 0 {
		return archs[0]
	}
	return arch.Native()
}

func kernelFor(version string, native *arch.Arch) (precompute.Kernel, error) {
	release := version
	if version == kernelRunning {
		var err error
		if release, err = runningRelease(); err != nil {
			return precompute.Kernel{}, err
		}
	}
	kernel, err := precompute.KernelFor(release, native.Audit)
	if err != nil && !errors.Is(err, precompute.ErrNoCache) {
		return kernel, usage("--kernel: %w", err)
	}
	return kernel, err
}

// summarise writes one line for each table: "x86_64 ALLOW 322 FILTER 148".
func summarise(w io.Writer, cache precompute.Cache) error {
	for _, t := range cache.Tables {
		if _, err := fmt.Fprintf(w, "%s ALLOW %d FILTER %d\n", t.Name, t.Count(), t.Size-t.Count()); err != nil {
			return err
		}
	}
	return nil
}
