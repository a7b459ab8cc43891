/* SPDX-License-Identifier: MIT
 * The run's side of the socket to its keeper.
 */
#include "kernel/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/keep_message.h"
#include "kernel/util.h"

#define PATIENCE 10 /* seconds that the run waits for an answer */

enum { FILES = 32 }; /* as many as the keeper may want */

static int wait_reply(const struct keeper *k, uint32_t first, struct keep_reply *r)
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

static int transact(const struct keeper *k, char kind, uint32_t first, unsigned int count, const char *lines,
		    int fd, struct keep_reply *r)
{
	struct {
		uint32_t first, count;
		char kind;
	} head = { first, count, kind };
	struct iovec v[] = { { &head, KEEP_HEAD }, { (void *)(uintptr_t)lines, strlen(lines) } };

	if (v[1].iov_len > KEEP_LINES)
		return -EMSGSIZE;
	if (keep_send(k->socket, v, 2, fd) < 0)
		return errno == ECONNRESET || errno == ECONNREFUSED ? -EPIPE : -errno;
	return wait_reply(k, first, r);
}

int64_t keep_tell(struct keeper *k, const char *lines, unsigned int count, int fd, struct fault *f)
{
	uint32_t first = k->next;
	struct keep_reply r;
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
	struct keep_reply r;
	int rc = transact(k, '-', id, count, "", -1, &r);

	return rc < 0 ? no_keeper(k, -rc, f) : 0;
}

/* exit_signal 0: wait(2) of the program does not see this child. */
static pid_t clone_keeper(int socket, int run, const struct keep_header *h, const char *name)
{
	sigset_t all, before;
	pid_t pid;
	int error;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid == 0)
		keep_serve(socket, run, h, name);
	error = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -error : pid;
}

static int wait_keeper(pid_t pid, int *status)
{
	return retry_eintr(waitpid(pid, status, __WALL)) == pid ? 0 : -ECHILD;
}

static int not_started(int error, struct fault *f)
{
	fault_set(f, error, "start keeper", "of process %d", getpid());
	return fault_hint(
		f, "the process that undoes this run's work after a SIGKILL could not be started, so nothing "
		   "was made");
}

/* It was killed, or gives no answer: what it may have made is removed here. */
static int give_up(struct keeper *k, int error, struct fault *f)
{
	cleanup_fd int dir = -1;
	struct fault ignored;
	int status;

	kill(k->pid, SIGKILL); /* it may be well, and was told nothing yet */
	if (wait_keeper(k->pid, &status) == 0 && WIFEXITED(status) && WEXITSTATUS(status))
		error = WEXITSTATUS(status);
	dir = keep_dir(0, &ignored);
	if (dir >= 0) {
		unlinkat(dir, k->journal, 0);
		keep_dir_leave(dir);
	}
	return not_started(error, f);
}

/* What it refuses it has undone. */
static int was_refused(const struct keeper *k, const struct keep_greeting *g, struct fault *f)
{
	int status;

	wait_keeper(k->pid, &status);
	*f = g->fault;
	return g->error;
}

static int await_greeting(struct keeper *k, struct fault *f)
{
	struct keep_greeting g;
	ssize_t n = keep_receive(k->socket, &g, sizeof g, 0, &k->run_journal);
	int rc = n == sizeof g ? g.error : n < 0 && errno == EAGAIN ? -ETIMEDOUT : n < 0 ? -errno : -EPIPE;

	if (n == sizeof g && rc < 0)
		return was_refused(k, &g, f);
	if (rc == 0 && k->run_journal < 0)
		rc = -EMFILE;
	rc = rc < 0 ? rc : keep_journal_lock(k->run_journal);
	return rc < 0 ? give_up(k, -rc, f) : 0;
}

static int launch(struct keeper *k, const struct keep_header *h, struct fault *f)
{
	cleanup_fd int run = pidfd_open(getpid(), 0);
	struct timeval patience = { .tv_sec = PATIENCE };
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return not_started(errno, f);
	k->pid = clone_keeper(pair[1], run, h, k->journal);
	close(pair[1]);
	k->socket = pair[0];
	setsockopt(k->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	rc = k->pid < 0 ? not_started(-k->pid, f) : await_greeting(k, f);
	if (rc < 0) {
		util_closep(&k->socket);
		util_closep(&k->run_journal);
	}
	return rc;
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
	struct keep_header h;
	int rc;

	*k = (struct keeper){ .socket = -1, .run_journal = -1, .next = 1 };
	rc = check_limit(f);
	rc = rc < 0 ? rc : keep_header_here(&h, f);
	if (rc < 0)
		return rc;
	rc = -EEXIST;
	for (int i = 0; rc == -EEXIST && i < 100; i++) {
		keep_journal_name(&h, i, k->journal);
		rc = launch(k, &h, f);
	}
	return rc;
}

int keep_stop(struct keeper *k)
{
	int status = 0, rc;

	shutdown(k->socket, SHUT_WR); /* not a message, for which there may be no memory */
	rc = wait_keeper(k->pid, &status);
	util_closep(&k->socket);
	util_close(k->run_journal);
	k->run_journal = -1;
	if (rc < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return -EOWNERDEAD;
	return WEXITSTATUS(status);
}
