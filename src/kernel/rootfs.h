/* SPDX-License-Identifier: MIT
 * The default root of a container: busybox, which the program carries, a link to it for
 * each applet, and the directories and files that programs look for.
 */
#ifndef LUABOX_ROOTFS_H
#define LUABOX_ROOTFS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/fault.h"

/* The program, and the names of its applets: each ends with a zero, the last with two. */
extern const char rootfs_busybox[];
extern const char rootfs_busybox_end[];
extern const char rootfs_applets[];

/* Makes the root in a tmpfs that takes 'size' bytes more (0: half of the memory), detached and
 * writable; returns the mount's descriptor. Child-safe. */
int rootfs_make(uint64_t size, struct fault *f);

/* The two halves of it where there are no detached mounts: the tmpfs on a place, and what is in it. */
int rootfs_mount(int target, uint64_t size, struct fault *f);
int rootfs_fill(int root, struct fault *f);

#endif
