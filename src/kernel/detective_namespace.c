/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "kernel/capability.h"
#include "kernel/detective.h"
#include "kernel/look.h"
#include "kernel/namespace.h"
#include "kernel/util.h"

/* ---- limits on namespaces: ENOSPC ---- */

static int end(void *arg)
{
	(void)arg;
	_exit(0);
}

/* Whether a type alone is at its limit: tried in a child that ends at once. */
static int is_refused(int flags)
{
	int rc = ns_do_in_new(flags, end, NULL);

	return rc == -ENOSPC || rc == -EUSERS;
}

/* The type that ENOSPC is about. One that is not root takes its user namespace first. */
static const struct ns_type *find_refused(int types)
{
	for (int i = 0; i < NS_TYPES; i++) {
		int flag = ns_types[i].flag;

		if (types == flag || (types & flag && is_refused(flag | (types & CLONE_NEWUSER))))
			return &ns_types[i];
	}
	return NULL;
}

static void explain_no_space(int types, struct fault *f)
{
	const struct ns_type *type = find_refused(types);
	char path[64];
	long limit;

	if (!type) {
		fault_hint(f, "a limit of /proc/sys/user/max_*_namespaces was reached");
		return;
	}
	snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", type->name);
	limit = look_number(path);
	fault_hint(
		f,
		"%s is %ld: end what holds such namespaces (`luabox ls -t %s`), or raise it; one of a user "
		"namespace above counts, too%s",
		path, limit, type->name,
		type->flag & (CLONE_NEWUSER | CLONE_NEWPID) ? ", and they nest at most 32 deep" : "");
}

/* ---- user namespaces: EPERM ---- */

