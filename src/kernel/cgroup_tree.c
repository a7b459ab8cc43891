/* SPDX-License-Identifier: MIT
 * A cgroup's directory with all below it: who is in it, kill them, remove it.
 * Only system calls and the stack: the keeper comes here when memory is out.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "kernel/cgroup.h"
#include "kernel/procfs.h"
#include "kernel/util.h"
#include "kernel/wait.h"

#define V1_MAGIC 0x27e0eb
#define V2_MAGIC 0x63677270
#define DEEPEST 64 /* recursion ends; nobody nests cgroups that far */
#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int version_of(const struct statfs *s)
{
	return s->f_type == V2_MAGIC ? 2 : s->f_type == V1_MAGIC ? 1 : 0;
}

int cg_version(int dir)
{
	struct statfs s;

	return retry_eintr(fstatfs(dir, &s)) < 0 ? -errno : version_of(&s);
}

int cg_version_at(const char *path)
{
	struct statfs s;

	return retry_eintr(statfs(path, &s)) < 0 ? -errno : version_of(&s);
}

/* ---- walking ---- */

typedef int (*visit_process)(pid_t pid, void *data);

/* Numbers, one a line; one may be cut by the end of the buffer. */
static int each_number(int fd, visit_process visit, void *data)
{
	char buf[4096];
	pid_t pid = 0;
	ssize_t n;

	while ((n = retry_eintr(read(fd, buf, sizeof buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			int rc;

			if (buf[i] != '\n') {
				if (buf[i] < '0' || buf[i] > '9' || pid > INT_MAX / 10 - 1)
					return -EBADMSG;
				pid = pid * 10 + (buf[i] - '0');
				continue;
			}
			rc = visit(pid, data);
			if (rc)
				return rc;
			pid = 0;
		}
	}
	return n < 0 ? -errno : 0;
}

int cg_each_process_here(int dir, visit_process visit, void *data)
{
	cleanup_fd int fd = retry_eintr(openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC));
	int rc;

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	rc = each_number(fd, visit, data);
	return rc == -ENODEV ? 0 : rc; /* removed meanwhile */
}

struct walk {
	visit_process visit;
	void *data;
	int depth;
};

int cg_is_subdirectory(const char *name, unsigned char type)
{
	return type == DT_DIR && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int walk_below(int parent, const char *name, unsigned char type, void *data);

static int walk_processes(int parent, const char *name, struct walk *w)
{
	cleanup_fd int dir = retry_eintr(openat(parent, name, DIRECTORY));
	int rc;

	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	if (w->depth >= DEEPEST)
		return -ELOOP;
	w->depth++;
	rc = cg_each_process_here(dir, w->visit, w->data);
	rc = rc ? rc : util_each_entry(dir, walk_below, w);
	w->depth--;
	return rc;
}

static int walk_below(int parent, const char *name, unsigned char type, void *data)
{
	return cg_is_subdirectory(name, type) ? walk_processes(parent, name, data) : 0;
}

int cg_each_process(int dir, visit_process visit, void *data)
{
	struct walk w = { visit, data, 0 };

	return walk_processes(dir, ".", &w);
}

int cg_add_name(pid_t pid, void *data)
{
	struct cg_names *n = data;
	char comm[32];
	int length;

	proc_name(pid, comm, sizeof comm);
	length = snprintf(n->text + n->length, sizeof n->text - n->length, "%s%s (%d)", n->length ? ", " : "",
			  comm, pid);
	n->length += (size_t)length;
	return n->length >= sizeof n->text;
}

/* ---- killing ---- */

static int is_pid(pid_t pid, void *data)
{
	return pid == *(pid_t *)data;
}

/* Between the list and pidfd_open the pid may have become somebody else's: it is
 * ours only if the list still has it when the pidfd is already held. Before Linux 5.3 nothing is held. */
static int kill_one(pid_t pid, void *data)
{
	int dir = *(int *)data;
	cleanup_fd int pidfd = -1;

	if (pid <= 0) /* of another pid namespace */
		return 0;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0 && errno != ENOSYS)
		return errno == ESRCH ? 0 : -errno;
	if (cg_each_process(dir, is_pid, &pid) != 1)
		return 0;
	if (pidfd >= 0)
		proc_signal(pidfd, SIGKILL);
	else
		kill(pid, SIGKILL);
	return 0;
}

/* Who is frozen cannot fork; version 1's frozen do not die before they are thawed. */
static void set_frozen(int dir, int frozen)
{
	if (util_write_file(dir, "cgroup.freeze", frozen ? "1" : "0") < 0)
		util_write_file(dir, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

static int kill_each(int dir)
{
	int rc;

	set_frozen(dir, 1);
	rc = cg_each_process(dir, kill_one, &dir);
	set_frozen(dir, 0);
	return rc;
}

/* cgroup.kill: Linux 5.14, in hybrid mode too. */
int cg_kill_dir(int dir)
{
	int rc = util_write_file(dir, "cgroup.kill", "1");

	return rc == -ENOENT ? kill_each(dir) : rc;
}

/* ---- waiting and removing ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int cg_any(pid_t pid, void *data)
{
	(void)pid;
	(void)data;
	return 1;
}

static int is_empty(int dir)
{
	return cg_each_process(dir, cg_any, NULL) == 0;
}

static int is_frozen(int dir)
{
	char text[32];
	ssize_t n = util_read_file(dir, "freezer.state", text, sizeof text);

	return n < 0 ? n == -ENODEV || n == -ENOENT : !strcmp(text, "FROZEN\n");
}

/* Whether cgroup.events has the line 'state'; without that file, what 'ask' says. */
static int is_now(int dir, int events, const char *state, int (*ask)(int dir))
{
	char text[256];
	ssize_t n;

	if (events < 0)
		return ask(dir);
	n = retry_eintr(pread(events, text, sizeof text - 1, 0));
	if (n < 0)
		return errno == ENODEV; /* removed */
	text[n] = '\0';
	return strstr(text, state) != NULL;
}

/* cgroup.events of version 2 wakes a poll; version 1 has nothing to wait on. */
static void wait_change(int events, int64_t left)
{
	struct pollfd p = { .fd = events, .events = POLLPRI };

	poll(&p, 1, (int)(events < 0 && left > 2 ? 2 : left));
}

static int wait_state(int dir, int timeout, const char *state, int (*ask)(int dir))
{
	cleanup_fd int events = retry_eintr(openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC));
	int64_t deadline = now_ms() + timeout;

	while (!is_now(dir, events, state, ask)) {
		int64_t left = deadline - now_ms();

		if (left <= 0)
			return -ETIMEDOUT;
		wait_change(events, left);
	}
	return 0;
}

int cg_wait_empty(int dir, int timeout)
{
	return wait_state(dir, timeout, "populated 0", is_empty);
}

int cg_wait_frozen(int dir, int timeout)
{
	return wait_state(dir, timeout, "frozen 1", is_frozen);
}

static int remove_at(int parent, const char *name, int *depth);

static int remove_entry(int parent, const char *name, unsigned char type, void *data)
{
	return cg_is_subdirectory(name, type) ? remove_at(parent, name, data) : 0;
}

static int remove_below(int parent, const char *name, int *depth)
{
	cleanup_fd int dir = retry_eintr(openat(parent, name, DIRECTORY));

	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	return util_each_entry(dir, remove_entry, depth);
}

/* A leaf, as most are, takes one system call. */
static int remove_at(int parent, const char *name, int *depth)
{
	int rc;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY || *depth >= DEEPEST)
		return -errno;
	++*depth;
	rc = remove_below(parent, name, depth);
	--*depth;
	if (rc < 0)
		return rc;
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

/* Once nobody is in it, the kernel may still count the last ones for an instant. */
int cg_remove_dir(const char *path, int timeout)
{
	cleanup_fd int dir = retry_eintr(open(path, DIRECTORY));
	int64_t deadline = now_ms() + timeout;
	int rc, depth = 0;

	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	while ((rc = remove_at(AT_FDCWD, path, &depth)) == -EBUSY) {
		int64_t left = deadline - now_ms();

		if (left <= 0 || cg_wait_empty(dir, (int)left) < 0)
			break;
		poll(NULL, 0, 1);
	}
	return rc;
}

int cg_destroy(const char *path, int timeout)
{
	cleanup_fd int dir = retry_eintr(open(path, DIRECTORY));
	int64_t deadline = now_ms() + timeout;
	int rc;

	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = cg_version(dir);
	if (rc <= 0)
		return rc < 0 ? rc : -EINVAL;
	do {
		rc = cg_kill_dir(dir);
		if (rc < 0)
			return rc;
		rc = cg_remove_dir(path, 50);
	} while (rc == -EBUSY && now_ms() < deadline);
	return rc;
}
