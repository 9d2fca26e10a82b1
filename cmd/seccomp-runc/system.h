/*
 * The system calls that the front makes, without a C library: starting one
 * takes longer than all that the front does.
 */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <asm/poll.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* call, which makes a system call, and ENTRY: all that differs between architectures. */
#if defined(__x86_64__)
#include "system_amd64.h"
#elif defined(__aarch64__)
#include "system_arm64.h"
#else
#error "the front is for x86_64 and arm64; elsewhere seccomp-runc is a link to seccomp-hook"
#endif

/* sys(name, arguments…) makes a system call. */
#define sys_7(n, a, b, c, d, e, f) call(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys_6(n, a, b, c, d, e) sys_7(n, a, b, c, d, e, 0)
#define sys_5(n, a, b, c, d) sys_6(n, a, b, c, d, 0)
#define sys_4(n, a, b, c) sys_5(n, a, b, c, 0)
#define sys_3(n, a, b) sys_4(n, a, b, 0)
#define sys_2(n, a) sys_3(n, a, 0)
#define sys_1(n) sys_2(n, 0)
#define sys_pick(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define sys(...) sys_pick(__VA_ARGS__, sys_7, sys_6, sys_5, sys_4, sys_3, sys_2, sys_1)(__VA_ARGS__)

/* Errors that are told apart. */
enum { NO_FILE = -2 /* ENOENT */, INTERRUPTED = -4 /* EINTR */, NO_CHILD = -10 /* ECHILD */, TOO_LATE = -62 /* ETIME */ };

/* Signals; <asm/signal.h>, which has them, does not go with a C library's headers. */
enum { SIGNAL_TRAP = 5, SIGNAL_KILL = 9, SIGNAL_CHILD = 17, SIGNAL_URGENT = 23 };

/* What faccessat(2) is asked for: X_OK. */
enum { EXECUTE = 1 };

/* Wherever a name is longer than this, the Go program goes on. */
enum { NAME_SIZE = 4096 };

_Noreturn static inline void leave(int code)
{
	for (;;)
		sys(exit_group, code);
}

static inline size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static inline bool same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a == *b;
}

/* after returns what follows a prefix of s, or NULL where s does not begin so. */
static inline const char *after(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++)
		if (*s != *prefix)
			return NULL;
	return s;
}

static inline bool equal(const void *a, const void *b, size_t size)
{
	for (const char *p = a, *q = b; size; p++, q++, size--)
		if (*p != *q)
			return false;
	return true;
}

static inline bool contains(const char *s, const char *part)
{
	for (; *s; s++)
		if (after(s, part))
			return true;
	return false;
}

/* base returns the last element of a path. */
static inline const char *base(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

/* A text is built up in a buffer; one that did not fit is too long. */
struct text {
	char at[NAME_SIZE];
	size_t size;
	bool too_long;
};

static inline void append(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (t->size + 1 >= sizeof t->at) {
			t->too_long = true;
			return;
		}
		t->at[t->size++] = *s;
	}
	t->at[t->size] = 0;
}

static inline void append_number(struct text *t, uint64_t number, unsigned int radix)
{
	char digits[65], *p = digits + sizeof digits - 1;

	*p = 0;
	do
		*--p = "0123456789abcdef"[number % radix];
	while (number /= radix);
	append(t, p);
}

/* number reads decimal digits, and returns what follows them, NULL where there are none. */
static inline const char *number(const char *s, uint64_t *value)
{
	if (*s < '0' || *s > '9')
		return NULL;
	for (*value = 0; *s >= '0' && *s <= '9'; s++)
		*value = *value * 10 + (uint64_t)(*s - '0');
	return s;
}

/* Below this are the descriptors that processes of the front have at places of their own. */
enum { FREE_FD = 8 };

/* above returns a duplicate of a descriptor that is at no such place; the descriptor is closed. */
static inline long above(long fd)
{
	long duplicate = sys(fcntl, fd, F_DUPFD_CLOEXEC, FREE_FD);

	sys(close, fd);
	return duplicate;
}

/* close_from closes all descriptors from first on. */
static inline void close_from(int first)
{
	enum { ENOUGH = 1 << 16 };

	if (sys(close_range, first, ~0U, 0) < 0) /* before Linux 5.9 */
		for (int fd = first; fd < ENOUGH; fd++)
			sys(close, fd);
}

/* read_file reads the beginning of a file, with a null behind it; the result is its size or an error. It waits for no writer of a FIFO. */
static inline long read_file(const char *path, char *into, size_t size)
{
	long fd = sys(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), n;

	if (fd < 0)
		return fd;
	n = sys(read, fd, into, size - 1);
	sys(close, fd);
	if (n >= 0)
		into[n] = 0;
	return n;
}

