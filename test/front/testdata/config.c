/* Answers what the front finds in config.json, for config_test.go. */
#include "front.h"

#include <stdio.h>
#include <stdlib.h>

static void say(const void *from, size_t size)
{
	uint32_t n = (uint32_t)size;

	fwrite(&n, sizeof n, 1, stdout);
	if (size)
		fwrite(from, 1, size, stdout);
}

static void say_edited(const struct config *c, struct span cut, struct span instead)
{
	static const char added[] = "\"io.seccomp-hook.x\":\"1\"";
	struct iovec parts[EDITED_PARTS];
	int count = edited(c, cut, instead, (struct span){added, sizeof added - 1}, parts);
	uint32_t size = 0;

	for (int i = 0; i < count; i++)
		size += (uint32_t)parts[i].iov_len;
	fwrite(&size, sizeof size, 1, stdout);
	for (int i = 0; i < count; i++)
		fwrite(parts[i].iov_base, 1, parts[i].iov_len, stdout);
}

int main(void)
{
	uint32_t size;

	while (fread(&size, sizeof size, 1, stdin) == 1) {
		char *text = malloc(size + 1); /* the sanitizer sees a read behind its end */
		struct config c;

		if (!text || fread(text, 1, size, stdin) != size)
			return 1;
		text[size] = 0;
		if (read_config(text, size, &c)) {
			char flags[] = {c.annotated ? '1' : '0', c.decided ? '1' : '0', c.hooked ? '1' : '0', c.mounts ? '1' : '0'};

			say(flags, sizeof flags);
			say(c.seccomp.at, c.seccomp.size);
			say_edited(&c, (struct span){0}, (struct span){0});
			say_edited(&c, c.cut, (struct span){0});
			say_edited(&c, c.seccomp, (struct span){"{}", 2});
		} else {
			say("", 0);
		}
		fflush(stdout);
		free(text);
	}
	return 0;
}
