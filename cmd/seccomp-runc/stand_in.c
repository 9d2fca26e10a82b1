/*
 * A config.json that stands in for a bundle's own one while the runtime reads it,
 * as pkg/runtime, standin.go, has it: the bundle's own file is never written to,
 * it only loses its name, and gets it back.
 *
 * What stands in is a symbolic link to a descriptor, /proc/self/fd/N, which only
 * the process has that becomes the runtime. It has neither linux.seccomp nor a
 * hook, so nobody else may start a container by it: a runtime that finds it,
 * now or where all have been killed, finds no file.
 */
#include "front.h"
#include "steps.h"

static const char config[] = CONFIG, original[] = ORIGINAL, draft[] = DRAFT;

enum { EXCLUSIVE = 2 /* LOCK_EX */, AT_ONCE = 4 /* LOCK_NB */ };

bool absent(long directory, const char *name)
{
	return sys(faccessat, directory, name, 0) == NO_FILE;
}

bool lock_bundle(const struct invocation *invocation, struct stand_in *s)
{
	long fd = sys(openat, AT_FDCWD, bundle_of(invocation), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;
	at(STEP_LOCK);
	s->bundle = above(fd);
	/* Whom another create is ahead of waits in the Go program, which also puts right what a killed one has left. */
	if (s->bundle >= 0 && sys(flock, s->bundle, EXCLUSIVE | AT_ONCE) == 0 && absent(s->bundle, original) && absent(s->bundle, draft))
		return true;
	sys(close, s->bundle);
	return false;
}

/* draft_link makes the draft of a stand-in, and notes what it is. */
static bool draft_link(struct stand_in *s, long fd)
{
	struct text target = {0};
	struct statx st;

	append(&target, SELF_FD);
	append_number(&target, (uint64_t)fd, 10);
	if (sys(symlinkat, target.at, s->bundle, draft) < 0 ||
	    sys(statx, s->bundle, draft, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) < 0)
		return false;
	s->shared->file = identity_of(&st);
	s->shared->time = st.stx_mtime;
	return true;
}

bool stand_in(struct stand_in *s, long fd)
{
	if (draft_link(s, fd) && sys(linkat, s->bundle, config, s->bundle, original, 0) == 0) {
		at(STEP_REPLACE);
		if (sys(renameat, s->bundle, draft, s->bundle, config) == 0)
			return true;
		sys(unlinkat, s->bundle, original, 0);
	}
	sys(unlinkat, s->bundle, draft, 0);
	return false;
}

/* stands says whether it is the stand-in that has the name. Somebody else may have written a newer file. */
static bool stands(const struct stand_in *s)
{
	struct statx st;

	return sys(statx, s->bundle, config, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0 &&
	       identical(identity_of(&st), s->shared->file) && st.stx_mtime.tv_sec == s->shared->time.tv_sec &&
	       st.stx_mtime.tv_nsec == s->shared->time.tv_nsec;
}

void give_back(const struct stand_in *s)
{
	if (stands(s))
		sys(renameat, s->bundle, original, s->bundle, config);
	else
		sys(unlinkat, s->bundle, original, 0);
	sys(unlinkat, s->bundle, draft, 0);
}
