/*
 * The follower of an exec, as pkg/install's StartFollower and Follower.Exec have
 * it, and of a start: it seizes this process, so that a filter which this process attaches to
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
	NO_HANG = 1,	       /* WNOHANG */
	BLOCK = 0,	       /* SIG_BLOCK */
	SET = 2,	       /* SIG_SETMASK */
	OPTIONS = PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_SUSPEND_SECCOMP,
};

/* namespace_of returns a namespace of a process: "mnt" or "pid". */
static bool namespace_of(uint64_t pid, const char *kind, struct identity *namespace)
{
	struct text path = {0};

	append(&path, "/proc/");
	append_number(&path, pid, 10);
	append(&path, "/ns/");
	append(&path, kind);
	return identify(path.at, namespace);
}

/* mounts_of returns the mount namespace of a process. */
static bool mounts_of(uint64_t pid, struct identity *mounts)
{
	return namespace_of(pid, "mnt", mounts);
}

/* inside says whether a process that has executed a program is in the container. */
static bool inside(long pid, struct identity host)
{
	struct identity now;

	return !mounts_of((uint64_t)pid, &now) || !identical(now, host);
}

/* What a follower knows. */
static struct {
	long followed; /* the process that becomes the runtime */
	struct identity host; /* its mount namespace */
	/* Of an exec. */
	uint64_t init; /* of the container that is entered */
	/* Of a start; made is NULL otherwise. */
	struct made *made;
	struct stand_in stand_in;
	bool replaced, published, started;
	bool over; /* the runtime has ended, or is to */
} follower;

/* Descriptors of a follower. */
enum { REPORT_FD, FOLLOWED_FD, BUNDLE_FD, GUARD_FD, PLACING_FD };

/*
 * doubtful says whether a process that has executed a program in the host's mount
 * namespace might not be the runtime's own: it is among other processes than this
 * one; or an exec is followed, and the container's init has gone there, or is not to
 * be seen.
 */
static bool doubtful(long pid)
{
	struct identity container, own, its;

	if (!namespace_of((uint64_t)sys(getpid), "pid", &own) || !namespace_of((uint64_t)pid, "pid", &its) || !identical(own, its))
		return true;
	return !follower.made && (!mounts_of(follower.init, &container) || identical(container, follower.host));
}

/* replaces gives the bundle its own config.json back, once the runtime has read the other one. */
static void replaces(void)
{
	if (!follower.replaced)
		return;
	follower.replaced = false;
	at(STEP_GIVE_BACK);
	give_back(&follower.stand_in);
	sys(write, GUARD_FD, "", 1); /* it is not needed any more, and may have been killed */
	sys(close, GUARD_FD);
	sys(close, BUNDLE_FD);
}

/* field finds a number in /proc/PID/status (proc(5)); 0 where there is none. */
static uint64_t field(const char *status, const char *name)
{
	uint64_t n = 0;

	for (const char *p = status; *p; p++) {
		const char *rest = p == status || p[-1] == '\n' ? after(p, name) : NULL;

		if (!rest)
			continue;
		while (*rest == ':' || *rest == '\t')
			rest++;
		return number(rest, &n) ? n : 0;
	}
	return 0;
}

/* filtered says whether the kernel has a filter on a process, and this one as its tracer. */
static bool filtered(uint64_t pid)
{
	char status[NAME_SIZE];
	struct text path = {0};

	append(&path, "/proc/");
	append_number(&path, pid, 10);
	append(&path, "/status");
	return read_file(path.at, status, sizeof status) > 0 && field(status, "Seccomp") == 2 &&
	       field(status, "TracerPid") == (uint64_t)sys(getpid);
}

/* publishes publishes the container. Without that nothing can enter it (pkg/runtime, exec.go). */
static void publishes(void)
{
	at(STEP_FINISH);
	follower.published = publish(follower.made);
}

