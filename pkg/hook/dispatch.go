package hook

import (
	"fmt"
	"os"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/install"
)

// errNoProfile says that a container asks for a dispatch and for no filter. The
// dispatch alone would be taken for a boundary, which it is not.
var errNoProfile = fmt.Errorf("annotation %s: there is no profile, and without a filter there is no dispatch", filter.AnnotationDispatch)

// Dispatch returns from where the program of a container that has the decided
// filter, nil for none, may make system calls; nil where config.json does not
// say.
func Dispatch(config *bundle.Config, decided *filter.Filter) (*install.Areas, error) {
	areas, err := dispatch(nil, config)
	if err == nil && areas != nil && decided == nil {
		err = errNoProfile
	}
	return areas, err
}

// dispatch returns from where the container's program may make system calls; nil
// where that is not said.
func dispatch(stated map[string]string, config *bundle.Config) (*install.Areas, error) {
	text, err := annotated(filter.AnnotationDispatch, stated, config)
	if err != nil || text == "" {
		return nil, err
	}
	areas, err := install.ParseAreas(text)
	if err != nil {
		return nil, fmt.Errorf("annotation %s: %w", filter.AnnotationDispatch, err)
	}
	return areas, nil
}

// OpenOutcome makes the file where an installer writes what became of a
// container's program (install.Request.Outcome), for State.
func OpenOutcome(root, id string) (*os.File, error) {
	file, err := openOutcome(rootOr(root), id)
	if err != nil {
		return nil, fmt.Errorf("container %s: publish: %w", id, err)
	}
	return file, nil
}

// Killed reports whether State tells why the container's program was killed
// before its first instruction. That is to stay for whoever looks for it.
func Killed(root, id string) bool {
	outcome, err := readOutcome(root, id)
	return err == nil && outcome != nil && outcome.Err != nil
}
