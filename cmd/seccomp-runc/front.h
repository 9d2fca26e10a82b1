/* What the parts of the front share. main.c tells what it is. */
#ifndef FRONT_H
#define FRONT_H

#include <linux/filter.h>

#include "system.h"

/* The environment, as execve(2) takes it. */
extern char **environment;

/* variable returns the value of an environment variable, NULL where it is not set. */
const char *variable(const char *name);

/* The families of runtimes, as a set. */
enum family { ANY = 0, RUNC = 1, CRUN = 2 };

/* A command line, as far as the front understands it; see arguments.c. */
struct invocation {
	const char *real_runtime; /* of --real-runtime, NULL where it is not given */
	char **args;		  /* what follows that flag */
	const char *command;
	const char *root;   /* of --root, NULL where it is not given */
	const char *bundle; /* of --bundle, NULL where it is not given */
	const char *id;	    /* of the container; NULL where create's or run's flags are not understood */
	enum family only;   /* those that have a flag which others have not */
};

/*
 * parse understands a command line. It returns false where it does not: the Go
 * program is to understand it then.
 */
bool parse(char **argv, struct invocation *invocation);

/* bundle_of returns the path of the bundle. */
static inline const char *bundle_of(const struct invocation *invocation)
{
	return invocation->bundle && *invocation->bundle ? invocation->bundle : ".";
}

/* creates says whether a command makes a container. */
bool creates(const char *command);

/* passes says whether a command is the real runtime's alone. */
bool passes(const char *command);

/* has_configuration says whether there is a configuration file. */
bool has_configuration(void);

/* find_runtime finds the real runtime, NULL where the Go program is to find it. */
const char *find_runtime(const struct invocation *invocation);

/* family_of returns the family of a runtime; ANY where it may start a container's program in another way than execve. */
enum family family_of(const char *runtime);

/* host_root says whether this is root of the host, in its initial user namespace. */
bool host_root(void);

/*
 * mentions says whether a text has a word, in any case, or could have it as an
 * escape sequence (\u0073).
 */
bool mentions(const char *text, size_t size, const char *word);

/*
 * foreign says whether a container has, for certain, no filter from here: nothing
 * is published of it, and the real runtime's state has no annotation of ours.
 */
bool foreign(const struct invocation *invocation, const char *runtime);

/* trusted says whether a file is a regular one of root's that nobody else can write to. */
bool trusted(const struct statx *st);

/* What an exec in a container needs; pkg/runtime, ticket.go, writes it. */
struct ticket {
	uint64_t init; /* the process id of the container's init */
	uint32_t flags;
	struct sock_fprog program;
};

/*
 * find_ticket finds the ticket of a running container. It returns false where
 * there is none, or anything is unusual.
 */
bool find_ticket(const struct invocation *invocation, const char *runtime, struct ticket *ticket);

/*
 * follow attaches a filter to this process, suspended until a descendant
 * executes a program in the container. It returns false where that could not be
 * done, and nothing was.
 */
bool follow(const struct ticket *ticket);

/* Names in a bundle, as in pkg/runtime, standin.go. */
#define CONFIG "config.json"
#define ORIGINAL ".config.json.seccomp-hook-original"
#define DRAFT ".config.json.seccomp-hook-draft"

/* plain says whether a container that is to be made gets no filter for certain. */
bool plain(const struct invocation *invocation);

/*
 * attend starts the attendant of this process, which prepares the container. It
 * returns the real runtime's path when that is done, or does not return.
 */
const char *attend(char **argv);

/*
 * attend_ahead starts the attendant, which prepares the container while this
 * process becomes the runtime. It returns false where that cannot be done, and
 * nothing was.
 */
bool attend_ahead(char **argv, const struct invocation *invocation);

/* product returns the path of the Go program, beside this one. */
const char *product(void);

#endif
