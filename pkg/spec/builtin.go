package spec

import "fmt"

// Builtin returns a profile that this package brings with it:
// "builtin:docker", or "builtin:containerd".
func Builtin(name string) (*Profile, error) {
	return nil, fmt.Errorf("spec: profile %s: no such builtin", name)
}
