/* SPDX-License-Identifier: MIT
 * Writing to a pipe whose reader may be gone. pipe(7)
 */
#ifndef LUABOX_PIPE_H
#define LUABOX_PIPE_H

#include <sys/types.h>

/* One write that does not block if poll(2) has said POLLOUT, so not always of all bytes;
 * without a reader it is -EPIPE and no SIGPIPE. Returns the number written, or -errno. */
ssize_t proc_write(int fd, const void *data, size_t size);

#endif
