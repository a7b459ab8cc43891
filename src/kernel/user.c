/* SPDX-License-Identifier: MIT
 * The raw system calls: libc's would pass the change on to all threads of a process whose
 * memory the child may share.
 */
#include "kernel/user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/detective.h"
#include "kernel/util.h"

/* A user namespace whose owner has forbidden setgroups (as unprivileged ones must)
 * leaves no way to drop them. */
static int setgroups_denied(void)
{
	char word[8] = "";

	return util_read_file(AT_FDCWD, "/proc/self/setgroups", word, sizeof word) > 0 &&
	       !strncmp(word, "deny", 4);
}

static int set_groups(const struct proc_user *user, struct fault *f)
{
	int error;

	if (!user->groups_given && user->uid < 0 && user->gid < 0)
		return 0;
	if (syscall(SYS_setgroups, user->group_count, user->groups) == 0)
		return 0;
	if (errno == EPERM && !user->groups_given && setgroups_denied())
		return 0;
	error = errno;
	fault_set(f, error, "setgroups", "%s", "");
	detect_setgroups(f);
	return -error;
}

static int set_id(long call, int64_t id, const char *op, const char *capability, struct fault *f)
{
	int error;

	if (id < 0 || syscall(call, id, id, id) == 0)
		return 0;
	error = errno;
	fault_set(f, error, op, "%lld", (long long)id);
	if (error == EINVAL)
		detect_id(call == SYS_setresgid ? "gid_map" : "uid_map", id, f);
	if (error == EPERM)
		return fault_hint(f, "needs %s; change the user before it is given up", capability);
	return -error;
}

int proc_become(const struct proc_user *user, struct fault *f)
{
	int rc = set_groups(user, f);

	rc = rc < 0 ? rc : set_id(SYS_setresgid, user->gid, "setresgid", "CAP_SETGID", f);
	return rc < 0 ? rc : set_id(SYS_setresuid, user->uid, "setresuid", "CAP_SETUID", f);
}

int proc_become_root(struct fault *f)
{
	const struct proc_user group = { .uid = -1, .gid = 0 }, user = { .uid = 0, .gid = -1 };
	int rc = proc_become(&group, f);

	if (rc < 0 && rc != -EINVAL)
		return rc;
	rc = set_id(SYS_setresuid, user.uid, "setresuid", "CAP_SETUID", f);
	return rc == -EINVAL ? 0 : rc;
}
