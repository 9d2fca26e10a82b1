/* Faults for tests; see steps.h. */
#ifdef FAULTS
#include "front.h"
#include "steps.h"

static void fault(const char *name, uint64_t step)
{
	const char *value = variable(name);
	uint64_t when, signal;

	value = value ? number(value, &when) : NULL;
	if (value && *value == ' ' && number(value + 1, &signal) && when == step)
		sys(kill, sys(getpid), signal);
}

long limit(void)
{
	const char *value = variable("SECCOMP_HOOK_LIMIT");
	uint64_t milliseconds;

	return value && number(value, &milliseconds) && milliseconds ? (long)milliseconds : LIMIT;
}

void at(enum step step)
{
	fault("SECCOMP_HOOK_RUNTIME_FAULT", step);
}

void at_install(enum install_step step)
{
	fault("SECCOMP_HOOK_FAULT", step);
}
#endif
