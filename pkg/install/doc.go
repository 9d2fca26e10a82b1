// Package install puts filter programs into the kernel with seccomp(2): in this
// process (Self), inside the init process of a container that a runtime has
// prepared and not yet started (Start, Installer.Install), and into what a
// runtime is about to execute in a running container (StartFollower,
// Follower.Exec). A process that can stay until the container's program begins
// can be the installer itself (Here, FollowHere). Nothing else in the project
// talks to the kernel.
//
// # How a container's init gets its filter
//
// seccomp(2) acts on the process that calls it, and asks for CAP_SYS_ADMIN or
// no_new_privs. A hook runs while init still has the former; but a filter that
// is live then is felt by the runtime too, whose mount, pivot_root and capset a
// container's profile denies. So the filter is attached at once and suspended
// by ptrace until the container's program begins:
//
//	hook                     installer process              init (runc or crun)
//	 │ Start ───────────────► begins                         waits for the hook
//	 │ Install: the request ► identifies init
//	 │                        seizes every thread  ────────► seccomp suspended (PTRACE_O_SUSPEND_SECCOMP)
//	 │                        stops one, injects mmap,
//	 │                        seccomp with TSYNC, munmap ──► filter attached to every thread, dormant
//	 │ ◄─ result ───────────  reads it back from the kernel
//	 ends                     sleeps                         mounts, pivots, drops capabilities, as ever
//	                          ◄──── PTRACE_EVENT_EXEC ────── executes the container's program
//	                          lets go, ends       ─────────► filter live, before the first instruction
//
// So it works with no_new_privs and without, whatever capabilities the
// container keeps, and the profile need not allow what only the runtime needs.
// Nothing is ever injected into the container's program. An exec in a running
// container has no hook: there the process that becomes the runtime attaches
// the filter to itself, and the installer, which follows it, lets go of whoever
// executes a program in another mount namespace.
//
// # Why no container runs unfiltered
//
// Suspension is a property of the tracer: when the installer ends, for whatever
// reason, the kernel takes it away and the filter is live. A filter cannot be
// taken off. What is left to show is that the hook reports success only when
// the filter is on every thread, and that no program of the container is
// executed before; the steps are those of Step:
//
//   - Before StepAttach, init waits for the hook; if the installer dies, the
//     hook fails (ErrLost) and the runtime does not create the container.
//   - From StepStop to StepReport init has PTRACE_O_EXITKILL: a thread of it has
//     strange registers, and the kernel has not yet confirmed the filter. If the
//     installer dies or fails there, the kernel kills init.
//   - From StepReport to StepRelease the filter is on every thread, and what
//     they create has it too. If the installer dies, it is live: the runtime may
//     fail on it, the container's program cannot get past it. If the installer
//     is stopped, init waits at its exec. Where a Dispatch is to be armed at the
//     exec, init has PTRACE_O_EXITKILL from StepSeize to StepRelease.
//   - Every thread is seized, and the kernel seizes their offspring, so no exec
//     goes unseen. One that is seen before the filter is attached ends in
//     SIGKILL (ErrEarlyExec).
//   - TSYNC reaches all threads or none. StepVerify asks the kernel again: each
//     thread's tracer and seccomp mode, and the program, byte for byte.
//   - Who init is was asked through a pidfd before it was seized and again
//     after, when it could no longer become something else. Runtimes that do
//     not execute the container's program with execve are refused
//     (ErrNotRuntime): their filter would stay suspended.
//   - Children of init that execute programs (createContainer hooks) stay
//     suspended only as long as their root is the one that init had before
//     pivot_root.
//
// Where the kernel refuses to suspend, because the installer is under seccomp
// itself or has no CAP_SYS_ADMIN in the initial user namespace, a process that
// will have no_new_privs gets its filter injected at its exec, with
// PTRACE_O_EXITKILL all along (ModeExec). Any other is refused (ErrSuspend).
//
// # What init notices
//
// One of its threads is interrupted once, as by a debugger: system calls are
// restarted by the kernel's own rules, signals wait, a stopped process stays
// stopped. Calls that signal(7) lists as never restarted (epoll_wait, …) return
// EINTR, as they do after SIGCONT; runc, crun and the Go runtime repeat them. A
// thread is then stopped for some microseconds whenever it is created. A setuid
// program works, because the tracer has CAP_SYS_PTRACE.
//
// Builds with the tag faults can be told to kill or stop the installer at any
// Step, for tests.
package install
