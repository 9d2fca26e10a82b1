/*
 * Ready filters: what a start needs to know of a profile, in a form that takes no
 * time to read. pkg/runtime, ready.go, makes one, and keeps it in the store under
 * a hash of its key. The key is all that decides on the filter, as text, and is
 * compared byte for byte.
 */
#include "front.h"
#include "steps.h"

#include <linux/memfd.h>

static const char magic[8] = "SHREADY\2";

/* Descriptor of the file that the Go program writes a ready filter to. */
enum { READY_FD = 3 };

/* How long it may take to make one, in seconds. */
enum { PATIENCE = 60 };

static struct {
	char magic[8];
	uint64_t sum; /* FNV-1a of all that follows: against a write that was cut off */
	uint32_t key, flags, instructions, annotations, crun, denying, filter, zero;
	char rest[1 << 20];
} file;

/* append_file appends what tells a version of a file from any other; versionOf in pkg/runtime. */
static bool append_file(struct text *t, const char *path)
{
	struct statx st;

	if (!path || sys(statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, &st) < 0)
		return false;
	append_version(t, &st);
	append(t, "\n");
	return true;
}

/*
 * The key of a ready filter: a text, and linux.seccomp. Capabilities are not in it:
 * what linux.seccomp says has no condition on them (runtime-spec, config-linux.md).
 */
struct key {
	struct text head;
	struct span parts[2];
};

static bool make_key(struct key *key, const struct config *c, const char *runtime, enum family family)
{
	static char names[6][65]; /* struct new_utsname */
	struct text *t = &key->head;

	*t = (struct text){0};
	append(t, "program ");
	if (!append_file(t, product()) || sys(uname, names) < 0)
		return false;
	append(t, "kernel ");
	append(t, names[2]);
	append(t, "\nconfiguration ");
	if (!has_configuration())
		append(t, "none\n");
	else if (!append_file(t, configuration_path()))
		return false;
	append(t, "runtime ");
	/* What crun does with the filter is known of a version of it. */
	if (family == RUNC)
		append(t, "runc\n");
	else if (!append_file(t, runtime))
		return false;
	append(t, "seccomp ");
	append_number(t, c->seccomp.size, 10);
	append(t, "\n");
	key->parts[0] = (struct span){t->at, t->size};
	key->parts[1] = c->seccomp;
	return !t->too_long;
}

/* load checks a ready filter of so many bytes that was read, and points into it. */
static bool load(long n, const struct key *key, struct ready *ready)
{
	size_t head = offsetof(typeof(file), rest), sizes, program;
	const char *at = file.rest;

	if (n < (long)head || (size_t)n >= sizeof file || !equal(file.magic, magic, sizeof magic) ||
	    file.sum != hash(HASH_BASIS, &file.key, (size_t)n - offsetof(typeof(file), key)))
		return false;
	if (file.instructions == 0 || file.instructions > MAX_PROGRAM)
		return false;
	program = file.instructions * sizeof(struct sock_filter);
	for (const uint32_t *size = &file.annotations; size <= &file.filter; size++)
		if (*size > sizeof file.rest)
			return false;
	if (file.key > sizeof file.rest)
		return false;
	sizes = (size_t)file.key + program + file.annotations + file.crun + file.denying + file.filter;
	if (sizes != (size_t)n - head)
		return false;
	/* The program is first: it is to be aligned. */
	ready->flags = file.flags;
	ready->program = (struct sock_fprog){(unsigned short)file.instructions, (struct sock_filter *)file.rest};
	at += program;
	for (const struct span *part = key->parts; part < key->parts + 2; part++) {
		if (part->size > (size_t)(file.rest + program + file.key - at) || !equal(at, part->at, part->size))
			return false;
		at += part->size;
	}
	if (at != file.rest + program + file.key)
		return false;
	ready->annotations = (struct span){at, file.annotations};
	ready->crun = (struct span){at += file.annotations, file.crun};
	ready->denying = (struct span){at += file.crun, file.denying};
	ready->filter = (struct span){at + file.denying, file.filter};
	return true;
}

/* in_store appends the directory that has the store in it, as pkg/runtime's readyRoot: root of the host's, or the user's own. */
static bool in_store(struct text *path)
{
	const char *own = variable("XDG_RUNTIME_DIR");

	if (host_root())
		append(path, "/run");
	else if (own && *own == '/' && closed(own))
		append(path, own);
	else
		return false;
	append(path, "/seccomp-hook");
	return !path->too_long;
}

/* stored looks a ready filter up in the store in a directory. */
static bool stored(const struct text *directory, const struct key *key, struct ready *ready)
{
	struct text path = *directory;
	struct statx st;
	uint64_t h = HASH_BASIS;
	long fd, n = -1;

	for (const struct span *part = key->parts; part < key->parts + 2; part++)
		h = hash(h, part->at, part->size);
	append(&path, "/store");
	if (path.too_long || !closed(directory->at) || !closed(path.at))
		return false;
	append(&path, "/ready-");
	append_number(&path, h, 16);
	if (path.too_long)
		return false;
	fd = sys(openat, AT_FDCWD, path.at, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (sys(statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) == 0 && trusted(&st))
		n = sys(read, fd, &file, sizeof file);
	sys(close, fd);
	return load(n, key, ready);
}

/* made has the Go program make a ready filter. */
static bool made(char **argv, const struct key *key, struct ready *ready)
{
	static char name[] = "seccomp-hook-ready";
	long fd = sys(memfd_create, name, MFD_CLOEXEC), n = -1, child;

	if (fd < 0)
		return false;
	child = sys(clone, SIGNAL_CHILD, 0, 0, 0, 0);
	if (child == 0) {
		const char *path = product();

		for (int standard = 0; standard <= 1; standard++)
			sys(close, standard);
		if (!path || (fd != READY_FD && sys(dup3, fd, READY_FD, 0) < 0) || sys(fcntl, READY_FD, F_SETFD, 0) < 0)
			leave(1);
		close_from(READY_FD + 1);
		calm(); /* for one short piece of work more threads are more to start */
		argv[0] = name;
		sys(execve, path, argv, environment);
		leave(1);
	}
	if (child > 0) {
		long pidfd = sys(pidfd_open, child, 0);
		int status;

		if (pidfd < 0 || !await_end_for(pidfd, PATIENCE))
			sys(kill, child, SIGNAL_KILL);
		sys(close, pidfd);
		/* Where the caller ignores SIGCHLD this waits, too, and fails then. What counts is the file. */
		while (sys(wait4, child, &status, 0, 0) == INTERRUPTED)
			;
		n = sys(pread64, fd, &file, sizeof file, 0);
	}
	sys(close, fd);
	return load(n, key, ready);
}

bool find_ready(char **argv, const struct config *c, const char *runtime, enum family family, struct ready *ready)
{
	static struct key key;
	struct text directory = {0};

	/* Of a directory that others can write to the Go program says so. */
	if (!in_store(&directory) || (!absent(AT_FDCWD, directory.at) && !closed(directory.at)) || !make_key(&key, c, runtime, family))
		return false;
	at(STEP_READY);
	return stored(&directory, &key, ready) || made(argv, &key, ready);
}
