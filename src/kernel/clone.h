/* SPDX-License-Identifier: MIT
 * New processes. clone(2), clone3(2)
 */
#ifndef LUABOX_CLONE_H
#define LUABOX_CLONE_H

#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"

/* Starts a process that runs 'child' and exits with its value.
 *
 * With CLONE_VM in 'flags' (CLONE_VFORK is added) the child runs in the caller's
 * memory, on a stack of its own, while the caller is suspended: no page table is
 * copied, so the cost does not grow with the heap. Such a child must be child-safe. Without,
 * it is a fork. 'cgroup' is a descriptor of a cgroup v2 directory that the
 * child is born in, or -1. The pidfd, and the pid in 'number' if that is not null, are stored before the
 * child runs.
 * Returns the pid, or -errno; -ENOSYS where nothing can be born in a cgroup. Child-safe. */
pid_t proc_clone(uint64_t flags, int cgroup, int (*child)(void *), void *argument, int *pidfd, pid_t *number,
		 struct fault *f);

#endif