/* read_whole reads a file; the result is its size, or 0 where that is not all of it. */
static inline size_t read_whole(const char *path, char *into, size_t size)
{
	long n = read_file(path, into, size);

	return n > 0 && (size_t)n < size - 1 ? (size_t)n : 0;
}

/* receive waits for what a pipe or a socket brings, as read(2) does. */
static inline long receive(long fd, void *into, size_t size)
{
	long n;

	do
		n = sys(read, fd, into, size);
	while (n == INTERRUPTED);
	return n;
}

/* await_end_for waits so many seconds for the end of the process of a pidfd, and says whether that has come; a signal begins the wait anew. */
static inline bool await_end_for(long pidfd, long seconds)
{
	struct pollfd gone = {(int)pidfd, POLLIN, 0};
	long n;

	do
		n = sys(ppoll, &gone, 1, ((long[]){seconds, 0}), 0);
	while (n == INTERRUPTED);
	return n > 0;
}

/*
 * How long, in milliseconds, a piece of work may take that others wait for, as in pkg/install/deadline: less than the
 * kernel holds up who opens a leased config.json (fs.lease-break-time). A build with FAULTS takes it of the environment.
 */
enum { LIMIT = 30000 };
#ifdef FAULTS
long limit(void);
#else
static inline long limit(void)
{
	return LIMIT;
}
#endif

/* receive_within is receive, for so many milliseconds; it returns TOO_LATE after them. */
static inline long receive_within(long fd, void *into, size_t size, long milliseconds)
{
	struct pollfd there = {(int)fd, POLLIN, 0};
	long n;

	do /* a signal begins the wait anew */
		n = sys(ppoll, &there, 1, ((long[]){milliseconds / 1000, milliseconds % 1000 * 1000000}), 0);
	while (n == INTERRUPTED);
	return n < 0 ? n : n == 0 ? TOO_LATE : receive(fd, into, size);
}

/*
 * expire has the kernel kill this process in so many milliseconds, stopped or not, unless it is called again before.
 * Where the kernel has no timer to give (RLIMIT_SIGPENDING) nothing but the length of waits depends on it.
 */
static inline void expire(long milliseconds)
{
	/* struct sigevent (sigevent(3type)); its notify is SIGEV_SIGNAL, and its value unused. */
	static const struct {
		uint64_t value;
		int signal, notify;
		char rest[48];
	} event = {.signal = SIGNAL_KILL};
	static bool made;
	static int timer;

	if (made || sys(timer_create, 1 /* CLOCK_MONOTONIC */, &event, &timer) == 0) {
		made = true;
		sys(timer_settime, timer, 0, ((long[]){0, 0, milliseconds / 1000, milliseconds % 1000 * 1000000}), 0);
	}
}

/* await_end waits until the process of a pidfd has ended. */
static inline void await_end(long pidfd)
{
	struct pollfd gone = {(int)pidfd, POLLIN, 0};

	while (sys(ppoll, &gone, 1, 0, 0) == INTERRUPTED)
		;
}

/* identity is what tells one file from another. */
struct identity {
	uint64_t device, inode;
};

static inline struct identity identity_of(const struct statx *st)
{
	return (struct identity){(uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor, st->stx_ino};
}

static inline bool identify(const char *path, struct identity *i)
{
	struct statx st;

	if (sys(statx, AT_FDCWD, path, 0, STATX_INO, &st) < 0)
		return false;
	*i = identity_of(&st);
	return true;
}

static inline bool identical(struct identity a, struct identity b)
{
	return a.device == b.device && a.inode == b.inode;
}

/*
 * orphan forks a process that is no child of this one, which is going to be a
 * runtime: crun waits for all of its children. It returns 0 in that process, 1
 * in this one, and an error where there is no new process.
 */
static inline long orphan(void)
{
	int status = 0;
	long child = sys(clone, SIGNAL_CHILD, 0, 0, 0, 0), waited;

	if (child < 0)
		return child;
	if (child == 0) {
		long grandchild = sys(clone, SIGNAL_CHILD, 0, 0, 0, 0);

		if (grandchild == 0) {
			sys(setsid);
			return 0;
		}
		leave(grandchild < 0);
	}
	do
		waited = sys(wait4, child, &status, 0, 0);
	while (waited == INTERRUPTED);
	/* Where the caller's caller ignores SIGCHLD there is nothing to wait for. */
	return waited == NO_CHILD || status == 0 ? 1 : -1;
}

#endif
