//go:build !linux

package precomputetest

import (
	"errors"

	"seccomp-hook/pkg/bpf"
)

// Prober needs memory protection as Linux has it.
type Prober struct{}

// NewProber returns errors.ErrUnsupported.
func NewProber() (*Prober, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (p *Prober) Close() error { return nil }

// Probe returns errors.ErrUnsupported.
func (p *Prober) Probe(bpf.Program, uint32, uint32) (bpf.Return, uint32, error) {
	return 0, 0, errors.ErrUnsupported
}
