/* SPDX-License-Identifier: MIT */
#include "kernel/mount.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kernel/detective.h"
#include "kernel/fscontext.h"
#include "kernel/look.h"
#include "kernel/mount_plain.h"
#include "kernel/util.h"

#define NOT_A_NEW_MOUNT (MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

int mnt_id_at(int dirfd, const char *path)
{
	struct statx st;

	if (statx(dirfd, path, AT_NO_AUTOMOUNT | AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return -errno;
	return st.stx_mask & STATX_MNT_ID ? (int)st.stx_mnt_id : -ENOSYS;
}

int mnt_id(const char *path)
{
	return mnt_id_at(AT_FDCWD, path);
}

/* ---- mounting ---- */

static const char *base(const struct mnt_mount *m)
{
	return m->source && *m->source ? m->source : m->type ? m->type : "none";
}

/* Lets the file system refuse once more, now with words. Nothing is attached. */
static void ask_for_words(const struct mnt_mount *m, struct fault *f)
{
	cleanup_fd int fs = fsopen(m->type, FSOPEN_CLOEXEC);
	struct fault words = { 0 };

	if (fs < 0)
		return;
	if ((m->source && mnt_fs_set(fs, "source", m->source, -1, &words) < 0) ||
	    (m->flags & MS_RDONLY && mnt_fs_set(fs, "ro", NULL, -1, &words) < 0) ||
	    mnt_fs_set_all(fs, m->data, &words) < 0 || mnt_fs_create(fs, &words) < 0)
		memcpy(f->detail, words.detail, sizeof f->detail);
}

int mnt_mount(const struct mnt_mount *m, struct fault *f)
{
	int error;

	if (mount(base(m), m->target, m->type, m->flags, m->data) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "mount", "%s", m->target);
	if (f && m->type && !(m->flags & NOT_A_NEW_MOUNT) && look_is_dir(m->target))
		ask_for_words(m, f);
	detect_mount(m, f);
	return -error;
}

int mnt_open_tree(int dirfd, const char *path, unsigned flags, struct fault *f)
{
	int fd = open_tree(dirfd, path, flags | OPEN_TREE_CLOEXEC), error = errno;

	if (fd >= 0)
		return fd;
	fault_set(f, error, "open_tree", "%s", path);
	detect_open_tree(path, flags, f);
	return -error;
}

static int setattr(int tree, const struct mount_attr *attr, int recursive)
{
	struct mount_attr copy = *attr;

	/* When access times are written is a field, not a bit: the kernel wants it cleared whole. */
	if ((attr->attr_set | attr->attr_clr) & MOUNT_ATTR__ATIME)
		copy.attr_clr |= MOUNT_ATTR__ATIME;
	return mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &copy, sizeof copy);
}

int mnt_change(int tree_fd, const struct mount_attr *attr, int recursive, struct fault *f)
{
	int error;

	if (setattr(tree_fd, attr, recursive) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "mount_setattr", "descriptor %d", tree_fd);
	detect_change(attr, f);
	return -error;
}

int mnt_setattr(int tree_fd, uint64_t set, uint64_t clear, int recursive, struct fault *f)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear };

	return mnt_change(tree_fd, &attr, recursive, f);
}

int mnt_attach(int tree_fd, const char *target, struct fault *f)
{
	int error;

	if (move_mount(tree_fd, "", AT_FDCWD, target,
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS | MOVE_MOUNT_T_AUTOMOUNTS) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "move_mount", "%s", target);
	detect_attach(tree_fd, target, f);
	return -error;
}

int mnt_can_attach(void)
{
	return move_mount(-1, "", -1, "", MOVE_MOUNT_F_EMPTY_PATH) == 0 || errno != ENOSYS;
}

/* ---- binding ---- */

static int set_attributes(const char *target, uint64_t attributes, int recursive, struct fault *f)
{
	cleanup_fd int fd = retry_eintr(open(target, O_PATH | O_CLOEXEC));

	return fd < 0 ? fault_set(f, errno, "open", "%s", target)
		      : plain_change(fd, attributes, 0, recursive, f);
}

static int bind_by_mount(const char *source, const char *target, uint64_t attributes, int recursive,
			 struct fault *f)
{
	struct mnt_mount m = { .source = source,
			       .target = target,
			       .flags = MS_BIND | (recursive ? MS_REC : 0) };
	int rc = mnt_mount(&m, f);

	if (rc < 0 || !attributes)
		return rc;
	rc = set_attributes(target, attributes, recursive, f);
	if (rc < 0)
		umount2(target, MNT_DETACH);
	return rc;
}

static int bind_detached(const char *source, const char *target, uint64_t attributes, int recursive,
			 struct fault *f)
{
	cleanup_fd int tree =
		mnt_open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | (recursive ? AT_RECURSIVE : 0), f);
	int rc = tree < 0 ? tree : mnt_setattr(tree, attributes, 0, recursive, f);

	return rc < 0 ? rc : mnt_attach(tree, target, f);
}

int mnt_bind(const char *source, const char *target, uint64_t attributes, int recursive, struct fault *f)
{
	/* Without attributes mount(2) does it in one call. */
	int rc = attributes ? bind_detached(source, target, attributes, recursive, f) : -ENOSYS;

	return rc == -ENOSYS ? bind_by_mount(source, target, attributes, recursive, f) : rc;
}

/* ---- changing what is mounted ---- */

int mnt_move(const char *from, const char *to, struct fault *f)
{
	int error;

	if (mount(from, to, NULL, MS_MOVE, NULL) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "move mount", "%s", from);
	detect_move(from, to, f);
	return -error;
}

int mnt_propagation(const char *path, unsigned long flags, struct fault *f)
{
	int error;

	if (mount(NULL, path, NULL, flags, NULL) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "propagation", "%s", path);
	detect_propagation(path, f);
	return -error;
}

int mnt_umount(const char *target, int flags, struct fault *f)
{
	int error;

	if (umount2(target, flags) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "umount", "%s", target);
	detect_umount(target, f);
	return -error;
}

/* ---- pivot_root and chroot ---- */

int mnt_pivot_root(const char *new_root, const char *put_old, struct fault *f)
{
	int error;

	if (syscall(SYS_pivot_root, new_root, put_old) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "pivot_root", "%s", new_root);
	detect_pivot_root(new_root, put_old, f);
	return -error;
}

int mnt_chroot(const char *path, struct fault *f)
{
	int error;

	if (chroot(path) == 0 && chdir("/") == 0)
		return 0;
	error = errno;
	fault_set(f, error, "chroot", "%s", path);
	detect_chroot(f);
	return -error;
}
