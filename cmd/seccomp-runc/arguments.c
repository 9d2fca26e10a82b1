/*
 * The command line of a runtime, read as pkg/runtime's ParseArgs reads it. Only
 * what the front knows for certain is understood here: any other flag, in any
 * other form, is the Go program's to understand.
 */
#include "front.h"

/* What a flag is. */
enum kind { SWITCH, VALUED, ROOT, BUNDLE };

struct flag {
	const char *name;
	enum kind kind;
};

static const struct flag global_flags[] = {
	{"log", VALUED}, {"log-format", VALUED}, {"root", ROOT}, {"rootless", VALUED}, {"criu", VALUED},
	{"cgroup-manager", VALUED}, {"log-level", VALUED}, {"debug", SWITCH}, {"systemd-cgroup", SWITCH},
	{NULL, SWITCH},
};

/* Without crun's --config: the file may be another one. */
static const struct flag create_flags[] = {
	{"bundle", BUNDLE}, {"b", BUNDLE}, {"console-socket", VALUED}, {"pidfd-socket", VALUED}, {"pid-file", VALUED},
	{"preserve-fds", VALUED}, {"detach", SWITCH}, {"d", SWITCH}, {"keep", SWITCH}, {"no-pivot", SWITCH},
	{"no-new-keyring", SWITCH}, {"no-subreaper", SWITCH},
	{NULL, SWITCH},
};

static const struct flag exec_flags[] = {
	{"console-socket", VALUED}, {"pidfd-socket", VALUED}, {"cwd", VALUED}, {"env", VALUED}, {"e", VALUED}, {"user", VALUED},
	{"u", VALUED}, {"additional-gids", VALUED}, {"g", VALUED}, {"process", VALUED}, {"p", VALUED}, {"pid-file", VALUED},
	{"process-label", VALUED}, {"apparmor", VALUED}, {"cap", VALUED}, {"c", VALUED}, {"preserve-fds", VALUED},
	{"cgroup", VALUED}, {"detach", SWITCH}, {"d", SWITCH}, {"tty", SWITCH}, {"t", SWITCH}, {"no-new-privs", SWITCH},
	{"ignore-paused", SWITCH},
	{NULL, SWITCH},
};

/* Commands that start no process in a container, and end none. */
static const char *const others[] = {
	"checkpoint", "events", "kill", "list", "pause", "ps", "resume", "spec", "start", "state", "update", NULL,
};

/* known returns a flag, and where its value begins in "name=value", NULL in "name". */
static const struct flag *known(const struct flag *flags, const char *text, const char **value)
{
	for (; flags->name; flags++) {
		const char *rest = after(text, flags->name);

		if (!rest || (*rest && *rest != '='))
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
		const char *name = *args + 1, *value;
		const struct flag *flag;

		if (*name == '-')
			name++;
		flag = known(flags, name, &value);
		if (!flag || (value && flag->kind == SWITCH))
			return NULL;
		if (flag->kind != SWITCH && !value && !(value = *++args))
			return NULL;
		if (flag->kind == ROOT)
			invocation->root = value;
		else if (flag->kind == BUNDLE)
			invocation->bundle = value;
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
	if (!args)
		return false;
	invocation->command = *args++;
	if (same(invocation->command, "exec")) {
		args = operands(args, exec_flags, invocation);
		if (!args)
			return false;
		invocation->id = *args;
	} else if (creates(invocation->command)) {
		args = operands(args, create_flags, invocation);
		/* Flags may come behind the id as well. */
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