/* made_one says whether the runtime's record has a container that lives, and was not there before. */
static bool made_one(void)
{
	struct made *m = follower.made;
	uint64_t init, start, now;

	if (!find_init(&m->root, false, m->id, &init, &start) || !began(init, &now) || now != start ||
	    (init == m->other && start == m->other_start))
		return false;
	m->init = init;
	m->start = start;
	return true;
}

/* unfiltered says whether there is such a container, and its init has not the filter. */
static bool unfiltered(void)
{
	/* One that has ended meanwhile has none to be seen. */
	return made_one() && !filtered(follower.made->init) && made_one();
}

/*
 * destroys is the last line of defence: the runtime says that there is a container, and its init has not the filter,
 * because it does not come of what was followed. It is killed and deleted, and the runtime, where it is still there,
 * ends by a signal.
 */
static void destroys(void)
{
	static char null[] = "/dev/null";
	static const uint64_t none;
	long child;

	expire(limit());
	sys(kill, follower.made->init, SIGNAL_KILL);
	sys(kill, follower.followed, SIGNAL_KILL); /* a tracee, so the number is its own */
	child = sys(clone, SIGNAL_CHILD, 0, 0, 0, 0);
	if (child == 0) {
		close_from(0);
		if (sys(openat, AT_FDCWD, null, O_RDWR) != 0 || sys(dup3, 0, 1, 0) < 0 || sys(dup3, 0, 2, 0) < 0)
			leave(1);
		sys(rt_sigprocmask, SET, &none, 0, sizeof none);
		sys(execve, follower.made->remove[0], follower.made->remove, environment);
		leave(1);
	}
	while (child > 0 && sys(wait4, child, 0, 0, 0) == INTERRUPTED)
		;
	forget(follower.made);
}

/* ends is called where the runtime is about to end, before anybody else can know. */
static void ends(void)
{
	struct made *m = follower.made;
	uint64_t start, init;

	replaces();
	if (follower.started) {
		/* One that stayed until the container had ended has deleted it. */
		if (!find_init(&m->root, false, m->id, &init, &start))
			forget(m);
		return;
	}
	if (unfiltered())
		destroys();
	else if (made_one())
		publishes();
	else
		forget(m); /* the room that was made for it */
}

/* enters is called where a process has executed a program in the container. It returns whether that is to be let go of. */
static bool enters(long pid)
{
	at_install(INSTALL_EXEC);
	/* It has the filter, because nobody whom the follower sees has not; that is asked all the same. */
	if (sys(ptrace, PTRACE_SECCOMP_GET_FILTER, pid, 0, 0) <= 0) {
		sys(kill, pid, SIGNAL_KILL);
		return false;
	}
	if (follower.made && !follower.started) {
		replaces();
		if (!follower.published) {
			follower.made->init = (uint64_t)pid;
			if (began((uint64_t)pid, &follower.made->start))
				publishes();
		}
		follower.started = true;
	}
	at_install(INSTALL_RELEASE);
	return true;
}

/* options are what the process is followed with that becomes the runtime: with a start its end is waited for. */
static int options(void)
{
	return follower.made ? OPTIONS | PTRACE_O_TRACEEXIT : OPTIONS;
}

/* resume lets a stopped thread go on as if nobody traced it. */
static void resume(long tid, int status)
{
	int event = status >> 16, signal = status >> 8 & 0xff;

	switch (event) {
	case PTRACE_EVENT_EXEC:
		if (inside(tid, follower.host)) {
			if (enters(tid))
				sys(ptrace, PTRACE_DETACH, tid, 0, 0);
			return;
		}
		/* It may have been another thread of the runtime's, which has this number now. */
		if (tid == follower.followed)
			sys(ptrace, PTRACE_SETOPTIONS, tid, 0, options());
		if (doubtful(tid))
			sys(kill, tid, SIGNAL_KILL);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
		/* A runtime reads its config.json before it starts anything. */
		replaces();
		break;
	case PTRACE_EVENT_EXIT:
		if (tid == follower.followed && !follower.over) {
			follower.over = true;
			ends();
		}
		break;
	case PTRACE_EVENT_STOP:
		/* The end of the runtime's first thread alone is waited for; a new process or thread is in its first stop. */
		if (tid != follower.followed)
			sys(ptrace, PTRACE_SETOPTIONS, tid, 0, OPTIONS);
		if (signal != SIGNAL_TRAP) {
			/* The whole process was stopped, and stays so until SIGCONT. */
			sys(ptrace, PTRACE_LISTEN, tid, 0, 0);
			return;
		}
	}
	sys(ptrace, PTRACE_CONT, tid, 0, event ? 0 : signal);
}

