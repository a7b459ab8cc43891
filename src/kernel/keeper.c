/* SPDX-License-Identifier: MIT
 * The keeper's process and the run's side of the socket to it.
 *
 * The run is over when its pidfd says so, or when it says so itself. The end of the
 * socket tells nothing: a forked child that lives on holds it too; a run that execs has
 * closed it, but the program that it became goes on with what was made; and one that
 * dies closes it before it lets go of its locks.
 */
#include "kernel/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kernel/util.h"

#define PATIENCE 10 /* seconds that the run waits for an answer */

enum { SOCKET = 3, JOURNAL, DIRECTORY, RUN, OPEN }; /* the keeper's descriptors */
enum { FILES = 32 };                                /* as many as it may want */

struct message {
	uint32_t first, count; /* ids */
	char kind;             /* '+': lines follow; '-': forget */
	char lines[KEEP_LINES];
};

struct reply {
	uint32_t first; /* the message's; 0: started */
	int error;      /* 0 or -errno */
};

#define HEAD offsetof(struct message, lines)

/* ---- the keeper's side ---- */

static int receive(struct message *m, size_t *length, int *fd)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec v = { m, sizeof *m };
	struct msghdr h = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	ssize_t n = retry_eintr(recvmsg(SOCKET, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;

	*fd = -1;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	if (n < (ssize_t)HEAD)
		return 0;
	*length = (size_t)n - HEAD;
	return 1;
}

static void answer(uint32_t first, int error)
{
	struct reply r = { first, error };

	retry_eintr(send(SOCKET, &r, sizeof r, MSG_NOSIGNAL));
}

/* Calls 'each' for the lines of a message, which it ends with zeroes. */
static int each_line(struct message *m, size_t length,
		     int (*each)(struct keep_list *l, uint32_t id, const char *line, int fd),
		     struct keep_list *l, int fd)
{
	char *line = m->lines, *end = m->lines + length;

	for (uint32_t i = 0; i < m->count; i++) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		int rc;

		if (!stop)
			return -EINVAL;
		*stop = '\0';
		rc = each(l, m->first + i, line, i ? -1 : fd);
		*stop = '\n';
		if (rc < 0)
			return rc;
		line = stop + 1;
	}
	return 0;
}

static int check_line(struct keep_list *l, uint32_t id, const char *line, int fd)
{
	(void)l;
	(void)id;
	(void)fd;
	return keep_check(line);
}

static int add_line(struct keep_list *l, uint32_t id, const char *line, int fd)
{
	return keep_list_add(l, id, line, strlen(line), fd);
}

static void drop(struct keep_list *l, const struct message *m)
{
	for (uint32_t i = 0; i < m->count; i++) {
		struct keep_slot *s = keep_list_find(l, m->first + i);

		if (s)
			keep_list_drop(l, s);
	}
}

static int handle(struct keep_list *l, struct message *m, size_t length, int fd)
{
	int rc;

	if (m->kind == '-') {
		util_close(fd);
		drop(l, m);
		return 0;
	}
	rc = each_line(m, length, check_line, l, -1);
	rc = rc < 0 ? rc : each_line(m, length, add_line, l, fd);
	if (rc < 0) {
		if (!keep_list_find(l, m->first))
			util_close(fd);
		drop(l, m);
	}
	return rc;
}

/* Until the run is over. 'run' is its pidfd, or -1. What it had sent before it died is
 * heard too: a claim's descriptor that is still in the socket would hold its lock. */
static void serve(struct keep_list *l, int run)
{
	static struct message m;
	struct pollfd p[] = { { .fd = SOCKET, .events = POLLIN }, { .fd = run, .events = POLLIN } };
	size_t length;
	int fd;

	answer(0, 0);
	for (;;) {
		if (poll(p, 2, -1) < 0) /* the run lives: nothing is to be undone yet */
			continue;
		while (receive(&m, &length, &fd)) {
			if (m.kind == '.')
				return;
			answer(m.first, handle(l, &m, length, fd));
		}
		if (p[1].revents)
			return;
		if (p[0].revents & POLLHUP)
			p[0].fd = -1;
		if (run < 0 && p[0].fd < 0)
			return;
	}
}

/* What cannot be undone stays in the journal, for `luabox gc`. */
static int undo_all(struct keep_list *l)
{
	struct keep_slot *s;
	int left = 0;

	while ((s = keep_list_last(l))) {
		if (keep_undo(DIRECTORY, s->line, s->fd) == 0) {
			keep_list_drop(l, s);
			continue;
		}
		left = 1;
		s->id = 0;
	}
	return left;
}

