/*
 * The attendant of a container that is being made is the Go program: it decides
 * on the filter, edits what the runtime reads, and stays until the filter is
 * live (pkg/runtime, attend.go). It is started as a process beside this one,
 * so that this one becomes the runtime without having been a Go program.
 *
 * The runtime reads config.json, so it would have to wait until that is edited.
 * It takes as long to start as the attendant does; so, ahead of the edit, the
 * front puts an empty file in the place of config.json, with a write lease
 * (fcntl(2)) on it. Who opens the file, the runtime, waits in open(2) until the
 * attendant has filled it and gives the lease back. If the attendant dies before
 * that, its guard ends the runtime and gives the bundle its own config.json back.
 */
#include "front.h"
#include "steps.h"

static const char config[] = CONFIG, original[] = ORIGINAL, draft[] = DRAFT;

/* Descriptors of an attendant. */
enum { CALLER_FD = 3, STDERR_FD, SOCKET_FD, BUNDLE_FD = SOCKET_FD, STAND_IN_FD, GUARD_FD };

enum {
	UNIX = 1,      /* AF_UNIX */
	SEQPACKET = 5, /* SOCK_SEQPACKET */
	EXCLUSIVE = 2, /* LOCK_EX */
	AT_ONCE = 4,   /* LOCK_NB */
};

static const char late[] = "seccomp-runc: the attendant's guard does not come on\n";
static const char ended[] = "seccomp-runc: the attendant has ended\n";

/*
 * prepend puts a variable in front of the environment, where it is the one that
 * counts. The environment is behind the arguments on the stack, and those
 * behind their number, which makes room.
 */
static void prepend(char ***argv, char *variable)
{
	char **arg;

	for (arg = *argv; *arg; arg++)
		arg[-1] = *arg;
	arg[-1] = NULL;
	--*argv;
	*--environment = variable;
}

/* run becomes an attendant, with the descriptors from SOCKET_FD on. */
_Noreturn static void run(char *name, char **argv, long caller, const long *fds, int count)
{
	/*
	 * It waits most of the time, beside a runtime that does not. With more than one processor the Go runtime
	 * would look every 20 microseconds for something to do (runtime, proc.go, retake).
	 */
	static char one_processor[] = "GOMAXPROCS=1";
	const char *path = product();

	prepend(&argv, one_processor);
	if (sys(dup3, 2, STDERR_FD, 0) < 0)
		sys(close, STDERR_FD); /* there is none, and this is something else */
	/* Somebody may wait for the end of the output; stderr the attendant closes itself. */
	for (int fd = 0; fd <= 2; fd++)
		sys(close, fd);
	if (!path || sys(dup3, caller, CALLER_FD, 0) < 0)
		leave(1);
	for (int i = 0; i < count; i++)
		if (sys(dup3, fds[i], SOCKET_FD + i, 0) < 0)
			leave(1);
	close_from(SOCKET_FD + count);
	argv[0] = name;
	sys(execve, path, argv, environment);
	leave(1);
}

const char *attend(char **argv)
{
	static char name[] = "seccomp-hook-attendant";
	static char answer[NAME_SIZE];
	int ends[2];
	long n, remote, caller = sys(pidfd_open, sys(getpid), 0);

	if (caller < 0 || sys(socketpair, UNIX, SEQPACKET | O_CLOEXEC, 0, ends) < 0)
		leave(1);
	caller = above(caller);
	remote = above(ends[1]);
	n = orphan();
	if (n == 0)
		run(name, argv, caller, &remote, 1);
	sys(close, caller);
	sys(close, remote);
	if (n > 0)
		n = receive_within(ends[0], answer, sizeof answer - 1, 2 * limit());
	if (n > 1 && answer[0] == 'x')
		leave((uint8_t)answer[1]); /* it has told why */
	if (n > 1 && answer[0] == '/') {
		answer[n] = 0;
		return answer;
	}
	sys(write, 2, ended, sizeof ended - 1);
	leave(1);
}

/*
 * place locks a bundle and puts an empty file that is leased in the place of its
 * config.json, as pkg/runtime's lockBundle and standIn do. It returns false where
 * anything is in the way, the leavings of a killed process for instance.
 */
