/*
 * Says what the front's parse makes of command lines. Each comes on standard
 * input as the number of its words and the words, the program's name among
 * them, all ended by a null. The answer to each is on standard output: whether
 * it is understood, how many words come before args, whether the command makes
 * a container, whether it passes, which families alone can have it, and whether
 * a container is deleted by force; then the
 * real runtime, the command, the root, the bundle and the id, each with a '='
 * before it, or nothing at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "front.h"

enum { PAGE = 4096, MAX_WORDS = PAGE / sizeof(char *) - 1 };

static void say(const char *value)
{
	if (value)
		printf("=%s", value);
	putchar(0);
}

/* word reads one word, NULL at the end of the input. */
static char *word(void)
{
	char *text = NULL;
	size_t size = 0;

	return getdelim(&text, &size, 0, stdin) < 0 ? NULL : text;
}

int main(void)
{
	/* What follows the list of words cannot be read. */
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *count;

	if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, PROT_NONE) < 0)
		return 1;
	while ((count = word())) {
		int words = atoi(count);
		char **argv = (char **)(pages + PAGE) - words - 1;
		struct invocation invocation = {0};
		bool understood;

		free(count);
		if (words < 0 || words > MAX_WORDS)
			return 1;
		for (int i = 0; i < words; i++)
			if (!(argv[i] = word()))
				return 1;
		argv[words] = NULL;
		understood = parse(argv, &invocation);
		printf("%d%c%d%c", understood, 0, understood ? (int)(invocation.args - argv) : 0, 0);
		printf("%d%c%d%c", understood && creates(invocation.command), 0, understood && passes(invocation.command), 0);
		printf("%d%c%d%c", understood ? (int)invocation.only : 0, 0, understood && invocation.force, 0);
		say(invocation.real_runtime);
		say(invocation.command);
		say(invocation.root);
		say(invocation.bundle);
		say(invocation.id);
		fflush(stdout);
		for (int i = 0; i < words; i++)
			free(argv[i]);
	}
	return 0;
}
