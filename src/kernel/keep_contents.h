/* SPDX-License-Identifier: MIT
 * Emptying a directory. For the keeper, which must not allocate.
 */
#ifndef LUABOX_KEEP_CONTENTS_H
#define LUABOX_KEEP_CONTENTS_H

/* "MAJOR:MINOR INODE PATH": -EINVAL if it is not that. */
int keep_contents_check(const char *arg);

/* Removes all below the directory, if it is still the one with these numbers. Follows no link and enters no
 * other mount: a mount point is -EBUSY. */
int keep_contents_remove(const char *arg);

#endif
