/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/capability.h"
#include "kernel/detective.h"
#include "kernel/look.h"
#include "kernel/namespace.h"
#include "kernel/util.h"

/* ---- sysctls ---- */

/* Which namespace a sysctl is part of; all others are the machine's. */
static const char *namespace_of(const char *path)
{
	static const char *const owners[][2] = {
		{ "net/", "net" },
		{ "user/", "user" },
		{ "fs/mqueue/", "ipc" },
		{ "kernel/msg", "ipc" },
		{ "kernel/sem", "ipc" },
		{ "kernel/shm", "ipc" },
		{ "kernel/auto_msgmni", "ipc" },
		{ "kernel/hostname", "uts" },
		{ "kernel/domainname", "uts" },
		{ "kernel/ns_last_pid", "pid" },
	};

	for (size_t i = 0; i < sizeof owners / sizeof *owners; i++)
		if (!strncmp(path, owners[i][0], strlen(owners[i][0])))
			return owners[i][1];
	return NULL;
}

static void explain_denied(const char *path, struct fault *f)
{
	const char *owner = namespace_of(path);

	if (!owner && ns_in_user_namespace() > 0)
		fault_hint(
			f,
			"/proc/sys/%s is the machine's, of no namespace: no user namespace may set it, only "
			"root outside",
			path);
	else if (owner && ns_in_user_namespace() > 0)
		fault_hint(f,
			   "it is part of the %s namespace, which belongs to the user namespace above, or is "
			   "kept from user namespaces: unshare \"%s\" in this one first",
			   owner, owner);
	else if (f->error == EACCES)
		fault_hint(f, "/proc/sys/%s does not allow this to anyone, or only to root", path);
	else
		fault_hint(f, "it takes a capability over %s%s",
			   owner ? "the namespace that the sysctl belongs to: " : "the machine",
			   owner ? owner : "");
}

void detect_sysctl(const char *path, struct fault *f)
{
	if (!f)
		return;
	switch (f->error) {
	case EACCES:
	case EPERM:
		explain_denied(path, f);
		break;
	case EROFS:
		fault_hint(f, "/proc/sys is read-only here; set it before it is made so, or from outside");
		break;
	case EISDIR:
		fault_hint(f, "it is a directory of sysctls");
		break;
	case ELOOP:
	case EXDEV:
		fault_hint(f, "/proc/sys/%s is not a file of the kernel's own procfs", path);
		break;
	}
}

/* ---- device nodes ---- */

void detect_mknod(struct fault *f)
{
	if (!f || f->error != EPERM)
		return;
	if (ns_in_user_namespace() > 0)
		fault_hint(f,
			   "no user namespace may make device nodes, whatever capabilities it has: bind the "
			   "host's node instead, or be root of the host");
	else if (!look_capable(CAP_BIT(mknod)))
		fault_hint(f, "it takes CAP_MKNOD");
	else
		fault_hint(f, "the device controller of this process's cgroup (devices.list, or a program of "
			      "cgroup v2) does not allow the device: bind the host's node instead");
}

/* ---- cgroups ---- */

static void explain_controllers(int cgroup, struct fault *f)
{
	char text[256];

	if (util_read_file(cgroup, "cgroup.subtree_control", text, sizeof text) > 1) {
		text[strcspn(text, "\n")] = '\0';
		fault_hint(f,
			   "cgroup v2 puts no process into a cgroup whose children have controllers (here: "
			   "%s, in "
			   "its cgroup.subtree_control): put it into a child of it",
			   text);
	} else {
		fault_hint(f, "cgroup v2 puts no process into a cgroup whose children have controllers");
	}
}

static void explain_type(int cgroup, struct fault *f)
{
	char type[32] = "threaded";

	if (util_read_file(cgroup, "cgroup.type", type, sizeof type) > 0)
		type[strcspn(type, "\n")] = '\0';
	fault_hint(f,
		   "its cgroup.type, '%s', takes no processes: one above or beside it is threaded; take "
		   "another cgroup, or make it threaded and move threads",
		   type);
}

void detect_cgroup_entry(int cgroup, struct fault *f)
{
	if (!f)
		return;
	if (f->error == EBUSY)
		explain_controllers(cgroup, f);
	else if (f->error == EOPNOTSUPP)
		explain_type(cgroup, f);
	else if (f->error == EACCES || f->error == EPERM)
		fault_hint(f,
			   "the cgroup, the process's own and the one above both must belong to this user, "
			   "the process too");
	else if (f->error == ENODEV)
		fault_hint(f, "the cgroup has been removed");
	else if (f->error == ESRCH)
		fault_hint(f, "there is no such process here, or it is a zombie");
}
