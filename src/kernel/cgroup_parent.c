/* SPDX-License-Identifier: MIT
 * The cgroup of version 2 that groups are made in. cgroup v2 gives controllers only to the children of a
 * cgroup that hands them on, and one that has processes may not ("no internal processes", the kernel's
 * admin-guide/cgroup-v2).
 *
 * What luabox changes there is noted in an extended attribute of the directory itself, before it is changed,
 * so that it is known after any end and gone with the directory. Who changes it holds a lock on the
 * directory. Groups count as use: once there is none of luabox's, what was changed is put back.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "kernel/cgroup_parent.h"
#include "kernel/util.h"

#define NOTE "user.luabox.controllers"
#define PATIENCE 1000 /* ms for the lock: others hold it for an instant */
#define PASSES 100    /* until all have moved, though they fork */
#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

int cg_read_controllers(int dir, const char *file, unsigned int *controllers)
{
	char text[CG_WORDS];
	ssize_t n = util_read_file(dir, file, text, sizeof text);

	*controllers = n < 0 ? 0 : cg_controllers_of(text);
	return n < 0 ? (int)n : 0;
}

size_t cg_write_controllers(char *text, size_t size, char sign, unsigned int controllers)
{
	size_t n = 0;

	text[0] = '\0';
	for (int c = 0; c < CG_CONTROLLERS; c++)
		if (controllers & 1u << c)
			n += (size_t)snprintf(text + n, size - n, "%s%c%s", n && sign != ' ' ? " " : "", sign,
					      cg_controller_name(c));
	return n;
}

/* ---- processes ---- */

struct move {
	int to, moved, error;
	int ours; /* leave others where they are */
};

static int move_one(pid_t pid, void *data)
{
	struct move *m = data;
	char text[16];
	int rc;

	if (m->ours && !cg_is_ours(pid))
		return 0;
	snprintf(text, sizeof text, "%d", pid);
	rc = util_write_file(m->to, "cgroup.procs", text);
	if (rc == 0)
		m->moved++;
	else if (rc != -ESRCH)
		m->error = rc;
	return m->error != 0;
}

/* Until a pass finds none. Returns how many, or -errno. */
static int move_all(int from, int to, int ours)
{
	struct move m = { .to = to, .ours = ours };

	for (int pass = 0; pass < PASSES; pass++) {
		int before = m.moved, rc = cg_each_process_here(from, move_one, &m);

		if (rc < 0 || m.error)
			return rc < 0 ? rc : m.error;
		if (m.moved == before)
			break;
	}
	return m.moved;
}

/* ---- changing it ---- */

/* Whoever may read a directory may lock it; one who does so for long is not waited for. Without the lock,
 * what another run puts back in the same instant may be missed. */
