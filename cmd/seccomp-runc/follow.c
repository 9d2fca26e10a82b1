/*
 * The follower of an exec, as pkg/install's StartFollower and Follower.Exec have
 * it: it seizes this process, so that a filter which this process attaches to
 * itself stays suspended (PTRACE_O_SUSPEND_SECCOMP) until a descendant executes
 * a program in another mount namespace, the container's. That one is let go of,
 * and its filter is live before the program's first instruction. pkg/install,
 * doc.go, tells why no process comes to run unfiltered: if the follower ends,
 * whenever, the kernel makes the filter live.
 */
#include "front.h"
#include "steps.h"

#include <linux/ptrace.h>
#include <linux/seccomp.h>

enum {
	WAIT_ALL = 0x40000000, /* __WALL */
	OPTIONS = PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_SUSPEND_SECCOMP,
};

/* mounts_of returns the mount namespace of a process. */
static bool mounts_of(uint64_t pid, struct identity *mounts)
{
	struct text path = {0};

	append(&path, "/proc/");
	append_number(&path, pid, 10);
	append(&path, "/ns/mnt");
	return identify(path.at, mounts);
}

/* inside says whether a process that has executed a program is in the container. */
static bool inside(long pid, struct identity host)
{
	struct identity now;

	return !mounts_of((uint64_t)pid, &now) || !identical(now, host);
}

/* resume lets a stopped thread go on as if nobody traced it. */
static void resume(long tid, int status, struct identity host)
{
	int event = status >> 16, signal = status >> 8 & 0xff;

	if (event == PTRACE_EVENT_EXEC && inside(tid, host)) {
		at_install(INSTALL_EXEC);
		/* It has the filter, because nobody whom the follower sees has not; that is asked all the same. */
		if (sys(ptrace, PTRACE_SECCOMP_GET_FILTER, tid, 0, 0) <= 0) {
			sys(kill, tid, SIGNAL_KILL);
			return;
		}
		at_install(INSTALL_RELEASE);
		sys(ptrace, PTRACE_DETACH, tid, 0, 0);
	} else if (event == PTRACE_EVENT_STOP && signal != SIGNAL_TRAP) {
		/* The whole process was stopped, and stays so until SIGCONT. */
		sys(ptrace, PTRACE_LISTEN, tid, 0, 0);
	} else {
		sys(ptrace, PTRACE_CONT, tid, 0, event ? 0 : signal);
	}
}

/* run is the follower. It ends with the last process that it follows. */
_Noreturn static void run(long followed, long report)
{
	struct identity host;
	int status;
	long tid;

	at_install(INSTALL_START);
	/* Nothing that was inherited stays open: somebody may read it to its end. */
	sys(dup3, report, 0, 0);
	close_from(1);
	sys(chdir, "/");
	if (!mounts_of((uint64_t)followed, &host))
		leave(1);
	at_install(INSTALL_SEIZE);
	if (sys(ptrace, PTRACE_SEIZE, followed, 0, OPTIONS) < 0)
		leave(1);
	at_install(INSTALL_REPORT);
	tid = sys(getpid);
	if (sys(write, 0, &tid, sizeof tid) != sizeof tid)
		leave(1);
	sys(close, 0);
	at_install(INSTALL_WAIT);
	for (;;) {
		tid = sys(wait4, -1, &status, WAIT_ALL, 0);
		if (tid == INTERRUPTED)
			continue;
		if (tid < 0)
			leave(tid != NO_CHILD);
		if ((status & 0xff) == 0x7f) /* it has stopped, and not ended */
			resume(tid, status, host);
	}
}

bool follow(const struct ticket *ticket)
{
	struct identity host, container;
	int ends[2];
	long self = sys(getpid), follower, n;

	if (!mounts_of((uint64_t)self, &host) || !mounts_of(ticket->init, &container) || identical(host, container))
		return false; /* the Go program says why not */
	if (sys(pipe2, ends, O_CLOEXEC) < 0)
		return false;
	n = orphan();
	if (n == 0)
		run(self, ends[1]);
	sys(close, ends[1]);
	if (n > 0)
		n = receive(ends[0], &follower, sizeof follower);
	sys(close, ends[0]);
	if (n != sizeof follower)
		return false;
	/* This process has CAP_SYS_ADMIN, or it could not have been seized so. */
	if (sys(seccomp, SECCOMP_SET_MODE_FILTER, ticket->flags, &ticket->program) == 0)
		return true;
	/* The Go program tries again, and cannot while this process is traced. */
	n = sys(pidfd_open, follower, 0);
	sys(kill, follower, SIGNAL_KILL);
	if (n >= 0) {
		await_end(n);
		sys(close, n);
	}
	return false;
}
