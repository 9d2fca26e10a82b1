//go:build linux

// Gen writes the builtin profiles of pkg/spec, both in Docker's format.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/profiles/seccomp"
)

func main() {
	if err := run("builtin"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes the profiles into dir.
func run(dir string) error {
	for _, profile := range []struct {
		name     string
		generate func() ([]byte, error)
	}{
		{"docker.json", docker},
		{"containerd.json", containerd},
	} {
		text, err := profile.generate()
		if err != nil {
			return fmt.Errorf("%s: %w", profile.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, profile.name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// docker returns Docker's default profile, at the version that go.mod pins.
func docker() ([]byte, error) { return format(seccomp.DefaultProfile()) }

func format(profile *seccomp.Seccomp) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "\t")
	err := encoder.Encode(profile)
	return b.Bytes(), err
}
