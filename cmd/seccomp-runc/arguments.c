/*
 * The command line of a runtime, read as pkg/runtime's ParseArgs reads it. Only
 * what the front knows for certain is understood here: any other flag, in any
 * other form, is the Go program's to understand.
 */
#include "front.h"

/* A flag, and whether it takes a value. */
struct flag {
	const char *name;
	bool valued;
};

static const struct flag global_flags[] = {
	{"log", true}, {"log-format", true}, {"root", true}, {"rootless", true}, {"criu", true}, {"cgroup-manager", true},
	{"debug", false}, {"systemd-cgroup", false},
	{NULL, false},
};

static const struct flag exec_flags[] = {
	{"console-socket", true}, {"pidfd-socket", true}, {"cwd", true}, {"env", true}, {"e", true}, {"user", true},
	{"u", true}, {"additional-gids", true}, {"g", true}, {"process", true}, {"p", true}, {"pid-file", true},
	{"process-label", true}, {"apparmor", true}, {"cap", true}, {"c", true}, {"preserve-fds", true}, {"cgroup", true},
	{"detach", false}, {"d", false}, {"tty", false}, {"t", false}, {"no-new-privs", false}, {"ignore-paused", false},
	{NULL, false},
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
 * operands skips flags and returns where the operands begin, NULL where a flag
 * is not understood. root, where it is not NULL, is set to the value of --root.
 */
static char **operands(char **args, const struct flag *flags, const char **root)
{
	for (; *args && (*args)[0] == '-'; args++) {
		const char *name = *args + 1, *value;
		const struct flag *flag;

		if (*name == '-')
			name++;
		flag = known(flags, name, &value);
		if (!flag || (value && !flag->valued))
			return NULL;
		if (flag->valued && !value && !(value = *++args))
			return NULL;
		if (root && same(flag->name, "root"))
			*root = value;
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
	args = operands(args, global_flags, &invocation->root);
	if (!args)
		return false;
	invocation->command = *args;
	if (!same(*args, "exec"))
		return true;
	args = operands(args + 1, exec_flags, NULL);
	if (!args)
		return false;
	invocation->id = *args;
	return true;
}

bool passes(const char *command)
{
	for (const char *const *other = others; *other; other++)
		if (same(*other, command))
			return true;
	return false;
}
