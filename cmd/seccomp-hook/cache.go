package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/precompute"
)

// kernelRunning is the value of --kernel for the kernel that this runs on.
const kernelRunning = "running"

func cacheCommand() *cobra.Command {
	var c cacheOptions
	cmd := &cobra.Command{
		Use:   "cache (--profile PROFILE | --filter F [--filter G …] | --pid N) [flags]",
		Short: "Print the kernel's table of calls that need no filter",
		Long: `Print the table of calls that a kernel allows without running the filters, as
/proc/PID/seccomp_cache of that kernel does: ALLOW or FILTER for every number of
the native table and then of the compat table.

For a profile or for programs the table is predicted. With --pid it is the
running kernel's own for that process, and with --diff only the numbers are
printed that were predicted otherwise: from the profile or the programs, and
without those from the programs that the process has.

` + exitCodes,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case c.format != "text" && c.format != "json":
				return usage("--format %q: must be text or json", c.format)
			case c.diff && c.pid == 0:
				return usage("--diff takes --pid")
			case c.diff:
				return comparison(c.compare)(cmd, nil)
			case c.pid != 0 && (c.profile != "" || len(c.filters) > 0):
				return usage("--pid with a profile or programs takes --diff")
			default:
				return c.print(cmd)
			}
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.profile, "profile", "", "`PROFILE` to compile")
	flags.StringArrayVar(&c.filters, "filter", nil, "`FILE` with a program in the raw format; repeat it for a chain, the oldest first")
	flags.IntVar(&c.pid, "pid", 0, "process whose table is read from the kernel")
	flags.BoolVar(&c.diff, "diff", false, "print where the prediction and the kernel's table differ")
	flags.StringVar(&c.kernel, "kernel", kernelRunning, "`VERSION` of the kernel, such as 6.12, or running")
	flags.BoolVar(&c.summary, "summary", false, "print counts instead of the table")
	formatFlag(cmd, &c.format)
	c.target.registerCompile(cmd)
	cmd.MarkFlagsMutuallyExclusive("profile", "filter")
	cmd.MarkFlagsMutuallyExclusive("pid", "kernel")
	cmd.MarkFlagsMutuallyExclusive("diff", "summary")
	cmd.MarkFlagsOneRequired("profile", "filter", "pid")
	return cmd
}

type cacheOptions struct {
	profile string
	filters []string
	pid     int
	diff    bool
	kernel  string
	summary bool
	format  string
	target  target
}

// print prints a table.
func (c *cacheOptions) print(cmd *cobra.Command) error {
	var programs []bpf.Program
	var cache precompute.Cache
	var err error
	if c.pid == 0 {
		cache, programs, err = c.predict(cmd)
	} else {
		cache, err = c.live()
		if err == nil && c.summary {
			programs, err = installed(c.pid)
		}
	}
	if err != nil {
		return err
	}
	if c.format == "json" {
		return printJSON(cmd.OutOrStdout(), newCacheDocument(cache, !c.summary))
	}
	if c.summary {
		return summarise(cmd.OutOrStdout(), cache, programs)
	}
	tell(cmd, pointerWarnings(programs))
	_, err = cache.WriteTo(cmd.OutOrStdout())
	return err
}

// predict returns the table of a profile or of programs, and the programs.
func (c *cacheOptions) predict(cmd *cobra.Command) (precompute.Cache, []bpf.Program, error) {
	archs, err := architectures(c.target.archs)
	if err != nil {
		return precompute.Cache{}, nil, err
	}
	kernel, err := kernelFor(c.kernel, nativeOf(archs))
	if err != nil {
		return precompute.Cache{}, nil, err
	}
	programs, err := c.programs(cmd)
	if err != nil {
		return precompute.Cache{}, nil, err
	}
	cache, err := kernel.Predict(programs...)
	return cache, programs, err
}

// live returns the running kernel's table of a process.
func (c *cacheOptions) live() (precompute.Cache, error) {
	reader, err := live.NewReader()
	if err != nil {
		return precompute.Cache{}, err
	}
	defer func() { _ = reader.Close() }() // it was only read
	state, err := reader.Read(c.pid)
	if err != nil {
		return precompute.Cache{}, err
	}
	cache, filtered := state.Cache()
	if !filtered {
		return precompute.Cache{}, fmt.Errorf("process %d has no filter", c.pid)
	}
	return cache, nil
}

