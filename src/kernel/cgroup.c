/* SPDX-License-Identifier: MIT
 * A group as one directory in each hierarchy that it needs.
 */
#include "kernel/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/detective.h"
#include "kernel/util.h"

#define FREEZE_TIMEOUT 2000 /* ms */
#define cleanup_layout __attribute__((cleanup(cg_layout_release)))

static const struct {
	const char *name;
	enum cg_controller controller;
} limits[CG_LIMITS] = {
	[CG_MEMORY_MAX] = { "memory.max", CG_MEMORY },    [CG_MEMORY_HIGH] = { "memory.high", CG_MEMORY },
	[CG_SWAP_MAX] = { "memory.swap.max", CG_MEMORY }, [CG_CPU_MAX] = { "cpu.max", CG_CPU },
	[CG_CPU_WEIGHT] = { "cpu.weight", CG_CPU },       [CG_PIDS_MAX] = { "pids.max", CG_PIDS },
	[CG_CPUSET_CPUS] = { "cpuset.cpus", CG_CPUSET },  [CG_IO_MAX] = { "io.max", CG_IO },
};

const char *cg_limit_name(enum cg_limit l)
{
	return limits[l].name;
}

enum cg_controller cg_limit_controller(enum cg_limit l)
{
	return limits[l].controller;
}

/* ---- planning ---- */

/* The index of the directory "parent/luabox-name", which co-mounted controllers share. */
static int plan_dir(struct cgroup *cg, const char *parent, int version, const char *name)
{
	struct cg_dir *d = &cg->dir[cg->count];
	char *path;

	if (asprintf(&path, "%s/" CG_PREFIX "%s", parent, name) < 0)
		return -ENOMEM;
	for (int i = 0; i < cg->count; i++)
		if (!strcmp(cg->dir[i].path, path)) {
			free(path);
			return i;
		}
	*d = (struct cg_dir){ .fd = -1, .version = version, .path = path };
	return cg->count++;
}

static int no_controller(const struct cg_layout *l, enum cg_limit limit, struct fault *f)
{
	const char *name = cg_controller_name(limits[limit].controller);

	fault_set(f, ENOTSUP, "create cgroup", "%s", limits[limit].name);
	return fault_hint(f,
			  "the controller '%s' is neither in cgroup v1's hierarchies nor in "
			  "%s/cgroup.controllers: mount one "
			  "that has it, or do without this limit",
			  name, l->v2 ? l->v2 : "a mounted cgroup2");
}

/* Every limit's controller gets a directory in version 1's hierarchy if one has it. */
static int plan_limit(struct cgroup *cg, const struct cg_layout *l, const char *name, enum cg_limit limit,
		      unsigned int *need, struct fault *f)
{
	enum cg_controller c = limits[limit].controller;

	if (l->v1[c] && limit == CG_MEMORY_HIGH)
		return cg_no_high(f);
	if (l->v1[c])
		cg->of[c] = plan_dir(cg, l->v1[c], 1, name);
	else if (l->v2_controllers & 1u << c)
		*need |= 1u << c;
	else
		return no_controller(l, limit, f);
	return cg->of[c] < -1 ? fault_set(f, ENOMEM, "create cgroup", "%s", name) : 0;
}

/* The tracker comes last: the last told to the keeper is undone first, and this is
 * the one to kill by. */
static int plan_tracker(struct cgroup *cg, const struct cg_layout *l, const char *name, struct fault *f)
{
	if (l->v2)
		cg->tracker = plan_dir(cg, cg->parent.path, 2, name);
	else if (l->v1[CG_FREEZER])
		cg->tracker = cg->of[CG_FREEZER] = plan_dir(cg, l->v1[CG_FREEZER], 1, name);
	else
		cg->tracker = cg->count - 1;
	if (cg->tracker < -1)
		return fault_set(f, ENOMEM, "create cgroup", "%s", name);
	if (cg->tracker < 0) {
		fault_set(f, ENODEV, "create cgroup", "%s", name);
		return fault_hint(f,
				  "no cgroup file system is mounted where this process's cgroup can be seen; "
				  "mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup");
	}
	for (int c = 0; c < CG_CONTROLLERS; c++)
		if (cg->parent.need & 1u << c)
			cg->of[c] = cg->tracker;
	return 0;
}

