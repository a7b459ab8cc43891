/* SPDX-License-Identifier: MIT */
#include "kernel/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/child.h"
#include "kernel/clone.h"
#include "kernel/signal.h"
#include "kernel/util.h"
#include "kernel/wait.h"

/* Descriptors of one spawn; what is not taken is closed. */
struct ends {
	int ours[3], theirs[3];
	int report, peer;
	int result_read, result_write;
	int pidfd;
};

#define ENDS_COUNT (sizeof(struct ends) / sizeof(int))

static void close_ends(struct ends *e)
{
	int *fds = (int *)e;

	for (size_t i = 0; i < ENDS_COUNT; i++)
		util_close(fds[i]);
}

static void forget_ends(struct ends *e)
{
	int *fds = (int *)e;

	for (size_t i = 0; i < ENDS_COUNT; i++)
		fds[i] = -1;
}

/* Moves a descriptor away from 0, 1 and 2: where those are closed, the kernel hands
 * them out, and the child's streams would overwrite it. Returns it or -errno. */
static int above_stdio(int fd)
{
	int high;

	if (fd > STDERR_FILENO)
		return fd;
	if (fd < 0)
		return -errno;
	high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (high < 0)
		high = -errno;
	util_close(fd);
	return high;
}

static int make_pair(int made, int pair[2], int *a, int *b, const char *op, struct fault *f)
{
	if (made < 0)
		return fault_set(f, errno, op, "%s", "");
	*a = above_stdio(pair[0]);
	*b = above_stdio(pair[1]);
	return *a < 0 || *b < 0 ? fault_set(f, *a < 0 ? -*a : -*b, op, "%s", "") : 0;
}

static int make_pipe(int *read_end, int *write_end, struct fault *f)
{
	int pair[2];

	return make_pair(pipe2(pair, O_CLOEXEC), pair, read_end, write_end, "pipe", f);
}

static int open_stream(const char *path, int flags, int *fd, struct fault *f)
{
	*fd = above_stdio(retry_eintr(open(path, flags | O_CLOEXEC | O_NOCTTY, 0666)));
	return *fd < 0 ? fault_set(f, -*fd, "open", "%s", path) : 0;
}

static int make_stream(const struct proc_stream *s, int i, struct ends *e, struct fault *f)
{
	switch (s->kind) {
	case PROC_PIPE:
		return i == 0 ? make_pipe(&e->theirs[i], &e->ours[i], f)
			      : make_pipe(&e->ours[i], &e->theirs[i], f);
	case PROC_FILE:
		return open_stream(s->path, s->flags, &e->theirs[i], f);
	case PROC_DESCRIPTOR:
		e->theirs[i] = fcntl(s->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		return e->theirs[i] < 0 ? fault_set(f, errno, "dup", "descriptor %d", s->fd) : 0;
	case PROC_INHERIT:
		if (fcntl(i, F_GETFD) >= 0)
			return 0;
		break; /* closed: the child's next file must not become its stdout */
	case PROC_NULL:
		break;
	}
	return open_stream("/dev/null", O_RDWR, &e->theirs[i], f);
}

static int make_ends(const struct proc_spawn *s, struct ends *e, struct fault *f)
{
	int pair[2];
	int rc = make_pair(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), pair, &e->peer,
			   &e->report, "socketpair", f);

	for (int i = 0; i < 3 && rc == 0; i++)
		rc = make_stream(&s->streams[i], i, e, f);
	if (rc == 0 && (s->body || s->init))
		rc = make_pipe(&e->result_read, &e->result_write, f);
	return rc;
}

/* Whether the child may run in our memory: it must not change what belongs to the memory
 * (user and time namespaces refuse), nor run Lua. */
static int shares_memory(const struct proc_spawn *s)
{
	const uint64_t own = CLONE_NEWUSER | CLONE_NEWTIME;

	return s->argv && !s->init && !s->steps.calls && !(s->namespaces & own) && !child_joins(s, own);
}

/* A process that only joins namespaces, or makes one of time, and starts the child as its sibling:
 * the parent's own "namespace for children" need not be changed and changed back. It
 * shares our descriptors, so that the pidfd is ours. */
struct stage {
	struct child *child;
	uint64_t flags;
	pid_t pid;
	int pidfd;
	struct fault fault;
};

