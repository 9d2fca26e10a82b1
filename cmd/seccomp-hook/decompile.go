package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/decompile"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

func decompileCommand() *cobra.Command {
	var o decompileOptions
	cmd := &cobra.Command{
		Use:   "decompile [flags] (--filter F [--filter G …] | --pid N | ID)",
		Short: "Write the profile that programs are equal to",
		Long: `Write the profile that programs are equal to: programs in the raw format, the
oldest first, or those of a live process, or of the first process of a container,
whoever started it. Several are taken together, as the kernel takes them.

The profile is proved equal. What no profile can say is told call by call on
stderr, with the program's line, and nothing is written; with --lossy a profile
is written that allows no more than the programs do.

  oci     a linux.seccomp object
  docker  a Docker-format profile
  text    for people
  json    the profile, and what it does not say

Reading the programs of a process takes CAP_SYS_ADMIN.`,
		Args: cobra.MaximumNArgs(1),
		RunE: o.run,
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.filters, "filter", nil, "`FILE` with a program in the raw format; repeat it for a chain, the oldest first")
	flags.IntVar(&o.pid, "pid", 0, "process, or thread, whose programs are read")
	flags.StringVar(&o.arch, "arch", "", "native `ARCHITECTURE` of the programs' kernel (default: this machine's)")
	flags.StringVar(&o.listener, "listener-path", "", "`PATH` of the agent's socket, which programs do not tell: without it no profile can notify")
	o.output.register(cmd)
	rootFlag(cmd, &o.root)
	cmd.MarkFlagsMutuallyExclusive("filter", "pid")
	return cmd
}

type decompileOptions struct {
	filters        []string
	pid            int
	arch, listener string
	root           string
	output         profileOutput
}

func (o *decompileOptions) run(cmd *cobra.Command, args []string) error {
	if given := len(args) + min(len(o.filters), 1) + min(o.pid, 1); given != 1 {
		return usage("one of --filter, --pid and ID must be given")
	}
	if err := o.output.check(); err != nil {
		return err
	}
	archs, err := architectures(o.arch)
	if err != nil {
		return err
	}
	native := nativeOf(archs)
	options := decompile.Options{Native: native, ListenerPath: o.listener, Flags: spec.Flags{Unset: true}}
	var programs []bpf.Program
	if len(o.filters) > 0 {
		options.Name = strings.Join(o.filters, "+")
		programs, err = readPrograms(cmd, o.filters)
	} else {
		programs, err = o.live(args, &options)
	}
	if err != nil {
		return err
	}
	filters := make([]verify.Filter, len(programs))
	for i, p := range programs {
		filters[i] = verify.OfProgram(p, native.Endian)
	}
	result, err := decompile.Profile(verify.Stack(filters...), options)
	if err != nil {
		return err
	}
	return o.output.write(cmd, result, func(l decompile.Loss) *place {
		program, line := decompile.Line(programs, native.Endian, l)
		return &place{program, line, programs[program][line].String()}
	})
}

// live reads the programs of a process or container.
func (o *decompileOptions) live(args []string, options *decompile.Options) ([]bpf.Program, error) {
	pid := o.pid
	if len(args) > 0 {
		var err error
		if pid, _, err = containerInit(o.root, args[0]); err != nil {
			return nil, err
		}
	}
	options.Name = fmt.Sprintf("process %d", pid)
	installed, err := live.Programs(pid)
	if err != nil {
		return nil, err
	}
	if len(installed) == 0 {
		return nil, fmt.Errorf("process %d has no filter", pid)
	}
	programs := make([]bpf.Program, len(installed))
	for i, p := range installed {
		programs[i] = p.Program
		if p.Log {
			// That is all that the kernel tells. SPEC_ALLOW is what runc takes
			// where a profile says nothing.
			options.Flags = spec.Flags{Log: true, SpecAllow: true}
		}
	}
	return programs, nil
}

// profileOutput is the flags of commands that write a profile made by
// pkg/decompile.
type profileOutput struct {
	format, file string
	lossy        bool
}

func (o *profileOutput) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.format, "format", "oci", "oci, docker, text or json")
	cmd.Flags().StringVarP(&o.file, "output", "o", "", "`FILE` to write, else stdout")
	cmd.Flags().BoolVar(&o.lossy, "lossy", false, "where no profile says the same, write one that allows no more")
}

func (o *profileOutput) check() error {
	switch o.format {
	case "oci", "docker", "text", "json":
		return nil
	}
	return usage("--format %q: must be oci, docker, text or json", o.format)
}

// place is an instruction of a program.
type place struct {
	Program     int    `json:"program"` // from 0, the oldest
	Line        int    `json:"line"`    // from 0, as compile --format asm counts
	Instruction string `json:"instruction"`
}

