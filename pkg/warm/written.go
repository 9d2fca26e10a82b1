package warm

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/spec"
)

// Written returns the texts that a profile becomes as linux.seccomp of a container
// with these capabilities, each once: as Docker, Podman and CRI-O have it, which
// decide its conditions (moby/profiles/seccomp, setupSeccomp; containers/common does
// the same), and as containerd has the file of a Localhost profile, whose conditions
// it does not know (contrib/seccomp, WithProfile). A config.json has one already.
//
// name is for messages, or "builtin:…" with no text. The error is spec's for what is
// no profile. Of a profile that asks for no filter there is no text.
func Written(name string, text []byte, capabilities []string) ([]json.RawMessage, error) {
	builtin := text == nil
	if builtin {
		var err error
		if text, err = spec.BuiltinText(name); err != nil {
			return nil, err
		}
	}
	profile, err := spec.Parse(text, name)
	if err != nil || profile.Disabled {
		return nil, err
	}
	switch profile.Form {
	case spec.FormConfig:
		config, err := bundle.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("profile %s: %w", name, err)
		}
		return []json.RawMessage{config.Seccomp()}, nil
	case spec.FormOperator:
		// The operator writes files of its own for the kubelet.
		return nil, nil
	}
	var list []json.RawMessage
	add := func(s *specs.LinuxSeccomp, err error) error {
		if err != nil {
			return fmt.Errorf("profile %s: %w", name, err)
		}
		text, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("profile %s: %w", name, err)
		}
		if !slices.ContainsFunc(list, func(have json.RawMessage) bool { return string(have) == string(text) }) {
			list = append(list, text)
		}
		return nil
	}
	if name == containerdDefault {
		if text, err = containerdOrder(text, capabilities); err != nil {
			return nil, err
		}
	}
	container := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: capabilities}}}
	if err := add(seccomp.LoadProfile(string(text), container)); err != nil || builtin {
		return list, err
	}
	var plain specs.LinuxSeccomp
	err = json.Unmarshal(text, &plain)
	return list, add(&plain, err)
}

const containerdDefault = "builtin:containerd"

// containerdOrder returns containerd's default profile with its rules in the order
// in which containerd makes them for a container: what all have, what its
// capabilities allow, in their order, and what the lack of one forbids
// (contrib/seccomp/seccomp_default.go, DefaultProfile).
func containerdOrder(text []byte, capabilities []string) ([]byte, error) {
	var profile seccomp.Seccomp
	if err := json.Unmarshal(text, &profile); err != nil {
		return nil, fmt.Errorf("profile %s: %w", containerdDefault, err)
	}
	rank := func(rule *seccomp.Syscall) int {
		switch {
		case rule.Includes != nil && len(rule.Includes.Caps) > 0:
			return 1 + slices.Index(capabilities, rule.Includes.Caps[0])
		case rule.Excludes != nil && len(rule.Excludes.Caps) > 0:
			return 1 + len(capabilities)
		}
		return 0
	}
	slices.SortStableFunc(profile.Syscalls, func(a, b *seccomp.Syscall) int { return rank(a) - rank(b) })
	return json.Marshal(profile)
}
