//go:build linux

package main

import (
	"strings"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"google.golang.org/grpc/status"
)

// faults are what this project's errors look like in what the runc shim makes
// of a runtime's ("OCI runtime create failed: …"), and what they are to the
// daemon; the first match counts. The runc shim itself gives none of a
// runtime's errors a type.
var faults = []struct {
	text string
	is   error
}{
	// What the caller asked for.
	{" failed: runtime: profile ", errdefs.ErrInvalidArgument},
	{" failed: runtime: annotation ", errdefs.ErrInvalidArgument},
	{" failed: runtime: bundle: ", errdefs.ErrInvalidArgument},
	{" failed: runtime: spec: ", errdefs.ErrInvalidArgument},
	{" failed: runtime: compile: ", errdefs.ErrInvalidArgument},
	// The host: its kernel, its configuration, its runtime, an installer that
	// was killed.
	{" failed: runtime: ", errdefs.ErrFailedPrecondition},
	{"stderr: seccomp-hook: ", errdefs.ErrFailedPrecondition}, // a hook's, in the runtime's words
}

// classify gives an error of ours a type.
func classify(err error) error {
	text := status.Convert(err).Message() // err's own text where it has no status
	for _, f := range faults {
		if strings.Contains(text, f.text) {
			return errgrpc.ToGRPCf(f.is, "seccomp: %s", text)
		}
	}
	return err
}
