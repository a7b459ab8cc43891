/* SPDX-License-Identifier: MIT
 * Steps on the file system. After "root" every path is one of the new root, which may be
 * anybody's. Only a link of /proc can lead out of it, to what our descriptors hold of the host: none
 * is followed where something is made, changed or covered.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel/detective.h"
#include "kernel/mount_plain.h"
#include "kernel/path.h"
#include "kernel/steps.h"
#include "kernel/util.h"

#define DIRECTORY_MODE 0755

int step_propagation(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return mnt_propagation(st->propagation.path, st->propagation.flags, f);
}

/* ---- paths of an untrusted root ---- */

/* open(2) with a mode of 0644, but for links such as /proc/self/fd/3. */
static int open_plain(const char *path, int flags)
{
	return path_open(AT_FDCWD, path, flags, 0644, RESOLVE_NO_MAGICLINKS);
}

static int refuse(int error, const char *op, const char *path, struct fault *f)
{
	fault_set(f, error, op, "%s", path);
	if (error == ELOOP)
		fault_hint(f, "there is a loop of symbolic links in it, or a link of /proc, which is not "
			      "followed: it may lead out of the root");
	return -error;
}

/* The directory of what is made at 'path', with its 'name' there. */
static int open_parent(const char *path, const char **name, const char *op, struct fault *f)
{
	size_t length = strlen(path);
	char way[PATH_MAX];
	int fd;

	while (length > 0 && path[length - 1] == '/')
		length--;
	while (length > 0 && path[length - 1] != '/')
		length--;
	if (length >= sizeof way)
		return fault_set(f, ENAMETOOLONG, op, "%.200s", path);
	*name = path + length;
	memcpy(way, path, length);
	way[length] = '\0';
	fd = open_plain(length > 0 ? way : ".", O_PATH | O_DIRECTORY);
	return fd < 0 ? refuse(-fd, op, path, f) : fd;
}

/* ---- creating ---- */

static int make_directory(const char *path, int64_t mode, struct fault *f)
{
	const char *name;
	cleanup_fd int parent = open_parent(path, &name, "mkdir", f);

	if (parent < 0)
		return parent;
	if (mkdirat(parent, name, mode < 0 ? DIRECTORY_MODE : (mode_t)mode) < 0) {
		fault_set(f, errno, "mkdir", "%s", path);
		return errno != EROFS
			       ? -errno
			       : fault_hint(f, "a read-only root must have this directory: make it there, "
					       "or put an overlay on the root");
	}
	/* past the umask, but not for what somebody else has made */
	return mode >= 0 && fchmodat(parent, name, (mode_t)mode, 0) < 0
		       ? fault_set(f, errno, "chmod", "%s", path)
		       : 0;
}

