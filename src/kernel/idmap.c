/* SPDX-License-Identifier: MIT */
#include "kernel/idmap.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "kernel/detective.h"
#include "kernel/util.h"

#define MAP_SIZE 4096 /* a page; the kernel's limit for one write */

/* ---- checking ---- */

static int meets(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
	return (uint64_t)a < (uint64_t)b + b_count && (uint64_t)b < (uint64_t)a + a_count;
}

static int check_range(const struct idmap_range *r, const char *which, size_t i, struct fault *f)
{
	if (r->count == 0) {
		fault_set(f, EINVAL, "id map", "%s", which);
		return fault_hint(f, "range %zu has a count of 0", i + 1);
	}
	/* The last number is no id but "none". */
	if ((uint64_t)r->inside + r->count <= UINT32_MAX && (uint64_t)r->outside + r->count <= UINT32_MAX)
		return 0;
	fault_set(f, EINVAL, "id map", "%s", which);
	return fault_hint(f, "range %zu goes beyond the last id, 4294967294", i + 1);
}

static int check_pair(const struct idmap_range *ranges, const char *which, size_t i, size_t j,
		      struct fault *f)
{
	const struct idmap_range *a = &ranges[i], *b = &ranges[j];
	int inside = meets(a->inside, a->count, b->inside, b->count);

	if (!inside && !meets(a->outside, a->count, b->outside, b->count))
		return 0;
	fault_set(f, EINVAL, "id map", "%s", which);
	return fault_hint(f, "the %s ids of ranges %zu and %zu overlap", inside ? "inside" : "outside", i + 1,
			  j + 1);
}

static size_t format_map(const struct idmap *map, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < map->count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%u %u %u\n", map->ranges[i].inside,
					 map->ranges[i].outside, map->ranges[i].count);
	return used;
}

static int check_size(const struct idmap *map, const char *which, struct fault *f)
{
	char text[MAP_SIZE];

	if (map->count <= IDMAP_RANGES && format_map(map, text, sizeof text) < sizeof text)
		return 0;
	fault_set(f, EINVAL, "id map", "%s", which);
	return fault_hint(f, "the kernel takes at most %d ranges, in a text of less than %d bytes",
			  IDMAP_RANGES, MAP_SIZE);
}

int idmap_check(const struct idmap *map, const char *which, struct fault *f)
{
	int rc = check_size(map, which, f);

	for (size_t i = 0; i < map->count && rc == 0; i++)
		rc = check_range(&map->ranges[i], which, i, f);
	for (size_t i = 0; i < map->count && rc == 0; i++)
		for (size_t j = 0; j < i && rc == 0; j++)
			rc = check_pair(map->ranges, which, j, i, f);
	return rc;
}

/* ---- writing ---- */

static int write_map(int proc, const char *name, const struct idmap *map)
{
	char text[MAP_SIZE];

	format_map(map, text, sizeof text);
	return util_write_file(proc, name, text);
}

struct helper {
	const char *program; /* "newuidmap" */
	const char *file;    /* "uid_map" */
	const char *subids;  /* "/etc/subuid" */
};

/* argv for newuidmap: the program, the pid, three numbers a range. */
static char **make_arguments(const struct helper *h, pid_t pid, const struct idmap *map)
{
	size_t n = 2 + 3 * map->count;
	char **argv = malloc((n + 1) * sizeof *argv + n * 16), *at;

	if (!argv)
		return NULL;
	at = (char *)(argv + n + 1);
	for (size_t i = 0; i < n; i++, at += 16)
		argv[i] = at;
	snprintf(argv[0], 16, "%s", h->program);
	snprintf(argv[1], 16, "%d", (int)pid);
	for (size_t i = 0; i < map->count; i++) {
		snprintf(argv[2 + 3 * i], 16, "%u", map->ranges[i].inside);
		snprintf(argv[3 + 3 * i], 16, "%u", map->ranges[i].outside);
		snprintf(argv[4 + 3 * i], 16, "%u", map->ranges[i].count);
	}
	argv[n] = NULL;
	return argv;
}

