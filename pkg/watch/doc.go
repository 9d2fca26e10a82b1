// Package watch sees the system calls of a container while it runs: how many of
// each, which the kernel answers from its cache, which run the filter and for
// how many instructions, and which are denied.
//
// Programs at the kernel's tracepoints for calls count in the kernel, where it is
// also decided who belongs to the container. What is told apart is decided by the
// container's own filter, which is translated to eBPF and runs a second time; so a
// verdict that depends on arguments is the one that the call got.
//
// A call that a filter denies never begins, it only ends. At the end an executed
// call has its registers, too, but for a few that are counted elsewhere; so one
// tracepoint is enough. Where the filter leaves calls to a tracer or an agent, only
// the begin tells which were executed, and there are two.
//
// Nothing is pinned: whatever ends the watcher detaches it.
package watch
