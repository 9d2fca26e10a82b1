package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/spec/spectest"
)

// fullCommand makes this program the child that builds the filter of one profile.
const fullCommand = "full"

const fullName = "From the text to the proof"

// full prints what filters take from the text to the proof or the error, each in
// a child of its own: those of the profiles that are compared, and of valid ones
// as large as can be read.
func full(out io.Writer, rounds int) error {
	fmt.Fprintf(out, "\n### %s\n\n", fullName)
	fmt.Fprintln(out, "| profile | comes to | CPU ms | MiB resident at most |")
	fmt.Fprintln(out, "| --- | --- | ---: | ---: |")
	for _, b := range benchmarks {
		policy, err := b.load(nil)
		if err != nil {
			return err
		}
		if err := fullRow(out, b.name, policy.text, b.archs, rounds); err != nil {
			return err
		}
	}
	for _, shape := range spectest.FullProfiles {
		if err := fullRow(out, "4 MiB: "+shape.Name, shape.Text(), []string{"x86_64", "x86", "x32"}, rounds); err != nil {
			return err
		}
	}
	return nil
}

func fullRow(out io.Writer, name string, text []byte, archs []string, rounds int) error {
	var result string
	var took time.Duration
	var most int64
	for round := range rounds {
		child := exec.Command("/proc/self/exe", append([]string{fullCommand}, archs...)...)
		child.Stdin = bytes.NewReader(text)
		child.Stderr = os.Stderr
		said, err := child.Output()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		result = strings.TrimSpace(string(said))
		if cpu := child.ProcessState.UserTime() + child.ProcessState.SystemTime(); round == 0 || cpu < took {
			took = cpu
		}
		if usage, ok := child.ProcessState.SysUsage().(*syscall.Rusage); ok {
			most = max(most, usage.Maxrss>>10)
		}
	}
	_, err := fmt.Fprintf(out, "| %s | %s | %d | %d |\n", name, result, took.Milliseconds(), most)
	return err
}

// fullHere is the child.
func fullHere(names []string, in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var archs []*arch.Arch
	for _, name := range names {
		a, _ := arch.ByName(name)
		archs = append(archs, a)
	}
	f, err := filter.Build(filter.Request{Profile: fullCommand, Text: text, Architectures: archs})
	var none *filter.NoProgramError
	switch {
	case errors.As(err, &none):
		_, err = fmt.Fprintln(out, "an error")
	case err == nil:
		_, err = fmt.Fprintf(out, "%d instructions\n", len(f.Program))
	}
	return err
}
