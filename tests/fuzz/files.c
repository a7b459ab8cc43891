/* SPDX-License-Identifier: MIT
 * The program is linked with --wrap for these functions.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/util.h"

static const uint8_t *input;
static size_t left;
static int outside;

int __real_open(const char *path, int flags, ...);
FILE *__real_fopen(const char *path, const char *mode);
ssize_t __real_util_read_file(int dirfd, const char *path, char *buf, size_t size);
int __real_util_write_file(int dirfd, const char *path, const char *data);

int __wrap_open(const char *path, int flags, ...);
FILE *__wrap_fopen(const char *path, const char *mode);
ssize_t __wrap_util_read_file(int dirfd, const char *path, char *buf, size_t size);
int __wrap_util_write_file(int dirfd, const char *path, const char *data);

void fuzz_files(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
	outside = 0;
}

int fuzz_wrote_outside(void)
{
	return outside;
}

/* The next file's bytes; none when there are no more. */
static const uint8_t *take(size_t *size)
{
	const uint8_t *file = input, *end = memchr(input, '\0', left);

	*size = end ? (size_t)(end - file) : left;
	input += *size + (end != NULL);
	left -= *size + (end != NULL);
	return file;
}

static int is_played(const char *path)
{
	return input && !strncmp(path, "/proc/", 6);
}

int __wrap_open(const char *path, int flags, ...)
{
	const uint8_t *file;
	mode_t mode = 0;
	size_t size;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (!is_played(path) || flags & (O_DIRECTORY | O_PATH))
		return __real_open(path, flags, mode);
	file = take(&size);
	return fuzz_file(file, size);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	const uint8_t *file;
	size_t size;

	if (!is_played(path))
		return __real_fopen(path, mode);
	file = take(&size);
	return fdopen(fuzz_file(file, size), mode);
}

ssize_t __wrap_util_read_file(int dirfd, const char *path, char *buf, size_t size)
{
	const uint8_t *file;
	size_t length;

	if (!input)
		return __real_util_read_file(dirfd, path, buf, size);
	if (!left)
		return -ENOENT;
	file = take(&length);
	if (length >= size)
		return -EFBIG;
	memcpy(buf, file, length);
	buf[length] = '\0';
	return (ssize_t)length;
}

int __wrap_util_write_file(int dirfd, const char *path, const char *data)
{
	if (!input)
		return __real_util_write_file(dirfd, path, data);
	outside |= *path == '/' || strstr(path, "..") != NULL;
	return 0;
}
