/* SPDX-License-Identifier: MIT */
#include "kernel/util.h"

#include <fcntl.h>
#include <string.h>

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
