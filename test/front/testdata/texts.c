/*
 * Reads texts as the front does. Each comes on standard input as a letter, its
 * size in 32 bits, and its bytes. For 'm' the answer is whether the front thinks
 * that the text mentions seccomp, as one byte. For 't' the text is a ticket of
 * the directory /root, and the answer whether it is one, the flags and the
 * number of instructions in 32 bits each, and the instructions. The file named
 * by the argument is where tickets are written.
 */
#include "ticket.c"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void put(const void *from, size_t size)
{
	fwrite(from, 1, size, stdout);
}

static void read_ticket(const char *path, const uint8_t *text, uint32_t size)
{
	struct ticket found = {0};
	FILE *to = fopen(path, "we");
	bool whole;

	if (!to || fwrite(text, 1, size, to) != size || fclose(to))
		exit(3);
	whole = load(path, "/root", &found);
	putchar(whole);
	if (whole) {
		uint32_t numbers[] = {(uint32_t)found.flags, found.program.len};

		put(numbers, sizeof numbers);
		put(found.program.filter, found.program.len * sizeof *found.program.filter);
	}
}

int main(int argc, char **argv)
{
	char what;
	uint32_t size;

	if (argc != 2)
		return 2;
	while (fread(&what, 1, 1, stdin) == 1 && fread(&size, sizeof size, 1, stdin) == 1) {
		/* As long as the text, so that what lies behind it is not read unseen. */
		uint8_t *text = malloc(size ? size : 1);

		if (!text || fread(text, 1, size, stdin) != size)
			return 3;
		if (what == 't')
			read_ticket(argv[1], text, size);
		else
			putchar(mentions((char *)text, size, "seccomp"));
		free(text);
		fflush(stdout);
	}
	return 0;
}
