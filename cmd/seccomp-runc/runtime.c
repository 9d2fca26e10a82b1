/*
 * Which real runtime it is, as pkg/runtime's LoadConfig and findRuntime say.
 * The configuration file is the Go program's to read, once: it leaves a note of
 * what that says (known.go there).
 */
#include "front.h"

/* Where there is no PATH; Podman hands its runtime hardly any environment for some commands. */
static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* executable says whether a path is a file that can be executed. */
static bool executable(const char *path)
{
	struct statx st;

	return sys(statx, AT_FDCWD, path, 0, STATX_TYPE, &st) == 0 && (st.stx_mode & S_IFMT) == S_IFREG &&
	       sys(faccessat, AT_FDCWD, path, EXECUTE) == 0;
}

/* ours says whether a file is the front or the Go program, which would call it again and again. */
static bool ours(const char *path)
{
	struct identity file, self, go;

	return !identify(path, &file) || !identify("/proc/self/exe", &self) || identical(file, self) ||
	       !product() || !identify(product(), &go) || identical(file, go);
}

/* search looks a name up in the directories of a path. */
static const char *search(const char *path, const char *name)
{
	static struct text found;

	while (*path) {
		found = (struct text){0};
		for (; *path && *path != ':'; path++)
			append(&found, (char[]){*path, 0});
		if (*path)
			path++;
		if (found.at[0] != '/')
			continue; /* what is in the current directory is the caller's */
		append(&found, "/");
		append(&found, name);
		if (!found.too_long && executable(found.at))
			return found.at;
	}
	return NULL;
}

static const char configuration[] = "/etc/seccomp-hook/config.toml";
static const char note[] = "/run/seccomp-hook/attendants/real-runtime";

const char *configuration_path(void)
{
	const char *named = variable("SECCOMP_HOOK_CONFIG");

	return named && *named ? named : configuration;
}

bool has_configuration(void)
{
	return configuration_path() != configuration || sys(faccessat, AT_FDCWD, configuration, 0) != NO_FILE;
}

/* append_time appends the time of a file's change. */
static void append_time(struct text *t, const struct statx_timestamp *time)
{
	append_number(t, (uint64_t)time->tv_sec, 10);
	append(t, ".");
	append_number(t, time->tv_nsec, 10);
}

void append_version(struct text *t, const struct statx *st)
{
	append_number(t, st->stx_dev_major, 10);
	append(t, ":");
	append_number(t, st->stx_dev_minor, 10);
	append(t, ":");
	append_number(t, st->stx_ino, 10);
	append(t, " ");
	append_number(t, st->stx_size, 10);
	append(t, " ");
	append_time(t, &st->stx_mtime);
	append(t, " ");
	append_time(t, &st->stx_ctime);
}

/*
 * configured sets the real runtime that the configuration file names, "" where
 * it names none. It returns false where the Go program must read the file.
 */
static bool configured(const char **name)
{
	static char text[NAME_SIZE + 256];
	struct text version = {0};
	struct statx file, st;
	const char *path = configuration_path();
	long n = sys(statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, &file);

	*name = "";
	if (n < 0)
		return n == NO_FILE && path == configuration;
	/* Nobody but root can have left it. */
	if (sys(statx, AT_FDCWD, note, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) < 0 || !trusted(&st) ||
	    read_file(note, text, sizeof text) < 0)
		return false;
	append_version(&version, &file);
	append(&version, "\n");
	*name = after(text, version.at);
	return *name != NULL;
}

const char *find_runtime(const struct invocation *invocation)
{
	const char *runtime = invocation->real_runtime, *path = variable("PATH"), *environs = variable("SECCOMP_HOOK_REAL_RUNTIME"), *named;

	if (!configured(&named))
		return NULL;
	if (environs && *environs)
		named = environs;
	if (!path || !*path)
		path = default_path;
	if (!runtime && *named)
		runtime = contains(named, "/") ? named : search(path, named);
	else if (!runtime && !(runtime = search(path, "runc")))
		runtime = search(path, "crun");
	if (!runtime || runtime[0] != '/' || ours(runtime))
		return NULL;
	return runtime;
}

/* resolved returns the name of the file that a path leads to. */
static const char *resolved(const char *path)
{
	static char target[NAME_SIZE];
	struct text link = {0};
	long fd = sys(openat, AT_FDCWD, path, O_PATH | O_CLOEXEC), n;

	if (fd < 0)
		return NULL;
	append(&link, SELF_FD);
	append_number(&link, (uint64_t)fd, 10);
	n = sys(readlinkat, AT_FDCWD, link.at, target, sizeof target - 1);
	sys(close, fd);
	if (n <= 0)
		return NULL;
	target[n] = 0;
	return base(target);
}

enum family family_of(const char *runtime)
{
	const char *name = base(runtime), *handler = after(name, "crun-");

	/* By such a name crun runs a container by a library (crun.c, fill_handler_from_argv0). */
	while (handler && ((*handler >= '0' && *handler <= '9') || *handler == '.'))
		handler++;
	if (same(name, "krun") || (handler && *handler))
		return ANY;
	name = resolved(runtime);
	if (!name)
		return ANY;
	return contains(name, "crun") ? CRUN : contains(name, "runc") ? RUNC : ANY;
}
