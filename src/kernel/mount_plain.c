/* SPDX-License-Identifier: MIT */
#include "kernel/mount_plain.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/mountinfo.h"
#include "kernel/path.h"
#include "kernel/procfs.h"
#include "kernel/util.h"

#define LINE_SIZE 8192
#define ATIME_FLAGS (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

/* ---- flags ---- */

static const struct {
	const char *word;
	uint64_t attribute;
	unsigned long flag;
} mount_flags[] = {
	{ "ro", MOUNT_ATTR_RDONLY, MS_RDONLY },
	{ "nosuid", MOUNT_ATTR_NOSUID, MS_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV, MS_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC, MS_NOEXEC },
	{ "noatime", MOUNT_ATTR_NOATIME, MS_NOATIME },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, MS_NODIRATIME },
	{ "relatime", 0, MS_RELATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MS_STRICTATIME },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 256 /* MS_NOSYMFOLLOW */ },
};

#define MOUNT_FLAGS (sizeof mount_flags / sizeof *mount_flags)

unsigned long plain_flags(uint64_t attributes)
{
	unsigned long flags = 0;

	for (size_t i = 0; i < MOUNT_FLAGS; i++)
		if (attributes & mount_flags[i].attribute)
			flags |= mount_flags[i].flag;
	return flags;
}

/* A bind remount replaces all flags, so those that are there (some of them locked) go into it. */
static unsigned long flags_of_words(char *words)
{
	unsigned long flags = 0;
	char *word;

	while ((word = strsep(&words, ",")))
		for (size_t i = 0; i < MOUNT_FLAGS; i++)
			if (!strcmp(word, mount_flags[i].word))
				flags |= mount_flags[i].flag;
	return flags;
}

/* ---- names for descriptors ---- */

typedef char fd_name[16];

static const char *name_of(int fd, fd_name name)
{
	snprintf(name, sizeof(fd_name), "%d", fd);
	return name;
}

/* Makes /proc/self/fd the working directory; 'back' gets the one of before. */
static int enter_names(int *back, struct fault *f)
{
	cleanup_fd int names = proc_self_open("fd", O_PATH | O_DIRECTORY);

	if (names >= 0) {
		*back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (*back >= 0 && fchdir(names) == 0)
			return 0;
		util_close(*back);
		return fault_set(f, errno, "open", "working directory");
	}
	fault_set(f, -names, "open", "/proc/self/fd");
	if (names == -ENOENT)
		fault_hint(f, "without open_tree(2) and move_mount(2) (Linux 5.2) mounts in a root "
			      "take a /proc: mount it there first");
	return names;
}

static int leave_names(int back, int rc, struct fault *f)
{
	if (fchdir(back) < 0 && rc == 0)
		rc = fault_set(f, errno, "fchdir", "working directory");
	util_close(back);
	return rc;
}

/* ---- mounting ---- */

int plain_mount(const struct mnt_mount *m, int target, struct fault *f)
{
	fd_name name;
	int back, rc = enter_names(&back, f);

	if (rc < 0)
		return rc;
	if (mount(m->source, name_of(target, name), m->type, m->flags, m->data) < 0)
		rc = fault_set(f, errno, "mount", "%s", m->target);
	return leave_names(back, rc, f);
}

/* What was just mounted on a place is seen only by its path. */
static int open_mounted(const char *path, int source, struct fault *f)
{
	cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat wanted, st;

	if (fd < 0 || fstat(fd, &st) < 0 || fstat(source, &wanted) < 0)
		return fault_set(f, errno, "open", "%s", path);
	if (st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino)
		return take_fd(&fd);
	fault_set(f, ESTALE, "mount", "%s", path);
	fault_hint(f, "somebody has put something else there meanwhile");
	return -ESTALE;
}

int plain_bind(int source, int target, const char *path, uint64_t attributes, int recursive, struct fault *f)
{
	struct mnt_mount m = { NULL, NULL, path, MS_BIND | (recursive ? MS_REC : 0), NULL };
	cleanup_fd int mounted = -1;
	fd_name name;
	int rc;

	m.source = name_of(source, name);
	rc = plain_mount(&m, target, f);
	if (rc < 0 || !attributes)
		return rc;
	mounted = open_mounted(path, source, f);
	return mounted < 0 ? mounted : plain_change(mounted, attributes, 0, recursive, f);
}

