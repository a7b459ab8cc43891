/* SPDX-License-Identifier: MIT
 * The root of a container, and what is hidden in it.
 *
 * The new root is attached on "/" itself, so that no directory has to exist for
 * it, and pivot_root(".", ".") exchanges the two: the old root is then stacked on the
 * new one. There it could be reached as "/..", by a symbolic link of an untrusted root
 * as well, while mounts are made; so an empty read-only tmpfs is stacked over it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "kernel/detective.h"
#include "kernel/fscontext.h"
#include "kernel/mount.h"
#include "kernel/mount_plain.h"
#include "kernel/namespace.h"
#include "kernel/newroot_plain.h"
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

static int open_directory(const char *path, struct fault *f)
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
		return open_directory(r->path, f);
	return r->fd >= 0 ? mnt_copy_tree(r->fd, f) : rootfs_make(r->size, f);
}

/* A tree from elsewhere may be shared with the mounts it was copied from: what is mounted in the
 * container must not appear there. MS_SLAVE leaves private what is private. Before Linux 5.12 it is 'late':
 * done once the tree is attached. */
static int settle(int tree, uint64_t attributes, int *late, struct fault *f)
{
	struct mount_attr attr = { .attr_set = attributes, .propagation = MS_SLAVE };
	int rc = mnt_change(tree, &attr, 1, f);

	*late = rc == -ENOSYS;
	return *late ? 0 : rc;
}

static int settle_late(int tree, uint64_t attributes, int late, struct fault *f)
{
	return late ? plain_change(tree, attributes, MS_SLAVE, 1, f) : 0;
}

uint64_t mnt_root_attributes(const struct mnt_root *r)
{
	return (r->readonly ? MOUNT_ATTR_RDONLY : 0) | (r->nosuid ? MOUNT_ATTR_NOSUID : 0) |
	       (r->nodev ? MOUNT_ATTR_NODEV : 0);
}

/* ---- the overlay ---- */

struct layers {
	int lower, upper, work; /* directories; -1: by path */
	const char *lower_path, *upper_path, *work_path;
};

