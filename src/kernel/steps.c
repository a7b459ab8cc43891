/* SPDX-License-Identifier: MIT */
#include "kernel/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/detective.h"
#include "kernel/namespace.h"
#include "kernel/procfs.h"
#include "kernel/seccomp.h"
#include "kernel/spawn.h"
#include "kernel/system.h"
#include "kernel/util.h"

/* The field if it holds a caller's tree, and '*n' of these are passed over. */
static int *take(int *tree, size_t *n)
{
	return *tree >= 0 && (*n)-- == 0 ? tree : NULL;
}

static int *tree_of(struct step *st, size_t *n)
{
	int *tree;

	if (st->run == step_bind && !st->bind.source)
		return take(&st->bind.tree, n);
	if (st->run != step_root)
		return NULL;
	tree = take(&st->root.fd, n);
	for (size_t i = 0; i < st->root.below_count && !tree; i++)
		tree = take(&st->root.below[i].fd, n);
	return tree;
}

/* The field with the n-th tree of all steps, or null. */
static int *tree_at(struct steps *s, size_t n)
{
	int *tree = NULL;

	for (size_t i = 0; i < s->count && !tree; i++)
		tree = tree_of(&s->list[i], &n);
	return tree;
}

int steps_prepare(struct steps *s, struct fault *f)
{
	int *tree, copy;

	for (s->copied = 0; (tree = tree_at(s, s->copied)); s->copied++) {
		copy = mnt_copy_tree(*tree, f);
		if (copy < 0)
			return copy;
		*tree = copy;
	}
	return 0;
}

void steps_release(struct steps *s)
{
	for (size_t i = 0; i < s->copied; i++)
		util_close(*tree_at(s, i));
	s->copied = 0;
}

int steps_run(struct steps *s, int *failed, struct fault *f)
{
	int rc;

	s->old_root = -1;
	for (size_t i = 0; i < s->count; i++) {
		rc = s->list[i].run(&s->list[i], s, f);
		if (rc < 0) {
			*failed = (int)i + 1;
			return rc;
		}
	}
	return step_detach_root(NULL, s, f);
}

int step_setns(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return ns_enter(st->namespaces.fd, (int)st->namespaces.types, f);
}

int step_unshare(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return ns_unshare((int)st->namespaces.types, f);
}

/* The path of a descriptor, for a message. */
static const char *path_of(int fd, char *buf, size_t size)
{
	if (proc_fd_path(fd, buf, size) < 0)
		*buf = '\0';
	return buf;
}

/* Of the cgroup whose cgroup.procs (version 1: tasks) could not be written. */
static int enter_failed(int error, int file, struct fault *f)
{
	cleanup_fd int cgroup = -1;
	char path[200];

	fault_set(f, error, "enter cgroup", "%s", path_of(file, path, sizeof path));
	if (!strrchr(path, '/'))
		return -error;
	*strrchr(path, '/') = '\0';
	cgroup = retry_eintr(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	detect_cgroup_entry(cgroup, f);
	return -error;
}

/* A process that moves itself does not wait for a grace period, as its parent would. */
int step_cgroup(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	for (size_t i = 0; i < st->cgroup.count; i++)
		if (retry_eintr(write(st->cgroup.fds[i], "0", 1)) < 0)
			return enter_failed(errno, st->cgroup.fds[i], f);
	return 0;
}

int step_hostname(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return sys_set_hostname(st->text.name, f);
}

int step_domainname(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return sys_set_domainname(st->text.name, f);
}

int step_sysctl(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return sys_sysctl_set(st->text.name, st->text.value, f);
}

int step_rlimit(struct step *st, struct steps *s, struct fault *f)
{
	const struct rlimit limit = { st->rlimit.soft, st->rlimit.hard };

	(void)s;
	return sys_rlimit_set(0, (int)st->rlimit.resource, st->rlimit.name, &limit, f);
}

int step_umask(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	(void)f;
	umask((mode_t)st->number);
	return 0;
}

int step_no_new_privs(struct step *st, struct steps *s, struct fault *f)
{
	(void)st;
	(void)s;
	return cap_no_new_privs(f);
}

/* A set that is not given stays, as far as the kernel lets it beside the others. */
int step_capabilities(struct step *st, struct steps *s, struct fault *f)
{
	const unsigned given = st->capabilities.given;
	struct cap_sets sets;
	int rc = cap_get(0, &sets, f);

	(void)s;
	if (rc < 0)
		return rc;
	if (given & STEP_CAP_BOUNDING)
		sets.bounding = st->capabilities.bounding;
	if (given & STEP_CAP_PERMITTED)
		sets.permitted = st->capabilities.permitted;
	if (given & STEP_CAP_INHERITABLE)
		sets.inheritable = st->capabilities.inheritable;
	sets.effective =
		given & STEP_CAP_EFFECTIVE ? st->capabilities.effective : sets.effective & sets.permitted;
	sets.ambient = given & STEP_CAP_AMBIENT ? st->capabilities.ambient
						: sets.ambient & sets.permitted & sets.inheritable;
	sets.keep = st->capabilities.keep;
	return cap_apply(&sets, f);
}

int step_seccomp(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return sec_load(st->filter, f);
}

int step_user(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	return proc_become(&st->user, f);
}

int step_chdir(struct step *st, struct steps *s, struct fault *f)
{
	(void)s;
	if (st->place.path)
		return proc_chdir(st->place.path, f);
	return fchdir(st->place.fd) < 0 ? fault_set(f, errno, "fchdir", "descriptor %d", st->place.fd) : 0;
}

int step_setsid(struct step *st, struct steps *s, struct fault *f)
{
	(void)st;
	(void)s;
	return setsid() < 0 ? fault_set(f, errno, "setsid", "%s", "") : 0;
}

/* There is no namespace of keys: without a keyring of its own a container reads the
 * caller's. A kernel without keys has none to read. */
int step_session_keyring(struct step *st, struct steps *s, struct fault *f)
{
	(void)st;
	(void)s;
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS)
		return 0;
	return fault_set(f, errno, "keyctl", "new session keyring");
}

int step_oom_score_adj(struct step *st, struct steps *s, struct fault *f)
{
	static const char path[] = "/proc/self/oom_score_adj";
	char value[16];
	int rc;

	(void)s;
	snprintf(value, sizeof value, "%d", (int)st->number);
	rc = util_write_file(AT_FDCWD, path, value);
	if (rc == 0)
		return 0;
	fault_set(f, -rc, "write", "%s", path);
	if (rc == -EACCES || rc == -EPERM)
		return fault_hint(f, "a value below the current one needs CAP_SYS_RESOURCE");
	return rc;
}

int step_call(struct step *st, struct steps *s, struct fault *f)
{
	return s->call(s->context, st->function, f);
}
