/* SPDX-License-Identifier: MIT
 * Limits written and read by version 2's names in either version's files.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cgroup.h"
#include "kernel/util.h"

#define V1_UNLIMITED 0x7ffffffffffff000ULL /* memory.limit_in_bytes of pages that never end, or more */
#define LIMIT "memory.limit_in_bytes"
#define BOTH "memory.memsw.limit_in_bytes"
#define SHARES_PER_100 1024 /* kernel: sched_weight_from_cgroup */

static int write_to(const struct cg_dir *d, const char *file, const char *text, struct fault *f)
{
	int rc = util_write_file(d->fd, file, text);

	if (rc == 0)
		return 0;
	fault_set(f, -rc, "write", "%s/%s: %.100s", d->path, file, text);
	if (rc == -ENOENT)
		fault_hint(f, "this kernel has no %s", file);
	return rc;
}

/* Version 2 writes "max", version 1 -1. */
static int write_number(const struct cg_dir *d, const char *file, uint64_t value, struct fault *f)
{
	char text[24];

	if (value == CG_MAX)
		return write_to(d, file, d->version == 2 || !strncmp(file, "pids", 4) ? "max" : "-1", f);
	snprintf(text, sizeof text, "%" PRIu64, value);
	return write_to(d, file, text, f);
}

/* 1; 0 if this kernel has no such file, or the group is gone; -errno. */
static int read_text(const struct cg_dir *d, const char *file, char *text, size_t size)
{
	ssize_t n = util_read_file(d->fd, file, text, size);

	if (n == -ENOENT || n == -ENODEV || n == -EOPNOTSUPP)
		return 0;
	return n < 0 ? (int)n : 1;
}

int cg_read_number(const struct cg_dir *d, const char *file, const char *key, uint64_t *out)
{
	char text[4096];
	int rc = d ? read_text(d, file, text, sizeof text) : 0;

	return rc <= 0 ? rc : cg_find_number(text, key, out);
}

int cg_find_number(const char *text, const char *key, uint64_t *out)
{
	const char *s = text;

	while (key && s && (strncmp(s, key, strlen(key)) || s[strlen(key)] != ' ')) {
		s = strchr(s, '\n');
		s = s ? s + 1 : NULL;
	}
	if (!s)
		return 0;
	s += key ? strlen(key) + 1 : 0;
	if (!strncmp(s, "max", 3)) {
		*out = CG_MAX;
		return 1;
	}
	return sscanf(s, "%" SCNu64, out) == 1;
}

/* ---- memory ---- */

static int read_v1_memory(const struct cg_dir *d, const char *file, uint64_t *out)
{
	int rc = cg_read_number(d, file, NULL, out);

	if (rc > 0 && *out >= V1_UNLIMITED)
		*out = CG_MAX;
	return rc;
}

/* What version 2 calls swap is version 1's memory+swap less memory. */
static uint64_t v1_swap(uint64_t memory, uint64_t both)
{
	return both == CG_MAX || memory == CG_MAX ? CG_MAX : both - memory;
}

static int no_swap_limit(const struct cg_dir *d, uint64_t memory, struct fault *f)
{
	fault_set(f, memory == CG_MAX ? EINVAL : ENOTSUP, "limit", "memory.swap.max of %s", d->path);
	if (memory == CG_MAX)
		return fault_hint(f, "cgroup v1 limits memory and swap together: give memory.max too");
	return fault_hint(f, "this kernel does not count swap (no " BOTH "); boot it with swapaccount=1");
}

int cg_no_high(struct fault *f)
{
	fault_set(f, ENOTSUP, "limit", "memory.high");
	return fault_hint(
		f,
		"only cgroup v2's memory controller has it, and this machine gives the controller to cgroup "
		"v1; use memory.max, or boot with systemd.unified_cgroup_hierarchy=1");
}

/* The kernel refuses a memory limit above the one of both at every moment. */
static int write_v1_pair(const struct cg_dir *d, uint64_t memory, uint64_t both, uint64_t both_before,
			 struct fault *f)
{
	int grows = both_before != CG_MAX && memory > both_before, rc = 0;

	if (grows)
		rc = write_number(d, BOTH, both, f);
	rc = rc < 0 ? rc : write_number(d, LIMIT, memory, f);
	if (!grows && rc == 0 && both != both_before)
		rc = write_number(d, BOTH, both, f);
	return rc;
}