/* Offsets can be set until the first process enters. */
static int make_time_namespace(const struct proc_spawn *s, struct fault *f)
{
	static const char path[] = "/proc/self/timens_offsets";
	char offsets[128];
	int rc;

	if (unshare(CLONE_NEWTIME) < 0)
		return fault_set(f, errno, "unshare", "time");
	snprintf(offsets, sizeof offsets, "monotonic %" PRId64 " 0\nboottime %" PRId64 " 0\n",
		 s->monotonic_offset, s->boot_offset);
	rc = util_write_file(AT_FDCWD, path, offsets);
	return rc < 0 ? fault_set(f, -rc, "write", "%s", path) : 0;
}

static int open_cgroup(struct child *c, struct fault *f)
{
	c->cgroup = openat(c->spawn->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	return c->cgroup < 0 ? fault_set(f, errno, "open", "cgroup.procs") : 0;
}

/* Before Linux 5.7 the child enters the cgroup by itself. */
static pid_t clone_main(struct child *c, uint64_t flags, int *pidfd, struct fault *f)
{
	int cgroup = c->cgroup < 0 ? c->spawn->cgroup : -1;
	pid_t pid = proc_clone(flags, cgroup, child_main, c, pidfd, c->spawn->number, f);

	if (pid != -ENOSYS || cgroup < 0)
		return pid;
	pid = open_cgroup(c, f);
	flags &= ~(uint64_t)CLONE_NEWCGROUP;
	return pid < 0 ? pid : proc_clone(flags, -1, child_main, c, pidfd, c->spawn->number, f);
}

static int stage_main(void *argument)
{
	struct stage *st = argument;
	const struct proc_spawn *s = st->child->spawn;

	st->pid = s->join_count > 0 ? child_join(s, st->child->joined, &st->fault) : 0;
	if (st->pid == 0 && (s->namespaces & CLONE_NEWTIME))
		st->pid = make_time_namespace(s, &st->fault);
	if (st->pid == 0)
		st->pid = clone_main(st->child, st->flags | CLONE_PARENT, &st->pidfd, &st->fault);
	return 0;
}

/* With nsdelegate nobody in a joined cgroup namespace is born in a group, or opens one to enter it, while the
 * group that it is in itself is outside: ENOENT. So the child joins that namespace itself, when it is born.
 * In a joined user namespace it might not; but what is open before can be written to, which takes
 * milliseconds. */
static int arrange_cgroup(struct child *c, struct fault *f)
{
	const struct proc_spawn *s = c->spawn;

	c->joined = ~(uint64_t)0;
	if (s->cgroup < 0 || !child_joins(s, CLONE_NEWCGROUP))
		return 0;
	if (child_joins(s, CLONE_NEWUSER))
		return open_cgroup(c, f);
	c->joined = ~(uint64_t)CLONE_NEWCGROUP;
	return 0;
}

static pid_t clone_staged(struct child *c, uint64_t flags, int *pidfd, struct fault *f)
{
	struct stage st = { .child = c, .flags = flags, .pidfd = -1 };
	int stage_pidfd = -1;
	struct proc_end end;
	pid_t rc;

	rc = arrange_cgroup(c, f);
	if (rc < 0)
		return rc;
	rc = proc_clone(CLONE_VM | CLONE_FILES, -1, stage_main, &st, &stage_pidfd, NULL, f);
	if (rc < 0)
		return rc;
	proc_reap(stage_pidfd, 1, &end);
	util_close(stage_pidfd);
	*pidfd = st.pidfd;
	if (st.pid < 0 && f)
		*f = st.fault;
	return st.pid;
}

/* Only children enter a joined pid namespace, or one of time with offsets; a new user namespace would take
 * the right to join others; and one that is joined shall own what is made. */
static int needs_stage(const struct proc_spawn *s)
{
	return child_joins(s, CLONE_NEWPID) || (s->namespaces & CLONE_NEWTIME) ||
	       (s->join_count > 0 && (s->namespaces & CLONE_NEWUSER)) ||
	       (child_joins(s, CLONE_NEWUSER) && s->namespaces);
}

static pid_t clone_child(struct child *c, int *pidfd, struct fault *f)
{
	const struct proc_spawn *s = c->spawn;
	uint64_t flags = (s->namespaces & ~(uint64_t)CLONE_NEWTIME) | (shares_memory(s) ? CLONE_VM : 0);

	if (needs_stage(s))
		return clone_staged(c, flags, pidfd, f);
	return clone_main(c, flags, pidfd, f);
}

/* No handler may run in a child that shares our memory. And what it does to its
 * dumpable flag (a change of ids does) it does to ours. */
static pid_t clone_guarded(struct child *c, int *pidfd, struct fault *f)
{
	int dumpable = prctl(PR_GET_DUMPABLE);
	sigset_t before;
	pid_t pid;

	sys_signal_block_all(&before);
	pid = clone_child(c, pidfd, f);
	sys_signal_restore(&before);
	if (dumpable == 1)
		prctl(PR_SET_DUMPABLE, 1);
	return pid;
}

/* With SIGCHLD ignored, as some supervisors leave it, the kernel throws exit statuses away. */
static void keep_exit_statuses(void)
{
	struct sigaction action;

	if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
		action = (struct sigaction){ .sa_handler = SIG_DFL };
		sigaction(SIGCHLD, &action, NULL);
	}
}

