/* SPDX-License-Identifier: MIT
 * All processes of /proc with their namespaces.
 */
#ifndef LUABOX_NSSCAN_H
#define LUABOX_NSSCAN_H

#include <dirent.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"
#include "kernel/namespace.h"

struct ns_process {
	pid_t pid, parent;
	uid_t uid;
	char name[64];
	uint64_t ids[NS_TYPES]; /* inode numbers, in the order of ns_types; 0: it may not be seen */
};

int ns_scan_open(DIR **proc, struct fault *f);

/* The next process that is still there: 1, 0 at the end, or -errno. */
int ns_scan_next(DIR *proc, struct ns_process *p, struct fault *f);

#endif
