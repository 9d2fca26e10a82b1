// Command compile compares pkg/compile with the other compilers of seccomp
// profiles: runc with libseccomp, gVisor's pkg/seccomp and
// github.com/elastic/go-seccomp-bpf. All compile the same policies; all programs
// run in the same interpreter; times are the shortest of interleaved rounds, so
// that their ratios mean something on a shared machine.
//
// It prints Markdown: docs/benchmarks.md has a run of it.
//
// libseccomp takes cgo and the build tag libseccomp. Names that it knows
// otherwise than this project's tables are left out for all compilers then, so
// that the policies stay the same.
package main
