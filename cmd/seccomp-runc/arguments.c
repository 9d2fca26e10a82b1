/*
 * The command line of a runtime, read as pkg/runtime's ParseArgs reads it. Only
 * what the front knows for certain is understood here: flags by their whole
 * names, long ones with two dashes and one-letter ones with one, which runc and
 * crun read alike. Any other flag, in any other form, is the Go program's to
 * understand.
 */
#include "front.h"

/* What a flag is. */
enum arity { SWITCH, VALUED, ROOT, BUNDLE, FORCE };

struct flag {
	const char *name;
	enum arity arity;
	enum family only; /* that has it, ANY where both have */
};

/* Without --rootless, which is --root to some versions of crun. */
static const struct flag global_flags[] = {
	{"log", VALUED, ANY}, {"log-format", VALUED, ANY}, {"root", ROOT, ANY}, {"debug", SWITCH, ANY}, {"systemd-cgroup", SWITCH, ANY},
	{"criu", VALUED, RUNC}, {"cgroup-manager", VALUED, CRUN}, {"log-level", VALUED, CRUN},
	{NULL, SWITCH, ANY},
};

/* Without crun's --config: the file may be another one. */
static const struct flag create_flags[] = {
	{"bundle", BUNDLE, ANY}, {"b", BUNDLE, ANY}, {"console-socket", VALUED, ANY}, {"pid-file", VALUED, ANY},
	{"preserve-fds", VALUED, ANY}, {"no-pivot", SWITCH, ANY}, {"no-new-keyring", SWITCH, ANY}, {"pidfd-socket", VALUED, RUNC},
	{NULL, SWITCH, ANY},
};

static const struct flag run_flags[] = {
	{"bundle", BUNDLE, ANY}, {"b", BUNDLE, ANY}, {"console-socket", VALUED, ANY}, {"pid-file", VALUED, ANY},
	{"preserve-fds", VALUED, ANY}, {"no-pivot", SWITCH, ANY}, {"no-new-keyring", SWITCH, ANY}, {"pidfd-socket", VALUED, RUNC},
	{"detach", SWITCH, ANY}, {"d", SWITCH, ANY}, {"keep", SWITCH, ANY}, {"no-subreaper", SWITCH, ANY},
	{NULL, SWITCH, ANY},
};

static const struct flag exec_flags[] = {
	{"console-socket", VALUED, ANY}, {"cwd", VALUED, ANY}, {"env", VALUED, ANY}, {"e", VALUED, ANY}, {"user", VALUED, ANY},
	{"u", VALUED, ANY}, {"process", VALUED, ANY}, {"p", VALUED, ANY}, {"pid-file", VALUED, ANY}, {"process-label", VALUED, ANY},
	{"apparmor", VALUED, ANY}, {"cap", VALUED, ANY}, {"c", VALUED, ANY}, {"preserve-fds", VALUED, ANY}, {"cgroup", VALUED, ANY},
	{"detach", SWITCH, ANY}, {"d", SWITCH, ANY}, {"tty", SWITCH, ANY}, {"t", SWITCH, ANY}, {"no-new-privs", SWITCH, ANY},
	{"pidfd-socket", VALUED, RUNC}, {"additional-gids", VALUED, RUNC}, {"g", VALUED, RUNC}, {"ignore-paused", SWITCH, RUNC},
	{NULL, SWITCH, ANY},
};

/* Without crun's --regex: the id may be more than one. */
static const struct flag delete_flags[] = {
	{"force", FORCE, ANY}, {"f", FORCE, ANY},
	{NULL, SWITCH, ANY},
};

/* Commands that start no process in a container, and end none. */
static const char *const others[] = {
	"checkpoint", "events", "kill", "list", "pause", "ps", "resume", "spec", "start", "state", "update", NULL,
};

/*
 * known returns the flag that a word begins with, NULL where it is none for
 * certain, and where its value begins in "--name=value", NULL in "--name".
 */
static const struct flag *known(const struct flag *flags, const char *word, const char **value)
{
	const char *name = word + 1;
	bool letter = *name != '-';

	if (!letter)
		name++;
	for (; flags->name; flags++) {
		const char *rest = after(name, flags->name);

		/* Behind one letter runc and crun read '=' in different ways, and behind one dash a long name. */
		if (!rest || (*rest && (letter || *rest != '=')) || letter != !flags->name[1])
			continue;
		*value = *rest ? rest + 1 : NULL;
		return flags;
	}
	return NULL;
}

/*
 * operands reads flags and returns where the operands begin, NULL where a flag
 * is not understood.
 */
static char **operands(char **args, const struct flag *flags, struct invocation *invocation)
{
	for (; *args && (*args)[0] == '-'; args++) {
		const char *value;
		const struct flag *flag = known(flags, *args, &value);
		bool valued = flag && flag->arity != SWITCH && flag->arity != FORCE;

		if (!flag || (value && !valued))
			return NULL;
		if (valued && !value && !(value = *++args))
			return NULL;
		if (flag->arity == ROOT)
			invocation->root = value;
		else if (flag->arity == BUNDLE)
			invocation->bundle = value;
		else if (flag->arity == FORCE)
			invocation->force = true;
		invocation->only |= flag->only;
	}
	return *args ? args : NULL;
}

bool parse(char **argv, struct invocation *invocation)
{
	char **args = argv + 1;

	*invocation = (struct invocation){.args = args};
	if (!*argv || !*args)
		return false;
	if (same(*args, "--real-runtime")) {
		if (!args[1])
			return false;
		invocation->real_runtime = args[1];
		args += 2;
	} else if (after(*args, "--real-runtime=")) {
		invocation->real_runtime = after(*args, "--real-runtime=");
		args++;
	}
	invocation->args = args;
	args = operands(args, global_flags, invocation);
	if (!args || (invocation->root && !*invocation->root))
		return false;
	invocation->command = *args++;
	if (same(invocation->command, "exec")) {
		args = operands(args, exec_flags, invocation);
		if (!args)
			return false;
		invocation->id = *args;
	} else if (creates(invocation->command)) {
		args = operands(args, same(invocation->command, "run") ? run_flags : create_flags, invocation);
		/* Flags may come behind the id as well. */
		if (args && **args && !args[1])
			invocation->id = *args;
	} else if (same(invocation->command, "delete")) {
		args = operands(args, delete_flags, invocation);
		if (args && **args && !args[1])
			invocation->id = *args;
	}
	return true;
}

bool creates(const char *command)
{
	return same(command, "create") || same(command, "run");
}

bool passes(const char *command)
{
	for (const char *const *other = others; *other; other++)
		if (same(*other, command))
			return true;
	return false;
}
