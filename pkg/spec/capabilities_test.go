package spec_test

import (
	"reflect"
	"slices"
	"testing"

	"seccomp-hook/pkg/spec"
)

func TestParseCapabilities(t *testing.T) {
	for text, want := range map[string][]string{
		"default":            spec.DefaultCapabilities(),
		"all":                spec.AllCapabilities(),
		"none":               {},
		"":                   {},
		"CAP_KILL":           {"CAP_KILL"},
		"CAP_KILL,CAP_CHOWN": {"CAP_KILL", "CAP_CHOWN"},
	} {
		if got, err := spec.ParseCapabilities(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, %v", text, got, err)
		}
	}
	for _, text := range []string{"CAP_FLY", "kill", "CAP_KILL,", "CAP_KILL, CAP_CHOWN", "all,CAP_KILL"} {
		if got, err := spec.ParseCapabilities(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	if n := len(spec.DefaultCapabilities()); n != 14 {
		t.Errorf("Docker gives 14 capabilities, not %d", n)
	}
	if n := len(spec.AllCapabilities()); n != 41 {
		t.Errorf("Linux has 41 capabilities, not %d", n)
	}
	for _, c := range spec.DefaultCapabilities() {
		if !slices.Contains(spec.AllCapabilities(), c) {
			t.Errorf("%s is none", c)
		}
	}
}

func TestParseKernelVersion(t *testing.T) {
	for release, want := range map[string]string{
		"6.18.0-rc1": "6.18", "6.1": "6.1", "5.10.0-28-amd64": "5.10", "3.12.25-gentoo": "3.12",
	} {
		if v, err := spec.ParseKernelVersion(release); err != nil || v.String() != want {
			t.Errorf("%q: %v, %v", release, v, err)
		}
	}
	for _, release := range []string{"", "6", "six.one", "-1.2"} {
		if v, err := spec.ParseKernelVersion(release); err == nil {
			t.Errorf("%q: %v", release, v)
		}
	}
}
