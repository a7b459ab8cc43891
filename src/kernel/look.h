/* SPDX-License-Identifier: MIT
 * What the detectives look at. Child-safe; changes nothing.
 */
#ifndef LUABOX_LOOK_H
#define LUABOX_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/mountinfo.h"

/* A line of mountinfo that is longer than this is not looked at; the stack is small in a child. */
#define LOOK_LINE 8192

/* Looks mount 'id' up in this mount namespace; the strings of 'info' point into 'line'. Returns 1 if it is
 * there. */
int look_mount(int id, struct mnt_info *info, char line[LOOK_LINE]);

/* A mount on which is mounted, at or below the path 'below', something else: its path goes to 'target', its
 * type to 'type'. Returns how many there are. */
int look_mounts_on(int id, const char *below, char *target, size_t size, char type[32]);

/* How many mounts are seen in this mount namespace. */
int look_mount_count(void);

/* True, too, where it cannot be told. */
int look_is_mount_root(const char *path);

/* The path without symbolic links, as mountinfo has it. Returns 0 or -errno. */
int look_real_path(const char *path, char *real, size_t size);

/* Whether an absolute path is 'dir' or below it; both without links. */
int look_is_below(const char *path, const char *dir);

int look_is_dir(const char *path);

/* Whether a file begins with these words. */
int look_file_is(const char *path, const char *start);

/* The number in a file, or -1. */
long look_number(const char *path);

/* What /proc/self/status says under 'key', such as "Threads:"; -1 if nothing. */
long look_status(const char *key, int base);

/* Whether an id is in 'map' ("uid_map") of the user namespace that the process is in; true, too, where it
 * cannot be told. */
int look_is_mapped(const char *map, unsigned long id);

/* Whether the effective set has the capability (CAP_BIT). */
int look_capable(uint64_t capability);

/* Whether two files of /proc/PID/ns are of the same namespace; false where it cannot be told. */
int look_is_same_namespace(const char *a, const char *b);

#endif
