/* SPDX-License-Identifier: MIT */
#include "kernel/clone.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/cgroup.h"
#include "kernel/clone_stack.h"
#include "kernel/detective.h"
#include "kernel/util.h"

/* A child leaves its stack without unwinding it, and with it what the address sanitizer marked
 * there as out of bounds: the next stack at that place must begin without. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define unmark_stack(stack) __asan_unpoison_memory_region(stack, STACK_SIZE)
#else
#define unmark_stack(stack) (void)(stack)
#endif

/* Only what is touched is ever allocated. A forked child that comes out of one
 * with shared memory goes on using it, so a Lua body must fit. */
#define STACK_SIZE (8 << 20)
#define GUARD_SIZE (64 << 10)

struct start {
	int (*child)(void *);
	void *argument;
};

static int run_child(void *argument)
{
	const struct start *s = argument;

	/* not _exit, which the address sanitizer takes for a longjmp out of a stack that it does not know */
	syscall(SYS_exit_group, s->child(s->argument));
	return 0;
}

/* clone has one argument for both the pidfd and the pid. */
static int old_flags(const struct clone_args *a)
{
	return (int)(a->flags & ~(uint64_t)CLONE_PARENT_SETTID) | SIGCHLD;
}

/* Sandboxes answer ENOSYS to clone3 so that libraries fall back to clone, whose
 * flags they can see; it does all but cgroups and time namespaces. */
static long share_memory(struct clone_args *a, struct start *s, int *pidfd)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	long rc;

	if (stack == MAP_FAILED)
		return -errno;
	unmark_stack(stack);
	mprotect(stack, GUARD_SIZE, PROT_NONE);
	a->stack = (uint64_t)(uintptr_t)stack;
	a->stack_size = STACK_SIZE;
	rc = clone3_on_stack(a, run_child, s);
	if (rc == -ENOSYS && !(a->flags & CLONE_INTO_CGROUP)) {
		rc = clone(run_child, stack + STACK_SIZE, old_flags(a), s, pidfd);
		rc = rc < 0 ? -errno : rc;
	}
	munmap(stack, STACK_SIZE); /* the child is gone from it, or has a copy */
	return rc;
}

static long copy_memory(struct clone_args *a, struct start *s, int *pidfd)
{
	long rc = syscall(SYS_clone3, a, sizeof *a);

	if (rc < 0 && errno == ENOSYS && !(a->flags & CLONE_INTO_CGROUP))
		rc = syscall(SYS_clone, (long)old_flags(a), NULL, pidfd, NULL, NULL);
	if (rc == 0)
		run_child(s);
	return rc < 0 ? -errno : rc;
}

pid_t proc_clone(uint64_t flags, int cgroup, int (*child)(void *), void *argument, int *pidfd, pid_t *number,
		 struct fault *f)
{
	struct start s = { child, argument };
	struct clone_args a = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
	};
	long rc;

	if (cgroup >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup;
	}
	if (number) {
		a.flags |= CLONE_PARENT_SETTID;
		a.parent_tid = (uint64_t)(uintptr_t)number;
	}
	if (flags & CLONE_VM)
		a.flags |= CLONE_VFORK;
	rc = flags & CLONE_VM ? share_memory(&a, &s, pidfd) : copy_memory(&a, &s, pidfd);
	if (rc == -ENOSYS && cgroup >= 0 && cg_version(cgroup) != 2)
		rc = -EBADF; /* as the kernel says */
	if (rc < 0) {
		fault_set(f, (int)-rc, "clone", "%s", "");
		detect_clone(a.flags, cgroup, f);
		return (pid_t)rc;
	}
	if (number)
		*number = (pid_t)rc;
	return (pid_t)rc;
}
