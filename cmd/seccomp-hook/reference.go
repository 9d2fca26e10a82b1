//go:build !libseccomp

package main

import (
	"errors"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
)

// referenceProgram returns what libseccomp makes of a profile. That takes cgo
// and the library, so this build does not have it.
func referenceProgram(*filter.Request) (bpf.Program, error) {
	return nil, errors.New("this build does not have libseccomp: build with -tags libseccomp")
}
