package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install/orphan"
	"seccomp-hook/pkg/record"
	"seccomp-hook/pkg/spec"
)

// recorder starts the recorder that an annotation asks for.
type recorder struct {
	// dirs are where recorded profiles may be written to, and profileDirs where
	// the profiles are that they begin with. Whoever starts a container writes
	// the annotation, and the file is root's.
	dirs, profileDirs []string
}

func (r *recorder) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&r.dirs, "record-dir", []string{record.DefaultDir}, "`DIR` of the profiles that the annotation "+record.Annotation+" has recorded; can be repeated")
}

func recordHookCommand() *cobra.Command {
	var r recorder
	cmd := &cobra.Command{
		Use:    "record-hook",
		Short:  "Start the recorder that a container's annotation asks for, as createRuntime hook",
		Hidden: true, // the runtime adds it
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := r.start(cmd.InOrStdin())
			return err
		},
	}
	r.register(cmd)
	cmd.Flags().StringArrayVar(&r.profileDirs, "profile-dir", []string{hook.DefaultProfileDir}, "`DIR` of the profiles that annotations name; can be repeated")
	return cmd
}

// start starts the recorder that the container on stdin asks for, if any, and
// returns when it is attached: before the container's first instruction. What it
// has read of stdin can be read again.
func (r *recorder) start(stdin io.Reader) (io.Reader, error) {
	const most = 2 << 20 // more is hook.ReadState's to refuse
	text, err := io.ReadAll(io.LimitReader(stdin, most))
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	again := bytes.NewReader(text)
	if !bytes.Contains(text, []byte("trace-syscall")) && !bytes.Contains(text, []byte(`\u`)) {
		return again, nil
	}
	state, err := hook.ReadState(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	value, asked := state.Annotations[record.Annotation]
	if !asked {
		return again, nil
	}
	if err := r.record(state, value); err != nil {
		return nil, fmt.Errorf("container %s: annotation %s: %w", state.ID, record.Annotation, err)
	}
	return again, nil
}

// attachTimeout bounds how long a start waits for the recorder, which takes
// a tenth of a second.
const attachTimeout = 30 * time.Second

func (r *recorder) record(state *specs.State, value string) error {
	output, input, err := record.ParseAnnotation(value)
	if err != nil {
		return err
	}
	if err := beneath(output, r.dirs); err != nil {
		return err
	}
	argv := []string{"seccomp-hook", "record", "--init", strconv.Itoa(state.Pid), "--ready", strconv.Itoa(orphan.FirstFile), "--native", "--output", output}
	if input != "" {
		if !strings.HasPrefix(input, "builtin:") {
			if err := beneath(input, append(slices.Clone(r.profileDirs), r.dirs...)); err != nil {
				return err
			}
		}
		argv = append(argv, "--base", input, "--caps", bounding(state.Bundle))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ready, told, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	err = orphan.Start(self, argv, []string{"PATH=" + os.Getenv("PATH")}, int(told.Fd()))
	told.Close()
	if err != nil {
		return err
	}
	if err := ready.SetReadDeadline(time.Now().Add(attachTimeout)); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, err := ready.Read(answer)
	switch {
	case n > 0 && answer[0] == '+':
		return nil
	case n > 0:
		return fmt.Errorf("recorder: %s", answer[:n])
	default:
		return fmt.Errorf("recorder: it does not answer: %w", err)
	}
}

// bounding is the bounding set of a bundle, as --caps takes it.
func bounding(dir string) string {
	text, err := readFile(nil, filepath.Join(dir, "config.json"), spec.MaxSize)
	if err != nil {
		return "none"
	}
	config, err := bundle.Parse(text)
	if err != nil || len(config.Bounding()) == 0 {
		return "none"
	}
	return strings.Join(config.Bounding(), ",")
}

// beneath refuses a file that is not in one of the directories, whatever links
// lead there.
func beneath(path string, dirs []string) error {
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err == nil {
		for _, dir := range dirs {
			real, err := filepath.EvalSymlinks(dir)
			if err == nil && (parent == real || real == "/" || strings.HasPrefix(parent, real+"/")) {
				return nil
			}
		}
	}
	return fmt.Errorf("%s is not in %s", path, strings.Join(dirs, " or "))
}