static int lift_pidfd(int *pidfd, struct fault *f)
{
	int high;

	if (*pidfd > STDERR_FILENO)
		return 0;
	high = fcntl(*pidfd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (high < 0) {
		fault_set(f, errno, "dup", "pidfd");
		proc_destroy(*pidfd);
		return -errno;
	}
	close(*pidfd);
	*pidfd = high;
	return 0;
}

static int wants_maps(const struct proc_spawn *s)
{
	return s->maps.uid.count > 0 || s->maps.gid.count > 0;
}

/* The child waits for the word. */
static int write_maps(const struct proc_spawn *s, pid_t pid, const struct ends *e, struct fault *f)
{
	int rc = wants_maps(s) ? idmap_write(pid, &s->maps, f) : 0;

	if (rc == 0 && wants_maps(s) && retry_eintr(send(e->peer, "", 1, MSG_NOSIGNAL)) < 0)
		rc = fault_set(f, errno, "send", "the child");
	if (rc < 0)
		proc_destroy(e->pidfd);
	return rc;
}

static void hand_out(struct ends *e, pid_t pid, struct proc_child *out)
{
	out->pid = pid;
	out->pidfd = take_fd(&e->pidfd);
	out->report = take_fd(&e->peer);
	out->result = take_fd(&e->result_read);
	for (int i = 0; i < 3; i++)
		out->streams[i] = take_fd(&e->ours[i]);
}

int proc_spawn(struct proc_spawn *s, struct proc_child *out, struct fault *f)
{
	__attribute__((cleanup(close_ends))) struct ends e;
	struct child c;
	pid_t pid;
	int rc;

	forget_ends(&e);
	keep_exit_statuses();
	rc = make_ends(s, &e, f);
	if (rc < 0)
		return rc;
	c = (struct child){ .spawn = s,
			    .report = e.report,
			    .foreign = { e.peer, e.result_read, e.ours[0], e.ours[1], e.ours[2] },
			    .result = e.result_write,
			    .streams = { e.theirs[0], e.theirs[1], e.theirs[2] },
			    .waits = wants_maps(s),
			    .cgroup = -1 };
	pid = steps_prepare(&s->steps, f);
	if (pid == 0)
		pid = clone_guarded(&c, &e.pidfd, f);
	util_close(c.cgroup);
	steps_release(&s->steps);
	if (pid < 0)
		return pid;
	rc = lift_pidfd(&e.pidfd, f);
	rc = rc < 0 ? rc : write_maps(s, pid, &e, f);
	if (rc < 0)
		return rc;
	hand_out(&e, pid, out);
	return 0;
}

/* By now the child may be anybody's. */
static int check_report(struct proc_report *r, size_t size)
{
	struct fault *f = &r->fault;

	if (size != sizeof *r || f->error < 1 || f->error > FAULT_ERRNO_MAX) {
		r->step = 0;
		return fault_set(f, EBADMSG, "recv", "%s", "report of the child");
	}
	f->op[sizeof f->op - 1] = f->subject[sizeof f->subject - 1] = '\0';
	f->detail[sizeof f->detail - 1] = f->hint[sizeof f->hint - 1] = '\0';
	return -f->error;
}

static int was_killed(struct fault *f)
{
	fault_set(f, ESRCH, "start", "init");
	return fault_hint(f,
			  "it was killed before it ran its program: by somebody, or for want of memory (see "
			  "the kernel's log)");
}

int proc_started(int report, int init, struct proc_report *r)
{
	ssize_t n = retry_eintr(recv(report, r, sizeof *r, 0));

	if (n < 0 && errno == ECONNRESET) /* it ended with our word unread; its own is there all the same */
		n = retry_eintr(recv(report, r, sizeof *r, 0));
	if (n < 0) {
		r->step = 0;
		return fault_set(&r->fault, errno, "recv", "%s", "report of the child");
	}
	if (n == init) /* init's byte; of another child the end */
		return 0;
	return n == 0 ? was_killed(&r->fault) : check_report(r, (size_t)n);
}
