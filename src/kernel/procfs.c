/* SPDX-License-Identifier: MIT */
#include "kernel/procfs.h"

#include <fcntl.h>
#include <linux/magic.h>
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