static int lock(const char *path)
{
	int dir = retry_eintr(open(path, DIRECTORY));

	for (int waited = 0; dir >= 0 && waited < PATIENCE; waited += 10) {
		if (flock(dir, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			break;
		poll(NULL, 0, 10);
	}
	return dir < 0 ? -errno : dir;
}

int cg_parent_lock(const struct cg_parent *p, struct fault *f)
{
	int dir = lock(p->path);

	return dir < 0 ? fault_set(f, -dir, "open", "%s", p->path) : dir;
}

static int read_note(int dir, unsigned int *controllers)
{
	char text[CG_WORDS];
	ssize_t n = fgetxattr(dir, NOTE, text, sizeof text - 1);

	*controllers = 0;
	if (n < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
	text[n] = '\0';
	*controllers = cg_controllers_of(text);
	return 0;
}

static int add_note(int dir, unsigned int controllers)
{
	unsigned int noted;
	char text[CG_WORDS];
	size_t n;
	int rc = read_note(dir, &noted);

	if (rc < 0)
		return rc;
	n = cg_write_controllers(text, sizeof text, ' ', noted | controllers);
	return fsetxattr(dir, NOTE, text, n, 0) < 0 ? -errno : 0;
}

static int enable(const struct cg_parent *p, int dir, unsigned int controllers, struct fault *f)
{
	char text[CG_WORDS];
	int rc = add_note(dir, controllers);

	if (rc < 0)
		return fault_set(f, -rc, "setxattr", "%s: " NOTE, p->path);
	cg_write_controllers(text, sizeof text, '+', controllers);
	rc = util_write_file(dir, CG_CONTROL, text);
	if (rc == 0)
		return 0;
	fault_set(f, -rc, "write", "%s/" CG_CONTROL ": %s", p->path, text);
	if (rc == -EBUSY)
		fault_hint(
			f,
			"cgroup v2 hands controllers on only where no process is, and one has just come in");
	return rc;
}

static int move_into_leaf(struct cg_parent *p, int dir, struct fault *f)
{
	cleanup_fd int leaf = -1;
	int rc = mkdirat(dir, CG_LEAF, 0755) < 0 && errno != EEXIST ? -errno : 0;

	if (rc == 0) {
		leaf = retry_eintr(openat(dir, CG_LEAF, DIRECTORY | O_NOFOLLOW));
		rc = leaf < 0 ? -errno : move_all(dir, leaf, 1);
	}
	if (rc < 0)
		return fault_set(f, -rc, "move luabox to", "%s/" CG_LEAF, p->path);
	p->moved = rc;
	return 0;
}

int cg_parent_prepare(struct cg_parent *p, int dir, struct fault *f)
{
	unsigned int handed_on, missing;
	struct cg_judged j;
	int rc = cg_read_controllers(dir, CG_CONTROL, &handed_on);

	if (rc < 0)
		return fault_set(f, -rc, "read", "%s/" CG_CONTROL, p->path);
	missing = p->need & ~handed_on;
	if (!missing)
		return 0;
	/* Of threaded controllers the kernel would not refuse it, but make a group that takes no process. */
	if (cg_judge(p->path, p->need, &j) > CG_MOVE)
		return cg_explain_parent(p->path, &j, f);
	rc = j.verdict == CG_MOVE ? move_into_leaf(p, dir, f) : 0;
	return rc < 0 ? rc : enable(p, dir, missing, f);
}

/* ---- putting it back ---- */

static int is_group(int parent, const char *name, unsigned char type, void *data)
{
	(void)parent;
	(void)data;
	return cg_is_subdirectory(name, type) && !strncmp(name, CG_PREFIX, strlen(CG_PREFIX));
}

static const struct {
	enum cg_controller controller;
	const char *file, *untouched; /* what it begins with, where nobody has set it */
} knobs[] = {
	{ CG_MEMORY, "memory.max", "max" },
	{ CG_MEMORY, "memory.high", "max" },
	{ CG_MEMORY, "memory.swap.max", "max" },
	{ CG_MEMORY, "memory.low", "0\n" },
	{ CG_MEMORY, "memory.min", "0\n" },
	{ CG_CPU, "cpu.max", "max " },
	{ CG_CPU, "cpu.weight", "100\n" },
	{ CG_PIDS, "pids.max", "max" },
	{ CG_IO, "io.max", "" },
	{ CG_CPUSET, "cpuset.cpus", "\n" },
};

static int is_set(int dir, const char *file, const char *untouched)
{
	char text[64];
	ssize_t n = util_read_file(dir, file, text, sizeof text);

	if (n < 0)
		return n == -EFBIG ? 1 : n == -ENOENT || n == -ENODEV ? 0 : (int)n;
	return *untouched ? strncmp(text, untouched, strlen(untouched)) != 0 : n > 0;
}

/* Whoever has set a limit since the controller is handed on would lose it. */
static int read_use(int dir, unsigned int *use)
{
	unsigned int below;
	int rc = cg_read_controllers(dir, CG_CONTROL, &below);

	*use |= below;
	for (size_t i = 0; i < sizeof knobs / sizeof *knobs && (rc == 0 || rc == 1); i++) {
		rc = is_set(dir, knobs[i].file, knobs[i].untouched);
		if (rc == 1)
			*use |= 1u << knobs[i].controller;
	}
	return rc < 0 && rc != -ENODEV ? rc : 0;
}

static int add_use(int parent, const char *name, unsigned char type, void *data)
{
	cleanup_fd int dir = -1;

	if (!cg_is_subdirectory(name, type) || !strcmp(name, CG_LEAF))
		return 0;
	dir = retry_eintr(openat(parent, name, DIRECTORY | O_NOFOLLOW));
	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	return read_use(dir, data);
}

static int disable(int dir)
{
	unsigned int controllers, use = 0;
	char text[CG_WORDS];
	int rc = read_note(dir, &controllers);

	if (rc < 0 || !controllers)
		return rc;
	rc = util_each_entry(dir, add_use, &use);
	if (rc == 0 && cg_write_controllers(text, sizeof text, '-', controllers & ~use))
		rc = util_write_file(dir, CG_CONTROL, text);
	if (rc == 0)
		fremovexattr(dir, NOTE);
	return rc;
}

static int dissolve_leaf(int dir)
{
	cleanup_fd int leaf = retry_eintr(openat(dir, CG_LEAF, DIRECTORY | O_NOFOLLOW));
	int rc;

	if (leaf < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = move_all(leaf, dir, 0);
	if (rc < 0)
		return rc;
	return unlinkat(dir, CG_LEAF, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int cg_parent_restore(const char *path)
{
	cleanup_fd int dir = lock(path);
	int rc;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	rc = cg_version(dir);
	if (rc != 2)
		return rc < 0 ? rc : -EINVAL;
	rc = util_each_entry(dir, is_group, NULL);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = disable(dir);
	return rc < 0 ? rc : dissolve_leaf(dir);
}
