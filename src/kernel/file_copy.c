/* SPDX-License-Identifier: MIT */
#include "kernel/file_copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "kernel/file.h"
#include "kernel/util.h"

#define CHUNK (16 << 20) /* what one call copies: a signal is heard in between */
#define PERMISSIONS 0777

/* A pipe, which would be waited for, or a device is no content. */
static int open_source(const char *path, struct stat *st, struct fault *f)
{
	cleanup_fd int fd = file_open(-1, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, f);

	if (fd < 0)
		return fd;
	if (fstat(fd, st) < 0)
		return fault_set(f, errno, "stat", "%s", path);
	if (S_ISREG(st->st_mode))
		return take_fd(&fd);
	fault_set(f, S_ISDIR(st->st_mode) ? EISDIR : EINVAL, "copy", "%s", path);
	return fault_hint(f, "only a regular file is copied");
}

/* The ways to copy, each from where both files stand to the end; the next one where a file system or a filter
 * has none. */
static int within_kernel(int from, int to)
{
	ssize_t n;

	do
		n = retry_eintr(copy_file_range(from, NULL, to, NULL, CHUNK, 0));
	while (n > 0);
	return n < 0 ? -errno : 0;
}

static int by_pages(int from, int to)
{
	ssize_t n;

	do
		n = retry_eintr(sendfile(to, from, NULL, CHUNK));
	while (n > 0);
	return n < 0 ? -errno : 0;
}

static int by_bytes(int from, int to)
{
	char buf[65536];
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = retry_eintr(read(from, buf, sizeof buf))) != 0)
		rc = n < 0 ? -errno : util_write_all(to, buf, (size_t)n);
	return rc;
}

static int cannot(int rc)
{
	return rc == -EXDEV || rc == -EINVAL || rc == -ENOSYS || rc == -EOPNOTSUPP || rc == -EPERM ||
	       rc == -ETXTBSY;
}

/* A file of /proc tells no size, and ends at once for the first two ways: the last one has the last word. */
static int copy_bytes(int from, int to)
{
	int rc = within_kernel(from, to);

	if (rc < 0 && !cannot(rc))
		return rc;
	rc = by_pages(from, to);
	return rc < 0 && !cannot(rc) ? rc : by_bytes(from, to);
}

static int fill(int from, int to, const struct stat *st, int64_t mode, const char *path, struct fault *f)
{
	int shared = ioctl(to, FICLONE, from) == 0, rc = shared ? 0 : copy_bytes(from, to);

	if (rc < 0)
		return fault_set(f, -rc, "copy", "%s", path);
	/* past the umask */
	if (fchmod(to, mode < 0 ? st->st_mode & PERMISSIONS : (mode_t)mode) < 0)
		return fault_set(f, errno, "chmod", "%s", path);
	return shared;
}

int file_copy(const char *from, int root, const char *path, int64_t mode, struct fault *f)
{
	struct stat st;
	cleanup_fd int source = open_source(from, &st, f), fd = -1;
	int rc;

	if (source < 0)
		return source;
	fd = file_open(root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, f);
	if (fd < 0)
		return fd;
	rc = fill(source, fd, &st, mode, path, f);
	if (rc < 0)
		file_unlink(root, path, 0, NULL);
	return rc;
}
