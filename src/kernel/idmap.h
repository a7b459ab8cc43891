/* SPDX-License-Identifier: MIT
 * The id maps of a user namespace: user_namespaces(7).
 */
#ifndef LUABOX_IDMAP_H
#define LUABOX_IDMAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"

/* The kernel takes no more lines than this in one map. */
#define IDMAP_RANGES 340

struct idmap_range {
	uint32_t inside, outside, count;
};

struct idmap {
	const struct idmap_range *ranges;
	size_t count; /* 0: the map is not written */
};

enum idmap_setgroups {
	IDMAP_SETGROUPS_AUTO, /* denied only where the kernel demands it */
	IDMAP_SETGROUPS_ALLOW,
	IDMAP_SETGROUPS_DENY,
};

struct idmap_request {
	struct idmap uid, gid;
	enum idmap_setgroups setgroups;
};

/* Finds what the kernel would refuse with a bare EINVAL: no or too many ranges, an empty one,
 * one beyond the last id, two that overlap. 'which' is "uid" or "gid". Returns 0 or -EINVAL. */
int idmap_check(const struct idmap *map, const char *which, struct fault *f);

/* Writes the maps of the user namespace that process 'pid' is in; a checked request.
 * Directly where the kernel allows that, else by newuidmap(1) and newgidmap(1). */
int idmap_write(pid_t pid, const struct idmap_request *request, struct fault *f);

#endif