// compare prints where prediction and kernel differ.
func (c *cacheOptions) compare(cmd *cobra.Command, _ []string) error {
	predicted, _, err := c.predict(cmd)
	if err != nil {
		return err
	}
	cache, err := c.live()
	if err != nil {
		return err
	}
	differences := predicted.Diff(cache)
	if c.format == "json" {
		document := newCacheDocument(cache, false)
		document.Differences = []string{}
		for _, d := range differences {
			document.Differences = append(document.Differences, d.String())
		}
		err = printJSON(cmd.OutOrStdout(), document)
	} else {
		for _, d := range differences {
			if _, err = fmt.Fprintln(cmd.OutOrStdout(), d); err != nil {
				break
			}
		}
	}
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return &exitError{code: exitDifferent}
	}
	return nil
}

// programs returns the chain, the oldest first.
func (c *cacheOptions) programs(cmd *cobra.Command) ([]bpf.Program, error) {
	switch {
	case len(c.filters) > 0:
		return readPrograms(cmd, c.filters)
	case c.profile == "":
		return installed(c.pid)
	}
	r, err := c.target.request(c.profile)
	if err != nil {
		return nil, err
	}
	f, err := filter.Build(r)
	if err != nil {
		return nil, err
	}
	tell(cmd, f.Warnings)
	return []bpf.Program{f.Program}, nil
}

// installed returns the programs that a process has.
func installed(pid int) ([]bpf.Program, error) {
	list, err := live.Programs(pid)
	if err != nil {
		return nil, err
	}
	programs := make([]bpf.Program, len(list))
	for i, p := range list {
		programs[i] = p.Program
	}
	return programs, nil
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

// summarise writes one line for each table, "x86_64 ALLOW 322 FILTER 148", and
// one for each filter that looks at the instruction pointer, with what that
// costs.
func summarise(w io.Writer, cache precompute.Cache, programs []bpf.Program) error {
	for _, t := range cache.Tables {
		if _, err := fmt.Fprintf(w, "%s ALLOW %d FILTER %d\n", t.Name, t.Count(), t.Size-t.Count()); err != nil {
			return err
		}
	}
	for i, p := range programs {
		at := precompute.PointerLoad(p)
		if at < 0 {
			continue
		}
		line := fmt.Sprintf("filter %d looks at the instruction pointer (instruction %d), not cached for that:", i, at)
		for _, t := range cache.Tables {
			table, err := precompute.NewTable(p, t.Token)
			if err != nil {
				return fmt.Errorf("filter %d: %w", i, err)
			}
			line += fmt.Sprintf(" %s %d", t.Name, table.Pointed(0, uint32(t.Size-1)).Count())
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// pointerWarnings returns a warning for each program that looks at the
// instruction pointer.
func pointerWarnings(programs []bpf.Program) []string {
	var list []string
	for i, p := range programs {
		if at := precompute.PointerLoad(p); at >= 0 {
			list = append(list, fmt.Sprintf("filter %d looks at the instruction pointer (instruction %d): no call for which it does is ever cached, and a jump into an area that it allows gets past it", i, at))
		}
	}
	return list
}

// cacheDocument is what --format json writes.
type cacheDocument struct {
	Version     int                `json:"version"`
	Tables      []cacheTableCounts `json:"tables"`
	Differences []string           `json:"differences,omitempty"` // of --diff
}

type cacheTableCounts struct {
	Arch    string   `json:"arch"`
	Size    int      `json:"size"`
	Allowed int      `json:"allowed"`
	Numbers []uint32 `json:"numbers,omitempty"` // those allowed
}

func newCacheDocument(cache precompute.Cache, numbers bool) cacheDocument {
	d := cacheDocument{Version: schemaVersion}
	for i := range cache.Tables {
		t := &cache.Tables[i]
		counts := cacheTableCounts{Arch: t.Name, Size: t.Size, Allowed: t.Count()}
		for nr := range uint32(t.Size) {
			if numbers && t.Allows(nr) {
				counts.Numbers = append(counts.Numbers, nr)
			}
		}
		d.Tables = append(d.Tables, counts)
	}
	return d
}
