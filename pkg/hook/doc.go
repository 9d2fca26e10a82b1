// Package hook is the logic of the OCI hook, prestart and createRuntime alike:
// it reads the container's state, decides which profile the container gets,
// asks pkg/filter for the filter, starts the installer on the container's
// init, and publishes what it did in /run/seccomp-hook/containers/<container id>, where
// people and later execs find it.
//
// A hook that fails makes the runtime destroy the container. So every error is
// returned, and nothing here goes on with less than it was asked for.
package hook