static int explain_switch(struct fault *f)
{
	if (look_capable(CAP_BIT(sys_admin)))
		return 0;
	if (look_file_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
		fault_hint(f, "this system keeps user namespaces from unprivileged users: sysctl "
			      "kernel.unprivileged_userns_clone is 0; be root, or have it set to 1");
	else if (look_file_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		fault_hint(f, "AppArmor keeps user namespaces from unprivileged users: sysctl "
			      "kernel.apparmor_restrict_unprivileged_userns is 1; be root, have it set to 0, "
			      "or give the program a profile with \"userns,\"");
	else
		return 0;
	return 1;
}

static void explain_user_denied(struct fault *f)
{
	if (!look_is_mount_root("/"))
		fault_hint(f,
			   "a user namespace cannot be made in a chroot: make it before, or go into the new "
			   "root with pivot_root instead");
	else if (!look_is_mapped("uid_map", geteuid()) || !look_is_mapped("gid_map", getegid()))
		fault_hint(f,
			   "this process's user or group (%u:%u) has no id in the present user namespace: "
			   "write its uid_map and gid_map first",
			   geteuid(), getegid());
	else if (explain_switch(f))
		return;
	else if (prctl(PR_GET_SECCOMP) > 0)
		fault_hint(f,
			   "a filter of system calls (seccomp) refuses it, as Docker's default profile does");
	else
		fault_hint(f, "the present root is no mount namespace's own, as in a chroot, or a security "
			      "module (AppArmor, SELinux) refuses it");
}

/* ---- unshare ---- */

/* After unshare(CLONE_NEWPID), or setns into a pid namespace: until a child is there it has none of its own.
 */
static int children_go_elsewhere(const char *type)
{
	char own[40], children[64];

	snprintf(own, sizeof own, "/proc/self/ns/%s", type);
	snprintf(children, sizeof children, "/proc/self/ns/%s_for_children", type);
	return access(own, F_OK) == 0 && !look_is_same_namespace(own, children);
}

static void explain_unshare_invalid(int types, struct fault *f)
{
	long threads = look_status("Threads:", 10);

	if (types & CLONE_NEWUSER && threads > 1)
		fault_hint(f, "a process with several threads (%ld) cannot make itself a user namespace",
			   threads);
	else if (types & CLONE_NEWPID && children_go_elsewhere("pid"))
		fault_hint(f,
			   "the children of this process go into another pid namespace already (unshare or "
			   "enter \"pid\"): let one of them do this");
	else
		fault_hint(f, "this kernel lacks one of these types, or the process shares memory with "
			      "another");
}

void detect_unshare(int types, struct fault *f)
{
	if (!f)
		return;
	if (f->error == ENOSPC || f->error == EUSERS)
		explain_no_space(types, f);
	else if (f->error == EPERM && types & CLONE_NEWUSER)
		explain_user_denied(f);
	else if (f->error == EPERM)
		fault_hint(f, "it takes CAP_SYS_ADMIN: be root, or add \"user\" to the types");
	else if (f->error == EINVAL)
		explain_unshare_invalid(types, f);
}

/* Where there is one type only, "user" cannot be added to it. */
void detect_create(int type, struct fault *f)
{
	if (!f)
		return;
	if (f->error != EPERM || type == CLONE_NEWUSER)
		detect_unshare(type, f);
	else if (geteuid() != 0 && ns_in_user_namespace() > 0)
		fault_hint(f, "it takes CAP_SYS_ADMIN, and this user namespace makes nobody root: unshare -U "
			      "needs -r, too");
	else
		fault_hint(f, "it takes CAP_SYS_ADMIN: be root");
}

/* ---- clone ---- */

void detect_clone(uint64_t flags, int cgroup, struct fault *f)
{
	const int types = (int)flags & (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWNET |
					CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS);

	if (!f)
		return;
	if (f->error == EPERM && types & CLONE_NEWUSER)
		explain_user_denied(f);
	else if (f->error == EPERM)
		fault_hint(f, "new namespaces need root (CAP_SYS_ADMIN), or a user namespace with them");
	else if (f->error == ENOSPC || f->error == EUSERS)
		explain_no_space(types, f);
	else if (f->error == ENOMEM && children_go_elsewhere("pid"))
		fault_hint(f,
			   "the children of this process go into another pid namespace (unshare or enter "
			   "\"pid\"), whose first process has ended; nobody can be started in it any more");
	else if (f->error == EAGAIN)
		fault_hint(f, "the limit on processes is reached: RLIMIT_NPROC, pids.max or kernel.pid_max");
	else if (f->error == EBADF && flags & CLONE_INTO_CGROUP)
		fault_hint(f, "the cgroup must be a descriptor of a cgroup v2 directory");
	else if (flags & CLONE_INTO_CGROUP)
		detect_cgroup_entry(cgroup, f);
}

/* ---- setns ---- */

/* Whether the descriptor is of the namespace that the process is in. */
static int is_own(int fd, const char *type)
{
	struct stat own, st;
	char path[40];

	snprintf(path, sizeof path, "/proc/self/ns/%s", type);
	return stat(path, &own) == 0 && fstat(fd, &st) == 0 && own.st_ino == st.st_ino &&
	       own.st_dev == st.st_dev;
}

static void explain_setns_invalid(int fd, int types, struct fault *f)
{
	int found = ioctl(fd, NS_GET_NSTYPE);
	long threads = look_status("Threads:", 10);

	if (found >= 0 && types && !(found & types))
		fault_hint(f, "the descriptor is of a %s namespace", ns_type_name(found));
	else if (types & CLONE_NEWUSER && is_own(fd, "user"))
		fault_hint(f, "a process cannot enter the user namespace that it is in already");
	else if (types & (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWTIME) && threads > 1)
		fault_hint(f, "a process with several threads (%ld) cannot do this", threads);
	else if (types & CLONE_NEWUSER)
		fault_hint(f,
			   "a process cannot enter the user namespace that it is in already, nor any while "
			   "it shares its directories with another (CLONE_FS)");
	else if (types & CLONE_NEWPID)
		fault_hint(f, "only a pid namespace below the present one can be entered");
}

/* Who owns the namespace decides who may enter it. */
static void explain_setns_denied(int fd, int types, struct fault *f)
{
	cleanup_fd int owner = ioctl(fd, NS_GET_USERNS);

	if (owner < 0 && errno == EPERM)
		fault_hint(f,
			   "it belongs to a user namespace above this process's own, from which nothing of "
			   "it may be entered");
	else if (owner >= 0 && !is_own(owner, "user") && !(types & CLONE_NEWUSER))
		fault_hint(f, "it belongs to another user namespace: enter that first (namespace:owner())");
	else
		fault_hint(f,
			   "it takes CAP_SYS_ADMIN in the user namespace that owns the target, and for mnt "
			   "also CAP_SYS_CHROOT; enter that user namespace first, or be root");
}

void detect_setns(int fd, int types, struct fault *f)
{
	if (!f)
		return;
	if (f->error == EINVAL)
		explain_setns_invalid(fd, types, f);
	else if (f->error == EUSERS)
		fault_hint(f, "a process with several threads cannot enter a time namespace");
	else if (f->error == EPERM)
		explain_setns_denied(fd, types, f);
	else if (f->error == ESRCH)
		fault_hint(f, "the process has ended");
}
