/* SPDX-License-Identifier: MIT */
#include "kernel/wait.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

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

int proc_signal(int pidfd, int signal)
{
	if (pidfd_send_signal(pidfd, signal, NULL, 0) == 0)
		return 1;
	return errno == ESRCH ? 0 : -errno;
}
