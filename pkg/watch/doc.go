// Package watch sees the system calls of a container while it runs: how many of
// each, which the kernel answers from its cache, which run the filter and for
// how many instructions, and which are denied.
//
// Two programs at the kernel's tracepoints for the begin and the end of calls
// count in the kernel, where it is also decided who belongs to the container.
// What is told apart is decided by the container's own filter, which is
// translated to eBPF and runs a second time; so a verdict that depends on
// arguments is the one that the call got. A call that a filter denies never
// begins, it only ends: at the begin are counted the calls that are executed, by
// registers that nobody has touched yet, and at the end those that are not.
//
// Nothing is pinned: whatever ends the watcher detaches it.
package watch