/* The directories on the way to 'path'. */
static int make_parents(const char *path, struct fault *f)
{
	char way[PATH_MAX];
	int rc;

	if (strlen(path) >= sizeof way)
		return fault_set(f, ENAMETOOLONG, "mkdir", "%.200s", path);
	memcpy(way, path, strlen(path) + 1);
	for (char *s = strchr(way + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		rc = make_directory(way, -1, f);
		*s = '/';
		if (rc < 0 && rc != -EEXIST && (rc != -EROFS || access(way, F_OK) < 0))
			return rc;
	}
	return 0;
}

/* A directory that is there already will do. */
static int ensure_directory(const char *path, int64_t mode, struct fault *f)
{
	int rc = make_directory(path, mode, f);
	struct stat st;

	return rc < 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : rc;
}

static int create_file(const char *path, struct fault *f)
{
	cleanup_fd int fd = open_plain(path, O_RDONLY | O_CREAT | O_EXCL);

	return fd < 0 && fd != -EEXIST ? refuse(-fd, "create", path, f) : 0;
}

/* A mount point. */
static int create(const char *path, int64_t what, struct fault *f)
{
	cleanup_fd int fd = open_plain(path, O_PATH);
	int rc;

	if (fd == -ELOOP)
		return refuse(ELOOP, "mount", path, f);
	if (fd >= 0 || what == STEP_CREATE_NOTHING)
		return 0;
	rc = make_parents(path, f);
	if (rc < 0)
		return rc;
	return what == STEP_CREATE_FILE ? create_file(path, f) : ensure_directory(path, -1, f);
}

/* ---- the root ---- */

static int open_tree_of(struct step *st, struct fault *f)
{
	unsigned flags = OPEN_TREE_CLONE | (st->bind.recursive ? AT_RECURSIVE : 0);
	int tree = mnt_can_attach() ? mnt_open_tree(AT_FDCWD, st->bind.source, flags, f) : -ENOSYS;

	if (tree != -ENOSYS)
		return tree;
	st->bind.is_place = 1;
	tree = open(st->bind.source, O_PATH | O_CLOEXEC);
	return tree < 0 ? fault_set(f, errno, "open_tree", "%s", st->bind.source) : tree;
}

static int open_source(struct step *st, struct fault *f)
{
	int tree = open_tree_of(st, f);

	if (tree >= 0)
		st->bind.tree = tree;
	else if (tree == -ENOENT && st->bind.optional)
		st->bind.missing = 1;
	else
		return tree;
	return 0;
}

/* What later steps bind from the host cannot be reached after this one. */
static int open_sources(struct step *first, const struct step *end, struct fault *f)
{
	int rc = 0;

	for (struct step *st = first; st < end && rc == 0; st++)
		if (st->run == step_bind && st->bind.tree < 0 && !st->bind.inside)
			rc = open_source(st, f);
	return rc;
}

int step_root(struct step *st, struct steps *s, struct fault *f)
{
	int rc = open_sources(st + 1, s->list + s->count, f);

	if (rc < 0)
		return rc;
	s->old_root = mnt_make_root(&st->root, f);
	return s->old_root < 0 ? s->old_root : 0;
}

int step_detach_root(struct step *st, struct steps *s, struct fault *f)
{
	int old_root = s->old_root;

	(void)st;
	s->old_root = -1;
	return old_root < 0 ? 0 : mnt_detach_old(old_root, f);
}

/* ---- mounts ---- */

static int refuse_link(const char *path, struct fault *f)
{
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
		return 0;
	fault_set(f, ELOOP, "mount", "%s", path);
	return fault_hint(f, "it is a symbolic link");
}

int step_mount(struct step *st, struct steps *s, struct fault *f)
{
	const struct mnt_mount m = { st->mount.type, st->mount.source, st->mount.target, st->mount.flags,
				     st->mount.data };
	int rc = st->mount.nofollow ? refuse_link(m.target, f) : 0;

	(void)s;
	rc = rc < 0 ? rc : create(m.target, st->mount.create, f);
	return rc < 0 ? rc : mnt_mount(&m, f);
}

/* The tree to attach: there already, or opened now. */
static int bind_tree(struct step *st, struct fault *f)
{
	int rc;

	if (st->bind.tree >= 0)
		return st->bind.tree;
	rc = open_source(st, f);
	return rc < 0 ? rc : st->bind.tree;
}

static int attach_tree(const struct step *st, int tree, struct fault *f)
{
	const uint64_t attributes = st->bind.attributes;
	int rc = attributes ? mnt_setattr(tree, attributes, 0, st->bind.recursive, f) : 0,
	    late = rc == -ENOSYS;

	rc = rc < 0 && !late ? rc : mnt_attach(tree, st->bind.target, f);
	return rc == 0 && late ? plain_change(tree, attributes, 0, st->bind.recursive, f) : rc;
}

static int bind_place(const struct step *st, int source, struct fault *f)
{
	const char *path = st->bind.target;
	cleanup_fd int target = open(path, O_PATH | O_CLOEXEC);

	if (target < 0)
		return fault_set(f, errno, "bind", "%s", path);
	return plain_bind(source, target, path, st->bind.attributes, st->bind.recursive, f);
}

static int attach(struct step *st, int tree, struct fault *f)
{
	int rc = create(st->bind.target, st->bind.create, f);

	if (rc == 0)
		rc = st->bind.is_place ? bind_place(st, tree, f) : attach_tree(st, tree, f);
	return rc == -ENOENT && st->bind.optional ? 0 : rc;
}

int step_bind(struct step *st, struct steps *s, struct fault *f)
{
	int tree = st->bind.missing ? -1 : bind_tree(st, f), rc;

	(void)s;
	if (st->bind.missing)
		return 0;
	if (tree < 0)
		return tree;
	rc = attach(st, tree, f);
	util_close(tree);
	return rc;
}

int step_mask(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return mnt_mask(st->file.path, f);
}

int step_readonly(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return mnt_readonly(st->file.path, f);
}

/* ---- files ---- */

int step_mkdir(struct step *st, struct steps *s, struct fault *f)
{
	int rc = st->file.parents ? make_parents(st->file.path, f) : 0;

	(void)s;
	if (rc < 0)
		return rc;
	return st->file.parents ? ensure_directory(st->file.path, st->file.mode, f)
				: make_directory(st->file.path, st->file.mode, f);
}

int step_symlink(struct step *st, struct steps *s, struct fault *f)
{
	const char *name;
	cleanup_fd int parent = open_parent(st->file.path, &name, "symlink", f);

	(void)s;
	if (parent < 0)
		return parent;
	return symlinkat(st->file.target, parent, name) < 0
		       ? fault_set(f, errno, "symlink", "%s", st->file.path)
		       : 0;
}

int step_mknod(struct step *st, struct steps *s, struct fault *f)
{
	const mode_t mode = st->file.mode < 0 ? 0666 : (mode_t)st->file.mode;
	const dev_t device = makedev((unsigned)st->file.major, (unsigned)st->file.minor);
	const char *name;
	cleanup_fd int parent = open_parent(st->file.path, &name, "mknod", f);

	(void)s;
	if (parent < 0)
		return parent;
	if (mknodat(parent, name, (mode_t)st->file.type | mode, device) == 0)
		return fchmodat(parent, name, mode, 0) < 0 ? fault_set(f, errno, "chmod", "%s", st->file.path)
							   : 0;
	fault_set(f, errno, "mknod", "%s", st->file.path);
	detect_mknod(f);
	return -f->error;
}

/* A regular file: on a pipe the start would wait for a reader, and a device is not the container's. */
static int open_for_writing(const char *path, int append, struct fault *f)
{
	const int flags = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | (append ? O_APPEND : O_TRUNC);
	cleanup_fd int fd = open_plain(path, flags);
	struct stat st;

	if (fd < 0)
		return refuse(-fd, "open", path, f);
	if (fstat(fd, &st) < 0)
		return fault_set(f, errno, "fstat", "%s", path);
	if (S_ISREG(st.st_mode))
		return take_fd(&fd);
	fault_set(f, EINVAL, "open", "%s", path);
	return fault_hint(f, "it is not a regular file");
}

int step_write(struct step *st, struct steps *s, struct fault *f)
{
	int rc = st->file.parents ? make_parents(st->file.path, f) : 0;
	cleanup_fd int fd = rc < 0 ? rc : open_for_writing(st->file.path, st->file.append, f);

	(void)s;
	if (fd < 0)
		return fd;
	if (st->file.mode >= 0 && fchmod(fd, (mode_t)st->file.mode) < 0)
		return fault_set(f, errno, "chmod", "%s", st->file.path);
	rc = util_write_all(fd, st->file.data, strlen(st->file.data));
	return rc < 0 ? fault_set(f, -rc, "write", "%s", st->file.path) : 0;
}

/* Removed, or given to somebody, is the name and no link's target. */
int step_unlink(struct step *st, struct steps *s, struct fault *f)
{
	const char *name;
	cleanup_fd int parent = open_parent(st->file.path, &name, "unlink", f);

	(void)s;
	if (parent < 0)
		return parent;
	return unlinkat(parent, name, 0) < 0 ? fault_set(f, errno, "unlink", "%s", st->file.path) : 0;
}

/* A link at its end is followed, but no link of /proc. */
int step_chmod(struct step *st, struct steps *s, struct fault *f)
{
	const char *name;
	cleanup_fd int parent = open_parent(st->file.path, &name, "chmod", f);
	cleanup_fd int fd = parent < 0 ? -1 : open_plain(st->file.path, O_PATH);

	(void)s;
	if (parent < 0)
		return parent;
	if (fd < 0)
		return refuse(-fd, "chmod", st->file.path, f);
	return fchmodat(parent, name, (mode_t)st->file.mode, 0) < 0
		       ? fault_set(f, errno, "chmod", "%s", st->file.path)
		       : 0;
}

int step_chown(struct step *st, struct steps *s, struct fault *f)
{
	const char *name;
	cleanup_fd int parent = open_parent(st->file.path, &name, "chown", f);

	(void)s;
	if (parent < 0)
		return parent;
	if (fchownat(parent, name, (uid_t)st->file.uid, (gid_t)st->file.gid, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	fault_set(f, errno, "chown", "%s", st->file.path);
	if (f->error == EINVAL)
		detect_owner(st->file.uid, st->file.gid, f);
	return -f->error;
}

int step_chroot(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	if (st->place.path)
		return mnt_chroot(st->place.path, f);
	if (fchdir(st->place.fd) < 0)
		return fault_set(f, errno, "fchdir", "descriptor %d", st->place.fd);
	return mnt_chroot(".", f);
}
