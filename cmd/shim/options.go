//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/typeurl/v2"
	"github.com/pelletier/go-toml/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"seccomp-hook/pkg/regular"
)

// runcOptions returns a task's options as the runc shim takes them. containerd's
// CRI knows their type by the name of containerd's own runtime alone; what a
// configuration file has for any other, "SystemdCgroup = true" for instance, it
// hands over as text, or as the path of a file (internal/cri/config,
// GenerateRuntimeOptions). ctr does so with --runtime-config-path. The runc
// shim would not survive that type.
func runcOptions(given *anypb.Any) (*anypb.Any, error) {
	generic := new(runtimeoptions.Options)
	if given.GetTypeUrl() == "" || !typeurl.Is(given, generic) {
		return given, nil
	}
	if err := typeurl.UnmarshalTo(given, generic); err != nil {
		return nil, fmt.Errorf("runtime options: %w", err)
	}
	text, from := generic.ConfigBody, "the runtime's options"
	if generic.ConfigPath != "" {
		var err error
		if text, err = regular.ReadFile(generic.ConfigPath, maxConfig); err != nil {
			return nil, fmt.Errorf("runtime options: %w", err)
		}
		from = generic.ConfigPath
	}
	decoder := toml.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // what an administrator wrote must not be silently without effect
	o := new(options.Options)
	if err := decoder.Decode(o); err != nil {
		return nil, fmt.Errorf("runtime options: %s: %w", from, err)
	}
	return typeurl.MarshalAnyToProto(o)
}

// readOptions reads options as the daemon writes them to a shim's standard
// input, and returns them as the runc shim takes them there; nothing for
// nothing.
func readOptions(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(r)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	given := new(anypb.Any)
	if err := proto.Unmarshal(text, given); err != nil {
		return nil, fmt.Errorf("runtime options: %w", err)
	}
	o, err := runcOptions(given)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(o)
}
