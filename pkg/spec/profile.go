package spec

import (
	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// Form is the kind of file that a profile was read from.
type Form uint8

// The forms, told apart by what is in them.
const (
	// FormRuntime is the linux.seccomp object of an OCI runtime configuration,
	// on its own.
	FormRuntime Form = iota
	// FormConfig is a whole OCI config.json.
	FormConfig
	// FormDocker is a profile as Docker and Podman take it: a linux.seccomp
	// object whose rules can depend on capabilities, architecture and kernel.
	FormDocker
	// FormOperator is a SeccompProfile of the Kubernetes Security Profiles
	// Operator, in YAML or JSON.
	FormOperator
)

var formNames = [...]string{
	FormRuntime:  "OCI seccomp object",
	FormConfig:   "OCI config.json",
	FormDocker:   "Docker-format profile",
	FormOperator: "SeccompProfile resource",
}

func (f Form) String() string { return formNames[f] }

// Profile is a seccomp profile as written. Resolve says what it means.
type Profile struct {
	// Name is where the profile came from, for messages: a path or
	// "builtin:docker".
	Name string
	Form Form
	// Disabled says that the profile asks for no filter at all: it has neither
	// a default action nor rules, or config.json has no linux.seccomp.
	Disabled bool
	// Absent says that this is a config.json without linux.seccomp: Disabled,
	// but without a word on it.
	Absent bool

	// Default is the default action, its errno included.
	Default bpf.Return
	// Architectures are the ones listed, as written: the native one need not
	// be among them.
	Architectures []*arch.Arch
	// ArchMap is what a Docker-format profile has instead.
	ArchMap []ArchMapping
	// Flags are what the profile asks of seccomp(2).
	Flags Flags
	// ListenerPath and ListenerMetadata are for NOTIFY.
	ListenerPath, ListenerMetadata string
	// Syscalls are the rules, in order.
	Syscalls []Syscall

	// Bounding is process.capabilities.bounding of a config.json: the
	// capabilities that Docker-format rules of a container depend on. It is
	// nil where config.json has no capabilities, and in the other forms.
	Bounding []string

	// Warnings are what reading found. Resolve adds more.
	Warnings Warnings

	// errnoNames says that an errno above 34 was written as a name, whose
	// number is not the same on every architecture.
	errnoNames bool
}

// ArchMapping is a native architecture and the others that come with it, by
// their names in OCI. They may be unknown: only the entry of the native
// architecture counts.
type ArchMapping struct {
	Architecture     string
	SubArchitectures []string
}

// Syscall is one rule of a profile: what the named calls get where all of Args
// hold.
type Syscall struct {
	Names []string
	// Return is the action with its errno.
	Return bpf.Return
	Args   []Arg
	// Includes and Excludes decide whether the rule counts; nil where a rule
	// has none.
	Includes, Excludes *Filter
	// Comment is Docker's, and says nothing.
	Comment string
}

// Arg is a condition on one argument, as written.
type Arg struct {
	Index uint8 // 0 to 5
	Op    Op
	// Masked says that the operator is MASKED_EQ: Value is the mask, ValueTwo
	// what the argument is compared with. Op is EQ then.
	Masked          bool
	Value, ValueTwo uint64
}

// Filter says when a Docker-format rule counts (moby/profiles/seccomp).
type Filter struct {
	// Caps are capabilities: of the container's bounding set all must be there
	// to include a rule, one is enough to exclude it.
	Caps []string
	// Arches are native architectures by moby's names: "amd64", "s390x".
	Arches []string
	// MinKernel is the kernel version from which it applies, if it depends on
	// that; zero is a version that every kernel has.
	MinKernel *KernelVersion
	// patch is a version with a third number, which counts without it.
	patch string
}

// Target is what a profile is resolved for.
type Target struct {
	// Native is the architecture of the kernel; nil stands for the first of
	// Archs, and where that is empty for this machine's.
	Native *arch.Arch
	// Archs, where there are any, take the place of the profile's list.
	Archs []*arch.Arch
	// Capabilities is the bounding set that Docker-format rules depend on; nil
	// stands for DefaultCapabilities.
	Capabilities []string
	// Kernel is the version that minKernel is compared with; zero stands for
	// one newer than any.
	Kernel KernelVersion
}