// write writes a profile, and tells what it does not say; where finds the line
// of a program behind that, and is nil where there are no programs.
func (o *profileOutput) write(cmd *cobra.Command, result *decompile.Result, where func(decompile.Loss) *place) error {
	losses := make([]loss, len(result.Losses))
	serious := 0
	for i, l := range result.Losses {
		if !l.Minor() {
			serious++
		}
		losses[i] = newLoss(l)
		if where != nil {
			losses[i].At = where(l)
		}
		if o.format != "json" {
			tell(cmd, []string{losses[i].String()})
		}
	}
	if serious > 0 && !o.lossy && o.format != "json" {
		return fmt.Errorf("%d differences: no profile says the same; --lossy writes one that allows no more", serious)
	}
	write := func(w io.Writer) error { return o.encode(w, result.Profile, losses) }
	var err error
	if o.file == "" {
		err = write(cmd.OutOrStdout())
	} else {
		err = writeFile(o.file, write)
	}
	if err == nil && serious > 0 && !o.lossy {
		return &exitError{code: exitFailure} // the losses are in the JSON
	}
	return err
}

// loss is what --format json has of a difference.
type loss struct {
	Arch    string `json:"arch"`
	Calls   string `json:"calls"` // a name, or a number or a run of them
	First   uint32 `json:"first"`
	Last    uint32 `json:"last"`
	Example string `json:"example"`
	Program string `json:"program"`
	Profile string `json:"profile"`
	Reason  string `json:"reason"`
	// Undecided says that the two may be the same.
	Undecided bool   `json:"undecided,omitempty"`
	At        *place `json:"at,omitempty"`
}

func newLoss(l decompile.Loss) loss {
	name := explain.Name(l.Token, l.First)
	j := loss{
		First: l.First, Last: l.Last, Program: l.Filter.String(), Profile: l.Profile.String(), Reason: l.Reason, Undecided: l.Undecided,
		Example: explain.Name(l.Call.Arch, l.Call.Nr) + explain.Arguments(l.Call.Args),
	}
	j.Arch, j.Calls, _ = strings.Cut(name, ":")
	switch {
	case l.Others:
		j.Arch, j.Calls = "others", "all"
	case l.First != l.Last:
		j.Calls += fmt.Sprintf(" to %#x", l.Last)
	}
	return j
}

func (l loss) String() string {
	text := fmt.Sprintf("%s:%s: %s, in the profile %s: %s", l.Arch, l.Calls, l.Program, l.Profile, l.Reason)
	if l.Undecided {
		text = fmt.Sprintf("%s:%s: it is not decided whether the profile says the same: %s", l.Arch, l.Calls, l.Reason)
	}
	if l.At != nil {
		text += fmt.Sprintf(" (program %d, line %d: %s)", l.At.Program, l.At.Line, l.At.Instruction)
	}
	return text
}

func (o *profileOutput) encode(w io.Writer, p *spec.Profile, losses []loss) error {
	form := spec.FormRuntime
	switch o.format {
	case "text":
		_, err := io.WriteString(w, describe(p))
		return err
	case "docker":
		form = spec.FormDocker
		docker := *p
		docker.ArchMap = []spec.ArchMapping{archMapping(p.Architectures)}
		docker.Architectures = nil
		p = &docker
	}
	text, err := p.Encode(form)
	if err == nil && o.format == "json" {
		text, err = json.MarshalIndent(struct {
			Version int             `json:"version"`
			Equal   bool            `json:"equal"`
			Profile json.RawMessage `json:"profile"`
			Losses  []loss          `json:"losses"`
		}{schemaVersion, len(losses) == 0, text, losses}, "", "  ")
		text = append(text, '\n')
	}
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// archMapping lists architectures as Docker does, the native one first.
func archMapping(archs []*arch.Arch) spec.ArchMapping {
	m := spec.ArchMapping{Architecture: archs[0].OCI, SubArchitectures: []string{}}
	for _, a := range archs[1:] {
		m.SubArchitectures = append(m.SubArchitectures, a.OCI)
	}
	return m
}

// describe renders a profile for people: the default action, the architectures,
// and a line for each rule.
func describe(p *spec.Profile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "default: %s\narchitectures:", p.Default)
	for _, a := range p.Architectures {
		fmt.Fprintf(&b, " %s", a)
	}
	b.WriteString("\n")
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		fmt.Fprintf(&b, "%s", s.Return)
		for k, a := range s.Args {
			word := " and"
			if k == 0 {
				word = " if"
			}
			operand, value := fmt.Sprintf("arg%d", a.Index), a.Value
			if a.Masked {
				operand, value = fmt.Sprintf("%s & %#x", operand, a.Value), a.ValueTwo
			}
			fmt.Fprintf(&b, "%s %s %s %#x", word, operand, a.Op, value)
		}
		fmt.Fprintf(&b, ": %s\n", strings.Join(s.Names, " "))
	}
	return b.String()
}
