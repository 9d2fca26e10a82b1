package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
)

// Flags of merged profiles are those that docs/profiles.md lists.
func TestMergeFlags(t *testing.T) {
	if arch.Native().Name != "x86_64" {
		t.Skip("the profiles are for x86_64")
	}
	const log, spec, wait = specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagWaitKillableRecv
	flags := func(f ...specs.LinuxSeccompFlag) []specs.LinuxSeccompFlag {
		return append([]specs.LinuxSeccompFlag{}, f...)
	}
	for name, c := range map[string]struct {
		first, second []specs.LinuxSeccompFlag // nil: no property
		notifies      bool                     // the second profile
		want          []specs.LinuxSeccompFlag
	}{
		"LOG of one":                             {flags(log, spec), flags(spec), false, flags(log, spec)},
		"SPEC_ALLOW of one":                      {flags(spec), flags(), false, flags()},
		"SPEC_ALLOW of both":                     {flags(spec), flags(spec), false, flags(spec)},
		"no flags count as SPEC_ALLOW":           {nil, flags(spec), false, flags(spec)},
		"WAIT_KILLABLE_RECV of one that asks":    {flags(spec), flags(spec, wait), true, flags(spec, wait)},
		"WAIT_KILLABLE_RECV of one that is mute": {flags(spec, wait), flags(spec), true, flags(spec)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, f := range [][]specs.LinuxSeccompFlag{c.first, c.second} {
				p := map[string]any{"defaultAction": specs.ActAllow, "architectures": []specs.Arch{specs.ArchX86_64}}
				if f != nil {
					p["flags"] = f
				}
				if i == 1 && c.notifies {
					p["listenerPath"] = "/run/agent"
					p["syscalls"] = []any{map[string]any{"names": []string{"mount"}, "action": specs.ActNotify}}
				}
				text, err := json.Marshal(p)
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, []string{"first.json", "second.json"}[i]), text, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, mode := range []string{"stack", "union"} {
				stdout, stderr, code := invoke(dir, "", "merge", "--arch", "x86_64", "--mode", mode, "@first.json", "@second.json")
				var got specs.LinuxSeccomp
				if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 {
					t.Fatalf("%s: code %d, %v: %s", mode, code, err, stderr)
				}
				if mode == "union" && c.notifies {
					continue // what notifies in one is allowed in the other
				}
				slices.Sort(got.Flags)
				want := slices.Clone(c.want)
				slices.Sort(want)
				if got.Flags == nil || !slices.Equal(got.Flags, want) {
					t.Errorf("%s: %q, want %q", mode, got.Flags, want)
				}
			}
		})
	}
}
