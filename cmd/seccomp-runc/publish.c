/*
 * What is published of a container that the front has made, as pkg/hook's publish
 * and PublishTicket write it, and how it is forgotten.
 */
#include <asm/statfs.h>

#include "front.h"

enum { PRIVATE = 0700, WALKABLE = 0711, SECRET = 0600 };

/* save writes a file of some parts whole: a reader sees all of it or nothing. */
static bool save(long directory, const char *name, const struct iovec *parts, int count)
{
	struct text draft = {0};
	size_t size = 0;
	long fd, n;

	append(&draft, ".");
	append(&draft, name);
	for (int i = 0; i < count; i++)
		size += parts[i].iov_len;
	fd = sys(openat, directory, draft.at, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, SECRET);
	if (fd < 0)
		return false;
	n = sys(writev, fd, parts, count);
	sys(close, fd);
	if (n == (long)size && sys(renameat, directory, draft.at, directory, name) == 0)
		return true;
	sys(unlinkat, directory, draft.at, 0);
	return false;
}

/* open_directory opens the directory of a container's publications. */
static long open_directory(const struct text *path)
{
	return path->too_long ? -1 : sys(openat, AT_FDCWD, path->at, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* names_of makes the names of a container's filter and ticket. */
static void names_of(const struct made *m, struct text *filter, struct text *ticket)
{
	*filter = *ticket = (struct text){0};
	append(filter, "filter-");
	append_number(filter, m->init, 10);
	append(filter, "-");
	append_number(filter, m->start, 10);
	ticket_name(ticket, &m->root, m->init, m->start);
}

static bool save_state(long directory, const struct made *m)
{
	struct text head = {0};
	const struct span *own = &m->config->annotations;
	static const char mode[] = ",\"io.seccomp-hook.install.mode\":\"suspend\"", comma[] = ",", end[] = "}}\n";

	append(&head, "{\"ociVersion\":\"1.0.2\",\"id\":\"");
	append(&head, m->id);
	append(&head, "\",\"status\":\"created\",\"pid\":");
	append_number(&head, m->init, 10);
	append(&head, ",\"bundle\":\"");
	append(&head, m->bundle.at);
	append(&head, "\",\"annotations\":{");
	return !head.too_long && save(directory, "state.json", (struct iovec[]){
		{head.at, head.size}, {(void *)m->ready->annotations.at, m->ready->annotations.size}, {(void *)mode, sizeof mode - 1},
		{(void *)comma, m->config->annotated}, {(void *)own->at, own->size}, {(void *)end, sizeof end - 1},
	}, 6);
}

static bool save_ticket(long directory, const struct made *m, const char *name)
{
	struct {
		uint32_t filter, flags, count, zero;
	} head = {(uint32_t)m->ready->filter.size, m->ready->flags, m->ready->program.len, 0};
	size_t program = m->ready->program.len * sizeof(struct sock_filter);
	uint64_t sum = hash(hash(hash(HASH_BASIS, &head, sizeof head), m->ready->program.filter, program), m->root.at, m->root.size);

	return save(directory, name, (struct iovec[]){
		{(void *)ticket_magic, sizeof ticket_magic}, {&sum, sizeof sum}, {&head, sizeof head},
		{m->ready->program.filter, program}, {(void *)m->root.at, m->root.size},
	}, 5);
}

/* make_directory makes the directory of a container's publications. */
static long make_directory(const struct made *m)
{
	sys(mkdirat, AT_FDCWD, "/run/seccomp-hook", WALKABLE);
	sys(mkdirat, AT_FDCWD, PUBLISHED, PRIVATE);
	sys(mkdirat, AT_FDCWD, m->directory.at, PRIVATE);
	return open_directory(&m->directory);
}

bool has_room(const struct made *m)
{
	static const char probe[] = "room";
	/* The probe has the text of three files, and stands for one. A tmpfs counts a link as a file. */
	enum { OTHER_FILES = 3, OTHER_BLOCKS = 4 };
	const struct ready *r = m->ready;
	long directory = make_directory(m);
	struct statfs st;
	bool room;

	if (directory < 0)
		return false;
	room = closed(PUBLISHED) && save(directory, probe, (struct iovec[]){
		{(void *)r->filter.at, r->filter.size}, {r->program.filter, r->program.len * sizeof(struct sock_filter)},
		{(void *)r->annotations.at, r->annotations.size}, {(void *)m->config->annotations.at, m->config->annotations.size},
	}, 4) && sys(fstatfs, directory, &st) == 0 && (st.f_files == 0 || st.f_ffree >= OTHER_FILES) && st.f_bfree >= OTHER_BLOCKS;
	sys(unlinkat, directory, probe, 0);
	sys(close, directory);
	if (!room)
		sys(unlinkat, AT_FDCWD, m->directory.at, AT_REMOVEDIR);
	return room;
}

bool publish(struct made *m)
{
	static const char *const earlier[] = {"state.json", "filter", ".state.json", ".filter", NULL};
	struct text filter, ticket;
	bool done = false;
	long directory;

	directory = make_directory(m);
	if (directory < 0)
		return false;
	/* What an earlier container of this id has left. */
	for (const char *const *name = earlier; *name; name++)
		sys(unlinkat, directory, *name, 0);
	names_of(m, &filter, &ticket);
	if (save(directory, "filter", (struct iovec[]){{(void *)m->ready->filter.at, m->ready->filter.size}}, 1)) {
		if (sys(linkat, directory, "filter", directory, filter.at, 0) == 0)
			done = save_ticket(directory, m, ticket.at) && save_state(directory, m);
		else
			sys(unlinkat, directory, "filter", 0); /* forget would not know whose it is */
	}
	sys(close, directory);
	return done;
}

void forget(const struct made *m)
{
	struct text filter, ticket, state = m->directory;
	struct identity ours, theirs;
	long directory = open_directory(&m->directory);

	if (directory < 0)
		return;
	names_of(m, &filter, &ticket);
	append(&state, "/filter");
	if (identify(state.at, &theirs)) {
		struct text own = m->directory;

		append(&own, "/");
		append(&own, filter.at);
		/* There may be a newer one, of a container of the same id below another root. */
		if (identify(own.at, &ours) && identical(ours, theirs)) {
			sys(unlinkat, directory, "state.json", 0);
			sys(unlinkat, directory, "filter", 0);
		}
	}
	sys(unlinkat, directory, filter.at, 0);
	sys(unlinkat, directory, ticket.at, 0);
	sys(close, directory);
	sys(unlinkat, AT_FDCWD, m->directory.at, AT_REMOVEDIR); /* unless another one is in it */
}
