/* SPDX-License-Identifier: MIT
 * Making what an entry says, as a new name in its directory: nothing that is there is opened for writing.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "kernel/tar_parts.h"
#include "kernel/util.h"

#define HARD_LINK 0 /* in place of a type, which no entry has */

struct thing {
	mode_t type; /* S_IFREG … */
	const char *name;
	const char *target; /* of a symbolic link; of a hard link its name in: */
	int directory;
	dev_t device;
};

static const char *operation(mode_t type)
{
	switch (type) {
	case HARD_LINK:
		return "link";
	case S_IFREG:
		return "open";
	case S_IFDIR:
		return "mkdir";
	case S_IFLNK:
		return "symlink";
	default:
		return "mknod";
	}
}

/* Returns the descriptor of a regular file, else 0. */
static int make_once(int dir, const struct thing *x)
{
	int rc;

	switch (x->type) {
	case HARD_LINK:
		rc = linkat(x->directory, x->target, dir, x->name, 0);
		break;
	case S_IFREG:
		rc = retry_eintr(
			openat(dir, x->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
		break;
	case S_IFDIR:
		rc = mkdirat(dir, x->name, 0700);
		break;
	case S_IFLNK:
		rc = symlinkat(x->target, dir, x->name);
		break;
	default:
		rc = mknodat(dir, x->name, x->type | 0600, x->device);
	}
	return rc < 0 ? -errno : rc;
}

static int is_directory(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* A later entry of the same path takes the place of an earlier one. */
static int clear(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0)
		return 0;
	if (errno == EISDIR && unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	return -errno;
}

/* As make_once, with a fault. */
static int make(struct tar *t, const struct thing *x, struct fault *f)
{
	int dir = t->parent.fd, rc = make_once(dir, x);

	if (rc == -EEXIST && S_ISDIR(x->type) && is_directory(dir, x->name))
		return 0;
	if (rc == -EEXIST) {
		rc = clear(dir, x->name);
		rc = rc < 0 ? rc : make_once(dir, x);
	}
	return rc < 0 ? tar_failed(t, -rc, operation(x->type), f) : rc;
}

/* ---- each kind ---- */

static int settle(struct tar *t, int fd, struct archive_entry *e, const struct tar_meta *m, struct fault *f)
{
	int rc = tar_set_owner(t, fd, "", m, f);

	rc = rc < 0 ? rc : tar_set_attributes(t, fd, e, f);
	return rc < 0 ? rc : tar_set_mode_and_time(t, fd, m, f);
}

static int make_file(struct tar *t, struct archive_entry *e, const struct thing *x, struct fault *f)
{
	t->file = make(t, x, f);
	if (t->file < 0)
		return t->file;
	t->entry = e;
	t->file_end = 0;
	return 0;
}

int tar_finish_file(struct tar *t, struct fault *f)
{
	cleanup_fd int fd = take_fd(&t->file);
	int64_t size = t->lib->archive_entry_size(t->entry);

	if (t->file_end < size && ftruncate(fd, size) < 0) /* it ends in a hole */
		return tar_failed(t, errno, "ftruncate", f);
	return settle(t, fd, t->entry, &t->meta, f);
}

static int make_directory(struct tar *t, struct archive_entry *e, const struct thing *x, struct fault *f)
{
	cleanup_fd int fd = -1;
	int rc = make(t, x, f);

	if (rc < 0)
		return rc;
	fd = retry_eintr(openat(t->parent.fd, x->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	return fd < 0 ? tar_failed(t, errno, "open", f) : settle(t, fd, e, &t->meta, f);
}

/* What is not opened: a link, a fifo, a device. */
static int settle_name(struct tar *t, const struct thing *x, struct archive_entry *e, struct fault *f)
{
	int dir = t->parent.fd, rc = tar_set_owner(t, dir, x->name, &t->meta, f);

	if (rc < 0)
		return rc;
	if (t->lib->archive_entry_xattr_reset(e) > 0)
		tar_skip(t, TAR_ATTRIBUTE, EOPNOTSUPP);
	if (!S_ISLNK(x->type) && fchmodat(dir, x->name, t->meta.mode, AT_SYMLINK_NOFOLLOW) < 0)
		return tar_failed(t, errno, "chmod", f);
	if (utimensat(dir, x->name, t->meta.times, AT_SYMLINK_NOFOLLOW) < 0)
		return tar_failed(t, errno, "utimensat", f);
	return 0;
}

static int make_other(struct tar *t, struct archive_entry *e, const struct thing *x, struct fault *f)
{
	int rc = make(t, x, f);

	if (rc == -EPERM && (S_ISCHR(x->type) || S_ISBLK(x->type))) {
		tar_skip(t, TAR_DEVICE, EPERM);
		return 0;
	}
	return rc < 0 ? rc : settle_name(t, x, e, f);
}

/* Its target is found as its own place is: through no symbolic link. */
static int make_hard_link(struct tar *t, const char *target, struct thing *x, struct fault *f)
{
	cleanup_fd int directory = -1;
	char path[PATH_MAX];
	int rc = tar_clean_path(target, path, f);

	if (rc < 0)
		return fault_hint(f, "it is the target of the hard link '%s'", t->path);
	directory = tar_open_parent(t, path, &x->target, f);
	if (directory < 0)
		return directory;
	x->directory = directory;
	rc = make(t, x, f);
	if (rc == -ENOENT)
		fault_hint(f, "a hard link to '%s', which the archive does not have before it", target);
	return rc;
}

int tar_make(struct tar *t, struct archive_entry *e, struct fault *f)
{
	const char *target = t->lib->archive_entry_hardlink(e);
	struct thing x = { .name = tar_enter(t, f), .type = t->lib->archive_entry_filetype(e) };
	int rc;

	if (!x.name)
		return -f->error;
	if (target) {
		x.type = HARD_LINK;
		return make_hard_link(t, target, &x, f);
	}
	rc = tar_read_meta(t, e, &t->meta, f);
	if (rc < 0)
		return rc;
	x.target = t->lib->archive_entry_symlink(e);
	x.device = makedev(t->lib->archive_entry_rdevmajor(e), t->lib->archive_entry_rdevminor(e));
	switch (x.type) {
	case S_IFREG:
		return make_file(t, e, &x, f);
	case S_IFDIR:
		return make_directory(t, e, &x, f);
	case S_IFLNK:
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		if (x.type != S_IFLNK || x.target)
			return make_other(t, e, &x, f);
	}
	tar_failed(t, EBADMSG, "unpack", f);
	return fault_hint(f, "it is neither file, directory, link, fifo nor device");
}
