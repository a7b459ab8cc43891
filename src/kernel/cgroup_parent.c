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

#include "kernel/cgroup.h"
#include "kernel/procfs.h"
#include "kernel/util.h"

#define NOTE "user.luabox.controllers"
#define CONTROL "cgroup.subtree_control"
#define WORDS 256     /* all names of controllers */
#define PATIENCE 1000 /* ms for the lock: others hold it for an instant */
#define PASSES 100    /* until all have moved, though they fork */
#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static int read_controllers(int dir, const char *file, unsigned int *controllers)
{
	char text[WORDS];
	ssize_t n = util_read_file(dir, file, text, sizeof text);

	*controllers = n < 0 ? 0 : cg_controllers_of(text);
	return n < 0 ? (int)n : 0;
}

/* "+cpu +pids", or " cpu pids" as a note. Returns the length. */
static size_t write_controllers(char *text, size_t size, char sign, unsigned int controllers)
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

static int any(pid_t pid, void *data)
{
	(void)pid;
	(void)data;
	return 1;
}

static pid_t parent_of(pid_t pid)
{
	char text[PROC_STAT_SIZE];
	int parent;

	return proc_stat(pid, text) == 0 && sscanf(text, "%*c %d", &parent) == 1 ? parent : 0;
}

/* This process, and what it has started. */
static int is_ours(pid_t pid)
{
	for (int depth = 0; pid > 1 && depth < 1000; depth++) {
		if (pid == getpid())
			return 1;
		pid = parent_of(pid);
	}
	return pid == getpid();
}

static int find_other(pid_t pid, void *data)
{
	return is_ours(pid) ? 0 : cg_add_name(pid, data);
}

struct move {
	int to, moved, error;
	int ours; /* leave others where they are */
};

