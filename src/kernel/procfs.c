/* SPDX-License-Identifier: MIT */
#include "kernel/procfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "kernel/util.h"

#define ROOT_INO 1 /* of a procfs as a whole: a part of another, mounted here, is no help */

int proc_self_open(const char *name, int flags)
{
	cleanup_fd int root = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int self = -1;
	struct statfs fs;
	struct stat st;
	int fd;

	if (root < 0 || fstatfs(root, &fs) < 0 || fstat(root, &st) < 0)
		return -errno;
	if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != ROOT_INO)
		return -ENOENT;
	self = openat(root, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = self < 0 ? -1 : retry_eintr(openat(self, name, flags | O_NOFOLLOW | O_CLOEXEC));
	return fd < 0 ? -errno : fd;
}

int proc_fd_path(int fd, char *path, size_t size)
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, size - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	return 0;
}

int proc_stat(pid_t pid, char text[PROC_STAT_SIZE])
{
	char path[32], *end;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	n = util_read_file(AT_FDCWD, path, text, PROC_STAT_SIZE);
	if (n < 0)
		return (int)n;
	end = strrchr(text, ')'); /* the name before it may hold anything */
	if (!end || end[1] != ' ')
		return -EBADMSG;
	memmove(text, end + 2, strlen(end + 2) + 1);
	return 0;
}

void proc_name(pid_t pid, char *name, size_t size)
{
	char path[32], line[32];

	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	if (util_read_file(AT_FDCWD, path, line, sizeof line) < 0)
		snprintf(line, sizeof line, "a process");
	line[strcspn(line, "\n")] = '\0';
	snprintf(name, size, "%s", line);
}
