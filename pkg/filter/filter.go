package filter

import (
	"crypto/sha256"

	"seccomp-hook/pkg/bpf"
)

// Filter is a seccomp filter ready to install, and what is known about it.
type Filter struct {
	// Program is what the kernel gets.
	Program bpf.Program
	// Flags are the flags of the profile by their OCI names
	// ("SECCOMP_FILTER_FLAG_LOG"). It is nil where the profile does not say,
	// which is not the same as an empty list: runc then uses
	// SECCOMP_FILTER_FLAG_SPEC_ALLOW if the kernel has it.
	Flags []string
	// Listener is where the notification file descriptor goes, nil where no
	// rule of the profile is SCMP_ACT_NOTIFY.
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
	// Warnings are what a reader of the profile should know, one line each.
	Warnings []string
	// Statistics has one entry for each architecture of the profile whose
	// table the kernel keeps a cache for, the native one first.
	Statistics []Statistics
}

// Listener is what a profile says of SCMP_ACT_NOTIFY.
type Listener struct {
	Path     string // AF_UNIX socket of the agent
	Metadata string // handed to the agent as it is
}

// Statistics counts the numbers of one architecture's call table.
type Statistics struct {
	Arch     string // "x86_64"
	Cached   int    // always allowed, and the kernel does not run the filter for them
	Constant int    // one action, whatever the arguments; the cached ones included
	Dynamic  int    // the action depends on arguments
	Total    int    // Constant + Dynamic
}
