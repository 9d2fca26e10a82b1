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

const fullName = "Profiles of 4 MiB"

// full prints what the filters of valid profiles as large as can be read take,
// each in a child of its own, from the text to the proof or the error.
func full(out io.Writer, rounds int) error {
	fmt.Fprintf(out, "\n### %s\n\n", fullName)
	fmt.Fprintln(out, "| what is in it | comes to | CPU ms | MiB resident at most |")
	fmt.Fprintln(out, "| --- | --- | ---: | ---: |")
	for _, shape := range spectest.FullProfiles {
		text := shape.Text()
		var result string
		var took time.Duration
		var most int64
		for round := range rounds {
			child := exec.Command("/proc/self/exe", fullCommand)
			child.Stdin = bytes.NewReader(text)
			child.Stderr = os.Stderr
			said, err := child.Output()
			if err != nil {
				return fmt.Errorf("%s: %w", shape.Name, err)
			}
			result = strings.TrimSpace(string(said))
			if cpu := child.ProcessState.UserTime() + child.ProcessState.SystemTime(); round == 0 || cpu < took {
				took = cpu
			}
			if usage, ok := child.ProcessState.SysUsage().(*syscall.Rusage); ok {
				most = max(most, usage.Maxrss>>10)
			}
		}
		fmt.Fprintf(out, "| %s | %s | %d | %d |\n", shape.Name, result, took.Milliseconds(), most)
	}
	return nil
}

// fullHere is the child.
func fullHere(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var archs []*arch.Arch
	for _, name := range []string{"x86_64", "x86", "x32"} {
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
