/*
 * A start without the Go program. The filter is linux.seccomp's, ready made
 * (ready.c), and gets into the container in one of two ways:
 *
 * - crun installs it itself. It takes a program from an annotation in the place
 *   of the one that it would compile of linux.seccomp. That stays, because its flags
 *   count, but for its rules: parsing them would take crun longer than all else
 *   here. A crun that did not know the annotation would deny every call. Of a
 *   default action that allows the rules stay, too. What crun reads is a file of
 *   its own (--config), so the bundle is not touched.
 * - With runc the process that becomes the runtime has the filter already,
 *   suspended, and all that comes of it inherits that (follow.c). What runc reads
 *   stands in for config.json for a moment (stand_in.c). Hooks would inherit the
 *   filter as well, so a bundle with hooks is not for this way.
 */
#include "front.h"
#include "steps.h"

#include <linux/memfd.h>
#include <linux/mman.h>

enum { MAX_ARGUMENTS = 1024, HIGH_FD = 900 };

/* simple says whether an id needs no escaping, in JSON or a path. */
static bool simple(const char *id)
{
	for (const char *p = id; *p; p++)
		if (!contains("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-", (char[]){*p, 0}))
			return false;
	return *id && !same(id, ".") && !same(id, "..");
}

/* bundle_path appends the path of an open bundle; false where it would need escaping. */
static bool bundle_path(struct text *t, long bundle)
{
	struct text link = {0};
	long n;

	append(&link, SELF_FD);
	append_number(&link, (uint64_t)bundle, 10);
	n = sys(readlinkat, AT_FDCWD, link.at, t->at, sizeof t->at - 1);
	if (n <= 0)
		return false;
	t->at[n] = 0;
	t->size = (size_t)n;
	for (const char *p = t->at; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '"' || *p == '\\' || *p == 0x7f)
			return false;
	return true;
}

/* read_bundle reads the config.json of a locked bundle. */
static bool read_bundle(long bundle, struct config *c)
{
	static char content[1 << 22]; /* a larger one the Go program reads */
	struct statx st;
	long fd = sys(openat, bundle, CONFIG, O_RDONLY | O_CLOEXEC | O_NONBLOCK), n = -1;

	if (fd < 0)
		return false;
	if (sys(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) == 0 && (st.stx_mode & S_IFMT) == S_IFREG)
		n = sys(read, fd, content, sizeof content - 1);
	sys(close, fd);
	if (n <= 0 || (size_t)n >= sizeof content - 1)
		return false;
	content[n] = 0;
	return read_config(content, (size_t)n, c);
}

/*
 * sealed returns a descriptor of an edited config.json that stays as it is, because whatever the runtime starts inherits it;
 * negative where there is none. It is above all that --preserve-fds hands on, and not closed by execve(2).
 */
