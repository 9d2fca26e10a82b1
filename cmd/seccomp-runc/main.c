/*
 * seccomp-runc, the front of the runtime: what an engine starts in the place of
 * runc or crun. It is a program of a few thousand bytes, because every command
 * of the engine waits for it; a Go program takes ten times as long to start,
 * and twice that with all of seccomp-hook in it.
 *
 * What it does itself is the plain case of a start, an exec and a deletion, and
 * to become the real runtime where the command is that one's alone. All else,
 * and whatever is unusual, it leaves to the Go program seccomp-hook, which is
 * beside it and does the same without it (pkg/runtime). It decides nothing: the
 * filter of an exec is the one that the Go program has left for it (ticket.c).
 */
#include "front.h"
#include "steps.h"

char **environment;

/* Compilers make calls of these by themselves. */
void *memset(void *to, int c, size_t n)
{
	for (volatile char *p = to; n--; p++)
		*p = (char)c;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	volatile char *p = to;

	for (const char *q = from; n--; p++, q++)
		*p = *q;
	return to;
}

const char *variable(const char *name)
{
	for (char **v = environment; *v; v++) {
		const char *rest = after(*v, name);

		if (rest && *rest == '=')
			return rest + 1;
	}
	return NULL;
}

void calm(void)
{
	enum { MANY = 1000 };
	static char processors[] = "GOMAXPROCS=1", preemption[] = "GODEBUG=asyncpreemptoff=1";
	static char *calmed[MANY + 3];
	int n = 0;

	for (; environment[n]; n++) {
		if (n == MANY)
			return;
		calmed[n] = environment[n];
	}
	if (!variable("GOMAXPROCS"))
		calmed[n++] = processors;
	if (!variable("GODEBUG"))
		calmed[n++] = preemption;
	calmed[n] = NULL;
	environment = calmed;
}

const char *product(void)
{
	static struct text path;
	static const char name[] = "seccomp-hook-runtime";
	long n;

	if (path.size)
		return path.at;
	n = sys(readlinkat, AT_FDCWD, "/proc/self/exe", path.at, sizeof path.at - sizeof name);
	if (n <= 0)
		return NULL;
	path.at[n] = 0;
	path.size = (size_t)(base(path.at) - path.at);
	append(&path, name);
	return path.at;
}

/* become executes the real runtime. */
_Noreturn static void become(const char *runtime, char **args)
{
	static const char failed[] = "seccomp-runc: the real runtime cannot be executed\n";

	at(STEP_BECOME);
	args[-1] = (char *)runtime; /* there is at least this program's own name before them */
	sys(execve, runtime, args - 1, environment);
	sys(write, 2, failed, sizeof failed - 1);
	leave(1);
}

/* defer executes the Go program as seccomp-runc. */
_Noreturn static void defer(char **argv)
{
	static const char failed[] = "seccomp-runc: seccomp-hook-runtime, which belongs beside it, cannot be executed\n";
	static char *nothing[] = {NULL, NULL};
	const char *path = product();

	if (!*argv)
		argv = nothing;
	argv[0] = "seccomp-runc";
	if (path)
		sys(execve, path, argv, environment);
	sys(write, 2, failed, sizeof failed - 1);
	leave(1);
}

_Noreturn __attribute__((used)) static void start(long *stack)
{
	char **argv = (char **)(stack + 1);
	struct invocation invocation;
	struct ticket ticket;
	const char *runtime;
	char **args;

	environment = argv + stack[0] + 1;
	at(STEP_PREPARE);
	if (!parse(argv, &invocation))
		defer(argv);
	runtime = find_runtime(&invocation);
	/* A flag that the runtime does not have may be an abbreviation to it. */
	if (invocation.only && (!runtime || family_of(runtime) != invocation.only))
		defer(argv);
	if (creates(invocation.command)) {
		if (!invocation.id)
			defer(argv); /* which may have the runtime read another command line */
		if (runtime && plain(&invocation))
			become(runtime, invocation.args);
		if (!product() || sys(faccessat, AT_FDCWD, product(), EXECUTE) < 0)
			defer(argv); /* which says that it is not there */
		if (runtime && (args = warm(argv, &invocation, runtime)))
			become(runtime, args);
		if (!runtime || !attend_ahead(argv, &invocation))
			runtime = attend(argv);
		become(runtime, invocation.args);
	}
	if (!runtime)
		defer(argv);
	if (passes(invocation.command) ||
	    (same(invocation.command, "delete") && invocation.id && forgets(&invocation, runtime)))
		become(runtime, invocation.args);
	if (!same(invocation.command, "exec"))
		defer(argv);
	at(STEP_IDENTIFY);
	if (!host_root() || foreign(&invocation, runtime) || kept(&invocation, runtime))
		become(runtime, invocation.args);
	if (!find_ticket(&invocation, runtime, &ticket))
		defer(argv);
	at(STEP_FOLLOW);
	if (!follow(&ticket))
		defer(argv);
	if (family_of(runtime) == RUNC)
		calm();
	become(runtime, invocation.args);
}

ENTRY(start);