/* A set of one signal, as the kernel has it: 64 of them. */
static const uint64_t children = 1UL << (SIGNAL_CHILD - 1);

/*
 * await waits for what a process has come to that is followed, as wait4(2), and as long as it takes. This one comes on
 * meanwhile, in its own eyes: if it is stopped, it expires.
 */
static long await(int *status)
{
	enum { LOOK = 20 }; /* milliseconds */
	long beat, tid;

	for (;;) {
		tid = sys(wait4, -1, status, WAIT_ALL | NO_HANG, 0);
		if (tid)
			return tid;
		expire(limit());
		beat = limit() / 4;
		/* A runtime that stays with its container is not waited for. */
		if (follower.made && !follower.started && !follower.over) {
			beat = LOOK;
			if (unfiltered()) {
				follower.over = true;
				destroys();
			}
		}
		sys(rt_sigtimedwait, &children, 0, ((long[]){beat / 1000, beat % 1000 * 1000000}), sizeof children);
	}
}

/* there says whether the process that is to be followed has not ended, and its number is nobody else's. */
static bool there(void)
{
	struct pollfd gone = {FOLLOWED_FD, POLLIN, 0};

	return sys(ppoll, &gone, 1, ((long[]){0, 0}), 0) == 0;
}

/* run is the follower. It ends with the last process that it follows. */
_Noreturn static void run(void)
{
	/* struct sigaction, all zero: the default. Where the engine ignores the signal, nobody would be told of a stop. */
	static const long by_default[4];
	int status;
	long tid;

	expire(limit());
	at_install(INSTALL_START);
	sys(chdir, "/");
	sys(rt_sigaction, SIGNAL_CHILD, by_default, 0, sizeof children);
	sys(rt_sigprocmask, BLOCK, &children, 0, sizeof children);
	if (!mounts_of((uint64_t)follower.followed, &follower.host))
		leave(1);
	at_install(INSTALL_SEIZE);
	/* If it has ended, its number can be a stranger's by now, who must not be suspended. */
	if (!there() || sys(ptrace, PTRACE_SEIZE, follower.followed, 0, options()) < 0 || !there())
		leave(1);
	sys(close, FOLLOWED_FD);
	at_install(INSTALL_REPORT);
	tid = sys(getpid);
	if (sys(write, REPORT_FD, &tid, sizeof tid) != sizeof tid)
		leave(1);
	sys(close, REPORT_FD);
	at_install(INSTALL_WAIT);
	for (;;) {
		tid = await(&status);
		if (tid == INTERRUPTED)
			continue;
		if (tid < 0)
			break;
		if ((status & 0xff) == 0x7f) /* it has stopped, and not ended */
			resume(tid, status);
		else if (tid == follower.followed) {
			follower.over = true;
			replaces(); /* a process that is killed need not come to its exit's stop */
		}
	}
	if (follower.made) {
		at(STEP_LEAVE);
		replaces();
		if (!follower.started)
			forget(follower.made);
	}
	leave(tid != NO_CHILD);
}

/*
 * guard starts a follower that gives a config.json back, and does so in its
 * place where that one is killed before: when the process that puts a stand-in
 * there has done so, or has ended, which closes the other end of placing.
 */
