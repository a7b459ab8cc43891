/* SPDX-License-Identifier: MIT
 * The default profile of a container, after the shape of moby's and podman's.
 */
#ifndef LUABOX_SECCOMP_PROFILE_H
#define LUABOX_SECCOMP_PROFILE_H

#include "kernel/seccomp.h"

/* What becomes of a call that no group names, of one newer than the profile, and of one of
 * another architecture: EPERM says "not allowed here", ENOSYS has a libc fall back. */
#define SEC_PROFILE_OTHERWISE SCMP_ACT_ERRNO(1)
#define SEC_PROFILE_NEWER SCMP_ACT_ERRNO(38)
#define SEC_PROFILE_FOREIGN SCMP_ACT_KILL_PROCESS

/* Calls with one action; 'count' 1: where 'arg' holds. Part of the profile of a container
 * that has a capability of 'with' (0: of every container) and none of 'without'. */
struct sec_group {
	const char *calls; /* names, one space between them */
	uint32_t action;
	unsigned count;
	struct scmp_arg_cmp arg;
	uint64_t with, without;
};

extern const struct sec_group sec_groups[]; /* ended by one without calls */

/* Whether the group belongs to the profile of a container with these capabilities. */
int sec_group_applies(const struct sec_group *g, uint64_t capabilities);

/* The next name of a group's calls: copies it to 'name' and returns where to go on, or null. */
const char *sec_next_call(const char *calls, char name[SEC_NAME_SIZE]);

/* Compiles the profile as sec_build does. */
int sec_build_profile(uint64_t capabilities, struct fault *f);

/* As sec_build_profile, but what CAP_DEFAULT has was compiled when luabox was built: building
 * takes a millisecond, a container as a whole three. */
int sec_default(uint64_t capabilities, struct fault *f);

#endif
