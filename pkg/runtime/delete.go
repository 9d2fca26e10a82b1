package runtime

import (
	"errors"
	"os"
	"regexp"

	"seccomp-hook/pkg/hook"
)

// delete forgets what was published of a container that is going to be
// deleted. That comes before, because this process is the real runtime
// afterwards; so it is done only where the real runtime will not refuse: the
// container has ended, or it is told to kill it. Whatever is wrong here is
// wrong with what is to go, and does not keep the container from going.
func (w *wrapper) delete() {
	ids := []string{w.ID}
	if w.Regex {
		ids = w.matching()
	}
	for _, id := range ids {
		one := *w.Invocation
		one.ID = id
		if err := (&wrapper{Invocation: &one, kind: w.kind}).forget(); err != nil {
			w.reporter().log("warning", err.Error())
		}
	}
}

// matching returns the ids of the containers that crun's delete --regex is about: its
// operand is an extended regular expression (crun, delete.c; regcomp(3)).
func (w *wrapper) matching() (ids []string) {
	pattern, err := regexp.CompilePOSIX(w.ID)
	if err != nil {
		return nil // crun says so
	}
	entries, err := os.ReadDir(w.stateRoot())
	if err != nil {
		return nil // there is none
	}
	for _, e := range entries {
		if pattern.MatchString(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids
}

func (w *wrapper) forget() error {
	c, err := w.findContainer()
	switch {
	case errors.Is(err, errNoContainer) && w.ID != "":
		// Its runtime may have deleted it, and its attendant have been killed.
		return hook.ForgetEnded("", w.ID)
	case err == nil && (w.Force || !c.init.Alive()):
		return hook.Forget("", w.ID, c.init)
	default:
		return err
	}
}