_Noreturn static void guard(long report, long followed, long placing)
{
	int ends[2];
	char done;
	long n;

	if (sys(pipe2, ends, O_CLOEXEC) < 0)
		leave(1);
	ends[0] = (int)above(ends[0]);
	ends[1] = (int)above(ends[1]);
	/* Nothing else that was inherited stays open: somebody may read it to its end. */
	if (ends[0] < 0 || ends[1] < 0 || sys(dup3, follower.stand_in.bundle, BUNDLE_FD, 0) < 0)
		leave(1);
	follower.stand_in.bundle = BUNDLE_FD;
	n = sys(clone, SIGNAL_CHILD, 0, 0, 0, 0);
	if (n == 0) {
		if (sys(dup3, report, REPORT_FD, 0) < 0 || sys(dup3, followed, FOLLOWED_FD, 0) < 0 || sys(dup3, ends[1], GUARD_FD, 0) < 0)
			leave(1);
		close_from(GUARD_FD + 1);
		follower.replaced = true;
		run();
	}
	sys(dup3, ends[0], GUARD_FD, 0);
	sys(dup3, placing, PLACING_FD, 0);
	sys(close, REPORT_FD);
	sys(close, FOLLOWED_FD);
	close_from(PLACING_FD + 1);
	sys(chdir, "/");
	if (n > 0 && receive(GUARD_FD, &done, 1) != 1) {
		receive(PLACING_FD, &done, 1);
		give_back(&follower.stand_in);
	}
	leave(0);
}

/* start starts a follower of this process, and returns its number. */
static long start_follower(long placing)
{
	static const char late[] = "seccomp-runc: the follower does not come on\n";
	int ends[2];
	long pid, report, pidfd, n;

	follower.followed = sys(getpid);
	pidfd = above(sys(pidfd_open, follower.followed, 0));
	if (pidfd < 0 || sys(pipe2, ends, O_CLOEXEC) < 0)
		return -1;
	report = above(ends[1]);
	n = report < 0 ? -1 : orphan();
	if (n == 0 && follower.made)
		guard(report, pidfd, placing);
	if (n == 0) {
		if (sys(dup3, report, REPORT_FD, 0) < 0 || sys(dup3, pidfd, FOLLOWED_FD, 0) < 0)
			leave(1);
		close_from(FOLLOWED_FD + 1);
		run();
	}
	sys(close, report);
	sys(close, pidfd);
	if (n > 0)
		n = receive_within(ends[0], &pid, sizeof pid, 2 * limit());
	if (n == TOO_LATE) { /* it was stopped before it could expire */
		sys(write, 2, late, sizeof late - 1);
		leave(1);
	}
	sys(close, ends[0]);
	return n == sizeof pid ? pid : -1;
}

bool attach(long pid, const struct sock_fprog *program, uint32_t flags)
{
	long fd;

	/* This process has CAP_SYS_ADMIN, or it could not have been seized so. */
	if (program && sys(seccomp, SECCOMP_SET_MODE_FILTER, flags, program) == 0)
		return true;
	/* The Go program tries again, and cannot while this process is traced. */
	fd = sys(pidfd_open, pid, 0);
	sys(kill, pid, SIGNAL_KILL);
	if (fd >= 0) {
		await_end(fd);
		sys(close, fd);
	}
	return false;
}

long follow_start(struct made *made, struct stand_in *s)
{
	int ends[2];
	long pid, placing;

	if (sys(pipe2, ends, O_CLOEXEC) < 0)
		return -1;
	placing = above(ends[0]);
	s->placing = above(ends[1]);
	follower.made = made;
	follower.stand_in = *s;
	pid = placing < 0 || s->placing < 0 ? -1 : start_follower(placing);
	sys(close, placing);
	if (pid < 0)
		sys(close, s->placing);
	return pid;
}

bool follow(const struct ticket *ticket)
{
	struct identity host, container;
	long pid;

	if (!mounts_of((uint64_t)sys(getpid), &host) || !mounts_of(ticket->init, &container) || identical(host, container))
		return false; /* the Go program says why not */
	follower.init = ticket->init;
	pid = start_follower(-1);
	return pid > 0 && attach(pid, &ticket->program, ticket->flags);
}
