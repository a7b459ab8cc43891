/* SPDX-License-Identifier: MIT
 * Mounts, attached and detached, and the root of a container.
 * All of this is child-safe: only system calls and stack memory.
 */
#ifndef LUABOX_MOUNT_H
#define LUABOX_MOUNT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

#include "kernel/fault.h"

struct mnt_mount {
	const char *type, *source, *target; /* type and source may be null */
	unsigned long flags;                /* MS_* */
	const char *data;                   /* "size=64M,mode=755", or null */
};

/* mount(2) of a new file system. When it fails, the file system's own words are asked for. */
int mnt_mount(const struct mnt_mount *m, struct fault *f);

/* Binds source to target, with MS_REC for what is mounted below, and with the attributes
 * (MOUNT_ATTR_*) set on the new mounts, each of them if 'recursive'. */
int mnt_bind(const char *source, const char *target, uint64_t attributes, int recursive, struct fault *f);

int mnt_move(const char *from, const char *to, struct fault *f);

/* MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE, with MS_REC or without. */
int mnt_propagation(const char *path, unsigned long flags, struct fault *f);

int mnt_umount(const char *target, int flags, struct fault *f);
int mnt_pivot_root(const char *new_root, const char *put_old, struct fault *f);

/* chroot(2) and chdir("/"). */
int mnt_chroot(const char *path, struct fault *f);

/* open_tree(2); always close-on-exec. 'flags' of OPEN_TREE_CLONE, AT_RECURSIVE, AT_EMPTY_PATH,
 * AT_SYMLINK_NOFOLLOW. Returns the descriptor. */
int mnt_open_tree(int dirfd, const char *path, unsigned flags, struct fault *f);

/* A copy of the caller's detached tree, as several containers may use one. Before Linux 6.15
 * such trees have no copies: then the tree itself is taken, and serves once. */
int mnt_copy_tree(int fd, struct fault *f);

/* mount_setattr(2) on a tree's descriptor: MOUNT_ATTR_* to set and to clear. */
int mnt_setattr(int tree_fd, uint64_t set, uint64_t clear, int recursive, struct fault *f);

/* The same with propagation and id map. */
int mnt_change(int tree_fd, const struct mount_attr *attr, int recursive, struct fault *f);

/* move_mount(2): attaches a detached tree. */
int mnt_attach(int tree_fd, const char *target, struct fault *f);

/* Whether the kernel has that call. */
int mnt_can_attach(void);

/* The id of the mount that a path is on, as in mountinfo, or -errno. */
int mnt_id(const char *path);
int mnt_id_at(int dirfd, const char *path); /* of the descriptor for "" */

struct mnt_layer {
	const char *path; /* a directory; null: */
	int fd;           /* a detached tree, of which a copy is taken */
};

#define MNT_LAYERS 64 /* below the topmost */

struct mnt_root {
	const char *path; /* a directory; null: */
	int fd;       /* a detached tree, of which a copy is taken; negative: the default root, made anew */
	int readonly; /* the whole tree, or the overlay */
	int nosuid;   /* likewise */
	int nodev;    /* likewise */
	int overlay;  /* a writable layer over it (then without what is mounted below it): */
	struct mnt_layer *below; /* lower layers under that root, from top to bottom */
	size_t below_count;
	const char *upper; /* kept here (an absolute path), with 'work' on the same file system; null: */
	const char *work;  /* thrown away, in a tmpfs of */
	uint64_t
		size; /* at most that many bytes (0: half of the memory); a default root takes as many more */
};

/* Makes the new root and goes into it (pivot_root); for a process in a mount namespace of its
 * own. Propagation out of it is cut off ("slave"), with or without a step before. The old root is then seen
 * by nobody but the holder of the descriptor that is returned, and is still mounted, as mounting proc in a
 * user namespace needs; mnt_detach_old ends it. */
int mnt_make_root(const struct mnt_root *root, struct fault *f);

/* Unmounts the old root and closes the descriptor. */
int mnt_detach_old(int old_root, struct fault *f);

/* Hides a path: a directory under an empty read-only tmpfs, a file under an empty read-only
 * file. A path that is not there is hidden already: 0. */
int mnt_mask(const char *path, struct fault *f);

/* Makes a path and all mounted below it read-only, by a bind mount on itself.
 * A path that is not there: 0. */
int mnt_readonly(const char *path, struct fault *f);

#endif
