/* SPDX-License-Identifier: MIT
 * What the parts of mnt_make_root share: the order of things (newroot.c), the overlay (newroot_overlay.c),
 * and all of it without detached mounts (newroot_plain.c). Child-safe.
 */
#ifndef LUABOX_NEWROOT_H
#define LUABOX_NEWROOT_H

#include "kernel/fault.h"
#include "kernel/mount.h"

uint64_t mnt_root_attributes(const struct mnt_root *r);

/* A detached copy of a directory, with all that is mounted below it. */
int mnt_open_layer(const char *path, struct fault *f);
int mnt_refuse_root(int error, const char *path, struct fault *f);

/* A tree from elsewhere may be shared with the mounts it was copied from: what is mounted in the
 * container must not appear there. MS_SLAVE leaves private what is private. Before Linux 5.12 it is 'late':
 * done once the tree is attached. */
int mnt_settle(int tree, uint64_t attributes, int *late, struct fault *f);
int mnt_settle_late(int tree, uint64_t attributes, int late, struct fault *f);

int mnt_open_directory(int dirfd, const char *path, struct fault *f);

/* Opens the upper layer's two directories, those given or the stage's. Returns 0 or -errno. */
int mnt_open_upper(const struct mnt_root *r, int stage, int *upper, int *work, struct fault *f);

/* The overlay over 'tree', the topmost of the lower layers, detached. */
int mnt_overlay_root(const struct mnt_root *r, int tree, int late, struct fault *f);

/* The directories of the layers on the stage. */
int mnt_make_layers(int stage, struct fault *f);

/* Mounts the new root on "/", as mnt_make_root has it, by mount(2) alone. 'old' is the root of before.
 * Returns a descriptor of the new one. */
int mnt_plain_root(const struct mnt_root *r, int old, struct fault *f);

#endif
