package spec

import (
	_ "embed"
	"fmt"
)

//go:generate go run ./internal/gen

// The builtin profiles, as the generator left them: Docker's is
// github.com/moby/profiles/seccomp's, containerd's is what contrib/seccomp of
// github.com/containerd/containerd makes in Go, put into Docker's format.
var (
	//go:embed builtin/docker.json
	dockerProfile []byte
	//go:embed builtin/containerd.json
	containerdProfile []byte
)

// Builtin returns a profile that this package brings with it:
// "builtin:docker" or "builtin:containerd".
func Builtin(name string) (*Profile, error) {
	text, err := BuiltinText(name)
	if err != nil {
		return nil, err
	}
	return Parse(text, name)
}

// BuiltinText returns the text of a builtin profile, in Docker's format. It
// must not be changed.
func BuiltinText(name string) ([]byte, error) {
	switch name {
	case "builtin:docker":
		return dockerProfile, nil
	case "builtin:containerd":
		return containerdProfile, nil
	}
	return nil, fmt.Errorf("spec: profile %s: there is no such builtin, but builtin:docker and builtin:containerd", name)
}
