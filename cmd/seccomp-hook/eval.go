package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/precompute"
)

func evalCommand() *cobra.Command {
	var files []string
	var format string
	cmd := &cobra.Command{
		Use:   "eval --filter F [--filter G …]",
		Short: "Say what a chain of filters returns for calls read from stdin",
		Long: `Say what a chain of filters, the oldest first, returns for calls read from
stdin. Each line is one call, its fields separated by tabs:

  ARCH  NUMBER-OR-NAME  ARG0  …  ARG5

ARCH is a name (x86_64, x86, x32, aarch64, …) or an AUDIT_ARCH_* token as a
number. Numbers are decimal or 0x; arguments at the end of the line can be left
out, they are 0. For each line the chain's 32-bit return value is written as a
number and, after a tab, by name.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(files) == 0 {
				return usage("--filter is missing")
			}
			if slices.Contains(files, stdin) {
				return usage("--filter -: stdin has the calls")
			}
			if format != "text" && format != "json" {
				return usage("--format %q: must be text or json", format)
			}
			programs, err := readPrograms(cmd, files)
			if err != nil {
				return err
			}
			tell(cmd, pointerWarnings(programs))
			out := bufio.NewWriter(cmd.OutOrStdout())
			err = evaluate(cmd.InOrStdin(), out, programs, format)
			return errors.Join(err, out.Flush())
		},
	}
	formatFlag(cmd, &format)
	cmd.Flags().StringArrayVar(&files, "filter", nil, "`FILE` with a program in the raw format; repeat it for a chain, the oldest first")
	return cmd
}

func evaluate(in io.Reader, out io.Writer, programs []bpf.Program, format string) error {
	chains := map[bpf.Endian]*precompute.Chain{}
	for _, e := range [...]bpf.Endian{bpf.Little, bpf.Big} {
		chains[e] = precompute.NewChain(e)
		for i, p := range programs {
			if err := chains[e].Append(p, 0); err != nil {
				return fmt.Errorf("filter %d: %w", i, err)
			}
		}
	}
	lines := bufio.NewScanner(in)
	n := 1
	for ; lines.Scan(); n++ {
		call, err := explain.ParseLine(lines.Text())
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		r := chains[explain.EndianOf(call.Arch)].Evaluate(&call).Return
		if format == "json" {
			err = json.NewEncoder(out).Encode(evaluation{schemaVersion, call.Arch, call.Nr, uint32(r), r.String()})
		} else {
			_, err = fmt.Fprintf(out, "0x%08x\t%s\n", uint32(r), r)
		}
		if err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: longer than %d bytes", n, bufio.MaxScanTokenSize)
	case err != nil:
		return fmt.Errorf("stdin: %w", err)
	}
	return nil
}

// evaluation is what --format json writes, one a line.
type evaluation struct {
	Version int    `json:"version"`
	Arch    uint32 `json:"arch"` // the AUDIT_ARCH_* token
	Number  uint32 `json:"number"`
	Return  uint32 `json:"return"`
	Action  string `json:"action"`
}
