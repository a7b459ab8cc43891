/* SPDX-License-Identifier: MIT
 * Counters and pressure by version 2's names, and in the form of its files.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cgroup.h"
#include "kernel/util.h"

const char *const cg_readable[] = { "cpu.pressure",    "cpu.stat",    "io.pressure", "memory.events",
				    "memory.pressure", "pids.events", NULL };

static int no_controller(const struct cgroup *cg, const char *name, enum cg_controller c, struct fault *f)
{
	fault_set(f, ENOTSUP, "read", "%s of %s", name, cg->dir[cg->tracker].path);
	return fault_hint(
		f,
		"this cgroup was made without the controller '%s': give a limit of it, or \"max\", to create",
		cg_controller_name(c));
}

static int read_file(const struct cg_dir *d, const char *name, char *text, size_t size, struct fault *f)
{
	ssize_t n = util_read_file(d->fd, name, text, size);

	return n < 0 ? fault_set(f, (int)-n, "read", "%s/%s", d->path, name) : 0;
}

/* Version 1's number for a line of version 2's file. */
struct line {
	const char *name, *file, *key;
	uint64_t unit; /* what it is to be divided by */
};

/* Adds those that there are. */
static int add_lines(const struct cg_dir *d, const struct line *lines, size_t count, char *text, size_t size,
		     struct fault *f)
{
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(text);
		uint64_t value;
		int rc = cg_read_number(d, lines[i].file, lines[i].key, &value);

		if (rc < 0)
			return fault_set(f, -rc, "read", "%s/%s", d->path, lines[i].file);
		if (rc)
			snprintf(text + used, size - used, "%s %" PRIu64 "\n", lines[i].name,
				 value / lines[i].unit);
	}
	return 0;
}

static int read_memory(const struct cgroup *cg, const char *name, char *text, size_t size, struct fault *f)
{
	static const struct line events[] = { { "max", "memory.failcnt", NULL, 1 },
					      { "oom_kill", "memory.oom_control", "oom_kill", 1 } };
	const struct cg_dir *d = cg_dir_of(cg, CG_MEMORY);

	if (!d)
		return no_controller(cg, name, CG_MEMORY, f);
	if (d->version == 2)
		return read_file(d, name, text, size, f);
	text[0] = '\0';
	return add_lines(d, events, sizeof events / sizeof *events, text, size, f);
}

static int read_pids(const struct cgroup *cg, const char *name, char *text, size_t size, struct fault *f)
{
	const struct cg_dir *d = cg_dir_of(cg, CG_PIDS);

	return d ? read_file(d, name, text, size, f) : no_controller(cg, name, CG_PIDS, f);
}

/* cgroup2 has the times without a controller, too; of version 1 they are cpuacct's, in nanoseconds. */
static int read_cpu(const struct cgroup *cg, const char *name, char *text, size_t size, struct fault *f)
{
	static const struct line times[] = { { "usage_usec", "cpuacct.usage", NULL, 1000 },
					     { "user_usec", "cpuacct.usage_user", NULL, 1000 },
					     { "system_usec", "cpuacct.usage_sys", NULL, 1000 } };
	static const struct line waits[] = { { "nr_periods", "cpu.stat", "nr_periods", 1 },
					     { "nr_throttled", "cpu.stat", "nr_throttled", 1 },
					     { "throttled_usec", "cpu.stat", "throttled_time", 1000 } };
	const struct cg_dir *d = cg_dir_of(cg, CG_CPU), *tracker = &cg->dir[cg->tracker];
	int rc = 0;

	text[0] = '\0';
	if (tracker->version == 2)
		rc = read_file(tracker, name, text, size, f);
	else if (!d)
		return no_controller(cg, name, CG_CPU, f);
	if (rc < 0 || !d || d->version == 2)
		return rc;
	if (!text[0])
		rc = add_lines(d, times, sizeof times / sizeof *times, text, size, f);
	return rc < 0 ? rc : add_lines(d, waits, sizeof waits / sizeof *waits, text, size, f);
}

/* Without a controller, and so in the hybrid layout as well. */
static int read_pressure(const struct cgroup *cg, const char *name, char *text, size_t size, struct fault *f)
{
	const struct cg_dir *d = &cg->dir[cg->tracker];
	int rc;

	if (d->version == 1) {
		fault_set(f, ENOTSUP, "read", "%s of %s", name, d->path);
		return fault_hint(f, "only cgroup v2 has it; mounted beside version 1 it would be there too: "
				     "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified");
	}
	rc = read_file(d, name, text, size, f);
	if (rc == -ENOENT || rc == -EOPNOTSUPP)
		fault_hint(
			f,
			"this kernel counts no pressure: it needs CONFIG_PSI (Linux 4.20), and psi=1 on its "
			"command line where that is off by default");
	return rc;
}

int cg_read(const struct cgroup *cg, const char *name, char *text, size_t size, struct fault *f)
{
	if (!strcmp(name, "cpu.stat"))
		return read_cpu(cg, name, text, size, f);
	if (!strcmp(name, "memory.events"))
		return read_memory(cg, name, text, size, f);
	if (!strcmp(name, "pids.events"))
		return read_pids(cg, name, text, size, f);
	return read_pressure(cg, name, text, size, f);
}
