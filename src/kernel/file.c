/* SPDX-License-Identifier: MIT */
#include "kernel/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "kernel/path.h"
#include "kernel/procfs.h"
#include "kernel/util.h"

int file_open(int root, const char *path, int flags, mode_t mode, struct fault *f)
{
	int fd;

	if (root >= 0)
		fd = path_open(root, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	else
		fd = retry_eintr(open(path, flags | O_CLOEXEC, mode));
	if (fd >= 0)
		return fd;
	if (root < 0)
		return fault_set(f, errno, "open", "%s", path);
	fault_set(f, -fd, "open", "%s", path);
	if (fd == -ELOOP)
		fault_hint(f, "there is a loop of symbolic links, or a link of /proc, which is not followed "
			      "inside a root");
	return fd;
}

static int open_path(int root, const char *path, int nofollow, struct fault *f)
{
	return file_open(root, path, O_PATH | (nofollow ? O_NOFOLLOW : 0), 0, f);
}

int file_stat(int root, const char *path, int nofollow, struct stat *st, struct fault *f)
{
	cleanup_fd int fd = open_path(root, path, nofollow, f);

	if (fd < 0)
		return fd;
	return fstat(fd, st) < 0 ? fault_set(f, errno, "stat", "%s", path) : 0;
}

int file_chown(int root, const char *path, int nofollow, uid_t uid, gid_t gid, struct fault *f)
{
	cleanup_fd int fd = open_path(root, path, nofollow, f);

	if (fd < 0)
		return fd;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? fault_set(f, errno, "chown", "%s", path) : 0;
}

/* The path was there: what may be missing is what leads to its descriptor. */
static int proc_failed(int error, const char *op, const char *path, struct fault *f)
{
	fault_set(f, error, op, "%s", path);
	if (error == ENOENT)
		fault_hint(f, "/proc is not mounted here; mount it first");
	return -error;
}

int file_chmod(int root, const char *path, mode_t mode, struct fault *f)
{
	cleanup_fd int fd = open_path(root, path, 0, f);
	char self[32];

	if (fd < 0)
		return fd;
	/* fchmod(2) does not take an O_PATH descriptor, and opening it otherwise may act on a device. */
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	return chmod(self, mode) < 0 ? proc_failed(errno, "chmod", path, f) : 0;
}

/* ---- the last part of a path, which is made or removed ---- */

struct place {
	int parent;
	char name[NAME_MAX + 1];
};

static void place_close(struct place *p)
{
	util_close(p->parent);
}

#define cleanup_place __attribute__((cleanup(place_close)))

/* Splits "a/b/" into the directory "a", opened, and the name "b". */
static int find_place(int root, const char *path, struct place *p, struct fault *f)
{
	size_t end = strlen(path), start, length;
	char parent[PATH_MAX];

	p->parent = -1;
	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start && path[start - 1] != '/'; start--)
		;
	length = end - start;
	if (length == 0 || (length <= 2 && !strncmp(path + start, "..", length)))
		return fault_set(f, EINVAL, "open", "%s", path);
	if (length > NAME_MAX || start >= sizeof parent)
		return fault_set(f, ENAMETOOLONG, "open", "%s", path);
	snprintf(p->name, sizeof p->name, "%.*s", (int)length, path + start);
	snprintf(parent, sizeof parent, "%.*s", (int)start, path);
	p->parent = file_open(root, start ? parent : ".", O_PATH | O_DIRECTORY, 0, f);
	return p->parent < 0 ? p->parent : 0;
}

int file_symlink(int root, const char *target, const char *path, struct fault *f)
{
	cleanup_place struct place p;
	int rc = find_place(root, path, &p, f);

	if (rc < 0)
		return rc;
	return symlinkat(target, p.parent, p.name) < 0 ? fault_set(f, errno, "symlink", "%s", path) : 0;
}

/* By the descriptor, so that the file is one that this process can reach by itself. */
int file_link(const char *from, int root, const char *path, struct fault *f)
{
	cleanup_fd int source = open_path(-1, from, 0, f);
	cleanup_place struct place p = { .parent = -1 };
	char self[32];
	int rc = source < 0 ? source : find_place(root, path, &p, f);

	if (rc < 0)
		return rc;
	snprintf(self, sizeof self, "/proc/self/fd/%d", source);
	return linkat(AT_FDCWD, self, p.parent, p.name, AT_SYMLINK_FOLLOW) < 0
		       ? proc_failed(errno, "link", path, f)
		       : 0;
}

int file_unlink(int root, const char *path, int flags, struct fault *f)
{
	cleanup_place struct place p;
	int rc = find_place(root, path, &p, f);

	if (rc == 0 && unlinkat(p.parent, p.name, flags) < 0)
		rc = fault_set(f, errno, flags & AT_REMOVEDIR ? "rmdir" : "unlink", "%s", path);
	if (rc == -EBUSY)
		fault_hint(f, "something is mounted there");
	return rc;
}

static int make_one(int root, const char *path, mode_t mode, struct fault *f)
{
	cleanup_place struct place p;
	int rc = find_place(root, path, &p, f);

	if (rc < 0)
		return rc;
	return mkdirat(p.parent, p.name, mode) < 0 ? fault_set(f, errno, "mkdir", "%s", path) : 0;
}

/* What is in the way may be a directory, or a link to one. */
static int accept_directory(int root, const char *path, struct fault *f)
{
	struct stat st;
	int rc = file_stat(root, path, 0, &st, f);

	if (rc < 0 || S_ISDIR(st.st_mode))
		return rc;
	return fault_set(f, EEXIST, "mkdir", "%s", path);
}

