//go:build linux

package main

import (
	"encoding/json"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/hook"
)

// forget removes what is published of a container that has not been created
// after all, or that is deleted without its runtime's knowing of it. The front
// forgets a container when the runtime deletes it; here the runtime may have no
// such container any more. What belongs to a living process stays: it is a
// container of the same name, under another root.
func forget(root, id string) error {
	text, err := hook.State(root, id)
	if err != nil {
		return nil //nolint:nilerr // nothing to forget, or nothing that this can tell the owner of; hooks sweep
	}
	var state specs.State
	if err := json.Unmarshal(text, &state); err != nil {
		return fmt.Errorf("forget container %s: %w", id, err)
	}
	if state.Pid > 0 && unix.Kill(state.Pid, 0) != unix.ESRCH {
		return nil
	}
	return hook.Remove(root, id)
}
