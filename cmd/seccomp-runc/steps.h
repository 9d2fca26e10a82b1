/*
 * The steps of pkg/runtime and pkg/install that the front and its follower
 * take, with the same numbers. In a build with FAULTS the environment's
 * SECCOMP_HOOK_RUNTIME_FAULT and SECCOMP_HOOK_FAULT, each "STEP SIGNAL", have
 * the process send itself the signal when it comes to the step, as in fault.go
 * there. In any other build at() is nothing.
 */
#ifndef STEPS_H
#define STEPS_H

enum step {
	STEP_PREPARE = 1,
	STEP_LOCK = 2,
	STEP_ATTEND = 4,
	STEP_REPLACE = 5,
	STEP_BECOME = 6,
	STEP_GIVE_BACK = 9,
	STEP_FINISH = 11,
	STEP_LEAVE = 14,
	STEP_IDENTIFY = 15,
	STEP_FOLLOW = 16,
	STEP_READY = 17,
};

enum install_step {
	INSTALL_START = 1,
	INSTALL_SEIZE = 4,
	INSTALL_REPORT = 15,
	INSTALL_WAIT = 16,
	INSTALL_EXEC = 17,
	INSTALL_RELEASE = 19,
};

#ifdef FAULTS
void at(enum step step);
void at_install(enum install_step step);
#else
#define at(step) ((void)0)
#define at_install(step) ((void)0)
#endif

#endif
