//go:build linux

package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"seccomp-hook/pkg/bundle"
)

// A container of which no filter is known must not have asked for one.
func TestUnasked(t *testing.T) {
	for _, tc := range []struct {
		name, config string
		want         string // part of the error
	}{
		{"privileged", `{"linux": {}}`, ""},
		{"disabled", `{"linux": {"seccomp": {}}}`, ""},
		{"null", `{"linux": {"seccomp": null}}`, ""},
		{"profile", `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}}`, "no filter is published"},
		{"annotation", `{"annotations": {"io.seccomp-hook.profile": "builtin:docker"}}`, "builtin:docker"},
		{"nonsense", `{"linux": {"seccomp": {"defaultAction": "X"}}}`, "X"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config, err := bundle.Parse([]byte(tc.config))
			if err != nil {
				t.Fatal(err)
			}
			err = unasked(config)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Error(err)
			}
		})
	}
}

func TestSeccompMode(t *testing.T) {
	if mode, err := seccompMode(os.Getpid()); err != nil || mode < 0 || mode > modeFilter {
		t.Errorf("%d, %v", mode, err)
	}
	if _, err := seccompMode(-1); err == nil {
		t.Error("a process -1")
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]error{
		"OCI runtime create failed: runtime: spec: profile config.json: rule 1: unknown action":                   errdefs.ErrInvalidArgument,
		"OCI runtime exec failed: runtime: container x: cannot exec in a stopped container":                       errdefs.ErrFailedPrecondition,
		"OCI runtime create failed: runc create failed: error running hook: stderr: seccomp-hook: install: seize": errdefs.ErrFailedPrecondition,
		"OCI runtime create failed: runc create failed: exec: \"x\": executable file not found in $PATH":          nil,
	} {
		given := errors.New(text)
		reason, err := classify(given)
		if (reason == "") != (want == nil) {
			t.Errorf("%s: reason %q", text, reason)
		}
		if want == nil {
			if !errors.Is(err, given) {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if got := errgrpc.ToNative(err); !strings.Contains(got.Error(), text) || !errors.Is(got, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
