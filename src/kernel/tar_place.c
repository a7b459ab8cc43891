/* SPDX-License-Identifier: MIT
 * Where an entry goes. No path of the archive goes through a symbolic link, whoever made it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/path.h"
#include "kernel/tar_parts.h"
#include "kernel/util.h"

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* ---- the path ---- */

int tar_clean_path(const char *path, char *clean, struct fault *f)
{
	size_t used = 0, length;

	if (*path == '/')
		return tar_refuse(path, f, "the path is absolute");
	for (; *path; path += length + strspn(path + length, "/")) {
		length = strcspn(path, "/");
		if (length == 2 && !memcmp(path, "..", 2))
			return tar_refuse(path, f, "the path has a \"..\"");
		if (length == 1 && *path == '.')
			continue;
		if (used + length + 2 > PATH_MAX)
			return fault_set(f, ENAMETOOLONG, "unpack", "%s", path);
		if (used)
			clean[used++] = '/';
		memcpy(clean + used, path, length);
		used += length;
	}
	clean[used] = '\0';
	return 0;
}

/* Splits "a/b" into "a", or "." where there is no slash, and the name. */
static const char *split(const char *path, char *directory)
{
	const char *slash = strrchr(path, '/');

	if (slash)
		snprintf(directory, PATH_MAX, "%.*s", (int)(slash - path), path);
	else
		snprintf(directory, PATH_MAX, ".");
	return slash ? slash + 1 : path;
}

/* ---- directories ---- */

/* The time that a directory had before something was made in it. */
static int restore_time(int fd, const struct stat *st)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, st->st_mtim };

	return futimens(fd, times) < 0 ? -errno : 0;
}

/* One that the archive does not have, or not yet. */
static int make_missing(struct tar *t, int parent, const char *name, struct fault *f)
{
	cleanup_fd int fd = -1;
	struct tar_meta m;
	struct stat st;
	int rc;

	if (fstat(parent, &st) < 0 || mkdirat(parent, name, 0700) < 0)
		return tar_failed(t, errno, "mkdir", f);
	fd = retry_eintr(openat(parent, name, DIRECTORY));
	if (fd < 0)
		return tar_failed(t, errno, "open", f);
	tar_default_meta(t, &m);
	rc = tar_set_owner(t, fd, "", &m, f);
	rc = rc < 0 ? rc : tar_set_mode_and_time(t, fd, &m, f);
	if (rc < 0)
		return rc;
	rc = restore_time(parent, &st);
	return rc < 0 ? tar_failed(t, -rc, "utimensat", f) : take_fd(&fd);
}

static int open_or_make(struct tar *t, int parent, const char *name, struct fault *f)
{
	int fd = retry_eintr(openat(parent, name, DIRECTORY));

	if (fd >= 0)
		return fd;
	return errno == ENOENT ? make_missing(t, parent, name, f) : tar_failed(t, errno, "open", f);
}

static int make_directories(struct tar *t, const char *path, struct fault *f)
{
	int fd = retry_eintr(openat(t->root, ".", DIRECTORY));
	char rest[PATH_MAX], *at = rest;

	if (fd < 0)
		return tar_failed(t, errno, "open", f);
	snprintf(rest, sizeof rest, "%s", path);
	while (fd >= 0 && at) {
		int next = open_or_make(t, fd, strsep(&at, "/"), f);

		util_close(fd);
		fd = next;
	}
	return fd;
}

static int refuse_directory(struct tar *t, int error, struct fault *f)
{
	tar_failed(t, error, "open", f);
	if (error == ELOOP) {
		fault_detail(f, "its path leads through a symbolic link");
		fault_hint(f, "what is behind a link could be outside of the root, and is not written to");
	}
	return -error;
}

int tar_leave(struct tar *t, struct fault *f)
{
	struct tar_directory *d = &t->parent;
	cleanup_fd int fd = take_fd(&d->fd);

	if (fd < 0)
		return 0;
	if (d->is_widened && fchmod(fd, d->st.st_mode & 07777) < 0)
		return tar_failed(t, errno, "chmod", f);
	if (d->is_dirty && restore_time(fd, &d->st) < 0)
		return tar_failed(t, errno, "utimensat", f);
	return 0;
}

/* The archive may have made it read-only, which binds all but root. */
static int widen(struct tar *t, int fd, struct fault *f)
{
	struct tar_directory *d = &t->parent;

	if (fstat(fd, &d->st) < 0)
		return tar_failed(t, errno, "stat", f);
	d->is_widened = (d->st.st_mode & 0300) != 0300;
	if (d->is_widened && fchmod(fd, (d->st.st_mode & 07777) | 0700) < 0)
		return tar_failed(t, errno, "chmod", f);
	return 0;
}

static int go_to(struct tar *t, const char *path, struct fault *f)
{
	cleanup_fd int fd = -1;
	int rc = tar_leave(t, f);

	if (rc < 0)
		return rc;
	fd = path_open(t->root, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE);
	if (fd == -ENOENT)
		fd = make_directories(t, path, f);
	else if (fd < 0)
		return refuse_directory(t, -fd, f);
	rc = fd < 0 ? fd : widen(t, fd, f);
	if (rc < 0)
		return rc;
	snprintf(t->parent.path, sizeof t->parent.path, "%s", path);
	t->parent.is_dirty = 0;
	t->parent.fd = take_fd(&fd);
	return 0;
}

const char *tar_enter(struct tar *t, struct fault *f)
{
	char directory[PATH_MAX];
	const char *name = split(t->path, directory);

	if (t->parent.fd < 0 || strcmp(directory, t->parent.path) != 0)
		if (go_to(t, directory, f) < 0)
			return NULL;
	t->parent.is_dirty = 1;
	return name;
}

int tar_open_parent(struct tar *t, const char *path, const char **name, struct fault *f)
{
	char directory[PATH_MAX];
	int fd;

	*name = split(path, directory);
	fd = path_open(t->root, directory, O_PATH | O_DIRECTORY, 0, RESOLVE);
	return fd < 0 ? refuse_directory(t, -fd, f) : fd;
}
