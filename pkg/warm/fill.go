package warm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/runtime"
)

// Options say for what kind of containers the store is filled.
type Options struct {
	// Root is the folder of the store (hook.DefaultRoot).
	Root string
	// Capabilities are the sets that containers have: they decide what a profile in
	// Docker's format becomes.
	Capabilities [][]string
	// ProfileDirs are where profiles that annotations name are.
	ProfileDirs []string
	// Program is seccomp-hook-runtime as it is installed. Empty: no ready filters
	// are made.
	Program string
	// Runtimes are the paths of the real runtimes, one of each family.
	Runtimes []string
	// Stderr gets the warnings of Program.
	Stderr io.Writer
}

// Filled says what was done for one profile.
type Filled struct {
	Profile  string
	Filters  int // different ones that the store has now
	Compiled int // those of them that were not there before
	Ready    int // ready filters, for the runtimes together
	Warnings []string
}

// Fill has the store hold what containers with a profile look up. name is the
// profile's file, or "builtin:…" with no text.
//
// A profile that asks for no filter, or that has no proved program, is an error:
// errors.Is filter.ErrDisabled, errors.As *filter.NoProgramError.
func Fill(ctx context.Context, name string, text []byte, o Options) (*Filled, error) {
	f := &filling{Options: o, Filled: Filled{Profile: name}, seen: map[string]bool{}}
	for _, capabilities := range o.Capabilities {
		written, err := Written(name, text, capabilities)
		if err != nil {
			return nil, err
		}
		for _, seccomp := range written {
			if err := f.written(ctx, seccomp); err != nil {
				return nil, err
			}
		}
		for _, named := range f.names(name, text) {
			if err := f.named(named, capabilities); err != nil {
				return nil, err
			}
		}
	}
	if f.Filters == 0 {
		return nil, fmt.Errorf("profile %s: %w", name, filter.ErrDisabled)
	}
	return &f.Filled, nil
}

// filling is a Fill under way.
type filling struct {
	Options
	Filled
	seen map[string]bool // what was looked up already
}

// configOf returns what matters of a config.json.
func configOf(seccomp json.RawMessage, profile string, capabilities []string) []byte {
	config := map[string]any{"process": map[string]any{"capabilities": map[string]any{"bounding": capabilities}}}
	if seccomp != nil {
		// Not marshalled: that would change its spaces.
		return fmt.Appendf(nil, `{"linux":{"seccomp":%s}}`, seccomp)
	}
	config["annotations"] = map[string]string{filter.AnnotationProfile: profile}
	text, _ := json.Marshal(config) // strings and maps of them
	return text
}

// written fills the store for containers with this linux.seccomp.
func (f *filling) written(ctx context.Context, seccomp json.RawMessage) error {
	if f.seen[string(seccomp)] {
		return nil
	}
	f.seen[string(seccomp)] = true
	config := configOf(seccomp, "", nil)
	if err := f.decide(config); err != nil || f.Program == "" {
		return err
	}
	for _, real := range f.Runtimes {
		switch _, err := runtime.MakeReady(ctx, f.Program, real, config, f.Stderr); {
		case err == nil:
			f.Ready++
		case !errors.Is(err, runtime.ErrNoReady):
			return err
		}
	}
	return nil
}

// named fills the store for containers whose annotation names the profile.
func (f *filling) named(name string, capabilities []string) error {
	return f.decide(configOf(nil, name, capabilities))
}

// decide does for a config.json what a start does before it installs.
func (f *filling) decide(text []byte) error {
	config, err := bundle.Parse(text)
	if err != nil {
		return err
	}
	result, err := hook.Decide(config, hook.Options{Root: f.Root, ProfileDirs: f.ProfileDirs})
	if err != nil {
		return err
	}
	if result.Filter == nil {
		return fmt.Errorf("profile %s: %w", f.Profile, filter.ErrDisabled)
	}
	f.Filters++
	if result.Annotations[filter.AnnotationStore] == filter.Miss {
		f.Compiled++
	}
	f.Warnings = append(f.Warnings, result.Warnings...)
	return nil
}

// names returns the names by which annotations can ask for a profile: a builtin's,
// and of a file in a profile folder the path from there.
func (f *filling) names(name string, text []byte) []string {
	if text == nil {
		return []string{name}
	}
	return relative(f.ProfileDirs, name)
}
