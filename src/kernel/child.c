/* SPDX-License-Identifier: MIT */
#include "kernel/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/capability_hint.h"
#include "kernel/close_fds.h"
#include "kernel/exec.h"
#include "kernel/init.h"
#include "kernel/limits.h"
#include "kernel/namespace.h"
#include "kernel/signal.h"
#include "kernel/util.h"

/* Asks for a signal at the parent's death, and ends if that was before the question:
 * its end of the report has been closed then. A change of ids clears the request. */
static void follow_parent(const struct child *c)
{
	struct pollfd p = { .fd = c->report };

	if (!c->spawn->death_signal)
		return;
	prctl(PR_SET_PDEATHSIG, c->spawn->death_signal);
	if (retry_eintr(poll(&p, 1, 0)) > 0 && (p.revents & (POLLHUP | POLLERR)))
		_exit(127);
}

int child_joins(const struct proc_spawn *s, uint64_t types)
{
	for (size_t i = 0; i < s->join_count; i++)
		if (s->joins[i].types & types)
			return 1;
	return 0;
}

static int join_one(const struct proc_join *j, uint64_t types, struct fault *f)
{
	return j->types & types ? ns_enter(j->fd, (int)(j->types & types), f) : 0;
}

static int join_user(const struct proc_spawn *s, struct fault *f)
{
	for (size_t i = 0; i < s->join_count; i++)
		if (s->joins[i].types == CLONE_NEWUSER)
			return join_one(&s->joins[i], CLONE_NEWUSER, f);
	return 0;
}

/* The user namespace comes last, while the caller's own privileges are there for the
 * others; or first, if it is what gives the right to join them. A set of types through one
 * pidfd is the kernel's to order. */
int child_join(const struct proc_spawn *s, uint64_t types, struct fault *f)
{
	int pending = types & CLONE_NEWUSER && child_joins(s, CLONE_NEWUSER), rc = 0;

	/* Once inside, nobody may trace us or open /proc/PID/exe to get at the host's
	 * program (CVE-2019-5736); exec lifts this. */
	prctl(PR_SET_DUMPABLE, 0);
	for (size_t i = 0; i < s->join_count && rc >= 0; i++) {
		if (s->joins[i].types == CLONE_NEWUSER)
			continue;
		rc = join_one(&s->joins[i], types, f);
		if (rc != -EPERM || !pending)
			continue;
		pending = 0;
		rc = join_user(s, f);
		rc = rc < 0 ? rc : join_one(&s->joins[i], types, f);
	}
	return rc < 0 || !pending ? rc : join_user(s, f);
}

int proc_chdir(const char *path, struct fault *f)
{
	char cwd[PATH_MAX];

	if (chdir(path) < 0) {
		fault_set(f, errno, "chdir", "%s", path);
		return errno != ENOENT ? -errno
				       : fault_hint(f, "there is no such directory in the child's root");
	}
	/* the kernel's own: "(unreachable)/…" if it is outside the root */
	if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0)
		return fault_set(f, errno, "getcwd", "%s", path);
	if (cwd[0] == '/')
		return 0;
	fault_set(f, EXDEV, "chdir", "%s", path);
	return fault_hint(f, "this directory is outside the root of the child");
}

/* A limit that the program raised for itself is not for others. */
static int restore_limits(struct fault *f)
{
	const struct rlimit *original = limits_original();

	if (!original || setrlimit(RLIMIT_NOFILE, original) == 0)
		return 0;
	return fault_set(f, errno, "setrlimit", "NOFILE");
}

/* Until the parent has written the id maps we are nobody. */
static int wait_for_maps(const struct child *c, struct fault *f)
{
	char word;
	ssize_t n = c->waits ? retry_eintr(recv(c->report, &word, 1, 0)) : 1;

	if (n == 0)
		_exit(127); /* the parent is gone */
	return n < 0 ? fault_set(f, errno, "recv", "%s", "the id maps") : 0;
}

/* Root of the user namespace that we are new in: as nobody we could make no file. This loses the
 * death signal, and hides us; from ourselves too, which is needless where nobody else is yet. */
