//go:build linux

package doctor

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Status says how a check came out.
type Status string

const (
	// OK is as it should be.
	OK Status = "ok"
	// Note works, but something could be better, or is left out.
	Note Status = "note"
	// Fail means that filters cannot be installed, or not in this way.
	Fail Status = "fail"
)

// Finding is what one check found.
type Finding struct {
	// Check names it: "kernel", "runtime", "docker". A check can have several
	// findings.
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Found says what is there, in one line.
	Found string `json:"found"`
	// Advice says what to do, in one line. It is empty where there is nothing
	// to do.
	Advice string `json:"advice,omitempty"`
}

// Host is what is looked at.
type Host struct {
	// Root is put before every path of a configuration file. Empty: the host's
	// own.
	Root string
	// Path is the search path of programs, as in PATH.
	Path string
	// Getenv is the environment of the runtime's configuration.
	Getenv func(string) string
	// Self is the path of this executable, beside which the others are.
	Self string
	// State is the folder of published states (hook.DefaultRoot).
	State string
}

// Here returns the host that the process runs on.
func Here(state string) (Host, error) {
	self, err := os.Executable()
	if err != nil {
		return Host{}, fmt.Errorf("doctor: %w", err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return Host{}, fmt.Errorf("doctor: %w", err)
	}
	return Host{Path: os.Getenv("PATH"), Getenv: os.Getenv, Self: self, State: state}, nil
}

// Examine makes all checks, in the order in which a reader wants them: the
// kernel, then this program's own files, then the engines.
func (h *Host) Examine(ctx context.Context) []Finding {
	return append(examine(ctx, []check{
		{"privileges", h.privileges},
		{"kernel", h.kernel},
		{"install", h.install},
		{"cache", h.cache},
		{"table", h.table},
	}), h.examineFiles(ctx)...)
}

// examineFiles makes the checks that do not ask the kernel.
func (h *Host) examineFiles(ctx context.Context) []Finding {
	return examine(ctx, []check{
		{"state", h.state},
		{"configuration", h.configuration},
		{"runtime", h.runtimes},
		{"programs", h.programs},
		{"docker", h.docker},
		{"podman", h.podman},
		{"containerd", h.containerd},
		{"cri-o", h.crio},
		{"hooks", h.hooks},
	})
}

// check looks at one thing.
type check struct {
	name string
	look func(context.Context) []Finding
}

func examine(ctx context.Context, checks []check) []Finding {
	var list []Finding
	for _, c := range checks {
		for _, f := range c.look(ctx) {
			f.Check = c.name
			list = append(list, f)
		}
	}
	return list
}

// Failed reports whether a finding is a failure.
func Failed(list []Finding) bool {
	for _, f := range list {
		if f.Status == Fail {
			return true
		}
	}
	return false
}

// WriteText writes a line for each finding: its status, its check, what was
// found, and what to do.
func WriteText(w io.Writer, list []Finding) error {
	for _, f := range list {
		advice := ""
		if f.Advice != "" {
			advice = "; " + f.Advice
		}
		if _, err := fmt.Fprintf(w, "%-4s  %-13s  %s%s\n", f.Status, f.Check, f.Found, advice); err != nil {
			return err
		}
	}
	return nil
}

// one is a check with a single finding.
func one(status Status, advice, format string, args ...any) []Finding {
	return []Finding{{Status: status, Found: fmt.Sprintf(format, args...), Advice: advice}}
}
