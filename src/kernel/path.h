/* SPDX-License-Identifier: MIT
 * Opening a path under restrictions: openat2(2), or its work by hand where the kernel lacks it.
 */
#ifndef LUABOX_PATH_H
#define LUABOX_PATH_H

#include <linux/openat2.h>
#include <stdint.h>
#include <sys/types.h>

/* As openat2(2), close-on-exec. 'resolve' is of RESOLVE_IN_ROOT or RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS,
 * RESOLVE_NO_SYMLINKS and RESOLVE_NO_XDEV; 'root' is AT_FDCWD only without the first two. 'mode' counts only
 * with O_CREAT. Before Linux 5.6 the path is walked by path_walk. Returns the descriptor or -errno.
 * Child-safe. */
int path_open(int root, const char *path, int flags, mode_t mode, uint64_t resolve);

/* The same without openat2: step by step, no step through a symbolic link, whose text is followed by hand,
 * and none to "..", so that whoever renames meanwhile cannot lead it out of the root. Stricter than the
 * kernel in one point: in a procfs only the links in its root are followed, not those of drivers further
 * below. */
int path_walk(int root, const char *path, int flags, mode_t mode, uint64_t resolve);

#endif
