/* SPDX-License-Identifier: MIT */
#include "kernel/mount.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kernel/fscontext.h"
#include "kernel/lack.h"
#include "kernel/mount_plain.h"
#include "kernel/mountinfo.h"
#include "kernel/namespace.h"
#include "kernel/util.h"

/* A line of mountinfo that is longer than this is not looked at; the stack is small in a child. */
#define LINE_SIZE 8192

#define NOT_A_NEW_MOUNT (MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

/* ---- looking at the system, after a failure ---- */

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

/* True, too, where it cannot be told. */
static int is_mount_root(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, &st) < 0 ||
	       !(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) || st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* Looks mount 'id' up; the strings of 'info' point into 'line'. Returns 1 if it is there. */
static int find_mount(int id, struct mnt_info *info, char line[LINE_SIZE])
{
	cleanup_fd int fd = retry_eintr(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
	struct mnt_table t;

	if (fd < 0)
		return 0;
	mnt_table_init(&t, fd, line, LINE_SIZE);
	while (mnt_table_next(&t, info) > 0)
		if (info->id == id)
			return 1;
	return 0;
}

/* Whether the mount that 'path' is on is shared; its mount point is written to 'point'. */
static int on_shared_mount(const char *path, char *point, size_t size)
{
	char line[LINE_SIZE];
	struct mnt_info info;

	if (!find_mount(mnt_id(path), &info, line) || !info.shared)
		return 0;
	snprintf(point, size, "%s", info.target);
	return 1;
}

/* The same for the mount below the one whose root 'path' is. */
static int on_shared_parent(const char *path, char *point, size_t size)
{
	char line[LINE_SIZE];
	struct mnt_info info;

	if (!find_mount(mnt_id(path), &info, line) || !find_mount(info.parent, &info, line))
		return 0;
	snprintf(point, size, "%s", info.target);
	return info.shared != 0;
}

/* The path without symbolic links, as mountinfo has it; realpath(3) may allocate. */
static int real_path(const char *path, char *real, size_t size)
{
	cleanup_fd int fd = retry_eintr(open(path, O_PATH | O_CLOEXEC));
	char link[32];
	ssize_t n;

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, real, size - 1);
	if (n < 0)
		return -errno;
	real[n] = '\0';
	return 0;
}

static void hint_privilege(const char *type, struct fault *f)
{
	if (type && (!strcmp(type, "proc") || !strcmp(type, "sysfs")) && ns_in_user_namespace() > 0)
		fault_hint(
			f,
			"in a user namespace %s can be mounted only beside a full one that is still visible, "
			"and by the owner of the %s namespace",
			type, strcmp(type, "proc") ? "net" : "pid");
	else
		fault_hint(f,
			   "it takes CAP_SYS_ADMIN in the user namespace that owns this mount namespace: be "
			   "root, or unshare \"user,mnt\" first; a file system must allow it too");
}

static void hint_limit(struct fault *f)
{
	char value[32];

	if (util_read_file(AT_FDCWD, "/proc/sys/fs/mount-max", value, sizeof value) > 0)
		fault_hint(f, "the mount namespace may hold %ld mounts (/proc/sys/fs/mount-max)",
			   strtol(value, NULL, 10));
}

static void hint_missing(const char *type, const char *source, const char *target, struct fault *f)
{
	struct stat st;

	if (stat(target, &st) < 0)
		fault_hint(f, "the target is not there: make it first");
	else if (type && !strcmp(type, "overlay"))
		fault_hint(f, "one of its lowerdir, upperdir and workdir is not there");
	else if (source && *source == '/' && stat(source, &st) < 0)
		fault_hint(f, "the source %s is not there", source);
}

/* Directories go on directories, all else on what is none. */
static int hint_kinds(int source_is_dir, const char *target, struct fault *f)
{
	struct stat st;

	if (stat(target, &st) < 0 || !!S_ISDIR(st.st_mode) == !!source_is_dir)
		return 0;
	fault_hint(f, source_is_dir ? "the target is not a directory"
				    : "the target is a directory, and what is mounted is none");
	return 1;
}

