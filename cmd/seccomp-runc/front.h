/* What the parts of the front share. main.c tells what it is. */
#ifndef FRONT_H
#define FRONT_H

#include <linux/filter.h>
#include <linux/uio.h>

#include "system.h"

/* A part of a text. */
struct span {
	const char *at;
	size_t size;
};

/* The environment, as execve(2) takes it. */
extern char **environment;

/*
 * calm has a Go program that is executed next start few threads, and send them few
 * signals, unless somebody has said how many it is to have. To a process that is traced each is
 * a stop. The container sees nothing of it: its environment is config.json's.
 */
void calm(void);

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
	const char *id;	    /* of the container; NULL where create's, run's or delete's flags are not understood */
	bool force;	    /* of delete */
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

/* configuration_path returns the path of the configuration file. */
const char *configuration_path(void);

/* append_version appends what tells a version of a file from any other, as pkg/runtime's versionOf. */
void append_version(struct text *t, const struct statx *st);

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

/* kept says whether crun has, for certain, kept the program of a container that it was handed, and gives it to execs. */
bool kept(const struct invocation *invocation, const char *runtime);

/* trusted says whether a file is a regular one of this user's that nobody else can write to. */
bool trusted(const struct statx *st);

/* The most instructions that a program can have (BPF_MAXINSNS). */
enum { MAX_PROGRAM = 4096 };

/* Where is published what is known of containers. */
#define PUBLISHED "/run/seccomp-hook/containers"

/* hash is FNV-1a of 64 bits; it goes on from another one. */
#define HASH_BASIS 0xcbf29ce484222325
uint64_t hash(uint64_t h, const void *from, size_t size);

/* The ticket's beginning. */
static const char ticket_magic[8] = "SHEXEC\0\1";

/* ticket_name appends the name of the ticket of a container with this init. */
void ticket_name(struct text *t, const struct text *root, uint64_t init, uint64_t start);

/* state_root appends the directory where the runtime keeps its containers; false where that is not certain. */
bool state_root(const struct invocation *invocation, const char *runtime, struct text *root, bool *crun);

/* names_container says whether an id can be part of a path. */
bool names_container(const char *id);

/* began returns when a process began, in clock ticks since boot; false where it has ended. */
bool began(uint64_t pid, uint64_t *start);

/* alive says whether a process is the one that began at a time, and has not ended. */
bool alive(uint64_t pid, uint64_t start);

/* find_init finds the init of a container in the runtime's own state. */
bool find_init(const struct text *root, bool crun, const char *id, uint64_t *init, uint64_t *start);

/* closed says whether a path is a directory of this user's that nobody else can write to. */
bool closed(const char *path);

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
/* A descriptor of whoever looks, as a path. */
#define SELF_FD "/proc/self/fd/"

#define CONFIG "config.json"
#define ORIGINAL ".config.json.seccomp-hook-original"
#define DRAFT ".config.json.seccomp-hook-draft"

/* plain says whether a container that is to be made gets no filter for certain. */
bool plain(const struct invocation *invocation);

/* What decides on a container's filter, in its config.json; config.c reads it. */
struct config {
	struct span text;
	const char *inside;	 /* behind the bracket of the whole */
	struct span seccomp;	 /* linux.seccomp; none where that is null */
	struct span cut;	 /* what is to go with it */
	struct span annotations; /* the members; at is NULL where there is no such object */
	bool annotated;		 /* there is one */
	bool decided;		 /* an annotation decides on the filter */
	bool hooked;		 /* there is a hook */
	bool mounts;		 /* the container gets a mount namespace of its own */
	bool mapped;		 /* a mount may have its ids mapped */
};

/* read_config reads a config.json that has a null behind it; false where anything is not certain. */
bool read_config(const char *text, size_t size, struct config *config);

/*
 * edited returns the parts of a config.json with annotations added, and another
 * text, which may be empty, instead of what is to be cut, if anything is.
 */
enum { EDITED_PARTS = 8 };
int edited(const struct config *config, struct span cut, struct span instead, struct span annotations, struct iovec parts[EDITED_PARTS]);

/* What a start needs to know of a profile; ready.c. */
struct ready {
	uint32_t flags; /* of seccomp(2) */
	struct sock_fprog program;
	struct span annotations; /* members for config.json */
	struct span crun;	 /* the same, and the program for crun to install; empty where it is not known to do so */
	struct span denying;	 /* for crun, in the place of linux.seccomp: the same without its rules; empty where that must stay */
	struct span filter;	 /* to be published */
};

/* find_ready finds the ready filter of linux.seccomp, or has it made. */
bool find_ready(char **argv, const struct config *config, const char *runtime, enum family family, struct ready *ready);

/* A container that is being made. */
struct made {
	const char *id;
	struct text root;      /* where the runtime keeps it */
	struct text directory; /* of its publications */
	struct text bundle;
	const struct config *config;
	const struct ready *ready;
	uint64_t init, start; /* its init; 0 as long as that is not known */
	uint64_t other, other_start; /* that of the container which has the id already */
	char **remove; /* the arguments for the runtime with which it deletes the container; the path is their first */
};

/* has_room says whether there is room to publish a container. */
bool has_room(const struct made *made);

/* publish writes what is known of a container; forget undoes it. */
bool publish(struct made *made);
void forget(const struct made *made);

/*
 * forgets forgets what is published of a container that the runtime is about to
 * delete. It returns false where the Go program is to do so.
 */
bool forgets(const struct invocation *invocation, const char *runtime);

/* A bundle whose config.json is replaced while the runtime reads it; stand_in.c. */
struct stand_in {
	long bundle; /* locked */
	long placing; /* a pipe's end that closes when nothing more is put in its place; see guard in follow.c */
	/* What stands in, for the follower of the process that has put it there. */
	struct {
		struct identity file;
		struct statx_timestamp time;
	} *shared;
};

/* absent says whether a directory has no file of a name. */
bool absent(long directory, const char *name);

/* lock_bundle opens and locks a bundle, in which nothing is left of a killed start. */
bool lock_bundle(const struct invocation *invocation, struct stand_in *s);

/* stand_in puts a link to an open file in the place of config.json; give_back undoes it. */
bool stand_in(struct stand_in *s, long fd);
void give_back(const struct stand_in *s);

/*
 * follow_start has a follower wait for what this process, which becomes the
 * runtime, makes: the follower gives config.json back when the runtime has read
 * it, publishes the container, and lets go of its init. It returns the follower,
 * or an error, and then nothing was done.
 */
long follow_start(struct made *made, struct stand_in *s);

/* attach attaches a filter to this process, which a follower has suspended; or it ends the follower. */
bool attach(long follower, const struct sock_fprog *program, uint32_t flags);

/*
 * warm makes a container with a ready filter: it returns the arguments for the
 * real runtime, from the command on which the filter is suspended or handed
 * over. It returns NULL where it cannot, and nothing was done.
 */
char **warm(char **argv, const struct invocation *invocation, const char *runtime);

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
