//go:build linux

package main

import (
	"strings"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"google.golang.org/grpc/status"

	"seccomp-hook/pkg/counter"
	"seccomp-hook/pkg/hook"
)

// faults are what this project's errors look like in what the runc shim makes
// of a runtime's ("OCI runtime create failed: …"), and what they are to the
// daemon; the first match counts. The runc shim itself gives none of a
// runtime's errors a type.
var faults = []struct {
	text   string
	is     error
	reason string // as the metrics have it
}{
	// What the caller asked for.
	{" failed: runtime: profile ", errdefs.ErrInvalidArgument, "profile"},
	{" failed: runtime: annotation ", errdefs.ErrInvalidArgument, "annotation"},
	{" failed: runtime: bundle: ", errdefs.ErrInvalidArgument, "bundle"},
	{" failed: runtime: spec: ", errdefs.ErrInvalidArgument, "profile"},
	{" failed: runtime: compile: ", errdefs.ErrInvalidArgument, "profile"},
	// The host: its kernel, its configuration, its runtime, an installer that
	// was killed.
	{" failed: runtime: ", errdefs.ErrFailedPrecondition, "host"},
	{"stderr: seccomp-hook: ", errdefs.ErrFailedPrecondition, "host"}, // a hook's, in the runtime's words
}

// classify gives an error of ours a type, and says what its reason is; an error of
// somebody else's has none.
func classify(err error) (reason string, typed error) {
	text := status.Convert(err).Message() // err's own text where it has no status
	for _, f := range faults {
		if strings.Contains(text, f.text) {
			return f.reason, errgrpc.ToGRPCf(f.is, "seccomp: %s", text)
		}
	}
	return "", err
}

// failed is classify for what did not start, and counts it.
func failed(err error) error {
	reason, err := classify(err)
	if reason != "" {
		count(reason)
	}
	return err
}

// count counts a failure. It is no harm if that cannot be.
func count(reason string) {
	_ = counter.Add(hook.DefaultRoot, map[string]float64{counter.FailurePrefix + reason: 1})
}