static int set_v1_memory(const struct cg_dir *d, const struct cg_limits *l, struct fault *f)
{
	uint64_t memory = CG_MAX, both = CG_MAX, swap;
	int rc = read_v1_memory(d, LIMIT, &memory), has_swap = read_v1_memory(d, BOTH, &both);

	if (l->set & 1u << CG_MEMORY_HIGH)
		return cg_no_high(f);
	rc = rc < 0 ? rc : has_swap;
	if (rc < 0)
		return fault_set(f, -rc, "read", "%s/" LIMIT, d->path);
	swap = l->set & 1u << CG_SWAP_MAX ? l->swap_max : v1_swap(memory, both);
	memory = l->set & 1u << CG_MEMORY_MAX ? l->memory_max : memory;
	if (swap != CG_MAX && (!has_swap || memory == CG_MAX))
		return no_swap_limit(d, memory, f);
	return write_v1_pair(d, memory, swap > CG_MAX - memory ? CG_MAX : memory + swap, both, f);
}

static int set_memory(const struct cg_dir *d, const struct cg_limits *l, struct fault *f)
{
	int rc = 0;

	if (d->version == 1)
		return set_v1_memory(d, l, f);
	if (l->set & 1u << CG_MEMORY_MAX)
		rc = write_number(d, "memory.max", l->memory_max, f);
	if (l->set & 1u << CG_MEMORY_HIGH && rc == 0)
		rc = write_number(d, "memory.high", l->memory_high, f);
	if (l->set & 1u << CG_SWAP_MAX && rc == 0)
		rc = write_number(d, "memory.swap.max", l->swap_max, f);
	return rc;
}

/* ---- cpu ---- */

/* The quota that is there may be more than the new period allows, so it goes first. */
static int set_v1_cpu_max(const struct cg_dir *d, const struct cg_limits *l, struct fault *f)
{
	uint64_t period = 0;
	int rc = cg_read_number(d, "cpu.cfs_period_us", NULL, &period);

	if (rc < 0)
		return fault_set(f, -rc, "read", "%s/cpu.cfs_period_us", d->path);
	rc = 0;
	if (period != l->cpu_period) {
		rc = write_number(d, "cpu.cfs_quota_us", CG_MAX, f);
		rc = rc < 0 ? rc : write_number(d, "cpu.cfs_period_us", l->cpu_period, f);
	}
	return rc < 0 ? rc : write_number(d, "cpu.cfs_quota_us", l->cpu_quota, f);
}

static int set_cpu_max(const struct cg_dir *d, const struct cg_limits *l, struct fault *f)
{
	char text[64];

	if (d->version == 1)
		return set_v1_cpu_max(d, l, f);
	if (l->cpu_quota == CG_MAX)
		snprintf(text, sizeof text, "max %" PRIu64, l->cpu_period);
	else
		snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64, l->cpu_quota, l->cpu_period);
	return write_to(d, "cpu.max", text, f);
}

static int set_cpu_weight(const struct cg_dir *d, const struct cg_limits *l, struct fault *f)
{
	if (d->version == 2)
		return write_number(d, "cpu.weight", l->cpu_weight, f);
	return write_number(d, "cpu.shares", (l->cpu_weight * SHARES_PER_100 + 50) / 100, f);
}

static int set_cpu(const struct cg_dir *d, const struct cg_limits *l, struct fault *f)
{
	int rc = l->set & 1u << CG_CPU_MAX ? set_cpu_max(d, l, f) : 0;

	return rc == 0 && l->set & 1u << CG_CPU_WEIGHT ? set_cpu_weight(d, l, f) : rc;
}

/* ---- pids, cpuset, io ---- */

static int set_pids(const struct cg_dir *d, const struct cg_limits *l, struct fault *f)
{
	return write_number(d, "pids.max", l->pids_max, f);
}

/* A new group of version 1 has no memory nodes, and takes no process before it has. */
static int copy_mems(const struct cg_dir *d, struct fault *f)
{
	char mems[1024];
	ssize_t n = util_read_file(d->fd, "../cpuset.mems", mems, sizeof mems);

	return n < 0 ? fault_set(f, (int)-n, "read", "%s/../cpuset.mems", d->path)
		     : write_to(d, "cpuset.mems", mems, f);
}

