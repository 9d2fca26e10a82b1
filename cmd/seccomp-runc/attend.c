/*
 * The attendant of a container that is being made is the Go program. It is
 * started as a process beside this one and prepares all, so that this one
 * becomes the runtime without having been a Go program itself.
 */
#include "front.h"

/* Its argument 0, and its descriptors; see pkg/runtime, attendant.go. */
static char attendant[] = "seccomp-hook-attendant";

enum { CALLER_FD = 3, STDERR_FD = 4, FREE_FD = 5 };

enum { UNIX = 1 /* AF_UNIX */, SEQPACKET = 5, CLOSE_ON_EXEC = 02000000, DUPLICATE = 1030 /* F_DUPFD_CLOEXEC */ };

_Noreturn static void run(char **argv, long socket)
{
	const char *path = product();

	if (sys(dup3, 2, STDERR_FD, 0) < 0)
		sys(close, STDERR_FD); /* there is none, and this is something else */
	/* Somebody may wait for the end of the output; stderr the attendant closes itself. */
	sys(close_range, 0, 2, 0);
	if (path && sys(dup3, socket, CALLER_FD, 0) == CALLER_FD) {
		argv[0] = attendant;
		sys(execve, path, argv, environment);
	}
	leave(1);
}

const char *attend(char **argv)
{
	static char answer[NAME_SIZE];
	static const char ended[] = "seccomp-runc: the attendant has ended\n";
	int ends[2];
	long n, above;

	if (sys(socketpair, UNIX, SEQPACKET | CLOSE_ON_EXEC, 0, ends) < 0)
		leave(1);
	/* None of the descriptors that the attendant has. */
	above = sys(fcntl, ends[1], DUPLICATE, FREE_FD);
	sys(close, ends[1]);
	n = orphan();
	if (n == 0)
		run(argv, above);
	sys(close, above);
	if (n > 0)
		do
			n = sys(read, ends[0], answer, sizeof answer - 1);
		while (n == INTERRUPTED);
	if (n > 1 && answer[0] == 'x')
		leave((uint8_t)answer[1]); /* it has told why */
	if (n > 1 && answer[0] == '/') {
		answer[n] = 0;
		return answer;
	}
	sys(write, 2, ended, sizeof ended - 1);
	leave(1);
}
