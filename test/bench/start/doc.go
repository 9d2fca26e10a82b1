// Command start measures what seccomp costs where a container starts and where
// a process is executed in one: nothing, the runtime's own linux.seccomp, the
// hook, seccomp-runc. All of them get Docker's default profile for x86_64, x86
// and x32, over a busybox bundle that runs /bin/true.
//
// The ways are interleaved: a round measures each once, in an order of its own,
// and what is compared is the differences within rounds. So a machine that has
// other things to do makes the intervals wider and leaves the medians where
// they are. Intervals are of 95 %, by bootstrap over the rounds.
//
// Beside the time until it is done stands the processors' time of every process
// that a way causes, to the end of the last one, from a control group. It is what
// means something on a machine that is busy.
//
// With -density it is what exec probes take of the processors, and pods that come
// and go, by a containerd that is asked as the kubelet does: containerd, its shims
// and their runtimes together.
//
// It prints Markdown: docs/benchmarks.md has a run of it. It works in a mount
// namespace of its own, where /run/seccomp-hook is empty and cgroup2 is mounted
// alone (crun 1.8 wants that), and leaves nothing behind. It needs root and what
// `make tools build` builds.
package main
