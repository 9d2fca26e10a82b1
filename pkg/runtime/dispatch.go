package runtime

import (
	"fmt"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
)

// dispatchOf returns from where the container's program may make system calls,
// "" where config.json does not say. What is wrong with it is said before the
// runtime does anything.
func dispatchOf(config *bundle.Config, decision *hook.Result) (string, error) {
	var decided *filter.Filter
	if decision != nil {
		decided = decision.Filter
	}
	areas, err := hook.Dispatch(config, decided)
	if err != nil {
		return "", fmt.Errorf("runtime: %w", err)
	}
	if areas == nil {
		return "", nil
	}
	return areas.String(), nil
}

// dispatch puts the dispatch into a request. What becomes of it is known only when
// the container's program begins.
func (a *attendant) dispatch(r *install.Request, id string) error {
	if a.Dispatch == "" {
		return nil
	}
	var err error
	if r.Dispatch, err = install.ParseAreas(a.Dispatch); err == nil {
		r.Outcome, err = hook.OpenOutcome("", id)
	}
	return err
}
