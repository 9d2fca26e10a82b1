/*
 * Tickets: what is known of a container, in a form that takes no time to read.
 * pkg/runtime, ticket.go, writes one when it has made a container, into
 * /run/seccomp-hook/containers/ID/exec-HASH-PID-START: the hash of the directory where the
 * real runtime keeps its containers, and who the container's init is. While
 * that process lives, no other container can have the id there.
 */
#include "front.h"

static const char published[] = PUBLISHED "/";

static struct {
	char magic[8];
	uint64_t sum; /* of all that follows */
	uint32_t filter_size;
	uint32_t flags;
	uint32_t count;
	uint32_t zero;
	uint8_t rest[MAX_PROGRAM * sizeof(struct sock_filter) + NAME_SIZE];
} file;

/* A checksum against torn writes, and no protection against a writer. */
uint64_t hash(uint64_t h, const void *from, size_t size)
{
	for (const uint8_t *p = from; size--; p++)
		h = (h ^ *p) * 0x100000001b3;
	return h;
}

/* As pkg/runtime's stateRoot for root of the host. */
bool state_root(const struct invocation *invocation, const char *runtime, struct text *root, bool *crun)
{
	const char *xdg = variable("XDG_RUNTIME_DIR");
	enum family family = family_of(runtime);

	if (family == ANY)
		return false;
	*crun = family == CRUN;
	if (invocation->root && *invocation->root) {
		append(root, invocation->root);
	} else if (xdg && *xdg && *crun) {
		append(root, xdg);
		append(root, "/crun");
	} else {
		append(root, *crun ? "/run/crun" : "/run/runc");
	}
	return root->at[0] == '/' && !root->too_long;
}

bool host_root(void)
{
	char map[256];
	const char *p = map;
	uint64_t inside = 0, outside = 0, count = 0; /* gcc's analyzer does not see the loop set them */

	if (sys(geteuid) != 0 || read_file("/proc/self/uid_map", map, sizeof map) <= 0)
		return false;
	for (uint64_t *v[] = {&inside, &outside, &count, NULL}, **n = v; *n; n++) {
		while (*p == ' ')
			p++;
		p = number(p, *n);
		if (!p)
			return false;
	}
	return same(p, "\n") && inside == 0 && outside == 0 && count == 0xffffffff;
}

bool began(uint64_t pid, uint64_t *start)
{
	struct text path = {0};
	char stat[1024], *p, *fields = NULL, state;
	int spaces = 0;

	append(&path, "/proc/");
	append_number(&path, pid, 10);
	append(&path, "/stat");
	if (read_file(path.at, stat, sizeof stat) <= 0)
		return false;
	for (p = stat; *p; p++)
		if (*p == ')')
			fields = p; /* the name before it may hold anything */
	if (!fields || fields[1] != ' ')
		return false;
	state = fields[2];
	/* From field 3, the state, to field 22, the start. */
	for (p = fields + 2; *p && spaces < 22 - 3; p++)
		spaces += *p == ' ';
	return number(p, start) && state != 'Z' && state != 'X';
}

bool alive(uint64_t pid, uint64_t start)
{
	uint64_t now;

	return began(pid, &now) && now == start;
}

/* own says whether nobody but this user, who is root where that decides on others' containers, can write to a file. */
static bool own(const struct statx *st)
{
	return st->stx_uid == sys(geteuid) && !(st->stx_mode & 022);
}

bool trusted(const struct statx *st)
{
	return (st->stx_mode & S_IFMT) == S_IFREG && own(st);
}

