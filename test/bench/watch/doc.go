// Package watch measures what `seccomp-hook watch` adds to a system call, beside
// strace, perf trace and a tracepoint that does nothing. docs/watch.md quotes it.
package watch