/* The run's other descriptors must not live on: they hold its network namespaces. */
static int arrange(int *fds)
{
	for (int i = 0; i < OPEN - SOCKET; i++)
		if (fds[i] >= 0 && (fds[i] = fcntl(fds[i], F_DUPFD, OPEN)) < 0)
			return -errno;
	for (int i = 0; i < OPEN - SOCKET; i++) {
		if (fds[i] < 0)
			close(SOCKET + i);
		else if (retry_eintr(dup2(fds[i], SOCKET + i)) < 0)
			return -errno;
	}
	for (int fd = 0; fd < SOCKET; fd++)
		close(fd);
	for (int fd = 0; fd < SOCKET; fd++)
		if (retry_eintr(open("/dev/null", O_RDWR)) < 0)
			return -errno;
	if (syscall(SYS_close_range, OPEN, ~0U, 0) < 0)
		for (int fd = OPEN; fd < sysconf(_SC_OPEN_MAX); fd++)
			close(fd);
	return 0;
}

/* All signals are blocked already. */
static int become_keeper(void)
{
	setsid();
	prctl(PR_SET_NAME, "luabox-keeper");
	util_write_file(AT_FDCWD, "/proc/self/oom_score_adj", "-500"); /* refused without CAP_SYS_RESOURCE */
	prctl(PR_SET_DUMPABLE, 0);
	return chdir("/") < 0 ? -errno : 0;
}

/* The keeper's directory was opened by the run: for locks of its own it opens it itself. */
static int open_own(struct keep_list *l)
{
	cleanup_fd int dir = retry_eintr(openat(DIRECTORY, ".", O_RDONLY | O_DIRECTORY));

	if (dir < 0 || retry_eintr(dup2(dir, DIRECTORY)) < 0)
		return -errno;
	l->header = l->end = lseek(JOURNAL, 0, SEEK_END);
	return l->end < 0 ? -errno : keep_journal_lock(JOURNAL);
}

static _Noreturn void run_keeper(int *fds, const char *name)
{
	struct keep_list l = { .journal = JOURNAL };
	int left, has_run = fds[RUN - SOCKET] >= 0;
	int rc = arrange(fds);

	rc = rc < 0 ? rc : become_keeper();
	rc = rc < 0 ? rc : open_own(&l);
	if (rc < 0)
		_exit(-rc); /* start_failed reads it */
	serve(&l, has_run ? RUN : -1);
	left = undo_all(&l);
	if (!left) {
		unlinkat(DIRECTORY, name, 0);
		keep_dir_leave(DIRECTORY);
	}
	_exit(left);
}

/* ---- the run's side ---- */

static int wait_reply(const struct keeper *k, uint32_t first, struct reply *r)
{
	for (;;) {
		ssize_t n = retry_eintr(recv(k->socket, r, sizeof *r, 0));

		if (n < 0 && errno != ECONNRESET)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n != sizeof *r)
			return -EPIPE;
		if (r->first == first) /* else the answer to one that we no longer waited for */
			return 0;
	}
}

static int no_keeper(const struct keeper *k, int error, struct fault *f)
{
	fault_set(f, error, "tell keeper", "process %d", k->pid);
	return fault_hint(f,
			  "the process that undoes this run's work after a SIGKILL %s; nothing more is made "
			  "without it. "
			  "What the run made is in its journal %s, for `luabox gc`",
			  error == ETIMEDOUT ? "does not answer"
			  : error == EPIPE   ? "was killed"
					     : "cannot be reached",
			  k->journal);
}

static ssize_t send_message(const struct keeper *k, struct iovec *v, size_t parts, int fd)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .h = { CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr h = { .msg_iov = v, .msg_iovlen = parts };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.h), &fd, sizeof fd);
		h.msg_control = &control;
		h.msg_controllen = sizeof control;
	}
	return retry_eintr(sendmsg(k->socket, &h, MSG_NOSIGNAL));
}

static int transact(const struct keeper *k, char kind, uint32_t first, unsigned int count, const char *lines,
		    int fd, struct reply *r)
{
	struct {
		uint32_t first, count;
		char kind;
	} head = { first, count, kind };
	struct iovec v[] = { { &head, HEAD }, { (void *)(uintptr_t)lines, strlen(lines) } };

	if (v[1].iov_len > KEEP_LINES)
		return -EMSGSIZE;
	if (send_message(k, v, 2, fd) < 0)
		return errno == ECONNRESET || errno == ECONNREFUSED ? -EPIPE : -errno;
	return wait_reply(k, first, r);
}

