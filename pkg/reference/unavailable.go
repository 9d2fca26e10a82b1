//go:build !libseccomp

package reference

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// Compile returns ErrNotBuilt.
func Compile(*specs.LinuxSeccomp, *arch.Arch) (bpf.Program, error) { return nil, ErrNotBuilt }

// Listing returns ErrNotBuilt.
func Listing(*specs.LinuxSeccomp, *arch.Arch) (string, error) { return "", ErrNotBuilt }

// Differing returns ErrNotBuilt.
func Differing([]string, ...*arch.Arch) ([]string, error) { return nil, ErrNotBuilt }

// Version returns ErrNotBuilt.
func Version() (string, error) { return "", ErrNotBuilt }
