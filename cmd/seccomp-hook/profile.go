package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/spec"
)

// target is the flags that say what a profile is resolved and compiled for.
type target struct {
	caps, archs string
	strict      bool
	optimize    string
	weights     string
	cmd         *cobra.Command // whose stdin "-" is
}

// register adds the flags that matter to what a profile means.
func (t *target) register(cmd *cobra.Command) {
	t.cmd = cmd
	cmd.Flags().StringVar(&t.caps, "caps", "", "`SET` of capabilities, for Docker-format profiles: CAP_A,CAP_B, default, all or none (default: Docker's fourteen; for a config.json its bounding set)")
	cmd.Flags().StringVar(&t.archs, "arch", "", "`LIST` of architectures in place of the profile's, the native one first: x86_64,x86,x32,aarch64,… (default: the profile's and this machine's)")
	cmd.Flags().BoolVar(&t.strict, "strict", false, "refuse profiles with unknown properties or calls")
}

// registerCompile adds the flags that matter to the program as well.
func (t *target) registerCompile(cmd *cobra.Command) {
	t.register(cmd)
	cmd.Flags().StringVar(&t.optimize, "optimize", compile.Cache.String(), "`GOAL` of the compiler: cache (calls that the kernel's cache serves cost nothing), depth or size")
	cmd.Flags().StringVar(&t.weights, "weights", "", "`FILE` that says how often calls are made")
}

// request returns what is asked of the pipeline for a PROFILE.
func (t *target) request(name string) (filter.Request, error) {
	r := filter.Request{Profile: name, Strict: t.strict}
	var err error
	if t.caps != "" {
		if r.Capabilities, err = spec.ParseCapabilities(t.caps); err != nil {
			return r, usage("--caps: %w", err)
		}
	}
	if r.Architectures, err = architectures(t.archs); err != nil {
		return r, err
	}
	if t.optimize != "" {
		if r.Compile.Optimize, err = compile.ParseGoal(t.optimize); err != nil {
			return r, usage("--optimize: %w", err)
		}
	}
	if t.weights != "" {
		if r.Compile.Weights, err = readWeights(t.cmd, t.weights); err != nil {
			return r, err
		}
	}
	if r.Kernel, err = runningKernel(); err != nil {
		return r, err
	}
	if strings.HasPrefix(name, "builtin:") {
		return r, nil
	}
	r.Text, err = readFile(t.cmd, name, spec.MaxSize)
	return r, err
}

// architectures reads the list of --arch.
func architectures(list string) ([]*arch.Arch, error) {
	if list == "" {
		return nil, nil
	}
	var archs []*arch.Arch
	for name := range strings.SplitSeq(list, ",") {
		a, known := arch.ByName(name)
		if !known {
			return nil, usage("--arch: unknown architecture %q, known are %s", name, strings.Join(architectureNames(), ", "))
		}
		archs = append(archs, a)
	}
	return archs, nil
}

func architectureNames() []string {
	var names []string
	for _, a := range arch.All() {
		names = append(names, a.Name)
	}
	return names
}

func readWeights(cmd *cobra.Command, name string) (*compile.Weights, error) {
	text, err := readFile(cmd, name, spec.MaxSize)
	if err != nil {
		return nil, err
	}
	w, err := compile.ParseWeights(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return w, nil
}

func runningKernel() (spec.KernelVersion, error) {
	release, err := runningRelease()
	if err != nil {
		return spec.KernelVersion{}, err
	}
	return spec.ParseKernelVersion(release)
}

func runningRelease() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(name.Release[:]), nil
}

// readProgram reads a program in the raw format and checks that the kernel
// would take it.
func readProgram(cmd *cobra.Command, name string) (bpf.Program, error) {
	// One more byte than the longest program is an error of UnmarshalBinary.
	text, err := readFile(cmd, name, 8*(bpf.MaxInstructions+1))
	if err != nil {
		return nil, err
	}
	var p bpf.Program
	if err := p.UnmarshalBinary(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func readPrograms(cmd *cobra.Command, names []string) ([]bpf.Program, error) {
	programs := make([]bpf.Program, len(names))
	for i, name := range names {
		var err error
		if programs[i], err = readProgram(cmd, name); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

// stdin is the name of standard input on the command line.
const stdin = "-"

// readFile reads a file of at most limit bytes, or stdin.
func readFile(cmd *cobra.Command, name string, limit int64) ([]byte, error) {
	var in io.Reader
	if name == stdin && cmd != nil {
		in = cmd.InOrStdin()
	} else {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("%s: larger than %d bytes", name, limit)
	case len(text) == 0 && name == stdin:
		return nil, errors.New("stdin: nothing to read")
	}
	return text, nil
}

// tell writes warnings to stderr.
func tell(cmd *cobra.Command, warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: warning: %s\n", cmd.CommandPath(), w)
	}
}