/* ---- changing ---- */

/* In /proc/self/fd. */
static int remount(int fd, const struct mnt_info *m, uint64_t attributes, struct fault *f)
{
	unsigned long flags = flags_of_words(m->flags);
	fd_name name;

	if (attributes & MOUNT_ATTR__ATIME)
		flags &= ~(unsigned long)ATIME_FLAGS;
	flags |= plain_flags(attributes) | MS_REMOUNT | MS_BIND;
	return mount(NULL, name_of(fd, name), NULL, flags, NULL) < 0
		       ? fault_set(f, errno, "remount", "%s", m->target)
		       : 0;
}

static int is_below(const char *path, const char *dir)
{
	size_t length = strcmp(dir, "/") ? strlen(dir) : 0;

	return !strncmp(path, dir, length) && path[length] == '/' && path[length + 1];
}

/* A line of the table whose path is below ours may be of another tree, or of what is covered: it is ours if
 * its path leads to it. */
static int remount_below(int tree, const char *top, const struct mnt_info *m, uint64_t attributes,
			 struct fault *f)
{
	cleanup_fd int fd = -1;

	if (!is_below(m->target, top))
		return 0;
	fd = path_open(tree, m->target + (strcmp(top, "/") ? strlen(top) : 0), O_PATH, 0,
		       RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fault_set(f, -fd, "open", "%s", m->target);
	return mnt_id_at(fd, "") == m->id ? remount(fd, m, attributes, f) : 0;
}

static int open_table(struct mnt_table *t, char line[LINE_SIZE], struct fault *f)
{
	int fd = proc_self_open("mountinfo", O_RDONLY);

	if (fd < 0)
		return fault_set(f, -fd, "open", "/proc/self/mountinfo");
	mnt_table_init(t, fd, line, LINE_SIZE);
	return fd;
}

static int table_failed(int rc, struct fault *f)
{
	return fault_set(f, rc < 0 ? -rc : ENOENT, "read", "/proc/self/mountinfo");
}

/* The tree's own mount; its path goes to 'top'. */
static int remount_top(int tree, uint64_t attributes, char *top, size_t size, struct fault *f)
{
	int id = mnt_id_at(tree, ""), rc;
	char line[LINE_SIZE];
	struct mnt_table t;
	cleanup_fd int fd = open_table(&t, line, f);
	struct mnt_info m;

	if (fd < 0)
		return fd;
	if (id < 0)
		return fault_set(f, -id, "statx", "descriptor %d", tree);
	while ((rc = mnt_table_next(&t, &m)) > 0 && m.id != id)
		;
	if (rc <= 0)
		return table_failed(rc, f);
	snprintf(top, size, "%s", m.target);
	return remount(tree, &m, attributes, f);
}

static int remount_all(int tree, uint64_t attributes, int recursive, struct fault *f)
{
	char top[PATH_MAX], line[LINE_SIZE];
	struct mnt_table t;
	cleanup_fd int fd = -1;
	struct mnt_info m;
	int rc = remount_top(tree, attributes, top, sizeof top, f), got = 1;

	if (rc < 0 || !recursive)
		return rc;
	fd = open_table(&t, line, f);
	if (fd < 0)
		return fd;
	while (rc == 0 && (got = mnt_table_next(&t, &m)) > 0)
		rc = remount_below(tree, top, &m, attributes, f);
	return rc < 0 ? rc : got < 0 ? table_failed(got, f) : 0;
}

int plain_change(int tree, uint64_t attributes, unsigned long propagation, int recursive, struct fault *f)
{
	unsigned long flags = propagation | (recursive ? MS_REC : 0);
	fd_name name;
	int back, rc = enter_names(&back, f);

	if (rc < 0)
		return rc;
	if (propagation && mount(NULL, name_of(tree, name), NULL, flags, NULL) < 0)
		rc = fault_set(f, errno, "propagation", "descriptor %d", tree);
	if (rc == 0 && attributes)
		rc = remount_all(tree, attributes, recursive, f);
	return leave_names(back, rc, f);
}
