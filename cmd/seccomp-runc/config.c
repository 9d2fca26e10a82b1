/*
 * What decides on a container's filter, found in its config.json. The reader is
 * strict: it takes JSON (RFC 8259) alone, and where a key could be one of those
 * that it looks for to one runtime and not to another (in another case, with an
 * escape sequence, twice), it does not understand the text. The Go program, whose
 * reader tells what is wrong (pkg/bundle), goes on then.
 */
#include "front.h"

enum { MAX_DEPTH = 128 };

/* A text that ends with a null, so that no character is read behind its end. */
struct scanner {
	const char *at;
	int depth;
	bool failed;
};

static void space(struct scanner *s)
{
	while (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r')
		s->at++;
}

static bool fail(struct scanner *s)
{
	s->failed = true;
	return false;
}

/* take goes behind a character, and never behind the end. */
static bool take(struct scanner *s, char c)
{
	if (*s->at != c)
		return fail(s);
	s->at++;
	return true;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool hexadecimal(char c)
{
	return digit(c) || ((char)(c | 0x20) >= 'a' && (char)(c | 0x20) <= 'f');
}

static bool string(struct scanner *s)
{
	if (!take(s, '"'))
		return false;
	for (; *s->at != '"'; s->at++) {
		if ((unsigned char)*s->at < 0x20)
			return fail(s);
		if (*s->at != '\\')
			continue;
		s->at++;
		if (*s->at == 'u') {
			for (int i = 0; i < 4; i++)
				if (!hexadecimal(*++s->at))
					return fail(s); /* it may be the end, and is not passed */
		} else if (!*s->at || !contains("\"\\/bfnrt", (char[]){*s->at, 0})) {
			return fail(s);
		}
	}
	s->at++;
	return true;
}

static bool digits(struct scanner *s)
{
	if (!digit(*s->at))
		return fail(s);
	while (digit(*s->at))
		s->at++;
	return true;
}

static bool numeral(struct scanner *s)
{
	if (*s->at == '-')
		s->at++;
	if (*s->at == '0')
		s->at++;
	else if (!digits(s))
		return false;
	if (*s->at == '.') {
		s->at++;
		if (!digits(s))
			return false;
	}
	if (*s->at == 'e' || *s->at == 'E') {
		s->at++;
		if (*s->at == '+' || *s->at == '-')
			s->at++;
		return digits(s);
	}
	return true;
}

/* A walk through an object or an array: its members, each with the beginning of its key. */
struct walk {
	char end;
	bool begun;
	const char *key; /* the quote; NULL in an array */
	size_t size;	 /* of what is between the quotes */
};

/* enter begins a walk at a bracket. */
static bool enter(struct scanner *s, struct walk *w)
{
	*w = (struct walk){.end = *s->at == '{' ? '}' : ']'};
	if ((*s->at != '{' && *s->at != '[') || ++s->depth > MAX_DEPTH)
		return fail(s);
	s->at++;
	return true;
}

/* next goes to the value of the next member, which the caller reads; it returns false behind the last one. */
static bool next(struct scanner *s, struct walk *w)
{
	if (s->failed)
		return false;
	space(s);
	if (*s->at == w->end) {
		s->at++;
		s->depth--;
		return false;
	}
	if (w->begun && !take(s, ','))
		return false;
	w->begun = true;
	space(s);
	if (w->end == ']')
		return true;
	w->key = s->at;
	if (!string(s))
		return false;
	w->size = (size_t)(s->at - w->key) - 2;
	space(s);
	if (!take(s, ':'))
		return false;
	space(s);
	return true;
}

/* value reads a value, whatever it is. */
static bool value(struct scanner *s)
{
	static const char *const literals[] = {"true", "false", "null", NULL};
	struct walk w;

	switch (*s->at) {
	case '"':
		return string(s);
	case '{':
	case '[':
		if (!enter(s, &w))
			return false;
		while (next(s, &w))
			if (!value(s))
				return false;
		return !s->failed;
	case '-':
		return numeral(s);
	}
	if (digit(*s->at))
		return numeral(s);
	for (const char *const *literal = literals; *literal; literal++) {
		if (!after(s->at, *literal))
			continue;
		s->at += length(*literal);
		return true;
	}
	return fail(s);
}

/* scanned reads a value and returns where it is. */
static struct span scanned(struct scanner *s)
{
	const char *from = s->at;

	value(s);
	return (struct span){from, (size_t)(s->at - from)};
}

static char folded(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/*
 * named says whether a member has a name. A key that some readers take for the
 * name, and others do not, is a failure.
 */
static bool named(struct scanner *s, const struct walk *w, const char *name)
{
	bool exact = true, alike = w->size == length(name);

	for (size_t i = 0; i < w->size; i++) {
		char c = w->key[i + 1];

		if (c == '\\' || (unsigned char)c >= 0x80)
			return fail(s); /* an escape sequence, or a letter whose other case is an ASCII one */
		if (!alike)
			continue;
		exact = exact && c == name[i];
		alike = folded(c) == name[i];
	}
	if (alike && !exact)
		return fail(s);
	return alike;
}

/* once is named for a name that must not occur twice. */
static bool once(struct scanner *s, const struct walk *w, const char *name, bool *seen)
{
	if (!named(s, w, name))
		return false;
	if (*seen)
		return fail(s);
	return *seen = true;
}

/* nothing says whether the scanner is at null, and goes behind it. */
static bool nothing(struct scanner *s)
{
	if (!after(s->at, "null"))
		return false;
	return value(s);
}

static void read_annotations(struct scanner *s, struct config *c)
{
	static const char *const deciding[] = {"io.seccomp-hook.", "run.oci.seccomp", "run.oci.handler", "module.wasm.image/variant", "io.containers.trace-syscall", NULL};
	struct walk w;
	const char *from = s->at;

	if (nothing(s) || *from != '{') {
		fail(s); /* the Go program adds to those that are null */
		return;
	}
	enter(s, &w);
	while (next(s, &w)) {
		if (named(s, &w, "io.seccomp-hook") || *s->at != '"') {
			fail(s);
			return;
		}
		for (const char *const *prefix = deciding; *prefix; prefix++)
			if (after(w.key + 1, *prefix))
				c->decided = true;
		string(s);
	}
	c->annotations = (struct span){from + 1, (size_t)(s->at - from) - 2};
	c->annotated = w.begun;
}

static void read_hooks(struct scanner *s, struct config *c)
{
	struct walk w;

	if (nothing(s))
		return;
	if (*s->at != '{' || !enter(s, &w)) {
		fail(s);
		return;
	}
	while (next(s, &w)) {
		struct walk list;

		if (nothing(s))
			continue;
		if (*s->at != '[' || !enter(s, &list)) {
			fail(s);
			return;
		}
		while (next(s, &list)) {
			c->hooked = true;
			value(s);
		}
	}
}

static void read_namespaces(struct scanner *s, struct config *c)
{
	struct walk list;

	if (nothing(s))
		return;
	if (*s->at != '[' || !enter(s, &list)) {
		fail(s);
		return;
	}
	while (next(s, &list)) {
		bool typed = false, placed = false, mounts = false, joined = false;
		struct walk w;

		if (*s->at != '{' || !enter(s, &w)) {
			fail(s);
			return;
		}
		while (next(s, &w)) {
			if (once(s, &w, "type", &typed))
				mounts = after(s->at, "\"mount\"") != NULL;
			else if (once(s, &w, "path", &placed))
				joined = !after(s->at, "null") && !after(s->at, "\"\"");
			value(s);
		}
		c->mounts = c->mounts || (mounts && !joined);
	}
}

static void read_linux(struct scanner *s, struct config *c)
{
	bool seccomp = false, namespaces = false, first = false;
	const char *before = NULL;
	struct walk w;

	if (*s->at != '{' || !enter(s, &w)) {
		fail(s);
		return;
	}
	while (next(s, &w)) {
		if (first) { /* with the comma and the white space up to here */
			c->cut.size = (size_t)(w.key - c->cut.at);
			first = false;
		}
		if (once(s, &w, "seccomp", &seccomp)) {
			bool object = *s->at == '{';

			c->seccomp = scanned(s);
			if (!object)
				c->seccomp = (struct span){NULL, 0};
			c->cut = (struct span){before ? before : w.key, (size_t)(s->at - (before ? before : w.key))};
			first = !before;
		} else if (once(s, &w, "namespaces", &namespaces)) {
			read_namespaces(s, c);
		} else {
			value(s);
		}
		before = s->at;
	}
}

/* maps_ids says whether mounts may have uidMappings or gidMappings, or the option idmap or ridmap. */
static bool maps_ids(struct span mounts)
{
	return mentions(mounts.at, mounts.size, "mappings") || mentions(mounts.at, mounts.size, "idmap");
}

bool read_config(const char *text, size_t size, struct config *c)
{
	bool has_linux = false, hooks = false, annotations = false, mounts = false;
	struct scanner s = {.at = text};
	struct walk w;

	*c = (struct config){.text = {text, size}};
	space(&s);
	if (*s.at != '{' || !enter(&s, &w))
		return false;
	c->inside = s.at;
	while (next(&s, &w)) {
		if (once(&s, &w, "linux", &has_linux))
			read_linux(&s, c);
		else if (once(&s, &w, "hooks", &hooks))
			read_hooks(&s, c);
		else if (once(&s, &w, "annotations", &annotations))
			read_annotations(&s, c);
		else if (once(&s, &w, "mounts", &mounts))
			c->mapped = maps_ids(scanned(&s));
		else
			value(&s);
	}
	space(&s);
	return !s.failed && s.at == text + size;
}

/* add appends a part to a list of them. */
static void add(struct iovec *parts, int *count, const char *from, size_t size)
{
	if (size)
		parts[(*count)++] = (struct iovec){(void *)from, size};
}

int edited(const struct config *c, struct span cut, struct span instead, struct span annotations, struct iovec parts[EDITED_PARTS])
{
	static const char open[] = "\"annotations\":{", close[] = "},", comma[] = ",";
	const char *at = c->text.at, *end = at + c->text.size;
	/* Annotations go behind the bracket of the object that they are in. */
	const char *place = c->annotations.at ? c->annotations.at : c->inside;
	bool done = !cut.at;
	int count = 0;

	if (!done && cut.at < place) {
		add(parts, &count, at, (size_t)(cut.at - at));
		add(parts, &count, instead.at, instead.size);
		at = cut.at + cut.size;
		done = true;
	}
	add(parts, &count, at, (size_t)(place - at));
	at = place;
	if (!c->annotations.at)
		add(parts, &count, open, sizeof open - 1);
	add(parts, &count, annotations.at, annotations.size);
	if (!c->annotations.at)
		add(parts, &count, close, sizeof close - 1);
	else if (c->annotated)
		add(parts, &count, comma, sizeof comma - 1);
	if (!done) {
		add(parts, &count, at, (size_t)(cut.at - at));
		add(parts, &count, instead.at, instead.size);
		at = cut.at + cut.size;
	}
	add(parts, &count, at, (size_t)(end - at));
	return count;
}
