/*
 * Containers that ask for no filter (privileged, unconfined) are the real
 * runtime's alone. One whose config.json has the word seccomp nowhere, neither
 * in linux.seccomp nor in an annotation of ours, is such a container for
 * certain, unless its calls are to be recorded (io.containers.trace-syscall). Any other is the attendant's to decide on.
 */
#include "front.h"

/* lower returns a letter in lower case: some readers of JSON take keys in any. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool mentions(const char *text, size_t size, const char *word)
{
	size_t n = length(word);

	for (size_t i = 0; i < size; i++) {
		size_t same = 0;

		if (text[i] == '\\' && i + 1 < size && lower(text[i + 1]) == 'u')
			return true;
		while (same < n && i + same < size && lower(text[i + same]) == word[same])
			same++;
		if (same == n)
			return true;
	}
	return false;
}

/* name makes the path of a file in a bundle. */
static bool name(struct text *path, const struct invocation *invocation, const char *file)
{
	append(path, bundle_of(invocation));
	append(path, "/");
	append(path, file);
	return !path->too_long;
}

bool plain(const struct invocation *invocation)
{
	static char content[1 << 17]; /* of a larger one nothing is certain */
	struct text config = {0}, original = {0};
	size_t n;

	/* The configuration can have a profile for all; and what a killed start has left is put right first. */
	if (!invocation->id || has_configuration() || !name(&config, invocation, CONFIG) ||
	    !name(&original, invocation, ORIGINAL) || sys(faccessat, AT_FDCWD, original.at, 0) != NO_FILE)
		return false;
	n = read_whole(config.at, content, sizeof content);
	return n && !mentions(content, n, "seccomp") && !mentions(content, n, "trace-syscall");
}
