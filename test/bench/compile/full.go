package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
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
	var most int // KiB
	for round := range rounds {
		child := exec.Command("/proc/self/exe", append([]string{fullCommand}, archs...)...)
		child.Stdin = bytes.NewReader(text)
		child.Stderr = os.Stderr
		said, err := child.Output()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var resident string
		resident, result, _ = strings.Cut(strings.TrimSpace(string(said)), " ")
		kib, err := strconv.Atoi(resident)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		most = max(most, kib)
		if cpu := child.ProcessState.UserTime() + child.ProcessState.SystemTime(); round == 0 || cpu < took {
			took = cpu
		}
	}
	_, err := fmt.Fprintf(out, "| %s | %s | %d | %d |\n", name, result, took.Milliseconds(), most>>10)
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
	result := "an error"
	switch {
	case err == nil:
		result = fmt.Sprintf("%d instructions", len(f.Program))
	case !errors.As(err, &none):
		return err
	}
	// What wait4(2) says of a child counts the parent's memory, which it began in.
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, resident, _ := strings.Cut(string(status), "\nVmHWM:")
	_, err = fmt.Fprintf(out, "%s %s\n", strings.Fields(resident)[0], result)
	return err
}
