/* SPDX-License-Identifier: MIT
 * The root of a container without detached mounts.
 */
#ifndef LUABOX_NEWROOT_PLAIN_H
#define LUABOX_NEWROOT_PLAIN_H

#include "kernel/fault.h"
#include "kernel/mount.h"

/* Mounts the new root on "/", as mnt_make_root has it, by mount(2) alone. 'old' is the root of before.
 * Returns a descriptor of the new one. Child-safe. */
int mnt_plain_root(const struct mnt_root *r, int old, struct fault *f);

/* What both ways have in common (newroot.c). */
uint64_t mnt_root_attributes(const struct mnt_root *r);
int mnt_make_layers(int stage, struct fault *f);
int mnt_refuse_root(int error, const char *path, struct fault *f);

#endif
