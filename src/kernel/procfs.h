/* SPDX-License-Identifier: MIT
 * The caller's own directory of /proc, where a root may have anything in its place. Child-safe.
 */
#ifndef LUABOX_PROCFS_H
#define LUABOX_PROCFS_H

/* Opens /proc/self/NAME, close-on-exec, if /proc is the kernel's. Returns the descriptor or -errno; -ENOENT
 * where it is not. */
int proc_self_open(const char *name, int flags);

#endif
