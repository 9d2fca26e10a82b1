package spec

import "fmt"

// KernelVersion is the part of a Linux version that minKernel compares: 6.12.
// The zero value is no version.
type KernelVersion struct {
	Major, Minor uint64
}

// ParseKernelVersion reads the version at the beginning of a release such as
// uname -r prints: "6.12.9-arch1-1" is 6.12.
func ParseKernelVersion(release string) (KernelVersion, error) {
	var v KernelVersion
	if _, err := fmt.Sscanf(release, "%d.%d", &v.Major, &v.Minor); err != nil {
		return KernelVersion{}, fmt.Errorf("spec: kernel release %q: %w", release, err)
	}
	return v, nil
}

func (v KernelVersion) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// newest is a version that no kernel has yet.
var newest = KernelVersion{Major: 1 << 16}

// atLeast reports whether v is least or newer.
func (v KernelVersion) atLeast(least KernelVersion) bool {
	return v.Major > least.Major || v.Major == least.Major && v.Minor >= least.Minor
}
