/* SPDX-License-Identifier: MIT */
#include "kernel/capability_hint.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kernel/capability.h"

struct need {
	uint64_t capability;
	const char *name;
};

#define NEED(lower, upper)                                                                                   \
	{                                                                                                    \
		CAP_BIT(lower), "CAP_" upper                                                                 \
	}

/* The operations, as faults name them. */
static const struct {
	const char *op;
	struct need needs[3];
} operations[] = {
	{ "chmod", { NEED(fowner, "FOWNER") } },
	{ "chown", { NEED(chown, "CHOWN") } },
	{ "chroot", { NEED(sys_chroot, "SYS_CHROOT") } },
	{ "clone", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "fsconfig", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "fsmount", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "fsopen", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "kill", { NEED(kill, "KILL") } },
	{ "mknod", { NEED(mknod, "MKNOD") } },
	{ "mount", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "mount_setattr", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "move_mount", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "open_tree", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "pivot_root", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "setgroups", { NEED(setgid, "SETGID") } },
	{ "sethostname", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "setns",
	  { NEED(sys_admin, "SYS_ADMIN"), NEED(sys_chroot, "SYS_CHROOT"), NEED(sys_ptrace, "SYS_PTRACE") } },
	{ "setresgid", { NEED(setgid, "SETGID") } },
	{ "setresuid", { NEED(setuid, "SETUID") } },
	{ "umount", { NEED(sys_admin, "SYS_ADMIN") } },
	{ "unshare", { NEED(sys_admin, "SYS_ADMIN") } },
};

/* Root's passing over permissions is a capability as well. */
static const struct need permissions[] = { NEED(dac_override, "DAC_OVERRIDE") };

/* Those of an operation; an op can have words after its name. */
static const struct need *needs_of(const char *op)
{
	size_t length = strcspn(op, " ");

	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		if (strlen(operations[i].op) == length && !memcmp(operations[i].op, op, length))
			return operations[i].needs;
	return NULL;
}

/* A hint that names another capability was a guess. */
static int is_explained(const struct fault *f, const char *name)
{
	return f->hint[0] && (!strstr(f->hint, "CAP_") || strstr(f->hint, name));
}

static void name_missing(struct fault *f, const struct need *needs, size_t count, uint64_t effective)
{
	for (size_t i = 0; i < count && needs[i].capability; i++) {
		if (effective & needs[i].capability)
			continue;
		if (!is_explained(f, needs[i].name))
			fault_hint(f, "it takes %s, which this process does not have", needs[i].name);
		return;
	}
}

void cap_explain(struct fault *f)
{
	const struct need *needs = NULL;
	struct cap_sets s;

	if ((f->error != EPERM && f->error != EACCES) || cap_get(0, &s, NULL) < 0)
		return;
	if (f->error == EPERM)
		needs = needs_of(f->op);
	else if (geteuid() == 0)
		needs = permissions;
	if (needs)
		name_missing(f, needs, f->error == EPERM ? 3 : 1, s.effective);
}
