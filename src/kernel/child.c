/* SPDX-License-Identifier: MIT */
#include "kernel/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/exec.h"
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
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
		_exit(127);
}

int child_joins(const struct proc_spawn *s, uint64_t types)
{
	for (size_t i = 0; i < s->join_count; i++)
		if (s->joins[i].types & types)
			return 1;
	return 0;
}

static int join_one(const struct proc_join *j, struct fault *f)
{
	return setns(j->fd, (int)j->types) < 0 ? fault_set(f, errno, "setns", "%s", "") : 0;
}

static int join_user(const struct proc_spawn *s, struct fault *f)
{
	for (size_t i = 0; i < s->join_count; i++)
		if (s->joins[i].types == CLONE_NEWUSER)
			return join_one(&s->joins[i], f);
	return 0;
}

/* The user namespace comes last, while the caller's own privileges are there for the
 * others; or first, if it is what gives the right to join them. A set of types through one
 * pidfd is the kernel's to order. */
int child_join(const struct proc_spawn *s, struct fault *f)
{
	int pending = child_joins(s, CLONE_NEWUSER), rc = 0;

	for (size_t i = 0; i < s->join_count && rc >= 0; i++) {
		if (s->joins[i].types == CLONE_NEWUSER)
			continue;
		rc = join_one(&s->joins[i], f);
		if (rc != -EPERM || !pending)
			continue;
		pending = 0;
		rc = join_user(s, f);
		rc = rc < 0 ? rc : join_one(&s->joins[i], f);
	}
	return rc < 0 || !pending ? rc : join_user(s, f);
}

/* A user namespace whose owner has forbidden setgroups (as unprivileged ones must)
 * leaves no way to drop them. */
static int setgroups_denied(void)
{
	char word[8] = "";

	return util_read_file(AT_FDCWD, "/proc/self/setgroups", word, sizeof word) > 0 &&
	       !strncmp(word, "deny", 4);
}

static int set_groups(const struct proc_user *user, struct fault *f)
{
	if (!user->groups_given && user->uid < 0 && user->gid < 0)
		return 0;
	/* the raw call: libc's would tell it to other threads, whose memory we may share */
	if (syscall(SYS_setgroups, user->group_count, user->groups) == 0)
		return 0;
	if (errno == EPERM && !user->groups_given && setgroups_denied())
		return 0;
	fault_set(f, errno, "setgroups", "%s", "");
	if (errno == EPERM)
		return fault_hint(f, "needs CAP_SETGID, and a user namespace whose setgroups is not 'deny'");
	return -errno;
}

static int set_id(long call, int64_t id, const char *op, struct fault *f)
{
	if (id < 0 || syscall(call, id, id, id) == 0)
		return 0;
	fault_set(f, errno, op, "%lld", (long long)id);
	if (errno == EINVAL)
		return fault_hint(f, "this id has no mapping in the user namespace");
	return -errno;
}

int proc_become(const struct proc_user *user, struct fault *f)
{
	int rc = set_groups(user, f);

	rc = rc < 0 ? rc : set_id(SYS_setresgid, user->gid, "setresgid", f);
	return rc < 0 ? rc : set_id(SYS_setresuid, user->uid, "setresuid", f);
}

int proc_chdir(const char *path, struct fault *f)
{
	char cwd[PATH_MAX];

	if (chdir(path) < 0)
		return fault_set(f, errno, "chdir", "%s", path);
	/* the kernel's own: "(unreachable)/…" if it is outside the root */
	if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0)
		return fault_set(f, errno, "getcwd", "%s", path);
	if (cwd[0] == '/')
		return 0;
	fault_set(f, EXDEV, "chdir", "%s", path);
	return fault_hint(f, "this directory is outside the root of the child");
}

static int restore_limits(const struct child *c, struct fault *f)
{
	struct rlimit limit;

	if (c->nofile < 0)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return fault_set(f, errno, "getrlimit", "NOFILE");
	limit.rlim_cur = (rlim_t)c->nofile;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? fault_set(f, errno, "setrlimit", "NOFILE") : 0;
}

/* Inside another's namespaces nobody may trace us or open /proc/PID/exe to get at
 * the host's program (CVE-2019-5736); exec lifts this. */
static void hide(const struct proc_spawn *s)
{
	if (s->join_count > 0 || (s->body && s->namespaces))
		prctl(PR_SET_DUMPABLE, 0);
}

/* The order, and why:
 *  1. the parent's death, before anything can block
 *  2. hidden before it joins, for then others can see it
 *  3. joins with the parent's privileges
 *  4. session and limits are the process's own
 *  5. the working directory with the rights of before, then groups, gid, uid, each of
 *     which takes the right to do the one before; and the death signal, which that clears */
static int prepare(const struct child *c, struct fault *f)
{
	const struct proc_spawn *s = c->spawn;
	int rc;

	follow_parent(c);
	hide(s);
	rc = c->joined ? 0 : child_join(s, f);
	if (rc == 0 && s->new_session && setsid() < 0)
		rc = fault_set(f, errno, "setsid", "%s", "");
	rc = rc < 0 ? rc : restore_limits(c, f);
	if (s->umask >= 0)
		umask((mode_t)s->umask);
	if (rc == 0 && s->cwd)
		rc = proc_chdir(s->cwd, f);
	rc = rc < 0 ? rc : proc_become(&s->user, f);
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
	if (fd < 0 || dup2(fd, target) >= 0)
		return 0;
	return fault_set(f, errno, "dup2", "descriptor %d", target);
}

/* All sources are lifted out of the way first, so that { [3] = 4, [4] = 3 } swaps. */
static int place(struct child *c, struct fault *f)
{
	const struct proc_spawn *s = c->spawn;
	int rc = lift_all(c, f);

	/* a body goes on using what its handles hold; a program has no use for it */
	if (rc == 0 && s->argv && close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		rc = fault_set(f, errno, "close_range", "%s", "");
	for (int i = 0; i < 3 && rc == 0; i++) {
		rc = put(c->streams[i], i, f);
		util_close(c->streams[i]);
	}
	for (size_t i = 0; i < s->fd_count && rc == 0; i++)
		rc = put(s->fds[i].lifted, s->fds[i].target, f);
	return rc;
}

static int launch(struct child *c, struct fault *f)
{
	const struct proc_spawn *s = c->spawn;
	int rc = place(c, f);

	if (rc < 0)
		return rc;
	if (s->argv)
		return proc_exec(s->argv, s->env, f);
	close(c->report);
	_exit(s->body(s->context, c->result));
}

int child_main(void *argument)
{
	struct child c = *(const struct child *)argument;
	struct proc_report r = { 0 };
	int rc;

	for (size_t i = 0; i < sizeof c.foreign / sizeof c.foreign[0]; i++)
		util_close(c.foreign[i]);
	sys_signal_defaults();
	sys_signal_unblock_all();
	rc = prepare(&c, &r.fault);
	if (rc == 0)
		launch(&c, &r.fault);
	send(c.report, &r, sizeof r, MSG_NOSIGNAL);
	return 127;
}
