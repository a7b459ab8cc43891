/* SPDX-License-Identifier: MIT
 * What detached mounts do, by mount(2): for kernels before Linux 5.12, and sandboxes that hide the newer
 * calls.
 *
 * Places are descriptors, by O_PATH too, since a path may be somebody else's to change. mount(2) takes them
 * by their names in /proc/self/fd, so that a /proc must be there, the old root's or the new one's.
 * Child-safe.
 */
#ifndef LUABOX_MOUNT_PLAIN_H
#define LUABOX_MOUNT_PLAIN_H

#include "kernel/fault.h"
#include "kernel/mount.h"

/* MS_* of MOUNT_ATTR_*. */
unsigned long plain_flags(uint64_t attributes);

/* A new file system on the place 'target'; the target of 'm' is only named in errors. Numbers of descriptors
 * in its data are places: "lowerdir=5". */
int plain_mount(const struct mnt_mount *m, int target, struct fault *f);

/* Binds the place 'source' on 'target', which is what is at 'path', and sets attributes on the new mounts. */
int plain_bind(int source, int target, const char *path, uint64_t attributes, int recursive, struct fault *f);

/* Sets attributes, and propagation (MS_SLAVE and so on, or 0), on the mount whose root 'tree' is and, if
 * 'recursive', on all below. */
int plain_change(int tree, uint64_t attributes, unsigned long propagation, int recursive, struct fault *f);

#endif