static long sealed(const struct iovec *parts, int count)
{
	long size = 0, made = sys(memfd_create, CONFIG, MFD_CLOEXEC | MFD_ALLOW_SEALING), fd = sys(fcntl, made, F_DUPFD, HIGH_FD);

	sys(close, made);
	if (fd < 0)
		return fd;
	for (int i = 0; i < count; i++)
		size += (long)parts[i].iov_len;
	if (sys(writev, fd, parts, count) == size &&
	    sys(fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return fd;
	sys(close, fd);
	return -1;
}

/* handed returns the arguments with which crun reads its config.json in a descriptor. */
static char **handed(const struct invocation *invocation, long fd)
{
	static char *args[MAX_ARGUMENTS + 4];
	static struct text path;
	char **from = invocation->args, **to = args + 1; /* in front is place for the program's name */

	append(&path, SELF_FD);
	append_number(&path, (uint64_t)fd, 10);
	for (; *from; from++) {
		if (to >= args + MAX_ARGUMENTS)
			return NULL;
		*to++ = *from;
		if (*from != invocation->command)
			continue;
		*to++ = "--config";
		*to++ = path.at;
	}
	*to = NULL;
	return args + 1;
}

/* warm_crun hands the filter to crun. */
static char **warm_crun(const struct invocation *invocation, const struct config *c, const struct ready *ready)
{
	struct iovec parts[EDITED_PARTS];
	long fd;

	if (!ready->crun.size)
		return NULL;
	at(STEP_REPLACE);
	fd = sealed(parts, edited(c, ready->denying.size ? c->seccomp : (struct span){0}, ready->denying, ready->crun, parts));
	if (fd < 0)
		return NULL;
	return handed(invocation, fd);
}

/*
 * followable says whether runc can be followed. Hooks would inherit the filter, and
 * without a mount namespace nobody is seen to enter the container. To map a mount's
 * ids runc starts a process that it traces (runc 1.5,
 * internal/userns/usernsfd_linux.go, spawnProc), which fails where a follower traces
 * it already.
 */
static bool followable(const struct config *c)
{
	return !c->hooked && c->mounts && !c->mapped;
}

/* warm_runc attaches the filter to this process, suspended. */
static char **warm_runc(const struct invocation *invocation, const char *runtime, struct stand_in *s, const struct config *c,
			const struct ready *ready)
{
	static struct made made;
	static char *remove[MAX_ARGUMENTS + 8];
	char **word = remove;
	struct iovec parts[EDITED_PARTS];
	bool crun, placed;
	long follower, fd;

	if (!simple(invocation->id))
		return NULL;
	made = (struct made){.id = invocation->id, .config = c, .ready = ready};
	append(&made.directory, PUBLISHED "/");
	append(&made.directory, invocation->id);
	if (!state_root(invocation, runtime, &made.root, &crun) || !bundle_path(&made.bundle, s->bundle))
		return NULL;
	find_init(&made.root, false, made.id, &made.other, &made.other_start);
	*word++ = (char *)runtime;
	for (char **arg = invocation->args; *arg != invocation->command; arg++) {
		if (word >= remove + MAX_ARGUMENTS)
			return NULL;
		*word++ = *arg;
	}
	/* Where they name it in another way it may be relative. The last one counts. */
	for (const char *const *arg = (const char *const[]){"--root", made.root.at, "delete", "--force", made.id, NULL}; *arg; arg++)
		*word++ = (char *)*arg;
	made.remove = remove;
	/* Of one that cannot be published an exec would not know the filter. The Go program says why. */
	if (!has_room(&made))
		return NULL;
	s->shared = (void *)sys(mmap, 0, sizeof *s->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if ((long)s->shared < 0 && (long)s->shared > -NAME_SIZE)
		return NULL;
	follower = follow_start(&made, s);
	if (follower < 0) {
		forget(&made);
		return NULL;
	}
	fd = sealed(parts, edited(c, c->cut, (struct span){0}, ready->annotations, parts));
	placed = fd >= 0 && stand_in(s, fd);
	sys(close, s->placing);
	at(STEP_FOLLOW);
	if (attach(follower, placed ? &ready->program : NULL, ready->flags)) {
		calm();
		return invocation->args;
	}
	sys(close, fd);
	forget(&made);
	return NULL;
}

char **warm(char **argv, const struct invocation *invocation, const char *runtime)
{
	static struct config config;
	static struct ready ready;
	enum family family = family_of(runtime);
	struct stand_in s = {0};
	char **args = NULL;

	/* What is wanted in the log, the Go program tells there. */
	for (char **arg = invocation->args; *arg != invocation->command; arg++)
		if (same(*arg, "--debug"))
			return NULL;
	/* Only root of the host can suspend a filter. */
	if (!invocation->id || family == ANY || (family == RUNC && !host_root()) || !lock_bundle(invocation, &s))
		return NULL;
	if (read_bundle(s.bundle, &config) && config.seccomp.at && !config.decided && (family == CRUN || followable(&config)) &&
	    find_ready(argv, &config, runtime, family, &ready))
		args = family == CRUN ? warm_crun(invocation, &config, &ready) : warm_runc(invocation, runtime, &s, &config, &ready);
	if (!args)
		sys(close, s.bundle);
	return args;
}
