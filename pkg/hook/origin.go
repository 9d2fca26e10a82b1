package hook

import (
	"errors"
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/filter"
)

// Origin returns what the filter of a container was made of, to be looked at
// again: the profile that its state names, or the bundle's linux.seccomp. They
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
	r := filter.Request{Profile: name, Capabilities: config.Bounding(), Kernel: kernel}
	if r.Capabilities == nil {
		r.Capabilities = []string{}
	}
	switch {
	case name == configProfile:
		if r.Text, r.Seccomp = config.Seccomp(), true; r.Text == nil {
			return r, errors.New("config.json has no linux.seccomp any more")
		}
	case !strings.HasPrefix(name, builtinPrefix):
		p, err := load(name)
		if err != nil {
			return r, err
		}
		r.Text = p.text
	}
	return r, nil
}