int64_t keep_tell(struct keeper *k, const char *lines, unsigned int count, int fd, struct fault *f)
{
	uint32_t first = k->next;
	struct reply r;
	int rc = transact(k, '+', first, count, lines, fd, &r);

	if (rc < 0)
		return no_keeper(k, -rc, f);
	if (r.error < 0) {
		fault_set(f, -r.error, "tell keeper", "%.*s", (int)strcspn(lines, "\n"), lines);
		if (r.error == -EEXIST)
			fault_hint(f, "it is there already, and not this run's");
		if (r.error == -ENOSPC)
			fault_hint(f, "luabox's state directory is full");
		return r.error;
	}
	k->next += count;
	return first;
}

int keep_forget(struct keeper *k, uint32_t id, unsigned int count, struct fault *f)
{
	struct reply r;
	int rc = transact(k, '-', id, count, "", -1, &r);

	return rc < 0 ? no_keeper(k, -rc, f) : 0;
}

/* exit_signal 0: wait(2) of the program does not see this child. */
static pid_t clone_keeper(int *fds, const char *name)
{
	sigset_t all, before;
	pid_t pid;
	int error;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid == 0)
		run_keeper(fds, name);
	error = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -error : pid;
}

static int wait_keeper(pid_t pid, int *status)
{
	return retry_eintr(waitpid(pid, status, __WALL)) == pid ? 0 : -ECHILD;
}

static int start_failed(struct keeper *k, int dir, int error, struct fault *f)
{
	int status;

	unlinkat(dir, k->journal, 0);
	keep_dir_leave(dir);
	if (k->pid > 0) {
		kill(k->pid, SIGKILL); /* it may be well, and was told nothing yet */
		if (wait_keeper(k->pid, &status) == 0 && WIFEXITED(status) && WEXITSTATUS(status))
			error = WEXITSTATUS(status);
	}
	fault_set(f, error, "start keeper", "of process %d", getpid());
	return fault_hint(
		f, "the process that undoes this run's work after a SIGKILL could not be started, so nothing "
		   "was made");
}

static int launch(struct keeper *k, int dir, int journal, struct fault *f)
{
	cleanup_fd int run = (int)syscall(SYS_pidfd_open, getpid(), 0); /* none before Linux 5.3 */
	struct timeval patience = { .tv_sec = PATIENCE };
	int pair[2], rc;
	struct reply r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return start_failed(k, dir, errno, f);
	k->pid = clone_keeper((int[]){ pair[1], journal, dir, run }, k->journal);
	close(pair[1]);
	k->socket = pair[0];
	setsockopt(k->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	rc = k->pid < 0 ? k->pid : wait_reply(k, 0, &r);
	if (rc == 0)
		return 0;
	util_close(k->socket);
	k->socket = -1;
	return start_failed(k, dir, -rc, f);
}

/* Another run may remove the directory between its opening and the journal's making. */
static int open_journal(struct keeper *k, int *dir, struct fault *f)
{
	int journal = -ENOENT;

	for (int i = 0; journal == -ENOENT && i < 100; i++) {
		util_close(*dir);
		*dir = keep_dir(1, f);
		if (*dir < 0)
			return *dir;
		journal = keep_journal_create(*dir, k->journal, f);
	}
	if (journal < 0)
		keep_dir_leave(*dir);
	return journal;
}

/* A keeper with too few descriptors would find that out when it is needed. */
static int check_limit(struct fault *f)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES)
		return 0;
	fault_set(f, EMFILE, "start keeper", "of process %d", getpid());
	return fault_hint(
		f,
		"the process that undoes this run's work after a SIGKILL needs %d descriptors, and a "
		"process may have %ju: raise the limit (ulimit -n)",
		FILES, (uintmax_t)limit.rlim_cur);
}

/* The run keeps the journal open as well, for its lock. */
int keep_start(struct keeper *k, struct fault *f)
{
	cleanup_fd int dir = -1, journal = -1;
	int rc;

	*k = (struct keeper){ .socket = -1, .run_journal = -1, .next = 1 };
	rc = check_limit(f);
	if (rc < 0)
		return rc;
	journal = open_journal(k, &dir, f);
	if (journal < 0)
		return journal;
	rc = launch(k, dir, journal, f);
	if (rc == 0)
		k->run_journal = take_fd(&journal);
	return rc;
}

int keep_stop(struct keeper *k)
{
	const struct message over = { .kind = '.' };
	struct iovec v = { (void *)(uintptr_t)&over, HEAD };
	int status = 0, rc;

	send_message(k, &v, 1, -1); /* in vain if it was killed */
	util_close(k->socket);
	k->socket = -1;
	rc = wait_keeper(k->pid, &status);
	util_close(k->run_journal);
	k->run_journal = -1;
	if (rc < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return -EOWNERDEAD;
	return WEXITSTATUS(status);
}
