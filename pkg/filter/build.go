package filter

import (
	"errors"

	"seccomp-hook/pkg/compile"
)

// Request is everything that a Filter depends on.
type Request struct {
	// Profile says where the profile came from, for messages and the
	// annotation. "builtin:docker" and "builtin:containerd" are the profile;
	// Text is then empty.
	Profile string
	// Text is the profile: a config.json, a bare linux.seccomp, or a
	// Docker-format profile.
	Text []byte
	// Capabilities are the container's bounding set ("CAP_CHOWN"), for the
	// rules of Docker-format profiles that depend on it.
	Capabilities []string
	// Architectures override the profile's ("x86_64", "x86", …), the native
	// one first. Empty: the profile's, and this machine's as native.
	Architectures []string
	// Kernel is the kernel's version ("6.18"), for minKernel in Docker-format
	// profiles and the size of the call tables.
	Kernel string
	// Strict makes errors of warnings.
	Strict bool
	// Compile says what to optimise for.
	Compile compile.Options
}

// Build runs the pipeline. The program of the Filter it returns is proved.
func Build(r Request) (*Filter, error) {
	return nil, errors.ErrUnsupported
}
