/* SPDX-License-Identifier: MIT */
#include "kernel/path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "kernel/mount.h"
#include "kernel/util.h"

#define TRIES 64      /* a rename anywhere makes the kernel give up on a path with "..": EAGAIN */
#define MOST_LINKS 40 /* the kernel's own */
#define PROC_ROOT_INO 1

#define DIRECTORY (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define CONFINED (RESOLVE_IN_ROOT | RESOLVE_BENEATH)

struct walk {
	int root; /* borrowed */
	int here; /* the directory that was reached */
	uint64_t resolve;
	int mount; /* the root's, for RESOLVE_NO_XDEV */
	int links;
	char way[PATH_MAX];  /* the names from the root to here, if confined */
	char rest[PATH_MAX]; /* what is to be walked yet */
};

/* ---- where we are ---- */

static int check_mount(const struct walk *w, int fd)
{
	return !(w->resolve & RESOLVE_NO_XDEV) || mnt_id_at(fd, "") == w->mount ? 0 : -EXDEV;
}

/* Takes 'fd' over. */
static int enter(struct walk *w, int fd)
{
	if (fd < 0)
		return -errno;
	util_close(w->here);
	w->here = fd;
	return check_mount(w, fd);
}

static int descend(struct walk *w, int fd, const char *name)
{
	size_t length = strlen(w->way);

	if (w->resolve & CONFINED && (size_t)snprintf(w->way + length, sizeof w->way - length, "/%s", name) >=
					     sizeof w->way - length) {
		util_close(fd);
		return -ENAMETOOLONG;
	}
	return enter(w, fd);
}