int cg_plan(struct cgroup *cg, const char *name, const char *parent, unsigned int set, struct fault *f)
{
	cleanup_layout struct cg_layout l = { 0 };
	unsigned int need = 0;
	int rc;

	memset(cg, 0, sizeof *cg);
	cg->tracker = -1;
	for (int c = 0; c < CG_CONTROLLERS; c++)
		cg->of[c] = -1;
	rc = cg_layout_read(&l, parent, f);
	for (int i = 0; i < CG_LIMITS && rc == 0; i++)
		if (set & 1u << i)
			rc = plan_limit(cg, &l, name, i, &need, f);
	if (rc == 0 && l.v2)
		rc = cg_parent_choose(&cg->parent, &l, parent != NULL, need, f);
	return rc < 0 ? rc : plan_tracker(cg, &l, name, f);
}

/* ---- making ---- */

static int explain_mkdir(const char *path, int error, struct fault *f)
{
	fault_set(f, error, "mkdir", "%s", path);
	if (error == EEXIST)
		fault_hint(f,
			   "another cgroup has this name; if a killed run left it, `luabox gc` removes it");
	else if (error == EACCES || error == EPERM)
		fault_hint(f, CG_HINT_NOT_OWNED);
	else if (error == EROFS)
		fault_hint(f, CG_HINT_READ_ONLY);
	else if (error == ENOENT)
		fault_hint(f, CG_HINT_NO_PARENT);
	return -error;
}

