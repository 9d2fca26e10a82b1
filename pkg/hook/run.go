package hook

import (
	"errors"
	"io"

	"seccomp-hook/pkg/filter"
)

// Options are what the administrator decides for all containers.
type Options struct {
	// Root is where the hook publishes, DefaultRoot if empty.
	Root string
	// Profile, where not empty, is the profile of this container, whatever
	// its annotations and config.json say. It is for a caller that has taken
	// linux.seccomp out of config.json. A path, which is trusted.
	Profile string
	// DefaultProfile is used where neither the annotation nor linux.seccomp
	// is there: a path, "builtin:docker", "builtin:containerd". Empty: such a
	// container gets no filter.
	DefaultProfile string
	// ProfileDirs are where profiles that an annotation names may be,
	// DefaultProfileDir if empty.
	ProfileDirs []string
	// Observe publishes the statistics and installs nothing.
	Observe bool
	// Strict makes errors of a profile's warnings.
	Strict bool
}

// Defaults of Options.
const (
	DefaultRoot       = "/run/seccomp-hook"
	DefaultProfileDir = "/etc/seccomp-hook/profiles"
)

// Result says what the hook did.
type Result struct {
	ID          string            // of the container
	Annotations map[string]string // as published
	Warnings    []string          // one line each
	Filter      *filter.Filter    // nil where there is no profile
}

// Run is the hook: state is the OCI state that the runtime hands to it. When
// it returns without an error the container's filter is attached to its init,
// and goes live before the container's program runs, or there is none to
// install.
func Run(state io.Reader, o Options) (*Result, error) { return nil, errors.ErrUnsupported }

// State returns the published state of a container: its OCI state with the
// annotations merged in, as JSON.
func State(root, id string) ([]byte, error) { return nil, errors.ErrUnsupported }

// Filter returns the filter that was installed in a container, for its execs.
func Filter(root, id string) (*filter.Filter, error) { return nil, errors.ErrUnsupported }

// Remove forgets what was published of a container. It is no error if there is
// nothing.
func Remove(root, id string) error { return errors.ErrUnsupported }
