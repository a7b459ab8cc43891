/* SPDX-License-Identifier: MIT
 * The keeper's process.
 *
 * The run is over when its pidfd says so, or when it has shut its socket down. That the
 * socket was closed tells nothing: a forked child that lives on holds it too; a run that
 * execs has closed it, but the program that it became goes on with what was made; and one
 * that dies closes it before it lets go of its locks.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "kernel/close_fds.h"
#include "kernel/keep_message.h"
#include "kernel/util.h"

enum { SOCKET = 3, RUN, OPEN }; /* descriptors */

/* 1; 0 if there is nothing now; -1 if nothing more will come. A run that closed its end with answers
 * unread gives ECONNRESET first, and then what it had sent. */
static int receive(struct keep_message *m, size_t *length, int *fd)
{
	ssize_t n;

	do
		n = keep_receive(SOCKET, m, sizeof *m, MSG_DONTWAIT, fd);
	while (n < 0 && errno != EAGAIN);
	if (n < (ssize_t)KEEP_HEAD)
		return n == 0 ? -1 : 0;
	*length = (size_t)n - KEEP_HEAD;
	return 1;
}

static void answer(uint32_t first, int error)
{
	struct keep_reply r = { first, error };

	retry_eintr(send(SOCKET, &r, sizeof r, MSG_NOSIGNAL));
}

/* By the run, which holds it still: one that was closed would have hung up. */
static int is_shut_down(void)
{
	struct pollfd p = { .fd = SOCKET, .events = POLLIN };

	while (poll(&p, 1, 0) < 0)
		;
	return !(p.revents & POLLHUP);
}

/* Until the run is over. What it had sent before it died is
 * heard too: a claim's descriptor that is still in the socket would hold its lock. */
static void serve(struct keep_list *l)
{
	static struct keep_message m;
	struct pollfd p[] = { { .fd = SOCKET, .events = POLLIN }, { .fd = RUN, .events = POLLIN } };
	size_t length;
	int fd, got;

	for (;;) {
		if (poll(p, 2, -1) < 0) /* the run lives: nothing is to be undone yet */
			continue;
		while ((got = receive(&m, &length, &fd)) > 0)
			answer(m.first, keep_handle(l, &m, length, fd));
		if (p[1].revents || (got < 0 && is_shut_down()))
			return;
		if (got < 0)
			p[0].fd = -1;
	}
}

/* What cannot be undone stays in the journal, for `luabox gc`. */
static int undo_all(struct keep_list *l, int dir)
{
	struct keep_slot *s;
	int left = 0;

	while ((s = keep_list_last(l))) {
		if (keep_undo(dir, s->line, s->fd) == 0) {
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
		if ((fds[i] = fcntl(fds[i], F_DUPFD, OPEN)) < 0)
			return -errno;
	for (int i = 0; i < OPEN - SOCKET; i++)
		if (retry_eintr(dup2(fds[i], SOCKET + i)) < 0)
			return -errno;
	for (int fd = 0; fd < SOCKET; fd++)
		close(fd);
	for (int fd = 0; fd < SOCKET; fd++)
		if (retry_eintr(open("/dev/null", O_RDWR)) < 0)
			return -errno;
	return close_fds(OPEN, ~0U, 0);
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

/* Another run may remove the directory between its opening and the journal's making. */
static int open_journal(const struct keep_header *h, const char *name, int *dir, struct fault *f)
{
	int journal = -ENOENT;

	for (int i = 0; journal == -ENOENT && i < 100; i++) {
		util_close(*dir);
		*dir = keep_dir(1, f);
		if (*dir < 0)
			return *dir;
		journal = keep_journal_create(*dir, h, name, f);
	}
	if (journal < 0)
		keep_dir_leave(*dir);
	return journal;
}

static int greet(int journal, struct keep_greeting *g)
{
	struct iovec v = { g, sizeof *g };

	g->error = journal < 0 ? journal : 0;
	return keep_send(SOCKET, &v, 1, journal) < 0 ? -errno : 0;
}

/* The journal is the keeper's to make, so that somebody is there to remove it from its first moment on. */
static int begin(struct keep_list *l, int *dir, const struct keep_header *h, const char *name)
{
	struct keep_greeting g = { 0 };
	int rc;

	l->journal = open_journal(h, name, dir, &g.fault);
	rc = greet(l->journal, &g);
	if (l->journal < 0)
		return l->journal;
	l->header = l->end = lseek(l->journal, 0, SEEK_END);
	return rc < 0 ? rc : l->end < 0 ? -errno : 0;
}

/* Before Linux 5.3, in place of the run's pidfd: the signal of a parent's death, as a descriptor. */
static int watch_parent(pid_t run)
{
	sigset_t death;
	int fd;

	sigemptyset(&death);
	sigaddset(&death, SIGUSR1);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	if (getppid() != run)
		raise(SIGUSR1);
	fd = signalfd(-1, &death, 0);
	return fd < 0 ? -errno : fd;
}

_Noreturn void keep_serve(int socket, int run, const struct keep_header *h, const char *name)
{
	struct keep_list l = { .journal = -1 };
	int dir = -1, left = 0, rc = 0;

	if (run < 0)
		run = rc = watch_parent(h->pid);
	rc = rc < 0 ? rc : arrange((int[]){ socket, run });
	rc = rc < 0 ? rc : become_keeper();
	rc = rc < 0 ? rc : begin(&l, &dir, h, name);
	if (rc == 0) {
		serve(&l);
		left = undo_all(&l, dir);
	}
	if (l.journal >= 0 && !left) {
		unlinkat(dir, name, 0);
		keep_dir_leave(dir);
	}
	_exit(rc < 0 ? -rc : left); /* the run reads it */
}
