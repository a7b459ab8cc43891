/* SPDX-License-Identifier: MIT
 * File system contexts: a file system configured step by step and mounted
 * detached: fsopen(2), fsconfig(2), fsmount(2). Linux 5.2. Child-safe.
 * What the file system says about a refusal becomes the fault's detail.
 */
#ifndef LUABOX_FSCONTEXT_H
#define LUABOX_FSCONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/fault.h"

/* Opens a context for a type of file system; returns the descriptor. */
int mnt_fs_open(const char *type, struct fault *f);

/* One option. Of the three the last that is given counts: no value (a flag), a string,
 * a descriptor that is not negative. */
int mnt_fs_set(int fs, const char *key, const char *value, int fd, struct fault *f);

/* Each option of a mount(2) data string, "size=64M,mode=755". Null is no option. */
int mnt_fs_set_all(int fs, const char *data, struct fault *f);

/* Makes the file system. */
int mnt_fs_create(int fs, struct fault *f);

/* Mounts it detached, with MOUNT_ATTR_* 'attributes'; returns the mount's descriptor. */
int mnt_fs_mount(int fs, uint64_t attributes, struct fault *f);

/* All of the above for the common case. */
int mnt_fs_make(const char *type, const char *data, uint64_t attributes, struct fault *f);

/* What the file system has to say, into 'text': the last error of its log, or "". */
void mnt_fs_words(int fs, char *text, size_t size);

#endif
