/*
 * Reads the real runtime's records of a container as the front does. Each comes
 * on standard input as a letter, its size in 32 bits, and its bytes. For 'r' it is
 * runc's state.json and for 'c' crun's status: the answer is whether init was
 * found, as one byte, then its process id and start in 64 bits each. For 'f' it is
 * runc's state.json and for 'k' crun's config.json: the answer is whether the
 * container is foreign, or its program kept, as one byte. The argument is the
 * directory of the records, where there are those of a container "record".
 */
#include "ticket.c"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char id[] = "record-of-no-container";
static const char *directory;

char **environment = (char *[]){NULL};

const char *variable(const char *name)
{
	(void)name;
	return NULL;
}

/* The runtime's name says what it is; runtime.c resolves links. */
enum family family_of(const char *runtime)
{
	return same(runtime, "crun") ? CRUN : RUNC;
}

static void write_record(const char *name, const void *text, uint32_t size)
{
	char path[4096];
	FILE *to;

	snprintf(path, sizeof path, "%s/%s/%s", directory, id, name);
	to = fopen(path, "we");
	if (!to || fwrite(text, 1, size, to) != size || fclose(to))
		exit(3);
}

int main(int argc, char **argv)
{
	struct invocation invocation = {.id = id};
	struct text root = {0};
	char what;
	uint32_t size;

	if (argc != 2)
		return 2;
	invocation.root = directory = argv[1];
	append(&root, directory);
	while (fread(&what, 1, 1, stdin) == 1 && fread(&size, sizeof size, 1, stdin) == 1) {
		uint8_t *text = malloc(size ? size : 1);
		uint64_t init[2] = {0, 0};

		if (!text || fread(text, 1, size, stdin) != size)
			return 3;
		write_record(what == 'c' ? "status" : what == 'k' ? "config.json" : "state.json", text, size);
		switch (what) {
		case 'f':
			putchar(foreign(&invocation, "runc"));
			break;
		case 'k':
			putchar(kept(&invocation, "crun"));
			break;
		default:
			putchar(find_init(&root, what == 'c', id, &init[0], &init[1]));
			fwrite(init, sizeof init, 1, stdout);
		}
		free(text);
		fflush(stdout);
	}
	return 0;
}