static bool place(const char *path, long *bundle, long *stand_in)
{
	*bundle = sys(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*bundle < 0)
		return false;
	if (sys(flock, *bundle, EXCLUSIVE | AT_ONCE) < 0 || !absent(*bundle, original) || !absent(*bundle, draft))
		goto closed;
	*stand_in = sys(openat, *bundle, draft, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*stand_in < 0)
		goto closed;
	/* Who breaks the lease is told by a signal, which goes to this process: SIGURG is ignored unless one wants it. */
	if (sys(fcntl, *stand_in, F_SETSIG, SIGNAL_URGENT) < 0 || sys(fcntl, *stand_in, F_SETLEASE, F_WRLCK) < 0 ||
	    sys(linkat, *bundle, config, *bundle, original, 0) < 0)
		goto removed;
	at(STEP_REPLACE);
	if (sys(renameat, *bundle, draft, *bundle, config) == 0)
		return true;
	sys(unlinkat, *bundle, original, 0);
removed:
	sys(unlinkat, *bundle, draft, 0);
	sys(close, *stand_in);
closed:
	sys(close, *bundle);
	return false;
}

/*
 * guard puts the stand-in in its place and starts the attendant. Where that one
 * ends before it has given the lease back, it was killed, and nobody else could
 * give the bundle its own config.json back. The runtime, which has nothing to
 * read then, is killed before: it must not make a container of that one.
 */
_Noreturn static void guard(char **argv, const char *path, long caller, long placed)
{
	enum { PLACED_FD = STDERR_FD }; /* standard error has its own place here */
	static char name[] = "seccomp-hook-attendant-ahead";
	long bundle, stand_in, n, given;
	int ends[2];
	char answer;

	expire(limit());
	if (!place(path, &bundle, &stand_in))
		leave(1);
	bundle = above(bundle);
	stand_in = above(stand_in);
	if (bundle < 0 || stand_in < 0 || sys(pipe2, ends, O_CLOEXEC) < 0)
		leave(1); /* the caller goes another way then, and puts all right */
	at(STEP_ATTEND);
	ends[0] = (int)above(ends[0]);
	ends[1] = (int)above(ends[1]);
	n = ends[0] < 0 || ends[1] < 0 ? -1 : sys(clone, SIGNAL_CHILD, 0, 0, 0, 0);
	if (n < 0)
		leave(1);
	if (n == 0) {
		sys(setsid);
		run(name, argv, caller, (long[]){bundle, stand_in, ends[1]}, 3);
	}
	/* The attendant alone has the lease, and the pipe's other end; what else the engine has given to the caller is its own. */
	if (sys(dup3, caller, CALLER_FD, 0) < 0 || sys(dup3, bundle, BUNDLE_FD, 0) < 0 || sys(dup3, ends[0], GUARD_FD, 0) < 0 ||
	    sys(dup3, placed, PLACED_FD, 0) < 0)
		leave(1);
	close_from(GUARD_FD + 1);
	sys(close, 0);
	sys(close, 1);
	sys(close, STAND_IN_FD);
	sys(write, PLACED_FD, "", 1); /* without a caller this process ends here, and the attendant finds nobody */
	sys(close, PLACED_FD);
	expire(4 * limit());
	/* The attendant expires by itself, unless it was stopped before it came to that. */
	given = receive_within(GUARD_FD, &answer, 1, limit() + limit() / 8);
	if (given == TOO_LATE)
		sys(kill, n, SIGNAL_KILL);
	if (given == 1 || absent(BUNDLE_FD, original))
		leave(0);
	sys(write, 2, ended, sizeof ended - 1);
	sys(pidfd_send_signal, CALLER_FD, SIGNAL_KILL, 0, 0);
	await_end(CALLER_FD);
	sys(renameat, BUNDLE_FD, original, BUNDLE_FD, config);
	leave(1);
}

bool attend_ahead(char **argv, const struct invocation *invocation)
{
	long n, caller, placed;
	int ends[2];
	char answer;

	if (!invocation->id || !host_root())
		return false;
	at(STEP_LOCK);
	caller = above(sys(pidfd_open, sys(getpid), 0));
	if (caller < 0 || sys(pipe2, ends, O_CLOEXEC) < 0)
		return false;
	placed = above(ends[1]);
	n = placed < 0 ? -1 : orphan();
	if (n == 0)
		guard(argv, bundle_of(invocation), caller, placed);
	sys(close, caller);
	sys(close, placed);
	if (n > 0)
		n = receive_within(ends[0], &answer, 1, 2 * limit());
	if (n == TOO_LATE) {
		sys(write, 2, late, sizeof late - 1);
		leave(1);
	}
	sys(close, ends[0]);
	return n == 1;
}
