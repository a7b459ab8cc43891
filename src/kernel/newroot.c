/* SPDX-License-Identifier: MIT
 * The root of a container, and what is hidden in it.
 *
 * The new root is attached on "/" itself, so that no directory has to exist for
 * it, and pivot_root(".", ".") exchanges the two: the old root is then stacked on the
 * new one. There it could be reached as "/..", by a symbolic link of an untrusted root
 * as well, while mounts are made; so an empty read-only tmpfs is stacked over it.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "kernel/fscontext.h"
#include "kernel/mount.h"
#include "kernel/mount_plain.h"
#include "kernel/newroot.h"
#include "kernel/rootfs.h"
#include "kernel/util.h"

/* ---- the tree below ---- */

int mnt_copy_tree(int fd, struct fault *f)
{
	int tree = mnt_open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE, f);

	if (tree != -EINVAL && tree != -ENOSYS)
		return tree;
	tree = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return tree >= 0 ? tree : fault_set(f, errno, "dup", "descriptor %d", fd);
}

int mnt_refuse_root(int error, const char *path, struct fault *f)
{
	fault_set(f, error, "open_tree", "%s", path);
	if (error == ENOENT)
		fault_hint(f, "the directory that is to be the root is not there");
	else if (error == ENOTDIR)
		fault_hint(f, "a root is a directory: unpack an archive, or mount an image, and give that");
	return -error;
}

int mnt_open_layer(const char *path, struct fault *f)
{
	cleanup_fd int tree = mnt_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE, f);
	struct stat st;

	if (tree == -ENOENT)
		return mnt_refuse_root(ENOENT, path, f);
	if (tree >= 0 && fstat(tree, &st) < 0)
		return fault_set(f, errno, "stat", "%s", path);
	if (tree < 0 || S_ISDIR(st.st_mode))
		return take_fd(&tree);
	return mnt_refuse_root(ENOTDIR, path, f);
}

static int open_lower(const struct mnt_root *r, struct fault *f)
{
	if (r->path)
		return mnt_open_layer(r->path, f);
	return r->fd >= 0 ? mnt_copy_tree(r->fd, f) : rootfs_make(r->size, f);
}

int mnt_settle(int tree, uint64_t attributes, int *late, struct fault *f)
{
	struct mount_attr attr = { .attr_set = attributes, .propagation = MS_SLAVE };
	int rc = mnt_change(tree, &attr, 1, f);

	*late = rc == -ENOSYS;
	return *late ? 0 : rc;
}

int mnt_settle_late(int tree, uint64_t attributes, int late, struct fault *f)
{
	return late ? plain_change(tree, attributes, MS_SLAVE, 1, f) : 0;
}

uint64_t mnt_root_attributes(const struct mnt_root *r)
{
	return (r->readonly ? MOUNT_ATTR_RDONLY : 0) | (r->nosuid ? MOUNT_ATTR_NOSUID : 0) |
	       (r->nodev ? MOUNT_ATTR_NODEV : 0);
}

/* ---- going in ---- */

/* The tree that is to be the root. -ENOSYS: something detached is missing, and nothing is mounted yet. */
static int make_tree(const struct mnt_root *r, int *late, struct fault *f)
{
	cleanup_fd int tree = open_lower(r, f);
	int rc;

	if (tree < 0)
		return tree;
	rc = mnt_settle(tree, r->overlay ? 0 : mnt_root_attributes(r), late, f);
	if (rc < 0)
		return rc;
	return r->overlay ? mnt_overlay_root(r, tree, *late, f) : take_fd(&tree);
}

static int attach_detached(const struct mnt_root *r, struct fault *f)
{
	int late, rc;
	cleanup_fd int tree = make_tree(r, &late, f);

	if (tree < 0)
		return tree;
	rc = mnt_attach(tree, "/", f);
	rc = rc < 0 ? rc : mnt_settle_late(tree, mnt_root_attributes(r), late && !r->overlay, f);
	return rc < 0 ? rc : take_fd(&tree);
}

/* The kernel's first root, of an initramfs, cannot be exchanged: it stays under the new one. */
static int is_initramfs(int fd)
{
	struct statfs s;

	return retry_eintr(fstatfs(fd, &s)) == 0 && (s.f_type == RAMFS_MAGIC || s.f_type == TMPFS_MAGIC);
}

static int cover_old(struct fault *f)
{
	struct mnt_mount cover = { "tmpfs", "luabox", "/", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
				   "mode=555" };

	return mnt_mount(&cover, f);
}

