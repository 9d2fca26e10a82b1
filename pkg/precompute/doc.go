// Package precompute knows what the kernel does with a seccomp filter before
// and without running it, for every call number there is.
//
// # The model
//
// When a filter is attached, Linux 5.11 and newer emulate it once for each
// call number of the native and of the compat table (kernel/seccomp.c,
// seccomp_is_const_allow) and set a bit where it allows the call whatever its
// arguments are. A call with a set bit never runs the filter again. This
// package does the same for a whole range of numbers at a time: one pass over
// a program per architecture yields a Table, an exact map from all 2^32
// numbers to an Outcome. Two notions in it stay apart:
//
//   - constant: the return value is the same whatever the arguments are. The
//     emulation carries known values through every instruction that seccomp
//     accepts.
//   - cached: the kernel finds the same, and the value is exactly ALLOW. Its
//     emulator gives up at the first instruction on the path that it does not
//     follow, and the Outcome says which.
//
// A Kernel adds what differs between versions, the sizes of the two tables and
// the calls that are always allowed, and turns programs into a Cache: the
// table as /proc/PID/seccomp_cache prints it. A Set is the calls that share an
// action, and Statistics counts them.
//
// A Chain is the filters of a thread as seccomp(2), clone(2) and execve(2)
// treat them, for who filters calls in user space: its Evaluate takes constant
// calls from a table and runs programs only for the others, and Chain.Effect
// says what happens to the caller. A Task puts before the chain one filter of
// another kind, an EmulationFilter, which passes calls on or redirects them by
// where in memory they are made: it is for emulators, and no boundary.
//
// Package install/live reads what the running kernel has; the integration
// tests compare it with this model over thousands of random chains.
package precompute
