/* SPDX-License-Identifier: MIT
 * Steps on the file system. After "root" every path is one of the new root, which may be
 * anybody's: nothing leads out of it any more, so names are looked up as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel/steps.h"
#include "kernel/util.h"

#define DIRECTORY_MODE 0755

int step_propagation(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return mnt_propagation(st->propagation.path, st->propagation.flags, f);
}

/* ---- creating ---- */

static int make_directory(const char *path, int64_t mode, struct fault *f)
{
	if (mkdir(path, mode < 0 ? DIRECTORY_MODE : (mode_t)mode) < 0)
		return fault_set(f, errno, "mkdir", "%s", path);
	/* past the umask, but not for what somebody else has made */
	return mode >= 0 && chmod(path, (mode_t)mode) < 0 ? fault_set(f, errno, "chmod", "%s", path) : 0;
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
	cleanup_fd int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 && errno != EEXIST ? fault_set(f, errno, "create", "%s", path) : 0;
}

/* A mount point. */
static int create(const char *path, int64_t what, struct fault *f)
{
	int rc;

	if (what == STEP_CREATE_NOTHING || access(path, F_OK) == 0)
		return 0;
	rc = make_parents(path, f);
	if (rc < 0)
		return rc;
	return what == STEP_CREATE_FILE ? create_file(path, f) : ensure_directory(path, -1, f);
}

/* ---- the root ---- */

static int open_source(struct step *st, struct fault *f)
{
	unsigned flags = OPEN_TREE_CLONE | (st->bind.recursive ? AT_RECURSIVE : 0);
	int tree = mnt_open_tree(AT_FDCWD, st->bind.source, flags, f);

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

int step_mount(struct step *st, struct steps *s, struct fault *f)
{
	const struct mnt_mount m = { st->mount.type, st->mount.source, st->mount.target, st->mount.flags,
				     st->mount.data };
	int rc = create(m.target, st->mount.create, f);

	(void)s;
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

static int attach(struct step *st, int tree, struct fault *f)
{
	int rc = create(st->bind.target, st->bind.create, f);

	if (rc == 0 && st->bind.attributes)
		rc = mnt_setattr(tree, st->bind.attributes, 0, st->bind.recursive, f);
	rc = rc < 0 ? rc : mnt_attach(tree, st->bind.target, f);
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
	(void)s;
	return symlink(st->file.target, st->file.path) < 0
		       ? fault_set(f, errno, "symlink", "%s", st->file.path)
		       : 0;
}

int step_mknod(struct step *st, struct steps *s, struct fault *f)
{
	const mode_t mode = st->file.mode < 0 ? 0666 : (mode_t)st->file.mode;
	const dev_t device = makedev((unsigned)st->file.major, (unsigned)st->file.minor);

	(void)s;
	if (mknod(st->file.path, (mode_t)st->file.type | mode, device) == 0)
		return chmod(st->file.path, mode) < 0 ? fault_set(f, errno, "chmod", "%s", st->file.path) : 0;
	fault_set(f, errno, "mknod", "%s", st->file.path);
	if (f->error == EPERM)
		return fault_hint(f,
				  "needs CAP_MKNOD over the file system, which a user namespace never has: "
				  "bind the host's node instead");
	return -f->error;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = retry_eintr(write(fd, data, size));

		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int step_write(struct step *st, struct steps *s, struct fault *f)
{
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (st->file.append ? O_APPEND : O_TRUNC);
	int rc = st->file.parents ? make_parents(st->file.path, f) : 0;
	cleanup_fd int fd = rc < 0 ? -1 : retry_eintr(open(st->file.path, flags, 0644));

	(void)s;
	if (rc < 0)
		return rc;
	if (fd < 0)
		return fault_set(f, errno, "open", "%s", st->file.path);
	if (st->file.mode >= 0 && fchmod(fd, (mode_t)st->file.mode) < 0)
		return fault_set(f, errno, "chmod", "%s", st->file.path);
	rc = write_all(fd, st->file.data, strlen(st->file.data));
	return rc < 0 ? fault_set(f, -rc, "write", "%s", st->file.path) : 0;
}

int step_unlink(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return unlink(st->file.path) < 0 ? fault_set(f, errno, "unlink", "%s", st->file.path) : 0;
}

int step_chmod(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return chmod(st->file.path, (mode_t)st->file.mode) < 0
		       ? fault_set(f, errno, "chmod", "%s", st->file.path)
		       : 0;
}

int step_chown(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	if (lchown(st->file.path, (uid_t)st->file.uid, (gid_t)st->file.gid) == 0)
		return 0;
	fault_set(f, errno, "chown", "%s", st->file.path);
	if (f->error == EINVAL)
		return fault_hint(f, "an id that has no mapping in the user namespace");
	return -f->error;
}