static int move_one(pid_t pid, void *data)
{
	struct move *m = data;
	char text[16];
	int rc;

	if (m->ours && !is_ours(pid))
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

/* ---- which one ---- */

enum verdict { AS_IT_IS, ENABLE, MOVE, OTHERS, KIND, LACKS, REFUSED };

struct judged {
	enum verdict verdict;
	int error;            /* REFUSED */
	unsigned int lacking; /* LACKS */
	char kind[24];        /* KIND */
	struct cg_names others;
};

static int may_write(int dir, unsigned int need)
{
	static const char *const files[] = { ".", "cgroup.procs", CONTROL };

	for (size_t i = 0; i < (need ? sizeof files / sizeof *files : 1); i++)
		if (faccessat(dir, files[i], W_OK, 0) < 0)
			return -errno;
	return 0;
}

/* The kernel's root has no type, and may have processes. */
static int read_kind(int dir, char kind[24])
{
	ssize_t n = util_read_file(dir, "cgroup.type", kind, 24);

	if (n == -ENOENT)
		kind[0] = '\0';
	else if (n > 0)
		kind[n - 1] = '\0';
	return n < 0 && n != -ENOENT ? (int)n : 0;
}

static int judge_processes(int dir, struct judged *j)
{
	int rc = *j->kind ? cg_each_process_here(dir, any, NULL) : 0;

	j->verdict = ENABLE;
	if (rc != 1)
		return rc;
	rc = cg_each_process_here(dir, find_other, &j->others);
	j->verdict = j->others.length ? OTHERS : MOVE;
	return rc < 0 ? rc : 0;
}

static int judge_directory(int dir, unsigned int need, struct judged *j)
{
	unsigned int given, handed_on;
	int rc = may_write(dir, need);

	rc = rc < 0 ? rc : read_kind(dir, j->kind);
	rc = rc < 0 ? rc : read_controllers(dir, "cgroup.controllers", &given);
	rc = rc < 0 ? rc : read_controllers(dir, CONTROL, &handed_on);
	if (rc < 0)
		return rc;
	j->lacking = need & ~given;
	j->verdict = *j->kind && strcmp(j->kind, "domain") ? KIND : j->lacking ? LACKS : AS_IT_IS;
	return j->verdict == AS_IT_IS && need & ~handed_on ? judge_processes(dir, j) : 0;
}

static enum verdict judge(const char *path, unsigned int need, struct judged *j)
{
	cleanup_fd int dir = retry_eintr(open(path, DIRECTORY));
	int rc;

	memset(j, 0, sizeof *j);
	rc = dir < 0 ? -errno : judge_directory(dir, need, j);
	if (rc < 0)
		*j = (struct judged){ .verdict = REFUSED, .error = rc };
	return j->verdict;
}

static int explain_refused(const char *path, int error, struct fault *f)
{
	fault_set(f, -error, "create cgroup in", "%s", path);
	if (error == -EROFS)
		return fault_hint(f, CG_HINT_READ_ONLY);
	if (error == -ENOENT)
		return fault_hint(f, CG_HINT_NO_PARENT);
	return error == -EACCES || error == -EPERM ? fault_hint(f, CG_HINT_NOT_OWNED) : error;
}

static int explain_lacking(const char *path, const struct judged *j, struct fault *f)
{
	char names[WORDS];

	write_controllers(names, sizeof names, ' ', j->lacking);
	fault_set(f, ENOTSUP, "create cgroup in", "%s", path);
	return fault_hint(
		f,
		"this cgroup is not given:%s (see its cgroup.controllers), and none above it is to be had; "
		"write them to cgroup.subtree_control above it, or do without these limits",
		names);
}

static int explain(const char *path, const struct judged *j, struct fault *f)
{
	switch (j->verdict) {
	case REFUSED:
		return explain_refused(path, j->error, f);
	case LACKS:
		return explain_lacking(path, j, f);
	case KIND:
		fault_set(f, ENOTSUP, "create cgroup in", "%s", path);
		return fault_hint(
			f,
			"it is of type '%s', and only one of type 'domain' has groups with limits and "
			"processes; start luabox in another cgroup, or give parent=",
			j->kind);
	default:
		fault_set(f, EBUSY, "create cgroup in", "%s", path);
		return fault_hint(f,
				  "cgroup v2 limits only the children of a cgroup without processes of its "
				  "own, and in this "
				  "one are some that are not luabox's: %.120s. Start luabox in one of its "
				  "own (`systemd-run "
				  "--scope -p Delegate=yes luabox …`), or move those: make a directory in "
				  "it, and write "
				  "their numbers to its cgroup.procs",
				  j->others.text);
	}
}

/* For want of memory or descriptors, say: that is no word against the cgroup. */
static int could_not_look(const struct judged *j)
{
	return j->verdict == REFUSED && j->error != -EACCES && j->error != -EPERM && j->error != -EROFS &&
	       j->error != -ENOENT;
}

/* Those above the caller's own: one that can stay as it is before one that must change. Null if there is
 * none, or with 'failed' filled if one could not be looked at. */
static char *choose_above(const char *own, const char *top, unsigned int need, struct judged *failed)
{
	for (enum verdict wanted = AS_IT_IS; wanted <= ENABLE; wanted++) {
		char *path = strdup(own);

		while (path && strlen(path) > strlen(top)) {
			struct judged j;

			*strrchr(path, '/') = '\0';
			if (judge(path, need, &j) == wanted)
				return path;
			if (could_not_look(&j)) {
				*failed = j;
				free(path);
				return NULL;
			}
			if (j.verdict == REFUSED)
				break;
		}
		free(path);
	}
	return NULL;
}

/* A process that luabox has moved belongs to the cgroup above. */
static void leave_leaf(char *path)
{
	char *name = strrchr(path, '/');

	if (name && !strcmp(name + 1, CG_LEAF))
		*name = '\0';
}

int cg_parent_choose(struct cg_parent *p, const struct cg_layout *l, int given, unsigned int need,
		     struct fault *f)
{
	struct judged j;
	char *above;

	*p = (struct cg_parent){ .path = strdup(l->v2), .need = need };
	if (!p->path)
		return fault_set(f, ENOMEM, "create cgroup in", "%s", l->v2);
	leave_leaf(p->path);
	if (judge(p->path, need, &j) <= MOVE)
		return 0;
	above = given || could_not_look(&j) ? NULL : choose_above(p->path, l->v2_top, need, &j);
	if (!above)
		return explain(p->path, &j, f);
	p->instead_of = p->path;
	p->path = above;
	p->others = j.others;
	return 0;
}

void cg_parent_release(struct cg_parent *p)
{
	free(p->path);
	free(p->instead_of);
	p->path = p->instead_of = NULL;
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
	char text[WORDS];
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
	char text[WORDS];
	size_t n;
	int rc = read_note(dir, &noted);

	if (rc < 0)
		return rc;
	n = write_controllers(text, sizeof text, ' ', noted | controllers);
	return fsetxattr(dir, NOTE, text, n, 0) < 0 ? -errno : 0;
}

static int enable(const struct cg_parent *p, int dir, unsigned int controllers, struct fault *f)
{
	char text[WORDS];
	int rc = add_note(dir, controllers);

	if (rc < 0)
		return fault_set(f, -rc, "setxattr", "%s: " NOTE, p->path);
	write_controllers(text, sizeof text, '+', controllers);
	rc = util_write_file(dir, CONTROL, text);
	if (rc == 0)
		return 0;
	fault_set(f, -rc, "write", "%s/" CONTROL ": %s", p->path, text);
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
	struct judged j;
	int rc = read_controllers(dir, CONTROL, &handed_on);

	if (rc < 0)
		return fault_set(f, -rc, "read", "%s/" CONTROL, p->path);
	missing = p->need & ~handed_on;
	if (!missing)
		return 0;
	/* Of threaded controllers the kernel would not refuse it, but make a group that takes no process. */
	if (judge(p->path, p->need, &j) > MOVE)
		return explain(p->path, &j, f);
	rc = j.verdict == MOVE ? move_into_leaf(p, dir, f) : 0;
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
	int rc = read_controllers(dir, CONTROL, &below);
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
	char text[WORDS];
	int rc = read_note(dir, &controllers);

	if (rc < 0 || !controllers)
		return rc;
	rc = util_each_entry(dir, add_use, &use);
	if (rc == 0 && write_controllers(text, sizeof text, '-', controllers & ~use))
		rc = util_write_file(dir, CONTROL, text);
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
