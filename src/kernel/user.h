/* SPDX-License-Identifier: MIT
 * User and groups of a process. credentials(7)
 */
#ifndef LUABOX_USER_H
#define LUABOX_USER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"

struct proc_user {
	int64_t uid, gid; /* -1: unchanged */
	const gid_t *groups;
	size_t group_count;
	int groups_given; /* else they are dropped with the first change of an id */
};

/* Groups exactly, then gid, then uid: each takes the right to do the one before. Child-safe. */
int proc_become(const struct proc_user *user, struct fault *f);

/* After its maps are written: user and group 0 of a new user namespace, where these are
 * mapped, for files made with unmapped ids are refused. Child-safe. */
int proc_become_root(struct fault *f);

#endif
