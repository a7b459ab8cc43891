/* SPDX-License-Identifier: MIT
 * See keep_contents.h. Nothing recurses: a tree may be deeper than there are descriptors or stack.
 */
#include "kernel/keep_contents.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kernel/util.h"

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct which {
	unsigned int major, minor;
	unsigned long long inode;
	const char *path;
};

static int parse(const char *arg, struct which *w)
{
	int at = 0;

	if (sscanf(arg, "%u:%u %llu %n", &w->major, &w->minor, &w->inode, &at) != 3 || at == 0 ||
	    arg[at] != '/')
		return -EINVAL;
	w->path = arg + at;
	return 0;
}

int keep_contents_check(const char *arg)
{
	struct which w;

	return parse(arg, &w);
}

/* 0: it is gone. 1: it is a directory with something in it, whose name is then in 'data'. */
static int remove_entry(int dir, const char *name, unsigned char type, void *data)
{
	(void)type; /* not every file system says it */
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	memcpy(data, name, strlen(name) + 1);
	return 1;
}

/* Its owner may have shut it to himself; root needs no leave. */
static int open_below(int dir, const char *name)
{
	if (geteuid() != 0)
		(void)fchmodat(dir, name, S_IRWXU, AT_SYMLINK_NOFOLLOW);
	return retry_eintr(openat(dir, name, DIRECTORY));
}

/* Empties the first directory that it finds with no full one in it. 1: there may be more. */
static int empty_one(int top)
{
	char name[NAME_MAX + 1];
	cleanup_fd int dir = -1;
	int rc = util_each_entry(top, remove_entry, name), below = 0;

	while (rc == 1) {
		int next = open_below(dir < 0 ? top : dir, name);

		if (next < 0)
			return -errno;
		util_close(dir);
		dir = next;
		below = 1;
		rc = util_each_entry(dir, remove_entry, name);
	}
	return rc < 0 ? rc : below;
}

int keep_contents_remove(const char *arg)
{
	cleanup_fd int top = -1;
	struct which w;
	struct stat st;
	int rc = parse(arg, &w);

	if (rc < 0)
		return rc;
	top = retry_eintr(open(w.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (top < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (fstat(top, &st) < 0)
		return -errno;
	if (st.st_dev != makedev(w.major, w.minor) || st.st_ino != w.inode)
		return 0;
	do
		rc = empty_one(top);
	while (rc == 1);
	return rc;
}
