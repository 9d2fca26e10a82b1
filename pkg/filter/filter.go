package filter

import (
	"crypto/sha256"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
)

// Filter is a seccomp filter ready to install, and what is known about it.
type Filter struct {
	// Program is what the kernel gets.
	Program bpf.Program
	// Flags are what the profile asks of seccomp(2).
	Flags spec.Flags
	// Listener is where the listener goes, nil where no rule of the profile is
	// SCMP_ACT_NOTIFY.
	Listener *Listener

	// Profile says where the profile came from: a path, "builtin:docker", or
	// "config.json".
	Profile string
	// ProfileDigest is the SHA-256 of the profile as written.
	ProfileDigest [sha256.Size]byte
	// Compiler names the compiler and its version.
	Compiler string
	// Verified says that Program was proved to give every call the verdict of
	// the profile.
	Verified bool
	// Warnings are the profile's, one line each.
	Warnings []string
	// Tables are what Program does with every call number, one table for each
	// AUDIT_ARCH_* token that the profile was resolved for, the native one
	// first.
	Tables []*precompute.Table
	// Statistics has one entry for each architecture that the profile was
	// resolved for, the native one first.
	Statistics []precompute.Statistics
}

// Listener is what a profile says of SCMP_ACT_NOTIFY.
type Listener struct {
	Path     string // AF_UNIX socket of the agent
	Metadata string // handed to the agent as it is
}

// FlagNames returns the flags by their OCI names; nil where the profile does not
// say, which is not the same as an empty list.
func (f *Filter) FlagNames() []string { return f.Flags.Names() }