static int set_cpuset(const struct cg_dir *d, const struct cg_limits *l, struct fault *f)
{
	int rc = d->version == 1 ? copy_mems(d, f) : 0;

	rc = rc < 0 ? rc : write_to(d, "cpuset.cpus", l->cpus, f);
	if (rc == -EINVAL || rc == -EACCES || rc == -ENOSPC || rc == -ERANGE)
		fault_hint(f, "a list of CPUs as in \"0-3,7\", all among those of the cgroup above");
	return rc;
}

static const struct {
	const char *key, *v1;
} io_keys[] = { { "rbps", "blkio.throttle.read_bps_device" },
		{ "wbps", "blkio.throttle.write_bps_device" },
		{ "riops", "blkio.throttle.read_iops_device" },
		{ "wiops", "blkio.throttle.write_iops_device" } };

#define IO_KEYS (sizeof io_keys / sizeof *io_keys)

/* "rbps=1048576" of device "8:0" into version 1's file; 0 there means no limit. */
static int set_v1_io(const struct cg_dir *d, const char *device, const char *pair, struct fault *f)
{
	for (size_t i = 0; i < IO_KEYS; i++) {
		size_t length = strlen(io_keys[i].key);
		char text[64];

		if (strncmp(pair, io_keys[i].key, length) || pair[length] != '=')
			continue;
		pair += length + 1;
		snprintf(text, sizeof text, "%s %s", device, strcmp(pair, "max") ? pair : "0");
		return write_to(d, io_keys[i].v1, text, f);
	}
	return fault_set(f, EINVAL, "limit", "io.max: %s", pair);
}

static int set_io_line(const struct cg_dir *d, char *line, struct fault *f)
{
	char *save = NULL, *device, *pair;
	int rc = 0;

	if (d->version == 2)
		return write_to(d, "io.max", line, f);
	device = strtok_r(line, " ", &save);
	while (device && rc == 0 && (pair = strtok_r(NULL, " ", &save)))
		rc = set_v1_io(d, device, pair, f);
	return rc;
}

static int set_io(const struct cg_dir *d, const struct cg_limits *l, struct fault *f)
{
	cleanup_free char *copy = strdup(l->io);
	char *save = NULL, *line = copy ? strtok_r(copy, "\n", &save) : NULL;
	int rc = copy ? 0 : fault_set(f, ENOMEM, "limit", "io.max");

	for (; line && rc == 0; line = strtok_r(NULL, "\n", &save))
		rc = set_io_line(d, line, f);
	if (rc == -ENODEV || rc == -ENXIO)
		fault_hint(
			f,
			"a line is \"MAJOR:MINOR rbps=… wbps=… riops=… wiops=…\" of a whole disk, see lsblk");
	return rc;
}

/* ---- all ---- */

static const struct {
	enum cg_controller controller;
	unsigned int limits;
	int (*set)(const struct cg_dir *d, const struct cg_limits *l, struct fault *f);
} setters[] = {
	{ CG_MEMORY, 1u << CG_MEMORY_MAX | 1u << CG_MEMORY_HIGH | 1u << CG_SWAP_MAX, set_memory },
	{ CG_CPU, 1u << CG_CPU_MAX | 1u << CG_CPU_WEIGHT, set_cpu },
	{ CG_PIDS, 1u << CG_PIDS_MAX, set_pids },
	{ CG_CPUSET, 1u << CG_CPUSET_CPUS, set_cpuset },
	{ CG_IO, 1u << CG_IO_MAX, set_io },
};

int cg_set_limits(const struct cgroup *cg, const struct cg_limits *l, struct fault *f)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof setters / sizeof *setters && rc == 0; i++) {
		const struct cg_dir *d = cg_dir_of(cg, setters[i].controller);

		if (!(l->set & setters[i].limits))
			continue;
		if (d) {
			rc = setters[i].set(d, l, f);
			continue;
		}
		fault_set(f, ENOTSUP, "limit", "%s of %s", cg_controller_name(setters[i].controller),
			  cg->dir[cg->tracker].path);
		return fault_hint(f,
				  "this cgroup was made without the controller '%s': give the limit, or "
				  "\"max\", to create",
				  cg_controller_name(setters[i].controller));
	}
	return rc;
}

static int get_memory(const struct cg_dir *d, struct cg_limits *out)
{
	return d->version == 2 ? cg_read_number(d, "memory.max", NULL, &out->memory_max)
			       : read_v1_memory(d, LIMIT, &out->memory_max);
}

