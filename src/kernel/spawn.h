/* SPDX-License-Identifier: MIT
 * A child with its namespaces, descriptors, ids and body. Prepared by the parent as
 * plain data, so that the child allocates nothing between clone and exec.
 */
#ifndef LUABOX_SPAWN_H
#define LUABOX_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"
#include "kernel/idmap.h"
#include "kernel/steps.h"
#include "kernel/user.h"

enum proc_stream_kind {
	PROC_INHERIT,
	PROC_NULL,
	PROC_PIPE,       /* the parent gets the other end */
	PROC_FILE,       /* 'path', opened by the parent with 'flags' */
	PROC_DESCRIPTOR, /* 'fd' */
};

struct proc_stream {
	enum proc_stream_kind kind;
	int fd;
	const char *path;
	int flags;
};

struct proc_fd {
	int target, source;
	int lifted; /* the child's */
};

/* setns(fd, types): a namespace's descriptor, or a pidfd and several types. */
struct proc_join {
	int fd;
	uint64_t types;
};

struct proc_spawn {
	uint64_t namespaces; /* CLONE_NEW* to create */
	const struct proc_join *joins;
	size_t join_count;
	int cgroup;    /* a cgroup v2 directory, or -1 */
	pid_t *number; /* where to store the pid before the child runs, or null */
	struct proc_stream streams[3];
	struct proc_fd *fds;
	size_t fd_count;
	int death_signal; /* when the parent dies; 0: none */
	int new_session;
	int64_t umask;      /* -1: unchanged */
	struct steps steps; /* before the next three */
	const char *cwd;
	struct proc_user user;
	struct idmap_request maps;             /* of a new user namespace; ranges may be none */
	int64_t monotonic_offset, boot_offset; /* of a new time namespace, in seconds */
	int init;                              /* be process 1 for the program, or only that */
	char *const *argv;                     /* the program, or null: 'body' */
	char *const *env;
	int (*body)(void *context, int result); /* runs forked; returns the exit status */
	void *context;
};

/* Descriptors are the caller's to close. */
struct proc_child {
	pid_t pid;
	int pidfd;
	int report;     /* readable when the child has started, or could not: see proc_started */
	int streams[3]; /* the parent's ends of pipes, or -1 */
	int result;     /* what the body writes to 'result', or -1 */
};

/* What the child tells before it is started. */
struct proc_report {
	int step; /* which of spawn's steps failed, from 1; 0: none of them */
	struct fault fault;
};

/* Starts the child. On failure nothing is left of it. */
int proc_spawn(struct proc_spawn *s, struct proc_child *out, struct fault *f);

/* Reads from 'report' (blocks until it is readable) whether the child runs its
 * program or body: 0, or -errno with the child's own report. An init says so with a byte; of another child
 * that is killed before it runs its program, only its end tells. */
int proc_started(int report, int init, struct proc_report *r);

/* Replaces this process by the program of 's', after steps, working directory and user. Returns only
 * -errno; 'step' as in proc_report. What was changed by then stays changed. */
int proc_replace(struct proc_spawn *s, int *step, struct fault *f);

/* chdir that does not end outside the root. Child-safe. */
int proc_chdir(const char *path, struct fault *f);

#endif
