/* SPDX-License-Identifier: MIT
 * The end of a child, through its pidfd: no pid that somebody else may have by
 * now, no signal handler. pidfd_open(2), waitid(2)
 */
#ifndef LUABOX_WAIT_H
#define LUABOX_WAIT_H

#include "kernel/fault.h"

struct proc_end {
	int code;   /* the exit status, if signal is 0 */
	int signal; /* what killed it */
	int core;   /* and left a core file */
};

/* Reaps the child if it has ended (with 'block': waits for that). Returns 1 with 'end'
 * filled, 0 if it runs on, or -errno; -ECHILD if it is no child or was reaped. Child-safe. */
int proc_reap(int pidfd, int block, struct proc_end *end);

/* Kills and reaps, keeps errno. */
void proc_destroy(int pidfd);

/* Sends a signal. Returns 1, 0 if the process has ended, or -errno. Child-safe. */
int proc_signal(int pidfd, int signal);

/* The end that a waitid(2) code and status mean. Child-safe. */
struct proc_end proc_decode_end(int code, int status);

#endif