static int is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What any way of mounting can run into. */
static void explain(int error, const char *type, const char *source, const char *target, struct fault *f)
{
	if (error == EPERM)
		hint_privilege(type, f);
	else if (error == ENOSPC)
		hint_limit(f);
	else if (error == ENOENT)
		hint_missing(type, source, target, f);
	else if (error == ENOTDIR)
		hint_kinds(!source || is_dir(source), target, f);
	else if (error == EBUSY)
		fault_hint(
			f,
			"the same is mounted on %s already, or the file system is in use in a way that rules "
			"this out",
			target);
	else if (error == ENODEV && type)
		fault_hint(f, "this kernel has no file system \"%s\": see /proc/filesystems", type);
	else if (error == ENOTBLK)
		fault_hint(f, "%s is mounted from a block device, and %s is none", type ? type : "it",
			   source ? source : "the source");
	else if (error == ELOOP)
		fault_hint(f, "a mount on %s would be below itself, or the path has too many symbolic links",
			   target);
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
	if (f && m->type && !(m->flags & NOT_A_NEW_MOUNT) && is_dir(m->target))
		ask_for_words(m, f);
	explain(error, m->type, m->source, m->target, f);
	return -error;
}

int mnt_open_tree(int dirfd, const char *path, unsigned flags, struct fault *f)
{
	int fd = open_tree(dirfd, path, flags | OPEN_TREE_CLOEXEC), error = errno;

	if (fd >= 0)
		return fd;
	fault_set(f, error, "open_tree", "%s", path);
	if (error == ENOSYS)
		lack_explain(f, "open_tree", "mount.bind does without it");
	else if (error == EPERM)
		hint_privilege(NULL, f);
	else if (error == ENOSPC)
		fault_hint(f, "each detached tree is a mount namespace to the limit user.max_mnt_namespaces, "
			      "and its "
			      "mounts count to fs.mount-max");
	else if (error == EINVAL && flags & OPEN_TREE_CLONE && *path == '\0')
		fault_hint(f, "a detached tree can be copied since Linux 6.15, and only in the mount "
			      "namespace that "
			      "it came from");
	else if (error == EINVAL && flags & OPEN_TREE_CLONE && !(flags & AT_RECURSIVE))
		fault_hint(f,
			   "mounts below it that came from a more privileged namespace cannot be left out: "
			   "add \"rec\"");
	else if (error == EINVAL && flags & OPEN_TREE_CLONE)
		fault_hint(f, "it is on an unbindable mount, or on one of another mount namespace");
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
	if (error == EPERM && attr->attr_clr & ~(uint64_t)MOUNT_ATTR__ATIME)
		fault_hint(f, "a flag that a more privileged mount namespace has set cannot be cleared");
	else if (error == EPERM)
		hint_privilege(NULL, f);
	else if (error == EINVAL && attr->attr_set & MOUNT_ATTR_IDMAP)
		fault_hint(
			f,
			"the file system does not take id maps, or the mount is attached already or has one");
	else if (error == EBUSY)
		fault_hint(f, "files on it are open for writing");
	else if (error == ENOSYS)
		lack_explain(f, "mount_setattr", "what mount.bind takes as flags is set without it");
	return -error;
}

int mnt_setattr(int tree_fd, uint64_t set, uint64_t clear, int recursive, struct fault *f)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear };

	return mnt_change(tree_fd, &attr, recursive, f);
}

static void explain_attach(int error, int tree_fd, const char *target, struct fault *f)
{
	char point[128];
	struct stat st;

	if (error == EINVAL && fstat(tree_fd, &st) == 0 && hint_kinds(S_ISDIR(st.st_mode), target, f))
		return;
	if (error == EINVAL && !is_mount_root(target) && on_shared_mount(target, point, sizeof point))
		fault_hint(f, "%s is a shared mount, and what is attached here cannot propagate", point);
	else if (error == EINVAL)
		fault_hint(f,
			   "descriptor %d is no detached mount, or was attached once and is now in another "
			   "mount "
			   "namespace",
			   tree_fd);
	else
		explain(error, NULL, NULL, target, f);
}

int mnt_attach(int tree_fd, const char *target, struct fault *f)
{
	int error;

	if (move_mount(tree_fd, "", AT_FDCWD, target,
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS | MOVE_MOUNT_T_AUTOMOUNTS) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "move_mount", "%s", target);
	if (error == ENOSYS)
		lack_explain(f, "move_mount", "mount.mount and mount.bind do without it");
	else
		explain_attach(error, tree_fd, target, f);
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
	char point[128];
	int error;

	if (mount(from, to, NULL, MS_MOVE, NULL) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "move mount", "%s", from);
	if (error == EINVAL && !is_mount_root(from))
		fault_hint(f, "%s is not a mount point", from);
	else if (error == EINVAL && on_shared_parent(from, point, sizeof point))
		fault_hint(f,
			   "\"%s\" is a shared mount here, and a mount cannot be moved from one; make it "
			   "private "
			   "first: mount.propagation(\"%s\", \"private\")",
			   point, point);
	else
		explain(error, NULL, from, to, f);
	return -error;
}

