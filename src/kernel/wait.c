/* SPDX-License-Identifier: MIT */
#include "kernel/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "kernel/procfs.h"
#include "kernel/util.h"

#define TRIES 3

struct proc_end proc_decode_end(int code, int status)
{
	if (code == CLD_EXITED)
		return (struct proc_end){ .code = status };
	return (struct proc_end){ .signal = status, .core = code == CLD_DUMPED };
}

int proc_reap(int pidfd, int block, struct proc_end *end)
{
	siginfo_t info = { 0 };

	if (retry_eintr(waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | (block ? 0 : WNOHANG))) < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	*end = proc_decode_end(info.si_code, info.si_status);
	return 1;
}

void proc_destroy(int pidfd)
{
	struct proc_end end;
	int error = errno, rc = -1;

	for (int i = 0; i < TRIES && rc < 0; i++)
		rc = proc_signal(pidfd, SIGKILL);
	for (int i = 0; i < TRIES && proc_reap(pidfd, rc >= 0, &end) < 0; i++)
		; /* one that could not be killed is not waited for */
	errno = error;
}

/* The number of a pidfd's process; -ESRCH if it was reaped. */
static pid_t pid_of(int pidfd)
{
	cleanup_fd int directory = proc_self_open("fdinfo", O_PATH | O_DIRECTORY);
	char name[16], text[512];
	const char *line;
	pid_t pid;

	snprintf(name, sizeof name, "%d", pidfd);
	if (directory < 0 || util_read_file(directory, name, text, sizeof text) < 0)
		return -ENOSYS;
	line = strstr(text, "\nPid:");
	if (!line)
		return -EBADF;
	pid = (pid_t)strtol(line + strlen("\nPid:"), NULL, 10);
	return pid > 0 ? pid : -ESRCH;
}

/* Before Linux 5.1. A child that was not reaped keeps its number; with others there is an instant in which it
 * could become somebody else's. */
static int signal_by_number(int pidfd, int signal)
{
	pid_t pid = pid_of(pidfd);

	if (pid < 0)
		return pid;
	return kill(pid, signal) < 0 ? -errno : 0;
}

int proc_signal(int pidfd, int signal)
{
	int rc = pidfd_send_signal(pidfd, signal, NULL, 0) < 0 ? -errno : 0;

	if (rc == -ENOSYS)
		rc = signal_by_number(pidfd, signal);
	return rc == 0 ? 1 : rc == -ESRCH ? 0 : rc;
}