static int make_parents(int root, const char *path, struct fault *f)
{
	char prefix[PATH_MAX];
	int rc;

	if ((size_t)snprintf(prefix, sizeof prefix, "%s", path) >= sizeof prefix)
		return fault_set(f, ENAMETOOLONG, "mkdir", "%s", path);
	for (char *s = prefix + strspn(prefix, "/"); (s = strchr(s, '/')); s += strspn(s, "/")) {
		if (!s[strspn(s, "/")])
			break; /* slashes at the end */
		*s = '\0';
		rc = make_one(root, prefix, 0755, f);
		/* EINVAL: "." and ".." are there. */
		if (rc == -EEXIST || rc == -EINVAL)
			rc = accept_directory(root, prefix, f);
		*s = '/';
		if (rc < 0)
			return rc;
	}
	return 0;
}

int file_mkdir(int root, const char *path, mode_t mode, int parents, struct fault *f)
{
	int rc = parents ? make_parents(root, path, f) : 0;

	if (rc < 0)
		return rc;
	rc = make_one(root, path, mode, f);
	return parents && (rc == -EEXIST || rc == -EINVAL) ? accept_directory(root, path, f) : rc;
}

/* ---- writing ---- */

static int write_all(int fd, const char *path, const struct file_write *w, struct fault *f)
{
	const char *data = w->data;
	size_t left = w->size;

	do {
		ssize_t n = retry_eintr(write(fd, data, left));

		if (n < 0)
			return fault_set(f, errno, "write", "%s", path);
		data += n;
		left -= (size_t)n;
	} while (left);
	return 0;
}

static int write_aside(const struct place *p, const char *path, const char *name, const struct file_write *w,
		       struct fault *f)
{
	cleanup_fd int fd = retry_eintr(
		openat(p->parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, w->mode));
	int rc;

	if (fd < 0)
		return fault_set(f, errno, "open", "%s", path);
	rc = write_all(fd, path, w, f);
	if (rc == 0 && renameat(p->parent, name, p->parent, p->name) < 0)
		rc = fault_set(f, errno, "rename", "%s", path);
	if (rc < 0)
		unlinkat(p->parent, name, 0);
	return rc;
}

static int write_atomic(int root, const char *path, const struct file_write *w, struct fault *f)
{
	cleanup_place struct place p;
	char name[40];
	uint64_t random;
	int rc = find_place(root, path, &p, f);

	if (rc < 0)
		return rc;
	if (retry_eintr(getrandom(&random, sizeof random, 0)) != sizeof random)
		return fault_set(f, errno, "getrandom", "%s", path);
	snprintf(name, sizeof name, ".luabox-%016llx", (unsigned long long)random);
	return write_aside(&p, path, name, w, f);
}

/* Who made the root may have put a pipe there, on which to wait for a reader for ever. */
static int refuse_irregular(int fd, const char *path, struct fault *f)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fault_set(f, errno, "stat", "%s", path);
	if (S_ISREG(st.st_mode))
		return 0;
	fault_set(f, EINVAL, "write", "%s", path);
	return fault_hint(f, "it is not a regular file; inside a root nothing else is written to");
}

int file_write(int root, const char *path, const struct file_write *w, struct fault *f)
{
	int flags = O_WRONLY | O_CREAT | O_NOCTTY | (root < 0 ? 0 : O_NONBLOCK) |
		    (w->append      ? O_APPEND
		     : w->exclusive ? O_EXCL
				    : O_TRUNC);
	cleanup_fd int fd = -1;
	int rc;

	if (w->atomic)
		return write_atomic(root, path, w, f);
	fd = file_open(root, path, flags, w->mode, f);
	if (fd < 0)
		return fd;
	rc = root < 0 ? 0 : refuse_irregular(fd, path, f);
	return rc < 0 ? rc : write_all(fd, path, w, f);
}

/* ---- links ---- */

int file_readlink(int root, const char *path, char *target, size_t size, struct fault *f)
{
	cleanup_fd int fd = open_path(root, path, 1, f);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", target, size - 1);
	if (n >= 0) {
		target[n] = '\0';
		return 0;
	}
	/* On what is no link the empty path is the mistake. */
	return fault_set(f, errno == ENOENT ? EINVAL : errno, "readlink", "%s", path);
}

static int path_of(int fd, const char *path, char *real, size_t size, struct fault *f)
{
	int rc = proc_fd_path(fd, real, size);

	return rc < 0 ? proc_failed(-rc, "readlink", path, f) : 0;
}

int file_realpath(int root, const char *path, char *real, size_t size, struct fault *f)
{
	cleanup_fd int fd = open_path(root, path, 0, f);
	char top[PATH_MAX];
	size_t length;
	int rc;

	if (fd < 0)
		return fd;
	rc = path_of(fd, path, real, size, f);
	if (rc < 0 || root < 0)
		return rc;
	rc = path_of(root, path, top, sizeof top, f);
	if (rc < 0)
		return rc;
	length = strcmp(top, "/") ? strlen(top) : 0;
	if (strncmp(real, top, length) != 0 || (real[length] && real[length] != '/'))
		return fault_set(f, EXDEV, "realpath", "%s", path);
	memmove(real, real + length, strlen(real + length) + 1);
	if (!*real)
		snprintf(real, size, "/");
	return 0;
}
