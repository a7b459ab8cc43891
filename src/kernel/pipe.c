/* SPDX-License-Identifier: MIT */
#include "kernel/pipe.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "kernel/util.h"

/* Takes away the SIGPIPE that our own write has raised: it goes to the writing thread. */
static void consume(const sigset_t *set)
{
	const struct timespec none = { 0 };

	retry_eintr(sigtimedwait(set, NULL, &none));
}

ssize_t proc_write(int fd, const void *data, size_t size)
{
	sigset_t set, before, pending;
	ssize_t n;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigpending(&pending);
	sigprocmask(SIG_BLOCK, &set, &before);
	/* a pipe that is ready has room for this much */
	n = retry_eintr(write(fd, data, size < PIPE_BUF ? size : PIPE_BUF));
	n = n < 0 ? -errno : n;
	if (n == -EPIPE && !sigismember(&pending, SIGPIPE))
		consume(&set);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return n;
}
