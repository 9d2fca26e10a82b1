//go:build linux

package install

import (
	"context"
	"errors"
)

// ErrHostMounts: the container shares this process's mount namespace. A
// process that enters such a container cannot be told from the runtime that
// starts it, so its filter would stay suspended.
var ErrHostMounts = errors.New("the container shares the host's mount namespace")

// ExecRequest is what to install into the process that a runtime's exec is
// about to start in a running container.
type ExecRequest struct {
	Filter Filter
	// NoNewPrivileges is the process's noNewPrivileges, as in Request.
	NoNewPrivileges bool
	// Container is the process id of the container's init.
	Container int
}

// Exec gives the calling process a filter that is suspended until a descendant
// executes a program in the container's mount namespace; that one is let go
// of, and its filter is live. When Exec has returned without an error, the
// caller must do nothing but execute the runtime (execve) that enters the
// container; its own calls, and the runtime's outside the container, do not
// feel the filter. If the installer process dies at any time, all of them do.
//
// The installer is no child of the caller: a runtime may wait for all of its
// children. It ends with the last process that it follows.
func Exec(ctx context.Context, command Command, r ExecRequest) (*Result, error) {
	return nil, errors.New("install: exec: not there yet")
}
