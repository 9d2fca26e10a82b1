package runtime

import (
	"errors"

	"seccomp-hook/pkg/hook"
)

// delete forgets what was published of a container that is going to be
// deleted. That comes before, because this process is the real runtime
// afterwards; so it is done only where the real runtime will not refuse: the
// container has ended, or it is told to kill it. Whatever is wrong here is
// wrong with what is to go, and does not keep the container from going.
func (w *wrapper) delete() {
	c, err := w.findContainer()
	if errors.Is(err, errNoContainer) && w.ID != "" {
		// Its runtime may have deleted it, and its attendant have been killed.
		err = hook.ForgetEnded("", w.ID)
	} else if err == nil && (w.Force || !c.init.Alive()) {
		err = hook.Forget("", w.ID, c.init)
	}
	if err != nil {
		w.reporter().log("warning", err.Error())
	}
}
