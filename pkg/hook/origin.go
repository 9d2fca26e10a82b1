package hook

import (
	"errors"
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
)

// Origin returns what the filter of a container was made of, to be looked at
// again: the profiles that its state names, the bundle's linux.seccomp among them. They
// may have changed since; whether they say what the filter does is the caller's
// to prove. It is an error where the container has no filter.
func Origin(state *specs.State) (filter.Request, error) {
	name := state.Annotations[filter.AnnotationProfile]
	if name == "" || state.Annotations[filter.AnnotationInstallMode] == ModeNone {
		return filter.Request{}, fmt.Errorf("container %s: no filter is installed by seccomp-hook", state.ID)
	}
	config, err := readConfig(state.Bundle)
	if err != nil {
		return filter.Request{}, err
	}
	kernel, err := runningKernel()
	if err != nil {
		return filter.Request{}, err
	}
	r := filter.Request{Capabilities: config.Bounding(), Kernel: kernel}
	if r.Capabilities == nil {
		r.Capabilities = []string{}
	}
	for i, name := range strings.Split(name, filter.ProfileSeparator) {
		s, err := source(name, config)
		switch {
		case err != nil:
			return r, err
		case i == 0:
			r.Profile, r.Text, r.Seccomp = s.Profile, s.Text, s.Seccomp
		default:
			r.Also = append(r.Also, s)
		}
	}
	return r, nil
}

// source reads one of the profiles of a container anew.
func source(name string, config *bundle.Config) (filter.Source, error) {
	switch {
	case name == configProfile:
		if config.Seccomp() == nil {
			return filter.Source{}, errors.New("config.json has no linux.seccomp any more")
		}
		return filter.Source{Profile: name, Text: config.Seccomp(), Seccomp: true}, nil
	case strings.HasPrefix(name, builtinPrefix):
		return filter.Source{Profile: name}, nil
	default:
		p, err := load(name)
		if err != nil {
			return filter.Source{}, err
		}
		return filter.Source{Profile: name, Text: p.text}, nil
	}
}
