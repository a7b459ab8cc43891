/* SPDX-License-Identifier: MIT */
#include "kernel/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

ssize_t util_read_file(int dirfd, const char *path, char *buf, size_t size)
{
	cleanup_fd int fd = retry_eintr(openat(dirfd, path, O_RDONLY | O_CLOEXEC));
	size_t got = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = retry_eintr(read(fd, buf + got, size - got));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
		if (got == size)
			return -EFBIG;
	}
	buf[got] = '\0';
	return (ssize_t)got;
}

int util_write_file(int dirfd, const char *path, const char *data)
{
	cleanup_fd int fd = retry_eintr(openat(dirfd, path, O_WRONLY | O_CLOEXEC));
	size_t length = strlen(data);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = retry_eintr(write(fd, data, length));
	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -EIO;
}

int util_write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = retry_eintr(write(fd, data, size));

		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int util_each_entry(int dir, int (*visit)(int dir, const char *name, unsigned char type, void *data),
		    void *data)
{
	char buf[2048] __attribute__((aligned(8)));
	long n;

	if (lseek(dir, 0, SEEK_SET) < 0)
		return -errno;
	while ((n = syscall(SYS_getdents64, dir, buf, sizeof buf)) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent64 *e = (void *)(buf + at);
			int rc = visit(dir, e->d_name, e->d_type, data);

			if (rc)
				return rc;
			at += e->d_reclen;
		}
	}
	return n < 0 ? -errno : 0;
}
