/* SPDX-License-Identifier: MIT */
#include "kernel/close_fds.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>

#include "kernel/procfs.h"
#include "kernel/util.h"

#define FEWEST 65536 /* that may be open, whatever the limit is by now */
#define MOST (1U << 20)

struct range {
	unsigned int first, last;
	int on_exec;
	int list; /* stays open for the walk */
};

static void close_one(const struct range *r, unsigned int fd)
{
	if (fd < r->first || fd > r->last || (int)fd == r->list)
		return;
	if (r->on_exec)
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	else
		close((int)fd);
}

static int close_listed(int dir, const char *name, unsigned char type, void *data)
{
	(void)dir;
	(void)type;
	if (*name != '.')
		close_one(data, (unsigned int)strtoul(name, NULL, 10));
	return 0;
}

static unsigned int limit_on_numbers(void)
{
	struct rlimit limit = { 0, 0 };

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > MOST)
		return MOST;
	return limit.rlim_max < FEWEST ? FEWEST : (unsigned int)limit.rlim_max;
}

static void close_each(const struct range *r)
{
	for (unsigned int fd = r->first, end = limit_on_numbers(); fd < end && fd <= r->last; fd++)
		close_one(r, fd);
}

int close_fds(unsigned int first, unsigned int last, int on_exec)
{
	struct range r = { first, last, on_exec, -1 };

	if (close_range(first, last, on_exec ? CLOSE_RANGE_CLOEXEC : 0) == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL)
		return -errno;
	r.list = proc_self_open("fd", O_RDONLY | O_DIRECTORY);
	if (r.list < 0 || util_each_entry(r.list, close_listed, &r) < 0)
		close_each(&r);
	util_close(r.list);
	return 0;
}

static int keep_highest(int dir, const char *name, unsigned char type, void *data)
{
	unsigned int fd = (unsigned int)strtoul(name, NULL, 10), *highest = data;

	(void)dir;
	(void)type;
	*highest = fd > *highest ? fd : *highest;
	return 0;
}

unsigned int close_fds_highest(void)
{
	cleanup_fd int list = proc_self_open("fd", O_RDONLY | O_DIRECTORY);
	unsigned int highest = 0;

	return list < 0 || util_each_entry(list, keep_highest, &highest) < 0 ? limit_on_numbers() : highest;
}