/* Goes into the tree that is attached on "/", with 'old' a descriptor of the root below. */
static int exchange(int tree, int old, struct fault *f)
{
	int rc;

	if (fchdir(tree) < 0)
		return fault_set(f, errno, "fchdir", "new root");
	rc = mnt_pivot_root(".", ".", f);
	if (rc == -EINVAL && is_initramfs(old))
		return mnt_chroot(".", f);
	return rc < 0 ? rc : cover_old(f);
}

int mnt_make_root(const struct mnt_root *root, struct fault *f)
{
	cleanup_fd int tree = -1, old = -1;
	/* Neither mounting on "/" nor unmounting all below the old root may be seen outside. */
	int rc = mnt_propagation("/", MS_SLAVE | MS_REC, f);

	if (rc < 0)
		return rc;
	old = retry_eintr(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (old < 0)
		return fault_set(f, errno, "open", "/");
	tree = attach_detached(root, f);
	if (tree == -ENOSYS)
		tree = mnt_plain_root(root, old, f);
	if (tree < 0)
		return tree;
	rc = exchange(tree, old, f);
	return rc < 0 ? rc : take_fd(&old);
}

/* "/.." is the topmost of what is stacked on the root: the cover, then the old root; and the root
 * itself when there is nothing. */
int mnt_detach_old(int old_root, struct fault *f)
{
	int root = mnt_id("/"), above, rc;

	do {
		above = root < 0 ? root : mnt_id("/..");
		rc = above < 0 ? fault_set(f, -above, "statx", "id of the mount on /") : 0;
		if (rc == 0 && above != root)
			rc = mnt_umount("/..", MNT_DETACH, f);
	} while (rc == 0 && above != root);
	util_close(old_root);
	return rc;
}

/* ---- hidden and read-only paths ---- */

/* The path as a descriptor, so that what is looked at is what is covered. -ENOENT without a
 * fault where there is nothing. */
static int open_target(const char *path, struct fault *f)
{
	int fd = retry_eintr(open(path, O_PATH | O_CLOEXEC)), error = errno;

	if (fd >= 0)
		return fd;
	return error == ENOENT ? -ENOENT : fault_set(f, error, "open", "%s", path);
}

static int cover(int tree, int target, const char *path, struct fault *f)
{
	if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
		return 0;
	return fault_set(f, errno, "move_mount", "%s", path);
}

/* Under an empty directory. */
static int mask_directory(int target, const char *path, struct fault *f)
{
	const uint64_t attributes =
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	const struct mnt_mount plain = { "tmpfs", "tmpfs", path, plain_flags(attributes), "mode=555" };
	cleanup_fd int tree = mnt_fs_make(plain.type, plain.data, attributes, f);
	int rc = tree < 0 ? tree : cover(tree, target, path, f);

	return rc == -ENOSYS ? plain_mount(&plain, target, f) : rc;
}

/* What stands at /dev/null may be a link of an untrusted root to anywhere: only the real one is bound. */
static int open_null(struct fault *f)
{
	cleanup_fd int fd = retry_eintr(open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC));
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		fault_set(f, errno, "open", "/dev/null");
		return fault_hint(f, "a file is masked with /dev/null: make /dev first");
	}
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return take_fd(&fd);
	fault_set(f, ENODEV, "mask", "/dev/null");
	return fault_hint(f, "it is not the null device (character device 1:3)");
}

static int mask_file(int target, const char *path, struct fault *f)
{
	cleanup_fd int null = open_null(f), tree = -1;
	int rc;

	if (null < 0)
		return null;
	tree = mnt_open_tree(null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE, f);
	rc = tree < 0 ? tree : cover(tree, target, path, f);
	return rc == -ENOSYS ? plain_bind(null, target, path, 0, 0, f) : rc;
}

int mnt_mask(const char *path, struct fault *f)
{
	cleanup_fd int target = open_target(path, f);
	struct stat st;

	if (target < 0)
		return target == -ENOENT ? 0 : target;
	if (fstat(target, &st) < 0)
		return fault_set(f, errno, "fstat", "%s", path);
	return S_ISDIR(st.st_mode) ? mask_directory(target, path, f) : mask_file(target, path, f);
}

static int cover_readonly(int target, const char *path, struct fault *f)
{
	cleanup_fd int tree = mnt_open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE, f);
	int rc = tree < 0 ? tree : mnt_setattr(tree, MOUNT_ATTR_RDONLY, 0, 1, f);

	return rc < 0 ? rc : cover(tree, target, path, f);
}

int mnt_readonly(const char *path, struct fault *f)
{
	cleanup_fd int target = open_target(path, f);
	int rc;

	if (target < 0)
		return target == -ENOENT ? 0 : target;
	rc = cover_readonly(target, path, f);
	return rc == -ENOSYS ? plain_bind(target, target, path, MOUNT_ATTR_RDONLY, 1, f) : rc;
}