/* To the root, for an absolute path. */
static int restart(struct walk *w)
{
	if (w->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	w->way[0] = '\0';
	if (w->resolve & RESOLVE_IN_ROOT)
		return enter(w, retry_eintr(openat(w->root, ".", DIRECTORY)));
	return enter(w, retry_eintr(open("/", DIRECTORY)));
}

/* From the root again: the directory's own ".." could by now be outside. A link where a directory was:
 * somebody is renaming. */
static int walk_way(struct walk *w)
{
	int rc = enter(w, retry_eintr(openat(w->root, ".", DIRECTORY)));

	for (char *name = w->way; rc == 0 && *name;) {
		char *end = strchrnul(++name, '/'), cut = *end;

		*end = '\0';
		rc = enter(w, retry_eintr(openat(w->here, name, DIRECTORY)));
		*end = cut;
		name = end;
	}
	return rc == -ELOOP || rc == -ENOTDIR || rc == -ENOENT ? -EAGAIN : rc;
}

static int ascend(struct walk *w)
{
	char *last = strrchr(w->way, '/');

	if (!(w->resolve & CONFINED))
		return enter(w, retry_eintr(openat(w->here, "..", DIRECTORY)));
	if (!last)
		return w->resolve & RESOLVE_BENEATH ? -EXDEV : 0;
	*last = '\0';
	return walk_way(w);
}

/* ---- links ---- */

/* All links of a procfs but those in its root lead to what a process holds. */
static int is_magic(const struct walk *w, int link)
{
	struct statfs fs;
	struct stat parent;

	if (retry_eintr(fstatfs(link, &fs)) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return 0;
	return fstat(w->here, &parent) < 0 || parent.st_ino != PROC_ROOT_INO;
}

static int follow(struct walk *w, int link)
{
	char text[PATH_MAX];
	size_t rest = strlen(w->rest);
	ssize_t n;

	if (w->resolve & RESOLVE_NO_SYMLINKS || (w->resolve & RESOLVE_NO_MAGICLINKS && is_magic(w, link)) ||
	    w->links++ == MOST_LINKS)
		return -ELOOP;
	n = readlinkat(link, "", text, sizeof text);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	if ((size_t)n + rest >= sizeof w->rest)
		return -ENAMETOOLONG;
	memmove(w->rest + n, w->rest, rest + 1);
	memcpy(w->rest, text, (size_t)n);
	return *text == '/' ? restart(w) : 0;
}

/* ---- the end of the path ---- */

/* It is here: the path ends in a slash, "." or "..", or was the root. */
static int open_here(const struct walk *w, int flags)
{
	int fd;

	if (flags & O_CREAT)
		return -EISDIR;
	fd = retry_eintr(openat(w->here, ".", flags | O_CLOEXEC));
	return fd < 0 ? -errno : fd;
}

/* What was looked at by O_PATH is opened by its name, where a link is refused if somebody has put one there.
 */
static int open_last(const struct walk *w, const char *name, int flags, mode_t mode)
{
	cleanup_fd int fd = retry_eintr(openat(w->here, name, flags | O_NOFOLLOW | O_CLOEXEC, mode));
	int rc;

	if (fd < 0)
		return errno == ELOOP ? -EAGAIN : -errno;
	rc = check_mount(w, fd);
	return rc < 0 ? rc : take_fd(&fd);
}

static int open_link(int *probe, int flags)
{
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (!(flags & O_PATH))
		return -ELOOP;
	return flags & O_DIRECTORY ? -ENOTDIR : take_fd(probe);
}

/* The last name, which is no link that is to be followed. 'probe' is it by O_PATH. */
static int finish(const struct walk *w, const char *name, int *probe, const struct stat *st, int flags,
		  mode_t mode)
{
	if (S_ISLNK(st->st_mode))
		return open_link(probe, flags);
	if (!(flags & O_PATH))
		return open_last(w, name, flags, mode);
	return flags & O_DIRECTORY && !S_ISDIR(st->st_mode) ? -ENOTDIR : take_fd(probe);
}

/* ---- a step ---- */

/* Cuts the next name off. Returns 1 if it is the last and no slash follows: what it is need not be a
 * directory. */
static int take_name(struct walk *w, char name[NAME_MAX + 1])
{
	size_t slashes = strspn(w->rest, "/"), length = strcspn(w->rest + slashes, "/");
	int is_last = !w->rest[slashes + length];

	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, w->rest + slashes, length);
	name[length] = '\0';
	memmove(w->rest, w->rest + slashes + length, strlen(w->rest + slashes + length) + 1);
	return is_last;
}

/* What a step gives that has not ended the walk. */
#define GO_ON INT_MAX

static int step_to(struct walk *w, const char *name, int is_last, int flags, mode_t mode)
{
	cleanup_fd int probe = retry_eintr(openat(w->here, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
	struct stat st;
	int rc;

	if (probe < 0)
		return errno == ENOENT && is_last && flags & O_CREAT ? open_last(w, name, flags, mode)
								     : -errno;
	rc = fstat(probe, &st) < 0 ? -errno : check_mount(w, probe);
	if (rc < 0)
		return rc;
	if (is_last && (!S_ISLNK(st.st_mode) || flags & O_NOFOLLOW || (flags & O_CREAT && flags & O_EXCL)))
		return finish(w, name, &probe, &st, flags, mode);
	if (S_ISLNK(st.st_mode))
		rc = follow(w, probe);
	else
		rc = S_ISDIR(st.st_mode) ? descend(w, take_fd(&probe), name) : -ENOTDIR;
	return rc < 0 ? rc : GO_ON;
}

static int step(struct walk *w, int flags, mode_t mode)
{
	char name[NAME_MAX + 1];
	int is_last = take_name(w, name), rc;

	if (is_last < 0)
		return is_last;
	if (!*name)
		return open_here(w, flags);
	if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		return step_to(w, name, is_last, flags, mode);
	rc = name[1] ? ascend(w) : 0;
	return rc < 0 ? rc : GO_ON;
}

static int walk_once(int root, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct walk w = { .root = root, .here = -1, .resolve = resolve };
	int rc;

	if (!*path)
		return -ENOENT;
	if ((size_t)snprintf(w.rest, sizeof w.rest, "%s", path) >= sizeof w.rest)
		return -ENAMETOOLONG;
	w.here = retry_eintr(openat(root, ".", DIRECTORY));
	w.mount = resolve & RESOLVE_NO_XDEV && w.here >= 0 ? mnt_id_at(w.here, "") : 0;
	rc = w.here < 0 ? -errno : w.mount < 0 ? w.mount : *path == '/' ? restart(&w) : 0;
	for (rc = rc < 0 ? rc : GO_ON; rc == GO_ON;)
		rc = step(&w, flags, mode);
	util_close(w.here);
	return rc;
}

int path_walk(int root, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	int rc = -EAGAIN;

	for (int i = 0; i < TRIES && (rc == -EAGAIN || rc == -EINTR); i++)
		rc = walk_once(root, path, flags, mode, resolve);
	return rc;
}

int path_open(int root, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.mode = flags & O_CREAT ? mode : 0,
				.resolve = resolve };
	long fd;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd >= 0)
		return (int)fd;
	return errno == ENOSYS ? path_walk(root, path, flags, mode, resolve) : -errno;
}