static int spawn_helper(const struct helper *h, char **argv, int output, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return -error;
	error = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	if (!error)
		error = posix_spawnp(pid, h->program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

/* The helper's first sentence, then its exit. Returns its wait status. */
static int listen_to(int input, pid_t pid, char *words, size_t size)
{
	size_t used = 0;
	int status = -1;
	ssize_t n;

	while ((n = retry_eintr(read(input, words + used, size - 1 - used))) > 0)
		used += (size_t)n;
	words[used] = '\0';
	words[strcspn(words, "\n")] = '\0';
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int run_helper(const struct helper *h, pid_t pid, const struct idmap *map, struct fault *f)
{
	cleanup_free char **argv = make_arguments(h, pid, map);
	cleanup_fd int input = -1, output = -1;
	char words[256];
	int ends[2], rc;
	pid_t child;

	if (!argv)
		return fault_set(f, ENOMEM, h->program, "process %d", (int)pid);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fault_set(f, errno, "pipe", "%s", h->program);
	input = ends[0];
	output = ends[1];
	rc = spawn_helper(h, argv, output, &child);
	if (rc < 0) {
		fault_set(f, rc == -ENOENT ? EPERM : -rc, h->file, "process %d", (int)pid);
		return fault_hint(
			f,
			"without CAP_SETUID and CAP_SETGID more than one's own id is mapped by %s, which "
			"cannot be run (%s): install the package uidmap",
			h->program, strerrordesc_np(-rc));
	}
	util_closep(&output);
	if (listen_to(input, child, words, sizeof words) == 0)
		return 0;
	fault_set(f, EPERM, h->program, "process %d", (int)pid);
	fault_detail(f, words);
	return fault_hint(f, "%s must give this user the outside ids of every range", h->subids);
}

static int map_failed(int rc, pid_t pid, const struct helper *h, const struct idmap *map, struct fault *f)
{
	fault_set(f, -rc, h->file, "process %d", (int)pid);
	detect_id_map(h->file, map, f);
	return rc;
}

static int is_written(int proc, const char *name)
{
	char byte[2];

	return util_read_file(proc, name, byte, sizeof byte) != 0;
}

/* user_namespaces(7): without capabilities one may map one's own id, alone, and that of a
 * group only when setgroups(2) is denied for good. */
static int is_own_id(const struct idmap *map, uint32_t id)
{
	return map->count == 1 && map->ranges[0].count == 1 && map->ranges[0].outside == id;
}

static int write_or_help(int proc, pid_t pid, const struct helper *h, const struct idmap *map,
			 struct fault *f)
{
	int rc = write_map(proc, h->file, map);

	if (rc == -EPERM && !is_written(proc, h->file) && !detect_unmapped(h->file, map, NULL))
		return run_helper(h, pid, map, f);
	return rc < 0 ? map_failed(rc, pid, h, map, f) : 0;
}

static int deny_setgroups(int proc, pid_t pid, struct fault *f)
{
	int rc = util_write_file(proc, "setgroups", "deny");

	return rc < 0 ? fault_set(f, -rc, "setgroups", "process %d", (int)pid) : 0;
}

static int write_gids(int proc, pid_t pid, const struct idmap_request *r, struct fault *f)
{
	static const struct helper newgidmap = { "newgidmap", "gid_map", "/etc/subgid" };
	int rc;

	if (r->setgroups == IDMAP_SETGROUPS_AUTO && is_own_id(&r->gid, getegid())) {
		rc = write_map(proc, "gid_map", &r->gid);
		if (rc != -EPERM || is_written(proc, "gid_map"))
			return rc < 0 ? map_failed(rc, pid, &newgidmap, &r->gid, f) : 0;
		rc = deny_setgroups(proc, pid, f);
		if (rc < 0)
			return rc;
	}
	rc = write_or_help(proc, pid, &newgidmap, &r->gid, f);
	if (rc == -EPERM && r->setgroups == IDMAP_SETGROUPS_ALLOW && is_own_id(&r->gid, getegid()))
		fault_hint(f,
			   "one's own group can be mapped without CAP_SETGID only where setgroups is denied: "
			   "setgroups = \"deny\"");
	return rc;
}

int idmap_write(pid_t pid, const struct idmap_request *r, struct fault *f)
{
	static const struct helper newuidmap = { "newuidmap", "uid_map", "/etc/subuid" };
	cleanup_fd int proc = -1;
	char path[32];
	int rc = 0;

	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	proc = retry_eintr(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (proc < 0)
		return fault_set(f, errno == ENOENT ? ESRCH : errno, "open", "%s", path);
	if (r->uid.count)
		rc = write_or_help(proc, pid, &newuidmap, &r->uid, f);
	if (rc == 0 && r->setgroups == IDMAP_SETGROUPS_DENY)
		rc = deny_setgroups(proc, pid, f);
	return rc < 0 || !r->gid.count ? rc : write_gids(proc, pid, r, f);
}
