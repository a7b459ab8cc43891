/* SPDX-License-Identifier: MIT
 * Files of /proc. Child-safe.
 */
#ifndef LUABOX_PROCFS_H
#define LUABOX_PROCFS_H

#include <sys/types.h>

/* Opens /proc/self/NAME, close-on-exec, if /proc is the kernel's: a root may have anything in its place.
 * Returns the descriptor or -errno; -ENOENT where it is not. */
int proc_self_open(const char *name, int flags);

/* The path of a descriptor's file. Returns 0 or -errno. */
int proc_fd_path(int fd, char *path, size_t size);

/* What stands behind the name in proc_pid_stat(5): "S 1 …", the state, the parent and so on. Returns 0 or
 * -errno. */
#define PROC_STAT_SIZE 1024
int proc_stat(pid_t pid, char text[PROC_STAT_SIZE]);

/* The name of a process, "a process" if it is gone. */
void proc_name(pid_t pid, char *name, size_t size);

#endif
