/* SPDX-License-Identifier: MIT
 * The guard shares the memory of this process, which costs a tenth of a fork and is what holds the file. That
 * is also how it knows whom to guard: it looks at the list when this process is gone.
 */
#include "kernel/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel/close_fds.h"
#include "kernel/signal.h"
#include "kernel/util.h"

#define TRIES 3

static struct {
	struct guard_slot *volatile slots;
	pid_t owner, pid;
	int lifeline; /* the guard's end of a pipe: it hangs up when the other end is closed everywhere */
	int alive;    /* that other end */
	unsigned int highest; /* descriptor that the guard may have inherited */
} guard = { .lifeline = -1, .alive = -1 };

/* ---- the guard's side ---- */

/* errno is the parent's, too. */
#if defined(__x86_64__) && !defined(__ILP32__)
static long call(long number, long a, long b, long c)
{
	register long d __asm__("r10") = 0;
	long rc;

	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(d)
			 : "rcx", "r11", "memory");
	return rc;
}
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = 0;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
#else
#define call(number, a, b, c) syscall(number, a, b, c, 0L)
#endif

/* The run's descriptors must not live on: they hold its network namespaces. */
static void close_all_but(unsigned int fd)
{
	if ((fd == 0 || call(SYS_close_range, 0, fd - 1, 0) == 0) &&
	    call(SYS_close_range, fd + 1, ~0U, 0) == 0)
		return;
	for (unsigned int i = 0; i <= guard.highest; i++)
		if (i != fd)
			call(SYS_close, i, 0, 0);
}

static void wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	call(SYS_ppoll, (long)(intptr_t)&p, 1, 0);
}

/* From here on errno is ours. */
static void wait_gone(pid_t pid)
{
	const struct timespec a_while = { .tv_nsec = 5000000 };
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0) {
		wait_readable(fd);
		close(fd);
		return;
	}
	while (errno != ESRCH && kill(pid, 0) == 0) /* no pidfd_open before Linux 5.3 */
		nanosleep(&a_while, NULL);
}

static int guard_main(void *unused)
{
	(void)unused;
	close_all_but((unsigned int)guard.lifeline);
	call(SYS_prctl, PR_SET_NAME, (long)(intptr_t) "luabox-guard", 0);
	call(SYS_chdir, (long)(intptr_t) "/", 0, 0);
	wait_readable(guard.lifeline);
	for (struct guard_slot *s = guard.slots; s; s = s->next)
		if (s->pid > 0)
			wait_gone(s->pid);
	return 0;
}

/* ---- the run's side ---- */

static int start_failed(struct fault *f, const char *what)
{
	fault_set(f, errno, what, "%s", "");
	return fault_hint(
		f, "the process that keeps luabox's own program from containers could not be started%s",
		f->error == EAGAIN ? ": the limit on processes is reached (RLIMIT_NPROC, pids.max or "
				     "kernel.pid_max)"
				   : "");
}

/* Only looked for where the guard cannot close them in one call. */
static unsigned int highest_descriptor(void)
{
	return close_range(~0U, ~0U, 0) == 0 ? 1 << 20 : close_fds_highest();
}

/* exit_signal 0: wait(2) of the program does not see this child. */
static int start(struct fault *f)
{
	static _Alignas(16) char stack[16 << 10];
	cleanup_fd int read_end = -1, write_end = -1, alive = -1;
	sigset_t before;
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return start_failed(f, "pipe");
	read_end = pair[0];
	write_end = pair[1];
	alive = fcntl(write_end, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (alive < 0)
		return start_failed(f, "dup");
	guard.lifeline = read_end;
	guard.highest = highest_descriptor();
	sys_signal_block_all(&before);
	guard.pid = clone(guard_main, stack + sizeof stack, CLONE_VM, NULL);
	sys_signal_restore(&before);
	if (guard.pid < 0)
		return start_failed(f, "clone");
	guard.alive = take_fd(&alive);
	return 0;
}

static void stop(void)
{
	int rc = -1;

	for (int i = 0; i < TRIES && rc < 0; i++)
		rc = kill(guard.pid, SIGKILL);
	for (int i = 0; i < TRIES && waitpid(guard.pid, NULL, __WALL | (rc < 0 ? WNOHANG : 0)) < 0; i++)
		; /* one that could not be killed is not waited for */
	util_closep(&guard.alive);
}

/* A forked child has a copy of the list, and no guard. */
static void forget_parents(pid_t owner)
{
	if (guard.owner == owner)
		return;
	util_closep(&guard.alive);
	guard.slots = NULL;
	guard.owner = owner;
}

int guard_add(struct guard_slot *s, pid_t owner, struct fault *f)
{
	int fd;

	forget_parents(owner);
	if (!guard.slots && start(f) < 0)
		return -f->error;
	fd = fcntl(guard.alive, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0) {
		fault_set(f, errno, "dup", "%s", "guard");
		if (!guard.slots)
			stop();
		return -f->error;
	}
	*s = (struct guard_slot){ .next = guard.slots };
	guard.slots = s;
	return fd;
}

void guard_remove(struct guard_slot *s)
{
	struct guard_slot *volatile *at = &guard.slots;

	while (*at != s)
		at = (struct guard_slot *volatile *)&(*at)->next;
	*at = s->next;
	if (!guard.slots)
		stop();
}
