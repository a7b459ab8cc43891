/* SPDX-License-Identifier: MIT */
#include "kernel/init.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/clone.h"
#include "kernel/close_fds.h"
#include "kernel/signal.h"
#include "kernel/util.h"
#include "kernel/wait.h"

#define STATUS_FD STDIN_FILENO

struct program {
	int (*run)(void *);
	void *argument;
};

static int run_program(void *argument)
{
	const struct program *p = argument;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* where init is not process 1, nothing else ends it */
	sys_signal_unblock_all();
	return p->run(p->argument);
}

/* Holds nothing open: not the program's streams, whose readers wait for their end, nor a
 * directory that could not be unmounted. */
static void let_go(int status)
{
	if (status >= 0)
		retry_eintr(dup2(status, STATUS_FD));
	close_fds(STATUS_FD + 1, ~0U, 0);
	if (chdir("/") < 0)
		return; /* an odd root, but no reason not to run */
}

static void end(pid_t pid, const siginfo_t *info)
{
	struct proc_end e = proc_decode_end(info->si_code, info->si_status);

	const int status = e.signal ? 128 + e.signal : e.code;

	if (pid != info->si_pid)
		return;
	if (retry_eintr(write(STATUS_FD, &e, sizeof e)) < 0)
		_exit(status); /* nobody is left to be told more */
	_exit(status);
}

static void reap_all(pid_t pid)
{
	siginfo_t info = { 0 };

	while (retry_eintr(waitid(P_ALL, 0, &info, WEXITED | WNOHANG)) == 0 && info.si_pid) {
		end(pid, &info);
		info.si_pid = 0;
	}
}

/* What the terminal sends has reached the program by itself. */
static void pass_on(pid_t pid, const siginfo_t *info)
{
	if (pid && info->si_code != SI_KERNEL)
		kill(pid, info->si_signo); /* ours and not reaped: the pid is nobody else's */
	else if (!pid && (info->si_signo == SIGTERM || info->si_signo == SIGINT))
		_exit(0);
}

/* All signals are blocked, so that none is lost: for a process 1 the kernel drops those with the
 * default effect. */
static _Noreturn void loop(pid_t pid)
{
	static const int passed_on[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
		sigaddset(&set, passed_on[i]);
	for (;;) {
		if (sigwaitinfo(&set, &info) < 0)
			continue;
		if (info.si_signo == SIGCHLD)
			reap_all(pid);
		else
			pass_on(pid, &info);
	}
}

int proc_init(int (*program)(void *), void *argument, int status, int report, struct fault *f)
{
	struct program p = { program, argument };
	int pidfd = -1;
	pid_t pid = 0;
	sigset_t before;

	prctl(PR_SET_NAME, "luabox-init");
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sys_signal_block_all(&before);
	if (program)
		pid = proc_clone(CLONE_VM, -1, run_program, &p, &pidfd, NULL, f);
	if (pid < 0)
		return pid;
	if (retry_eintr(write(report, "", 1)) < 0 &&
	    errno != EPIPE) /* else the parent is gone, and we soon */
		return fault_set(f, errno, "write", "that init has started");
	close(report);
	let_go(status);
	loop(pid);
}
