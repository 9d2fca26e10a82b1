// Package front tests the front of the runtime, cmd/seccomp-runc, a C program:
// here are the parts of it that work without root and without a container,
// against the Go code that does the same (pkg/runtime). The rest is in
// test/integration. A folder with C files cannot hold Go files that are built
// without cgo, so these tests are not beside what they test.
package front
