/* SPDX-License-Identifier: MIT
 * clone3 for a child in shared memory. libc has no wrapper for it: the child must not return through a
 * frame that it shares with its parent.
 */
#ifndef LUABOX_CLONE_STACK_H
#define LUABOX_CLONE_STACK_H

#include <linux/sched.h>

/* Calls 'child' on the stack of 'a' in the child; it must not return. Returns the pid, or -errno; -ENOSYS
 * where this processor is not known, too. */
long clone3_on_stack(struct clone_args *a, int (*child)(void *), void *argument);

#endif