static int get_swap(const struct cg_dir *d, struct cg_limits *out)
{
	uint64_t memory, both;
	int rc;

	if (d->version == 2)
		return cg_read_number(d, "memory.swap.max", NULL, &out->swap_max);
	rc = read_v1_memory(d, LIMIT, &memory);
	rc = rc > 0 ? read_v1_memory(d, BOTH, &both) : rc;
	if (rc > 0)
		out->swap_max = v1_swap(memory, both);
	return rc;
}

static int get_cpu_max(const struct cg_dir *d, struct cg_limits *out)
{
	char text[64], *end;
	int rc;

	if (d->version == 1) {
		int64_t quota;

		rc = cg_read_number(d, "cpu.cfs_period_us", NULL, &out->cpu_period);
		rc = rc > 0 ? read_text(d, "cpu.cfs_quota_us", text, sizeof text) : rc;
		if (rc <= 0)
			return rc;
		quota = strtoll(text, NULL, 10);
		out->cpu_quota = quota < 0 ? CG_MAX : (uint64_t)quota;
		return 1;
	}
	rc = read_text(d, "cpu.max", text, sizeof text);
	if (rc <= 0)
		return rc;
	end = text + 3;
	out->cpu_quota = strncmp(text, "max", 3) ? strtoull(text, &end, 10) : CG_MAX;
	out->cpu_period = strtoull(end, NULL, 10);
	return 1;
}

static int get_cpu_weight(const struct cg_dir *d, struct cg_limits *out)
{
	int rc;

	if (d->version == 2)
		return cg_read_number(d, "cpu.weight", NULL, &out->cpu_weight);
	rc = cg_read_number(d, "cpu.shares", NULL, &out->cpu_weight);
	if (rc > 0)
		out->cpu_weight = (out->cpu_weight * 100 + SHARES_PER_100 / 2) / SHARES_PER_100;
	return rc;
}

static int get_text(const struct cg_dir *d, const char *file, char *text, size_t size)
{
	int rc = read_text(d, file, text, size);
	size_t n = rc > 0 ? strlen(text) : 0;

	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return rc;
}

/* Version 1 has "8:0 1048576" in each of four files: "8:0 rbps=1048576" lines, one a value. */
static int get_v1_io(const struct cg_dir *d, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < IO_KEYS; i++) {
		char values[2048], *save = NULL, *line;
		int rc = read_text(d, io_keys[i].v1, values, sizeof values);

		if (rc <= 0)
			return rc;
		for (line = strtok_r(values, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			char *value = strchr(line, ' ');

			if (!value || used >= size)
				continue;
			*value++ = '\0';
			used += (size_t)snprintf(text + used, size - used, "%s%s %s=%s", used ? "\n" : "",
						 line, io_keys[i].key, value);
		}
	}
	return 1;
}

/* "8:0 rbps=1048576 wbps=max" as version 1 has it: what is limited, one a line. */
static int get_v2_io(const struct cg_dir *d, char *text, size_t size)
{
	char lines[2048], *save = NULL, *word, *device = lines;
	size_t used = 0;
	int rc = get_text(d, "io.max", lines, sizeof lines);

	text[0] = '\0';
	if (rc <= 0)
		return rc;
	for (word = strtok_r(lines, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		const char *value = strchr(word, '=');

		if (!value)
			device = word;
		else if (strcmp(value, "=max") && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s %s", used ? "\n" : "",
						 device, word);
	}
	return 1;
}

int cg_get_limit(const struct cgroup *cg, enum cg_limit l, struct cg_limits *out, char *text, size_t size)
{
	const struct cg_dir *d = cg_dir_of(cg, cg_limit_controller(l));

	if (!d)
		return 0;
	switch (l) {
	case CG_MEMORY_MAX:
		return get_memory(d, out);
	case CG_MEMORY_HIGH:
		return d->version == 2 ? cg_read_number(d, "memory.high", NULL, &out->memory_high) : 0;
	case CG_SWAP_MAX:
		return get_swap(d, out);
	case CG_CPU_MAX:
		return get_cpu_max(d, out);
	case CG_CPU_WEIGHT:
		return get_cpu_weight(d, out);
	case CG_PIDS_MAX:
		return cg_read_number(d, "pids.max", NULL, &out->pids_max);
	case CG_CPUSET_CPUS:
		return get_text(d, "cpuset.cpus", text, size);
	case CG_IO_MAX:
		return d->version == 2 ? get_v2_io(d, text, size) : get_v1_io(d, text, size);
	case CG_LIMITS:
		break;
	}
	return 0;
}
