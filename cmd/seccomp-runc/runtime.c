/*
 * Which real runtime it is, as pkg/runtime's LoadConfig and findRuntime say.
 * Where the administrator has said something that is not on the command line,
 * the Go program reads it.
 */
#include "front.h"

enum { EXECUTE = 1 /* X_OK */ };

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

const char *find_runtime(const struct invocation *invocation)
{
	const char *runtime = invocation->real_runtime, *path = variable("PATH");

	if (variable("SECCOMP_HOOK_CONFIG") || variable("SECCOMP_HOOK_REAL_RUNTIME") ||
	    sys(faccessat, AT_FDCWD, "/etc/seccomp-hook/config.toml", 0) != NO_FILE)
		return NULL;
	if (!path || !*path)
		path = default_path;
	if (!runtime)
		runtime = search(path, "runc");
	if (!runtime)
		runtime = search(path, "crun");
	if (!runtime || runtime[0] != '/' || ours(runtime))
		return NULL;
	return runtime;
}
