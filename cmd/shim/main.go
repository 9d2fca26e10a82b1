//go:build linux

// Command containerd-shim-seccomp-v2 is containerd's runc shim, with a filter
// step where it creates a container and where it executes a process in one:
// there it starts seccomp-runc in front of the runtime. See docs/containerd.md.
package main

import (
	"context"

	"github.com/containerd/containerd/v2/pkg/shim"
)

// runtimeName is the runtime type that containerd finds this binary by.
const runtimeName = "io.containerd.seccomp.v2"

func main() {
	registerTaskService()
	shim.Run(context.Background(), newManager())
}
