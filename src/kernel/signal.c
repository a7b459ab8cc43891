/* SPDX-License-Identifier: MIT */
#include "kernel/signal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const names[] = {
	[SIGHUP] = "HUP",   [SIGINT] = "INT",       [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
	[SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",     [SIGBUS] = "BUS",   [SIGFPE] = "FPE",
	[SIGKILL] = "KILL", [SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE", [SIGALRM] = "ALRM",     [SIGTERM] = "TERM", [SIGSTKFLT] = "STKFLT",
	[SIGCHLD] = "CHLD", [SIGCONT] = "CONT",     [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",
	[SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",     [SIGURG] = "URG",   [SIGXCPU] = "XCPU",
	[SIGXFSZ] = "XFSZ", [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH",
	[SIGIO] = "IO",     [SIGPWR] = "PWR",       [SIGSYS] = "SYS",
};

#define NAME_COUNT ((int)(sizeof names / sizeof names[0]))

const char *sys_signal_name(int number)
{
	return number > 0 && number < NAME_COUNT ? names[number] : NULL;
}

/* A whole decimal number from 'low' to 'high', or -1. */
static int whole_number(const char *text, int low, int high)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && n >= low && n <= high ? (int)n : -1;
}

static int real_time(const char *name)
{
	int offset;

	if (strncmp(name, "RTMIN", 5) != 0)
		return 0;
	if (!name[5])
		return SIGRTMIN;
	offset = name[5] == '+' ? whole_number(name + 6, 0, SIGRTMAX - SIGRTMIN) : -1;
	return offset < 0 ? 0 : SIGRTMIN + offset;
}

int sys_signal_number(const char *name)
{
	int number = whole_number(name, 1, NSIG - 1);

	if (number > 0)
		return number;
	if (!strncmp(name, "SIG", 3))
		name += 3;
	for (int i = 1; i < NAME_COUNT; i++)
		if (names[i] && !strcmp(names[i], name))
			return i;
	return real_time(name);
}

/* The kernel's struct sigaction. libc refuses its own two signals, 32 and 33, but its posix_spawn
 * leaves them ignored in what it starts, make among others. */
struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static long kernel_sigaction(int sig, const struct kernel_action *action, struct kernel_action *before)
{
	return syscall(SYS_rt_sigaction, sig, action, before, sizeof action->mask);
}

void sys_signal_defaults(void)
{
	const struct kernel_action action = { .handler = SIG_DFL };

	for (int i = 1; i < NSIG; i++) /* KILL and STOP are refused */
		kernel_sigaction(i, &action, NULL);
}

void sys_signal_unignore(void)
{
	const struct kernel_action action = { .handler = SIG_DFL };
	struct kernel_action before;

	for (int i = 1; i < NSIG; i++)
		if (kernel_sigaction(i, NULL, &before) == 0 && before.handler == SIG_IGN)
			kernel_sigaction(i, &action, NULL);
}

void sys_signal_block_all(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, before);
}

void sys_signal_restore(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}

void sys_signal_unblock_all(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