int mnt_propagation(const char *path, unsigned long flags, struct fault *f)
{
	int error;

	if (mount(NULL, path, NULL, flags, NULL) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "propagation", "%s", path);
	if (error == EINVAL && !is_mount_root(path))
		fault_hint(f, "%s is not a mount point; bind it onto itself first", path);
	else
		explain(error, NULL, NULL, path, f);
	return -error;
}

int mnt_umount(const char *target, int flags, struct fault *f)
{
	int error;

	if (umount2(target, flags) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "umount", "%s", target);
	if (error == EBUSY)
		fault_hint(f,
			   "a process uses it (open file, working directory) or something is mounted below; "
			   "\"detach\" takes it out of sight now and ends it with its last user");
	else if (error == EINVAL && !is_mount_root(target))
		fault_hint(f, "it is not a mount point");
	else if (error == EINVAL)
		fault_hint(
			f,
			"it came with others from a more privileged mount namespace and cannot be taken away "
			"alone");
	else if (error == EAGAIN)
		fault_hint(f,
			   "it is marked as expired now; a second call without a use in between unmounts it");
	else if (error == EPERM)
		hint_privilege(NULL, f);
	return -error;
}

/* ---- pivot_root and chroot ---- */

static int is_below(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	if (length == 1)
		return 1;
	return !strncmp(path, dir, length) && (path[length] == '/' || path[length] == '\0');
}

/* True, too, where it cannot be told: without /proc. */
static int is_under(const char *path, const char *dir)
{
	char below[PATH_MAX], above[PATH_MAX];

	return real_path(path, below, sizeof below) < 0 || real_path(dir, above, sizeof above) < 0 ||
	       is_below(below, above);
}

static void hint_private(const char *point, struct fault *f)
{
	fault_hint(f,
		   "\"%s\" is a shared mount here; make it private first: mount.propagation(\"/\", "
		   "\"private,rec\")",
		   point);
}

/* pivot_root(2) has one EINVAL for six rules. */
static void explain_pivot(const char *new_root, const char *put_old, struct fault *f)
{
	char point[128], line[LINE_SIZE];
	struct mnt_info root;

	if (!is_mount_root(new_root))
		fault_hint(
			f,
			"%s is not a mount point; bind it onto itself first: mount.bind { source = \"%s\", "
			"target = \"%s\", flags = \"rec\" }",
			new_root, new_root, new_root);
	else if (!is_mount_root("/"))
		fault_hint(f, "the present root directory is not a mount point: the process is in a chroot");
	else if (!is_under(put_old, new_root))
		fault_hint(f, "%s is not at or below %s", put_old, new_root);
	else if (on_shared_parent(new_root, point, sizeof point) ||
		 on_shared_mount(put_old, point, sizeof point))
		hint_private(point, f);
	else if (find_mount(mnt_id("/"), &root, line) && !strcmp(root.type, "rootfs"))
		fault_hint(f, "the present root is the kernel's initial file system, which cannot be left "
			      "so; move the "
			      "new root onto / and chroot into it");
	else
		fault_hint(
			f,
			"the mount below the present root is shared, or one of the two is not in this mount "
			"namespace");
}

int mnt_pivot_root(const char *new_root, const char *put_old, struct fault *f)
{
	int error;

	if (syscall(SYS_pivot_root, new_root, put_old) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "pivot_root", "%s", new_root);
	if (error == EINVAL)
		explain_pivot(new_root, put_old, f);
	else if (error == EBUSY)
		fault_hint(f,
			   "%s is on the same mount as the present root; bind it onto itself, so that it is "
			   "a mount "
			   "of its own",
			   mnt_id(new_root) == mnt_id("/") ? new_root : put_old);
	else
		explain(error, NULL, put_old, new_root, f);
	return -error;
}

int mnt_chroot(const char *path, struct fault *f)
{
	int error;

	if (chroot(path) == 0 && chdir("/") == 0)
		return 0;
	error = errno;
	fault_set(f, error, "chroot", "%s", path);
	if (error == EPERM)
		fault_hint(f, "it takes CAP_SYS_CHROOT: be root, or unshare \"user\" first");
	return -error;
}
