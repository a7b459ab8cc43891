/* SPDX-License-Identifier: MIT
 * A process that runs this program's file, and nothing else, until the guarded processes are over: while a
 * file runs the kernel lets nobody write to it. A process of an untrusted root can get at the file through
 * /proc/self/exe (CVE-2019-5736), and would be free to write to it once this process was killed.
 */
#ifndef LUABOX_GUARD_H
#define LUABOX_GUARD_H

#include <sys/types.h>

#include "kernel/fault.h"

/* In memory that stays where it is until guard_remove. */
struct guard_slot {
	struct guard_slot *next;
	pid_t pid; /* of a process to be guarded; 0: none. It must be a child of this one, not yet reaped. */
};

/* Guards what the slot will hold; the first one starts the guard. 'owner' tells this process from the one
 * that it was forked from. Returns a descriptor to be closed after guard_remove, or -errno. */
int guard_add(struct guard_slot *s, pid_t owner, struct fault *f);

/* The last one ends the guard. To be called by the owner only. */
void guard_remove(struct guard_slot *s);

#endif
