/* SPDX-License-Identifier: MIT
 * What each kind of record means. No memory is allocated: the keeper comes here when
 * there may be none.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "kernel/cgroup.h"
#include "kernel/keep_contents.h"
#include "kernel/keep_net.h"
#include "kernel/keeper.h"
#include "kernel/procfs.h"
#include "kernel/util.h"
#include "kernel/wait.h"

#define CGROUP_TIMEOUT 5000 /* ms until processes that were killed are gone */
#define PROCESS_TIMEOUT 2000
#define NSFS_MAGIC 0x6e736673

/* ---- before the thing is made ---- */

static int check_absolute(const char *path)
{
	return *path == '/' ? 0 : -EINVAL;
}

static int check_path(const char *path)
{
	if (*path != '/')
		return -EINVAL;
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return errno == ENOENT ? 0 : -errno;
}

static int check_process(const char *arg)
{
	unsigned long long start;
	int pid;

	return sscanf(arg, "%d %llu", &pid, &start) == 2 && pid > 0 ? 0 : -EINVAL;
}

static int check_file(const char *arg)
{
	return *arg && !strchr(arg, '/') ? 0 : -EINVAL;
}

/* ---- undoing ---- */

static int undo_cgroup(int dir, const char *path, int fd)
{
	(void)dir;
	(void)fd;
	return cg_destroy(path, CGROUP_TIMEOUT);
}

static int undo_controllers(int dir, const char *path, int fd)
{
	(void)dir;
	(void)fd;
	return cg_parent_restore(path);
}

/* A pid without its start time may be anybody's. */
struct record {
	int pid;
	unsigned long long start;
};

/* 0 while it is there, -ESRCH if it is not, or another has its number. */
static int find(const struct record *r)
{
	uint64_t now;
	int rc = keep_start_time(r->pid, &now);

	if (rc == 0)
		return now == r->start ? 0 : -ESRCH;
	return rc == -ENOENT ? -ESRCH : rc;
}

static int open_process(const struct record *r)
{
	cleanup_fd int fd = pidfd_open(r->pid, 0);
	int rc = fd < 0 ? -errno : find(r);

	return rc < 0 ? rc : take_fd(&fd);
}

static int end_process(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int rc = proc_signal(pidfd, SIGKILL);

	if (rc <= 0)
		return rc;
	return retry_eintr(poll(&p, 1, PROCESS_TIMEOUT)) == 1 ? 0 : -ETIMEDOUT;
}

/* One that its parent has not reaped has ended, too. */
static int has_ended(const struct record *r)
{
	char text[PROC_STAT_SIZE];

	return find(r) < 0 || proc_stat(r->pid, text) < 0 || *text == 'Z' || *text == 'X';
}

/* Before Linux 5.3. */
static int end_by_number(const struct record *r)
{
	int rc = find(r);

	if (rc == 0 && kill(r->pid, SIGKILL) < 0)
		rc = -errno;
	for (int waited = 0; rc == 0; waited += 10) {
		if (has_ended(r))
			return 0;
		if (waited >= PROCESS_TIMEOUT)
			return -ETIMEDOUT;
		poll(NULL, 0, 10);
	}
	return rc;
}

static int undo_process(int dir, const char *arg, int fd)
{
	cleanup_fd int own = -1;
	struct record r;
	int rc;

	(void)dir;
	if (sscanf(arg, "%d %llu", &r.pid, &r.start) != 2)
		return -EINVAL;
	if (fd < 0)
		fd = own = open_process(&r);
	rc = fd == -ENOSYS ? end_by_number(&r) : fd < 0 ? fd : end_process(fd);
	return rc == -ESRCH ? 0 : rc;
}

static int unlink_if(const char *path, mode_t refused)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if ((st.st_mode & S_IFMT) == refused)
		return -EISDIR;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int undo_pin(int dir, const char *path, int fd)
{
	struct statfs s;

	(void)dir;
	(void)fd;
	if (retry_eintr(statfs(path, &s)) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (s.f_type == NSFS_MAGIC && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return -errno;
	return unlink_if(path, S_IFDIR);
}

static int undo_file(int dir, const char *path, int fd)
{
	(void)dir;
	(void)fd;
	return unlink_if(path, S_IFDIR);
}

static int undo_directory(int dir, const char *path, int fd)
{
	(void)dir;
	(void)fd;
	return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int undo_contents(int dir, const char *arg, int fd)
{
	(void)dir;
	(void)fd;
	return keep_contents_remove(arg);
}

static int undo_link(int dir, const char *arg, int fd)
{
	(void)dir;
	(void)fd;
	return keep_link_delete(arg);
}

static int undo_table(int dir, const char *arg, int fd)
{
	(void)dir;
	(void)fd;
	return keep_table_delete(arg);
}

/* ---- all kinds ---- */

static const struct kind {
	const char *name;
	int (*check)(const char *arg);
	int (*undo)(int dir, const char *arg, int fd);
} kinds[] = {
	{ "cgroup", check_path, undo_cgroup },
	{ "controllers", check_absolute, undo_controllers },
	{ "process", check_process, undo_process },
	{ "sysctl", check_file, keep_sysctl_drop },
	{ "pin", check_path, undo_pin },
	{ "file", check_path, undo_file },
	{ "directory", check_path, undo_directory },
	{ "contents", keep_contents_check, undo_contents },
	{ "link", keep_link_check, undo_link },
	{ "table", keep_table_check, undo_table },
};

/* The kind of a line, and where its argument begins. */
static const struct kind *kind_of(const char *line, const char **arg)
{
	size_t length = strcspn(line, " ");

	*arg = line + length + (line[length] == ' ');
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strlen(kinds[i].name) == length && !memcmp(kinds[i].name, line, length))
			return &kinds[i];
	return NULL;
}

int keep_check(const char *line)
{
	const char *arg;
	const struct kind *k = kind_of(line, &arg);

	return k && *arg ? k->check(arg) : -EINVAL;
}

int keep_undo(int dir, const char *line, int fd)
{
	const char *arg;
	const struct kind *k = kind_of(line, &arg);

	return k && *arg ? k->undo(dir, arg, fd) : -EINVAL;
}
