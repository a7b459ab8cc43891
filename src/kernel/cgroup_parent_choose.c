/* SPDX-License-Identifier: MIT
 * Which cgroup of version 2 groups are made in; or why there is none.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cgroup_parent.h"
#include "kernel/procfs.h"
#include "kernel/util.h"

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* ---- processes ---- */

static pid_t parent_of(pid_t pid)
{
	char text[PROC_STAT_SIZE];
	int parent;

	return proc_stat(pid, text) == 0 && sscanf(text, "%*c %d", &parent) == 1 ? parent : 0;
}

int cg_is_ours(pid_t pid)
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
	return cg_is_ours(pid) ? 0 : cg_add_name(pid, data);
}

/* ---- which one ---- */

static int may_write(int dir, unsigned int need)
{
	static const char *const files[] = { ".", "cgroup.procs", CG_CONTROL };

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

static int judge_processes(int dir, struct cg_judged *j)
{
	int rc = *j->kind ? cg_each_process_here(dir, cg_any, NULL) : 0;

	j->verdict = CG_ENABLE;
	if (rc != 1)
		return rc;
	rc = cg_each_process_here(dir, find_other, &j->others);
	j->verdict = j->others.length ? CG_OTHERS : CG_MOVE;
	return rc < 0 ? rc : 0;
}

static int judge_directory(int dir, unsigned int need, struct cg_judged *j)
{
	unsigned int given, handed_on;
	int rc = may_write(dir, need);

	rc = rc < 0 ? rc : read_kind(dir, j->kind);
	rc = rc < 0 ? rc : cg_read_controllers(dir, "cgroup.controllers", &given);
	rc = rc < 0 ? rc : cg_read_controllers(dir, CG_CONTROL, &handed_on);
	if (rc < 0)
		return rc;
	j->lacking = need & ~given;
	j->verdict = *j->kind && strcmp(j->kind, "domain") ? CG_KIND : j->lacking ? CG_LACKS : CG_AS_IT_IS;
	return j->verdict == CG_AS_IT_IS && need & ~handed_on ? judge_processes(dir, j) : 0;
}

enum cg_verdict cg_judge(const char *path, unsigned int need, struct cg_judged *j)
{
	cleanup_fd int dir = retry_eintr(open(path, DIRECTORY));
	int rc;

	memset(j, 0, sizeof *j);
	rc = dir < 0 ? -errno : judge_directory(dir, need, j);
	if (rc < 0)
		*j = (struct cg_judged){ .verdict = CG_REFUSED, .error = rc };
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

static int explain_lacking(const char *path, const struct cg_judged *j, struct fault *f)
{
	char names[CG_WORDS];

	cg_write_controllers(names, sizeof names, ' ', j->lacking);
	fault_set(f, ENOTSUP, "create cgroup in", "%s", path);
	return fault_hint(
		f,
		"this cgroup is not given:%s (see its cgroup.controllers), and none above it is to be had; "
		"write them to cgroup.subtree_control above it, or do without these limits",
		names);
}

int cg_explain_parent(const char *path, const struct cg_judged *j, struct fault *f)
{
	switch (j->verdict) {
	case CG_REFUSED:
		return explain_refused(path, j->error, f);
	case CG_LACKS:
		return explain_lacking(path, j, f);
	case CG_KIND:
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
static int could_not_look(const struct cg_judged *j)
{
	return j->verdict == CG_REFUSED && j->error != -EACCES && j->error != -EPERM && j->error != -EROFS &&
	       j->error != -ENOENT;
}

/* Those above the caller's own: one that can stay as it is before one that must change. Null if there is
 * none, or with 'failed' filled if one could not be looked at. */
static char *choose_above(const char *own, const char *top, unsigned int need, struct cg_judged *failed)
{
	for (enum cg_verdict wanted = CG_AS_IT_IS; wanted <= CG_ENABLE; wanted++) {
		char *path = strdup(own);

		while (path && strlen(path) > strlen(top)) {
			struct cg_judged j;

			*strrchr(path, '/') = '\0';
			if (cg_judge(path, need, &j) == wanted)
				return path;
			if (could_not_look(&j)) {
				*failed = j;
				free(path);
				return NULL;
			}
			if (j.verdict == CG_REFUSED)
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
	struct cg_judged j;
	char *above;

	*p = (struct cg_parent){ .path = strdup(l->v2), .need = need };
	if (!p->path)
		return fault_set(f, ENOMEM, "create cgroup in", "%s", l->v2);
	leave_leaf(p->path);
	if (cg_judge(p->path, need, &j) <= CG_MOVE)
		return 0;
	above = given || could_not_look(&j) ? NULL : choose_above(p->path, l->v2_top, need, &j);
	if (!above)
		return cg_explain_parent(p->path, &j, f);
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
