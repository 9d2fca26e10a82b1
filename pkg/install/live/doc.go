// Package live reads what the running kernel has of a process's seccomp
// filters, where package precompute says what it should have: the bits of its
// cache of constant actions (Reader, by a BPF iterator), the programs that were
// installed (Programs, by ptrace), and the lines of /proc (ReadStatus). Inspect
// puts all of that beside the prediction.
//
// Everything here reads and nothing changes a process, except that Programs
// stops the thread it reads for a moment.
package live
