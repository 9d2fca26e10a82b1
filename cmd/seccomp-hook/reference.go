package main

import (
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
)

// referenceProgram returns what libseccomp makes of a profile, in builds that
// have it (tag libseccomp).
func referenceProgram(r *filter.Request) (bpf.Program, error) {
	_, profile, err := r.Policy()
	if err != nil {
		return nil, err
	}
	return reference.Profile(profile, spec.Target{Archs: r.Architectures, Capabilities: r.Capabilities, Kernel: r.Kernel})
}