static int make_dir(struct cg_dir *d, struct fault *f)
{
	int version;

	if (mkdir(d->path, 0755) < 0)
		return explain_mkdir(d->path, errno, f);
	d->made = 1;
	d->fd = retry_eintr(open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (d->fd < 0)
		return fault_set(f, errno, "open", "%s", d->path);
	version = cg_version(d->fd);
	if (version < 0)
		return fault_set(f, -version, "statfs", "%s", d->path);
	if (version != d->version) {
		fault_set(f, EINVAL, "mkdir", "%s", d->path);
		return fault_hint(f, "this directory is not in a cgroup file system");
	}
	return 0;
}

static void unmake(struct cgroup *cg)
{
	for (int i = cg->count - 1; i >= 0; i--)
		if (cg->dir[i].made)
			rmdir(cg->dir[i].path);
}

static int make_dirs(struct cgroup *cg, const struct cg_limits *l, struct fault *f)
{
	int rc = 0;

	for (int i = 0; i < cg->count && rc == 0; i++)
		rc = make_dir(&cg->dir[i], f);
	return rc < 0 ? rc : cg_set_limits(cg, l, f);
}

/* What another run puts back in the meantime would take the limits away. */
static int make_under_lock(struct cgroup *cg, const struct cg_limits *l, struct fault *f)
{
	cleanup_fd int lock = cg_parent_lock(&cg->parent, f);
	int rc = lock < 0 ? lock : cg_parent_prepare(&cg->parent, lock, f);

	return rc < 0 ? rc : make_dirs(cg, l, f);
}

int cg_make(struct cgroup *cg, const struct cg_limits *l, struct fault *f)
{
	int rc = cg->parent.need ? make_under_lock(cg, l, f) : make_dirs(cg, l, f);

	if (rc == 0)
		return 0;
	unmake(cg);
	if (cg->parent.need)
		cg_parent_restore(cg->parent.path);
	return rc;
}

void cg_release(struct cgroup *cg)
{
	for (int i = 0; i < cg->count; i++) {
		util_close(cg->dir[i].fd);
		free(cg->dir[i].path);
	}
	cg->count = 0;
	cg_parent_release(&cg->parent);
}

/* ---- use ---- */

const struct cg_dir *cg_dir_of(const struct cgroup *cg, enum cg_controller c)
{
	return cg->of[c] < 0 ? NULL : &cg->dir[cg->of[c]];
}

int cg_attach_fd(const struct cg_dir *d, struct fault *f)
{
	const char *file = d->version == 1 ? "tasks" : "cgroup.procs";
	int fd = retry_eintr(openat(d->fd, file, O_WRONLY | O_CLOEXEC));

	return fd >= 0 ? fd : fault_set(f, errno, "open", "%s/%s", d->path, file);
}

static int attach_to(const struct cg_dir *d, pid_t pid, struct fault *f)
{
	char text[24];
	int rc;

	snprintf(text, sizeof text, "%d", pid);
	rc = util_write_file(d->fd, "cgroup.procs", text);
	if (rc == 0)
		return 0;
	fault_set(f, -rc, "attach", "process %d to %s", pid, d->path);
	detect_cgroup_entry(d->fd, f);
	return rc;
}

int cg_attach(const struct cgroup *cg, pid_t pid, struct fault *f)
{
	int rc = 0;

	for (int i = 0; i < cg->count && rc == 0; i++)
		rc = attach_to(&cg->dir[i], pid, f);
	return rc;
}

static int write_freeze(const struct cg_dir *d, int frozen)
{
	if (d->version == 2)
		return util_write_file(d->fd, "cgroup.freeze", frozen ? "1" : "0");
	return util_write_file(d->fd, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

int cg_freeze(const struct cgroup *cg, int frozen, struct fault *f)
{
	const struct cg_dir *d = &cg->dir[cg->tracker];
	int rc = write_freeze(d, frozen);

	rc = rc == 0 && frozen ? cg_wait_frozen(d->fd, FREEZE_TIMEOUT) : rc;
	if (rc == 0)
		return 0;
	fault_set(f, -rc, frozen ? "freeze" : "thaw", "%s", d->path);
	if (rc == -ENOENT)
		fault_hint(f, "neither cgroup2 (Linux 5.2) nor version 1's freezer is mounted here");
	return rc;
}

int cg_kill(const struct cgroup *cg, struct fault *f)
{
	const struct cg_dir *d = &cg->dir[cg->tracker];
	int rc = cg_kill_dir(d->fd);

	return rc < 0 ? fault_set(f, -rc, "kill cgroup", "%s", d->path) : 0;
}

/* ---- removing ---- */

static int explain_busy(const struct cg_dir *d, struct fault *f)
{
	struct cg_names n = { .length = 0 };

	fault_set(f, EBUSY, "remove cgroup", "%s", d->path);
	cg_each_process(d->fd, cg_add_name, &n);
	if (n.length)
		fault_hint(f, "still in it: %s; kill them first, with kill()", n.text);
	return -EBUSY;
}

static int remove_one(struct cg_dir *d, int timeout, struct fault *f)
{
	int rc = cg_remove_dir(d->path, timeout);

	if (rc == -EBUSY)
		return explain_busy(d, f);
	if (rc < 0)
		return fault_set(f, -rc, "remove cgroup", "%s", d->path);
	d->made = 0;
	return 0;
}

/* The tracker first: it can wait for the processes, version 1 can only ask again. */
int cg_remove(struct cgroup *cg, int timeout, struct fault *f)
{
	int rc = 0;

	for (int i = cg->count - 1; i >= 0 && rc == 0; i--)
		if (cg->dir[i].made)
			rc = remove_one(&cg->dir[i], timeout, f);
	if (rc < 0 || !cg->restores)
		return rc;
	rc = cg_parent_restore(cg->parent.path);
	return rc < 0 ? fault_set(f, -rc, "put back", "cgroup %s", cg->parent.path) : 0;
}
