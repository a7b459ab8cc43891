/* SPDX-License-Identifier: MIT */
#include "kernel/look.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/capability.h"
#include "kernel/procfs.h"
#include "kernel/util.h"

/* ---- mounts ---- */

static int open_table(struct mnt_table *t, char line[LOOK_LINE])
{
	int fd = retry_eintr(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));

	mnt_table_init(t, fd, line, LOOK_LINE);
	return fd;
}

int look_mount(int id, struct mnt_info *info, char line[LOOK_LINE])
{
	struct mnt_table t;
	cleanup_fd int fd = open_table(&t, line);

	while (fd >= 0 && mnt_table_next(&t, info) > 0)
		if (info->id == id)
			return 1;
	return 0;
}

int look_mounts_on(int id, const char *below, char *target, size_t size, char type[32])
{
	char line[LOOK_LINE];
	struct mnt_info info;
	struct mnt_table t;
	cleanup_fd int fd = open_table(&t, line);
	int count = 0;

	while (fd >= 0 && mnt_table_next(&t, &info) > 0) {
		if (info.parent != id || info.id == id || !look_is_below(info.target, below) || count++)
			continue;
		snprintf(target, size, "%s", info.target);
		snprintf(type, 32, "%s", info.type);
	}
	return count;
}

int look_mount_count(void)
{
	char line[LOOK_LINE];
	struct mnt_info info;
	struct mnt_table t;
	cleanup_fd int fd = open_table(&t, line);
	int count = 0;

	while (fd >= 0 && mnt_table_next(&t, &info) > 0)
		count++;
	return count;
}

int look_is_mount_root(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, &st) < 0 ||
	       !(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) || st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* ---- paths and files ---- */

/* realpath(3) may allocate. */
int look_real_path(const char *path, char *real, size_t size)
{
	cleanup_fd int fd = retry_eintr(open(path, O_PATH | O_CLOEXEC));

	return fd < 0 ? -errno : proc_fd_path(fd, real, size);
}

int look_is_below(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	if (length == 1)
		return 1;
	return !strncmp(path, dir, length) && (path[length] == '/' || path[length] == '\0');
}

int look_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int look_file_is(const char *path, const char *start)
{
	char text[32];

	return util_read_file(AT_FDCWD, path, text, sizeof text) > 0 && !strncmp(text, start, strlen(start));
}

long look_number(const char *path)
{
	char text[32];

	return util_read_file(AT_FDCWD, path, text, sizeof text) > 0 ? strtol(text, NULL, 10) : -1;
}

/* ---- processes ---- */

long look_status(const char *key, int base)
{
	char text[4096];
	const char *at;

	if (util_read_file(AT_FDCWD, "/proc/self/status", text, sizeof text) < 0)
		return -1;
	at = strstr(text, key);
	return at ? strtol(at + strlen(key), NULL, base) : -1;
}

int look_is_mapped(const char *map, unsigned long id)
{
	char path[40], text[4096], *line, *rest = text;
	unsigned long inside, outside, count;

	snprintf(path, sizeof path, "/proc/self/%s", map);
	if (util_read_file(AT_FDCWD, path, text, sizeof text) < 0)
		return 1;
	while ((line = strsep(&rest, "\n")))
		if (sscanf(line, "%lu %lu %lu", &inside, &outside, &count) == 3 && id - inside < count)
			return 1;
	return 0;
}

int look_capable(uint64_t capability)
{
	struct cap_sets s;

	return cap_get(0, &s, NULL) == 0 && s.effective & capability;
}

int look_is_same_namespace(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}
