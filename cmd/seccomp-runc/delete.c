/*
 * What was published of a container goes before the real runtime deletes it, as
 * in pkg/runtime, delete.go: this process is the runtime afterwards. So it is
 * done only where the runtime will not refuse.
 */
#include "front.h"

bool forgets(const struct invocation *invocation, const char *runtime)
{
	static struct made made;
	bool crun;

	if (!names_container(invocation->id))
		return false;
	made.id = invocation->id;
	append(&made.directory, PUBLISHED "/");
	append(&made.directory, made.id);
	if (made.directory.too_long)
		return false;
	if (absent(AT_FDCWD, made.directory.at))
		return true;
	/* Of a container that the runtime does not have the Go program looks for who has left it. */
	if (!state_root(invocation, runtime, &made.root, &crun) || !find_init(&made.root, crun, made.id, &made.init, &made.start))
		return false;
	if (!invocation->force && alive(made.init, made.start))
		return true; /* the runtime refuses */
	forget(&made);
	/* A container without a filter, or with a dispatch, has left more. */
	return absent(AT_FDCWD, made.directory.at);
}