static int own_user_namespace(const struct child *c, struct fault *f)
{
	int rc;

	if (!c->waits && !child_joins(c->spawn, CLONE_NEWUSER))
		return 0;
	rc = proc_become_root(f);
	if (c->waits)
		prctl(PR_SET_DUMPABLE, 1);
	follow_parent(c);
	return rc;
}

/* What does not need a new process: limits, steps while all rights are there, the working directory
 * with the rights of before, then groups, gid and uid. */
static int change_self(struct proc_spawn *s, int *step, struct fault *f)
{
	int rc = restore_limits(f);

	if (s->umask >= 0)
		umask((mode_t)s->umask);
	rc = rc < 0 ? rc : steps_run(&s->steps, step, f);
	if (rc == 0 && s->cwd)
		rc = proc_chdir(s->cwd, f);
	return rc < 0 ? rc : proc_become(&s->user, f);
}

/* The namespace that is to begin in it comes after: nobody leaves one. */
static int enter_cgroup(const struct child *c, struct fault *f)
{
	if (c->cgroup < 0)
		return 0;
	if (retry_eintr(write(c->cgroup, "0", 1)) < 0)
		return fault_set(f, errno, "write", "cgroup.procs");
	util_close(c->cgroup);
	return c->spawn->namespaces & CLONE_NEWCGROUP ? ns_unshare(CLONE_NEWCGROUP, f) : 0;
}

/* The order, and why:
 *  1. the parent's death, before anything can block; the cgroup, with the parent's rights
 *  2. the id maps, without which we are nobody
 *  3. joins with the parent's privileges; then the user namespace's
 *  4. a session, and what change_self does
 *  5. the parent's death again: a change of ids has cleared it */
static int prepare(struct child *c, int *step, struct fault *f)
{
	struct proc_spawn *s = c->spawn;
	int rc;

	follow_parent(c);
	rc = enter_cgroup(c, f);
	rc = rc < 0 ? rc : wait_for_maps(c, f);
	if (rc == 0 && child_joins(s, ~c->joined))
		rc = child_join(s, ~c->joined, f);
	rc = rc < 0 ? rc : own_user_namespace(c, f);
	if (rc == 0 && s->new_session && setsid() < 0)
		rc = fault_set(f, errno, "setsid", "%s", "");
	rc = rc < 0 ? rc : change_self(s, step, f);
	follow_parent(c);
	return rc;
}

/* Copies a descriptor to where no target overwrites it. */
static int lift(int fd, int base, int *lifted, struct fault *f)
{
	*lifted = fcntl(fd, F_DUPFD_CLOEXEC, base);
	return *lifted < 0 ? fault_set(f, errno, "dup", "descriptor %d to %d and above", fd, base) : 0;
}

/* Moves one of our own there. */
static int move(int *fd, int base, struct fault *f)
{
	int old = *fd, rc = old < 0 ? 0 : lift(old, base, fd, f);

	if (rc < 0)
		*fd = old;
	else
		util_close(old);
	return rc;
}

static int lift_all(struct child *c, struct fault *f)
{
	const struct proc_spawn *s = c->spawn;
	int base = STDERR_FILENO + 1, rc;

	for (size_t i = 0; i < s->fd_count; i++)
		base = s->fds[i].target >= base ? s->fds[i].target + 1 : base;
	rc = move(&c->report, base, f);
	rc = rc < 0 ? rc : move(&c->result, base, f);
	for (int i = 0; i < 3 && rc == 0; i++)
		rc = move(&c->streams[i], base, f);
	for (size_t i = 0; i < s->fd_count && rc == 0; i++)
		rc = lift(s->fds[i].source, base, &s->fds[i].lifted, f);
	return rc;
}

static int put(int fd, int target, struct fault *f)
{
	if (fd < 0 || retry_eintr(dup2(fd, target)) >= 0)
		return 0;
	return fault_set(f, errno, "dup2", "descriptor %d", target);
}

