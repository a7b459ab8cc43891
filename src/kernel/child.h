/* SPDX-License-Identifier: MIT
 * The child's half of spawn: everything between clone and exec. Child-safe.
 */
#ifndef LUABOX_CHILD_H
#define LUABOX_CHILD_H

#include "kernel/spawn.h"

struct child {
	struct proc_spawn *spawn;
	int report; /* ours; the parent's end of it is 'peer' */
	int peer;
	int result;     /* for the body, or -1 */
	int streams[3]; /* what becomes 0, 1 and 2; -1: stays */
	int foreign[5]; /* the parent's ends: nothing must be kept open by us */
	int waits;      /* for the parent's word that the id maps are written */
	int cgroup;     /* the open cgroup.procs of a group of cgroup2 that it is to enter by itself, or -1 */
	uint64_t joined; /* the types of namespaces that a stage before us has joined */
};

/* The process's main function; 'argument' is a struct child. Returns only if the
 * program could not be started, after the report. */
int child_main(void *argument);

/* Joins the ready-made namespaces of these types. */
int child_join(const struct proc_spawn *s, uint64_t types, struct fault *f);

/* Whether 's' has a namespace of these types to join. */
int child_joins(const struct proc_spawn *s, uint64_t types);

#endif
