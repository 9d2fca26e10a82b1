package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
)

func compileCommand() *cobra.Command {
	var t target
	var format, output, compiler string
	cmd := &cobra.Command{
		Use:   "compile [flags] PROFILE",
		Short: "Compile a profile, prove the program, and write it",
		Long: `Compile a profile, prove the program equal to the profile, and write it:

  raw   an array of little-endian struct sock_filter, nothing else
  asm   one instruction a line, as tcpdump -d writes them
  c     the initialiser of an array of struct sock_filter
  json  the program and what is known of it

Warnings go to stderr.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write, known := formats[format]
			if !known {
				return usage("--format %q: must be raw, asm, c or json", format)
			}
			build, known := compilers[compiler]
			if !known {
				return usage("--compiler %q: must be seccomp-hook or libseccomp", compiler)
			}
			r, err := t.request(args[0])
			if err != nil {
				return err
			}
			f, err := build(r)
			if err != nil {
				return err
			}
			tell(cmd, f.Warnings)
			if output == "" {
				return write(cmd.OutOrStdout(), f)
			}
			return writeFile(output, func(w io.Writer) error { return write(w, f) })
		},
	}
	t.registerCompile(cmd)
	cmd.Flags().StringVar(&compiler, "compiler", "seccomp-hook", "seccomp-hook; or libseccomp, as runc drives it, for comparisons: the program need not be proved")
	cmd.Flags().StringVar(&format, "format", "raw", "raw, asm, c or json")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`FILE` to write, else stdout")
	return cmd
}

// compilers are the values of --compiler.
var compilers = map[string]func(filter.Request) (*filter.Filter, error){
	"seccomp-hook": filter.Build,
	libseccomp:     filter.BuildReference,
}

// writeFile writes a file; what could not be written whole is not left behind,
// unless it is a device or a pipe.
func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = write(file)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil && info != nil && info.Mode().IsRegular() {
		_ = os.Remove(name) // the first error counts
	}
	return err
}

// writable says ahead why writeFile would fail; "" is no file.
func writable(name string) error {
	if name == "" {
		return nil
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		err = unix.EISDIR
	case err == nil:
		err = unix.Access(name, unix.W_OK)
	case errors.Is(err, fs.ErrNotExist):
		err = unix.Access(filepath.Dir(name), unix.W_OK)
	}
	if err != nil {
		return &fs.PathError{Op: "write", Path: name, Err: err}
	}
	return nil
}

// formats are the forms that compile writes.
var formats = map[string]func(io.Writer, *filter.Filter) error{
	"raw":  writeRaw,
	"asm":  writeAsm,
	"c":    writeC,
	"json": writeJSON,
}

func writeRaw(w io.Writer, f *filter.Filter) error {
	b, err := f.Program.MarshalBinary()
	if err == nil {
		_, err = raw(w).Write(b)
	}
	return err
}

func writeAsm(w io.Writer, f *filter.Filter) error {
	_, err := io.WriteString(w, f.Program.String())
	return err
}

func writeC(w io.Writer, f *filter.Filter) error {
	digest := f.Program.Digest()
	profile := strings.ReplaceAll(f.Profile, "*/", "* /") // a file's name must not end the comment
	if _, err := fmt.Fprintf(w, "/* %s: %d instructions, sha256 %x */\nstruct sock_filter filter[] = {\n", profile, len(f.Program), digest); err != nil {
		return err
	}
	for i, in := range f.Program {
		if _, err := fmt.Fprintf(w, "\t{ %#04x, %3d, %3d, 0x%08x }, /* %4d: %s */\n", in.Code, in.Jt, in.Jf, in.K, i, in); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "};\n")
	return err
}

// compiled is what --format json writes.
type compiled struct {
	Version      int               `json:"version"` // of this form
	Annotations  map[string]string `json:"annotations"`
	Flags        []string          `json:"flags"` // of seccomp(2); null: the profile does not say
	Listener     *listener         `json:"listener,omitempty"`
	Warnings     []string          `json:"warnings,omitempty"`
	Instructions []instruction     `json:"instructions"`
}

type listener struct {
	Path     string `json:"path"`
	Metadata string `json:"metadata,omitempty"`
}

type instruction struct {
	Code uint16 `json:"code"`
	Jt   uint8  `json:"jt"`
	Jf   uint8  `json:"jf"`
	K    uint32 `json:"k"`
}

func writeJSON(w io.Writer, f *filter.Filter) error {
	c := compiled{
		Version:      schemaVersion,
		Annotations:  f.Annotations(),
		Flags:        f.FlagNames(),
		Warnings:     f.Warnings,
		Instructions: instructions(f.Program),
	}
	if f.Listener != nil {
		c.Listener = &listener{f.Listener.Path, f.Listener.Metadata}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(c)
}

func instructions(p bpf.Program) []instruction {
	list := make([]instruction, len(p))
	for i, in := range p {
		list[i] = instruction{in.Code, in.Jt, in.Jf, in.K}
	}
	return list
}
