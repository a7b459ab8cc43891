/* SPDX-License-Identifier: MIT
 * Ownership of descriptors and memory by scope, and small files read and
 * written whole. Kernel side only: cleanup attributes do not run through
 * lua_error's longjmp.
 */
#ifndef LUABOX_UTIL_H
#define LUABOX_UTIL_H

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define cleanup_fd __attribute__((cleanup(util_closep)))
#define cleanup_free __attribute__((cleanup(util_freep)))

/* Repeats a system call that a signal interrupted. Not for calls that may block
 * for long: those return -EINTR, so that Ctrl-C is heard. */
#define retry_eintr(call)                                                                                    \
	({                                                                                                   \
		__typeof__(call) rc_;                                                                        \
		do                                                                                           \
			rc_ = (call);                                                                        \
		while (rc_ == -1 && errno == EINTR);                                                         \
		rc_;                                                                                         \
	})

/* Closes and keeps errno; a negative descriptor is nothing to close. */
static inline void util_close(int fd)
{
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
}

static inline void util_closep(int *fd)
{
	util_close(*fd);
	*fd = -1;
}

static inline void util_freep(void *p)
{
	free(*(void **)p);
}

/* Hands a descriptor out of a cleanup_fd variable. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Writes all of it. Returns 0 or -errno. Child-safe. */
int util_write_all(int fd, const char *data, size_t size);

/* Reads at most size - 1 bytes of a file and ends them with a zero.
 * Returns the length, or -errno; -EFBIG if there was more. 'dirfd' as openat(2). */
ssize_t util_read_file(int dirfd, const char *path, char *buf, size_t size);

/* Writes all of 'data' with one write(2), as the files of proc, sysfs and
 * cgroupfs want it. The file must be there. Returns 0 or -errno. */
int util_write_file(int dirfd, const char *path, const char *data);

/* Calls 'visit' for each entry of a directory, "." and ".." too, until it returns non-zero; 'type' is DT_DIR
 * and so on. Returns what it did, 0 or -errno. Allocates nothing, as readdir(3) would. */
int util_each_entry(int dir, int (*visit)(int dir, const char *name, unsigned char type, void *data),
		    void *data);

#endif