static int close_on_exec(struct fault *f)
{
	int rc = close_fds(STDERR_FILENO + 1, ~0U, 1);

	return rc < 0 ? fault_set(f, -rc, "close_range", "%s", "") : 0;
}

/* The first descriptor from 'from' on that the program or we have a use for; -1: none. */
static int next_used(const struct child *c, int from)
{
	const struct proc_spawn *s = c->spawn;
	int next = -1;

	for (size_t i = 0; i < s->fd_count + 2; i++) {
		int fd = i < s->fd_count ? s->fds[i].target : i == s->fd_count ? c->report : c->result;

		if (fd >= from && (next < 0 || fd < next))
			next = fd;
	}
	return next;
}

/* Not merely on exec: the program's name may be a link of an untrusted root to /proc/self/fd/N, and
 * so to a program of the host, which could then be written to (CVE-2019-5736). */
static int close_unused(const struct child *c, struct fault *f)
{
	int from = STDERR_FILENO + 1, used, rc = 0;

	for (; rc == 0 && (used = next_used(c, from)) >= 0; from = used + 1)
		if (used > from)
			rc = close_fds((unsigned)from, (unsigned)used - 1, 0);
	if (rc == 0)
		rc = close_fds((unsigned)from, ~0U, 0);
	return rc < 0 ? fault_set(f, -rc, "close_range", "%s", "") : 0;
}

/* All sources are lifted out of the way first, so that { [3] = 4, [4] = 3 } swaps. */
static int place(struct child *c, struct fault *f)
{
	const struct proc_spawn *s = c->spawn;
	int rc = lift_all(c, f);

	for (int i = 0; i < 3 && rc == 0; i++) {
		rc = put(c->streams[i], i, f);
		util_close(c->streams[i]);
	}
	for (size_t i = 0; i < s->fd_count && rc == 0; i++)
		rc = put(s->fds[i].lifted, s->fds[i].target, f);
	/* a body goes on using what its handles hold; a program has no use for it */
	return rc == 0 && s->argv ? close_unused(c, f) : rc;
}

static void tell(const struct child *c, const struct proc_report *r)
{
	retry_eintr(send(c->report, r, sizeof *r, MSG_NOSIGNAL));
}

static int exec_program(struct child *c, struct fault *f)
{
	return proc_exec(c->spawn->argv, c->spawn->env, f);
}

/* As init's child. */
static int exec_main(void *argument)
{
	struct child *c = argument;
	struct proc_report r = { 0 };

	exec_program(c, &r.fault);
	tell(c, &r);
	return 127;
}

static int launch(struct child *c, struct fault *f)
{
	const struct proc_spawn *s = c->spawn;
	int rc = place(c, f);

	if (rc < 0)
		return rc;
	if (s->init)
		return proc_init(s->argv ? exec_main : NULL, c, c->result, c->report, f);
	if (s->argv)
		return exec_program(c, f);
	if (s->namespaces)
		prctl(PR_SET_DUMPABLE, 0); /* what the container runs must not get at a Lua body */
	close(c->report);
	_exit(s->body(s->context, c->result));
}

int child_main(void *argument)
{
	struct child c = *(const struct child *)argument;
	struct proc_report r = { 0 };

	for (size_t i = 0; i < sizeof c.foreign / sizeof c.foreign[0]; i++)
		util_close(c.foreign[i]);
	sys_signal_defaults();
	sys_signal_unblock_all();
	if (prepare(&c, &r.step, &r.fault) == 0)
		launch(&c, &r.fault);
	else
		cap_explain(&r.fault);
	tell(&c, &r);
	return 127;
}

int proc_replace(struct proc_spawn *s, int *step, struct fault *f)
{
	sigset_t before;
	int rc = change_self(s, step, f);

	rc = rc < 0 ? rc : close_on_exec(f);
	if (rc < 0)
		return rc;
	sys_signal_unignore();
	sigprocmask(SIG_SETMASK, NULL, &before);
	sys_signal_unblock_all();
	rc = proc_exec(s->argv, s->env, f);
	sys_signal_restore(&before);
	return rc;
}