bool closed(const char *path)
{
	struct statx st;

	return sys(statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0 && (st.stx_mode & S_IFMT) == S_IFDIR && own(&st);
}

/* load reads a ticket, and checks that it is whole and of this root. */
static bool load(const char *path, const char *root, struct ticket *ticket)
{
	struct statx st;
	long fd = sys(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), n = -1;
	size_t size = offsetof(typeof(file), rest);

	if (fd < 0)
		return false;
	if (sys(statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) == 0 && trusted(&st))
		n = sys(read, fd, &file, sizeof file);
	sys(close, fd);
	if (n < (long)size || (size_t)n >= sizeof file)
		return false;
	if (!equal(file.magic, ticket_magic, sizeof ticket_magic))
		return false;
	if (file.sum != hash(HASH_BASIS, &file.filter_size, (size_t)n - offsetof(typeof(file), filter_size)))
		return false;
	if (file.count == 0 || file.count > MAX_PROGRAM)
		return false;
	size += file.count * sizeof(struct sock_filter);
	((char *)&file)[n] = 0;
	if ((size_t)n != size + length(root) || !same((char *)&file + size, root))
		return false;
	ticket->flags = file.flags;
	ticket->program = (struct sock_fprog){(unsigned short)file.count, (struct sock_filter *)file.rest};
	return true;
}

/* backed says whether the filter that a loaded ticket stands for is published. */
static bool backed(const struct text *directory, uint64_t init, uint64_t start)
{
	struct text path = *directory;
	struct statx st;

	append(&path, "/filter-");
	append_number(&path, init, 10);
	append(&path, "-");
	append_number(&path, start, 10);
	return !path.too_long && sys(statx, AT_FDCWD, path.at, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0 && trusted(&st) &&
	       st.stx_size == file.filter_size;
}

struct directory_entry {
	uint64_t inode, offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

bool names_container(const char *id)
{
	return *id && !same(id, ".") && !same(id, "..") && !contains(id, "/");
}

/* The real runtime's own record of a container, beside config.json or in it. */
static char state[1 << 22]; /* of a larger one nothing is certain */

/* read_state reads a file of the real runtime's about a container, and returns its size, or 0. */
static size_t read_state(const struct text *root, const char *id, const char *name)
{
	struct text path = *root;

	append(&path, "/");
	append(&path, id);
	append(&path, "/");
	append(&path, name);
	return path.too_long ? 0 : read_whole(path.at, state, sizeof state);
}

bool foreign(const struct invocation *invocation, const char *runtime)
{
	struct text root = {0}, directory = {0};
	bool crun;
	size_t n;

	append(&directory, published);
	append(&directory, invocation->id);
	if (!names_container(invocation->id) || directory.too_long || sys(faccessat, AT_FDCWD, directory.at, 0) != NO_FILE ||
	    !state_root(invocation, runtime, &root, &crun))
		return false;
	n = read_state(&root, invocation->id, crun ? "config.json" : "state.json");
	return n && !mentions(state, n, "seccomp-hook");
}

bool kept(const struct invocation *invocation, const char *runtime)
{
	static const char program[] = "/seccomp.bpf", mode[] = "\"io.seccomp-hook.install.mode\":\"crun\"";
	struct text root = {0}, path = {0};
	struct statx st;
	bool crun;

	append(&path, published);
	append(&path, invocation->id);
	if (!names_container(invocation->id) || path.too_long || sys(faccessat, AT_FDCWD, path.at, 0) != NO_FILE ||
	    !state_root(invocation, runtime, &root, &crun) || !crun)
		return false;
	path = root;
	append(&path, "/");
	append(&path, invocation->id);
	append(&path, program);
	return !path.too_long && sys(statx, AT_FDCWD, path.at, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0 && trusted(&st) &&
	       st.stx_size > 0 && read_state(&root, invocation->id, "config.json") && contains(state, mode);
}

/* find_number finds the number under a key of the record that was read, which no string in it can look like. */
static bool find_number(const char *key, uint64_t *value)
{
	for (const char *p = state; *p; p++) {
		const char *rest = after(p, key);

		if (!rest)
			continue;
		while (*rest == ' ' || *rest == ':')
			rest++;
		return number(rest, value);
	}
	return false;
}

/* As readRuncState and readCrunState of pkg/runtime. */
bool find_init(const struct text *root, bool crun, const char *id, uint64_t *init, uint64_t *start)
{
	return read_state(root, id, crun ? "status" : "state.json") && find_number(crun ? "\"pid\"" : "\"init_process_pid\"", init) &&
	       find_number(crun ? "\"process-start-time\"" : "\"init_process_start\"", start);
}

/* current says whether the real runtime has a container whose init is this one. */
static bool current(const struct text *root, bool crun, const char *id, uint64_t init, uint64_t start)
{
	uint64_t pid, began_at;

	return find_init(root, crun, id, &pid, &began_at) && pid == init && began_at == start;
}

/* append_ticket appends the beginning of the names of tickets of a root. */
static void append_ticket(struct text *t, const struct text *root)
{
	append(t, "exec-");
	append_number(t, hash(HASH_BASIS, root->at, root->size), 16);
	append(t, "-");
}

void ticket_name(struct text *t, const struct text *root, uint64_t init, uint64_t start)
{
	append_ticket(t, root);
	append_number(t, init, 10);
	append(t, "-");
	append_number(t, start, 10);
}

bool find_ticket(const struct invocation *invocation, const char *runtime, struct ticket *ticket)
{
	static char entries[1 << 15];
	struct text root = {0}, directory = {0}, prefix = {0};
	const char *id = invocation->id;
	bool found = false, crun;
	long fd, n;

	if (!names_container(id) || !state_root(invocation, runtime, &root, &crun))
		return false;
	append(&directory, published);
	append(&directory, id);
	append_ticket(&prefix, &root);
	/* Where others could put another filter the Go program says so. */
	if (directory.too_long || !closed("/run/seccomp-hook") || !closed(published) || !closed(directory.at))
		return false;
	fd = sys(openat, AT_FDCWD, directory.at, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	while (!found && (n = sys(getdents64, fd, entries, sizeof entries)) > 0) {
		struct directory_entry *e = (void *)entries;

		for (; !found && (char *)e < entries + n; e = (void *)((char *)e + e->size)) {
			const char *p = after(e->name, prefix.at);
			uint64_t start;
			struct text path = directory;

			p = p ? number(p, &ticket->init) : NULL;
			if (!p || *p != '-' || !(p = number(p + 1, &start)) || *p)
				continue;
			append(&path, "/");
			append(&path, e->name);
			found = !path.too_long && load(path.at, root.at, ticket) && backed(&directory, ticket->init, start) &&
				alive(ticket->init, start) && current(&root, crun, id, ticket->init, start);
		}
	}
	sys(close, fd);
	return found;
}
