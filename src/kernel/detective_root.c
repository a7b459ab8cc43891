/* SPDX-License-Identifier: MIT
 * pivot_root(2) has one EINVAL for eight rules.
 */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "kernel/detective.h"
#include "kernel/look.h"
#include "kernel/namespace.h"
#include "kernel/util.h"

/* True, too, where it cannot be told: without /proc. */
static int is_under(const char *path, const char *dir)
{
	char below[PATH_MAX], above[PATH_MAX];

	return look_real_path(path, below, sizeof below) < 0 ||
	       look_real_path(dir, above, sizeof above) < 0 || look_is_below(below, above);
}

/* The mount that 'path' is on, or the one below that. The strings of 'info' point into 'line'. */
static int mount_of(const char *path, int below, struct mnt_info *info, char line[LOOK_LINE])
{
	return look_mount(mnt_id(path), info, line) && (!below || look_mount(info->parent, info, line));
}

static int is_shared(const char *path, int below, struct mnt_info *info, char line[LOOK_LINE])
{
	return mount_of(path, below, info, line) && info->shared;
}

/* The first file system of the kernel, of an initramfs: nothing is below it. */
static int is_initial_root(void)
{
	char line[LOOK_LINE];
	struct mnt_info info;
	struct statfs s;

	if (mount_of("/", 0, &info, line))
		return !strcmp(info.type, "rootfs");
	return retry_eintr(statfs("/", &s)) == 0 && s.f_type == RAMFS_MAGIC;
}

static int explain_places(const char *new_root, const char *put_old, struct fault *f)
{
	if (!look_is_mount_root(new_root))
		fault_hint(
			f,
			"%s is not a mount point; bind it onto itself first: mount.bind { source = \"%s\", "
			"target = \"%s\", flags = \"rec\" }",
			new_root, new_root, new_root);
	else if (!look_is_mount_root("/"))
		fault_hint(f, "the present root directory is not a mount point: the process is in a chroot");
	else if (!is_under(put_old, new_root))
		fault_hint(f, "%s is not at or below %s", put_old, new_root);
	else if (is_initial_root())
		fault_hint(f,
			   "the present root is the kernel's initial file system, which cannot be left "
			   "so; move the new root onto / and chroot into it: mount.move(\"%s\", \"/\"); "
			   "mount.chroot \".\"",
			   new_root);
	else
		return 0;
	return 1;
}

static void explain_mounts(const char *new_root, const char *put_old, struct fault *f)
{
	char line[LOOK_LINE];
	struct mnt_info info;

	if (!mount_of(new_root, 0, &info, line))
		fault_hint(f, "%s is on a mount of another mount namespace, or on one that was detached",
			   new_root);
	else if (is_shared(new_root, 1, &info, line) || is_shared(put_old, 0, &info, line))
		fault_hint(f,
			   "\"%s\" is a shared mount here; make it private first: mount.propagation(\"/\", "
			   "\"private,rec\")",
			   info.target);
	else if (ns_in_user_namespace() > 0)
		fault_hint(
			f,
			"%s came with others from a more privileged mount namespace and stays where it is; "
			"bind it onto itself first: mount.bind { source = \"%s\", target = \"%s\", flags "
			"= \"rec\" }",
			new_root, new_root, new_root);
	else
		fault_hint(f,
			   "no other rule is broken, so the mount below the present root, which is not "
			   "seen from here, is shared: make it private before the chroot, or setns into this "
			   "mount namespace once more");
}

void detect_pivot_root(const char *new_root, const char *put_old, struct fault *f)
{
	struct mnt_mount m = { .target = new_root };

	if (!f)
		return;
	if (f->error == EBUSY)
		fault_hint(f,
			   "%s is on the same mount as the present root; bind it onto itself, so that it is "
			   "a mount of its own",
			   mnt_id(new_root) == mnt_id("/") ? new_root : put_old);
	else if (f->error != EINVAL)
		detect_mount(&m, f);
	else if (!explain_places(new_root, put_old, f))
		explain_mounts(new_root, put_old, f);
}

void detect_chroot(struct fault *f)
{
	if (f && f->error == EPERM)
		fault_hint(f, "it takes CAP_SYS_CHROOT: be root, or unshare \"user\" first");
}
