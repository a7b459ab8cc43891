/* Closing many descriptors where the kernel has no close_range, with a /proc to look at and without. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/close_fds.h"
#include "tap.h"

static const int numbers[] = { 10, 60, 61, 300, 900 };

#define COUNT (sizeof numbers / sizeof *numbers)

static void open_all(void)
{
	for (size_t i = 0; i < COUNT; i++)
		dup2(STDERR_FILENO, numbers[i]);
}

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int is_marked(int fd)
{
	return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static void check(const char *how)
{
	open_all();
	is_integer(close_fds(60, 300, 0), 0, "closes a range %s", how);
	ok(is_open(10) && !is_open(60) && !is_open(61) && !is_open(300) && is_open(900), "that and no other");
	open_all();
	is_integer(close_fds(60, ~0U, 1), 0, "marks %s", how);
	ok(!is_marked(10) && is_marked(60) && is_marked(300) && is_marked(900), "all from a number on");
	is_integer(close_fds(5, ~0U, 0), 0, "closes all %s", how);
	ok(!is_open(10) && !is_open(60) && !is_open(900), "from a number on");
}

static void forbid(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(close_range), 0);
	seccomp_load(filter);
	seccomp_release(filter);
}

int main(void)
{
	struct rlimit limit = { 2000, 2000 };

	setrlimit(RLIMIT_NOFILE, &limit);
	check("in one call");
	forbid();
	check("that /proc lists");
	mount("none", "/proc", "tmpfs", 0, NULL);
	if (mkdir("/proc/self", 0755) < 0 || mkdir("/proc/self/fd", 0755) < 0)
		perror("/proc/self/fd");
	check("although /proc is somebody's");
	umount("/proc");
	return done_testing();
}
