// Package integration holds the tests against the real things: runc of the
// distribution and of today, crun, container engines, the running kernel.
//
// They are behind the build tag "integration", need root, and are run by
// `make integration`. A test makes a Bundle, runs it under a Runtime and looks
// at what the processes inside saw; Victims are the static programs that look.
// Nothing a test makes survives it: every container, mount, cgroup and process
// that is left over fails the test that left it.
package integration
