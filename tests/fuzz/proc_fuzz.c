/* SPDX-License-Identifier: MIT
 * The other files of /proc and of cgroupfs. The first byte is which.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/capability.h"
#include "kernel/cgroup.h"
#include "kernel/keeper.h"
#include "kernel/namespace.h"

static void read_status(void)
{
	struct fault f;
	struct cap_sets s;

	cap_get(1, &s, &f);
}

static void read_stat(void)
{
	struct keep_header h;
	struct fault f;
	uint64_t start;

	keep_start_time(1, &start);
	keep_header_here(&h, &f);
	fuzz_require(memchr(h.boot, '\0', sizeof h.boot));
}

static void read_maps(void)
{
	ns_in_user_namespace();
}

static void read_layout(const char *parent)
{
	struct cg_layout l;
	struct fault f;

	cg_layout_read(&l, parent, &f);
	cg_layout_release(&l);
}

static void read_own_layout(void)
{
	read_layout(NULL);
}

static void read_parent_layout(void)
{
	read_layout("/a/b");
}

static void read_limits(int version)
{
	struct cgroup cg = { .count = 1, .dir = { { .fd = -1, .version = version } } };
	struct cg_limits limits;
	char text[512];
	uint64_t n;

	for (int l = 0; l < CG_LIMITS; l++)
		if (cg_get_limit(&cg, (enum cg_limit)l, &limits, text, sizeof text) &&
		    (l == CG_CPUSET_CPUS || l == CG_IO_MAX))
			fuzz_require(memchr(text, '\0', sizeof text));
	cg_read_number(&cg.dir[0], "memory.events", "oom_kill", &n);
}

static void read_limits_v1(void)
{
	read_limits(1);
}

static void read_limits_v2(void)
{
	read_limits(2);
}

static void (*const readers[])(void) = { read_status,        read_stat,      read_maps,     read_own_layout,
					 read_parent_layout, read_limits_v1, read_limits_v2 };

#define READERS (sizeof readers / sizeof *readers)

static int is_positive(pid_t pid, void *data)
{
	(void)data;
	fuzz_require(pid >= 0);
	return 0;
}

/* cgroup.procs, in a directory of its own. */
static void read_processes(const uint8_t *data, size_t size)
{
	static int dir = -1;
	int fd;

	if (dir < 0) {
		mkdir("/tmp/fuzz-cgroup", 0700);
		dir = open("/tmp/fuzz-cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	fd = openat(dir, "cgroup.procs", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fuzz_require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	cg_each_process(dir, is_positive, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] % (READERS + 1) == READERS) {
		read_processes(data + 1, size - 1);
		return 0;
	}
	fuzz_files(data + 1, size - 1);
	readers[data[0] % (READERS + 1)]();
	fuzz_files(NULL, 0);
	return 0;
}