static int open_dir(int dirfd, const char *path, struct fault *f)
{
	int fd = retry_eintr(openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	return fd >= 0 ? fd : fault_set(f, errno, "open", "%s", path);
}

/* In a user namespace overlay cannot use trusted.* attributes, and without any it
 * cannot replace a directory of the lower layer. */
static int set_layers(int fs, const struct layers *l, struct fault *f)
{
	const char *lower = l->lower >= 0 ? "lowerdir+" : "lowerdir";
	int rc = mnt_fs_set(fs, lower, l->lower_path, l->lower, f);

	if (rc < 0)
		return rc;
	rc = mnt_fs_set(fs, "upperdir", l->upper_path, l->upper, f);
	if (rc < 0)
		return rc;
	rc = mnt_fs_set(fs, "workdir", l->work_path, l->work, f);
	if (rc < 0)
		return rc;
	rc = ns_in_user_namespace();
	if (rc < 0)
		return fault_set(f, -rc, "read", "/proc/self/uid_map");
	return rc ? mnt_fs_set(fs, "userxattr", NULL, -1, f) : 0;
}

static int make_overlay(const struct layers *l, uint64_t attributes, struct fault *f)
{
	cleanup_fd int fs = mnt_fs_open("overlay", f);
	int rc;

	if (fs < 0)
		return fs;
	rc = mnt_fs_set(fs, "source", "luabox", -1, f);
	if (rc < 0)
		return rc;
	rc = set_layers(fs, l, f);
	if (rc < 0)
		return rc;
	rc = mnt_fs_create(fs, f);
	return rc < 0 ? rc : mnt_fs_mount(fs, attributes, f);
}

static int overlay_by_descriptors(const struct mnt_root *r, int stage, uint64_t attributes, struct fault *f)
{
	cleanup_fd int lower = -1, upper = -1, work = -1;
	struct layers l;

	lower = open_dir(stage, "lower", f);
	if (lower < 0)
		return lower;
	upper = r->upper ? open_dir(AT_FDCWD, r->upper, f) : open_dir(stage, "upper", f);
	if (upper < 0)
		return upper;
	work = r->work ? open_dir(AT_FDCWD, r->work, f) : open_dir(stage, "work", f);
	if (work < 0)
		return work;
	l = (struct layers){ .lower = lower, .upper = upper, .work = work };
	return make_overlay(&l, attributes, f);
}

/* Before Linux 6.13. The stage's own directories are relative to the working directory, so
 * that no name has to be escaped. */
static int overlay_by_paths(const struct mnt_root *r, int stage, uint64_t attributes, struct fault *f)
{
	struct layers l = { -1, -1, -1, "lower", "upper", "work" };

	if (r->upper) {
		l.upper_path = r->upper;
		l.work_path = r->work;
	}
	if (fchdir(stage) < 0)
		return fault_set(f, errno, "fchdir", "stage");
	return make_overlay(&l, attributes, f);
}

/* A tmpfs with a place for the lower layer, which overlay takes only from this mount
 * namespace, and for the upper one if it is to be thrown away. */
int mnt_make_layers(int stage, struct fault *f)
{
	if (mkdirat(stage, "lower", 0755) < 0 || mkdirat(stage, "upper", 0755) < 0 ||
	    mkdirat(stage, "work", 0755) < 0)
		return fault_set(f, errno, "mkdir", "directories of the layers");
	return 0;
}

static int make_stage(uint64_t size, struct fault *f)
{
	cleanup_fd int stage = -1;
	char data[64];
	int rc;

	snprintf(data, sizeof data, size ? "mode=755,size=%" PRIu64 : "mode=755", size);
	stage = mnt_fs_make("tmpfs", data, 0, f);
	if (stage < 0)
		return stage;
	rc = mnt_make_layers(stage, f);
	rc = rc < 0 ? rc : mnt_attach(stage, "/", f);
	return rc < 0 ? rc : take_fd(&stage);
}

/* The stage stays on the old root and goes with it. */
static int overlay_on(const struct mnt_root *r, int tree, int late, struct fault *f)
{
	uint64_t attributes = mnt_root_attributes(r);
	cleanup_fd int stage = make_stage(r->size, f);
	int fd, rc;

	if (stage < 0)
		return stage;
	if (move_mount(tree, "", stage, "lower", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fault_set(f, errno, "move_mount", "lower layer");
	rc = settle_late(tree, 0, late, f);
	if (rc < 0)
		return rc;
	fd = overlay_by_descriptors(r, stage, attributes, f);
	if (fd == -EINVAL || fd == -EOPNOTSUPP) /* the latter before Linux 6.5 */
		fd = overlay_by_paths(r, stage, attributes, f);
	if (fd == -EINVAL)
		detect_overlay(r->upper, r->work, f);
	return fd;
}

/* ---- going in ---- */

/* The tree that is to be the root. -ENOSYS: something detached is missing, and nothing is mounted yet. */
static int make_tree(const struct mnt_root *r, int *late, struct fault *f)
{
	cleanup_fd int tree = open_lower(r, f);
	int rc;

	if (tree < 0)
		return tree;
	rc = settle(tree, r->overlay ? 0 : mnt_root_attributes(r), late, f);
	if (rc < 0)
		return rc;
	return r->overlay ? overlay_on(r, tree, *late, f) : take_fd(&tree);
}

static int attach_detached(const struct mnt_root *r, struct fault *f)
{
	int late, rc;
	cleanup_fd int tree = make_tree(r, &late, f);

	if (tree < 0)
		return tree;
	rc = mnt_attach(tree, "/", f);
	rc = rc < 0 ? rc : settle_late(tree, mnt_root_attributes(r), late && !r->overlay, f);
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
