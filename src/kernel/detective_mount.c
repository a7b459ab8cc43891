/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "kernel/capability.h"
#include "kernel/detective.h"
#include "kernel/lack.h"
#include "kernel/look.h"
#include "kernel/namespace.h"
#include "kernel/util.h"

/* ---- what any way of mounting can run into ---- */

/* Of a user namespace that has the capability. */
static void explain_user_namespace(const char *type, struct fault *f)
{
	if (type && (!strcmp(type, "proc") || !strcmp(type, "sysfs")))
		fault_hint(
			f,
			"in a user namespace %s can be mounted only beside a full one that is still visible, "
			"and by the owner of the %s namespace",
			type, strcmp(type, "proc") ? "net" : "pid");
	else if (look_file_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		fault_hint(f, "AppArmor takes all capabilities in user namespaces from programs without a "
			      "profile that allows them: sysctl "
			      "kernel.apparmor_restrict_unprivileged_userns=0, or be root outside");
	else if (type)
		fault_hint(f,
			   "the kernel lets no user namespace mount %s, or this mount namespace belongs to "
			   "the one above: unshare \"mnt\" in this one first",
			   type);
	else
		fault_hint(f, "this mount namespace belongs to the user namespace above: unshare \"mnt\" in "
			      "this one first");
}

static void explain_privilege(const char *type, struct fault *f)
{
	int inside = ns_in_user_namespace() > 0;

	if (!look_capable(CAP_BIT(sys_admin)))
		fault_hint(f,
			   "it takes CAP_SYS_ADMIN in the user namespace that owns this mount namespace: be "
			   "root, or unshare \"user,mnt\" first");
	else if (inside)
		explain_user_namespace(type, f);
	else
		fault_hint(f, "a security module (AppArmor, SELinux) or a filter of system calls refuses it");
}

static void explain_limit(struct fault *f)
{
	long limit = look_number("/proc/sys/fs/mount-max");

	if (limit >= 0)
		fault_hint(f,
			   "the mount namespace may hold %ld mounts (/proc/sys/fs/mount-max), and has %d; "
			   "what is bound with \"rec\" counts with all below it",
			   limit, look_mount_count());
}

static void explain_missing(const char *type, const char *source, const char *target, struct fault *f)
{
	struct stat st;

	if (stat(target, &st) < 0)
		fault_hint(f, "the target is not there: make it first");
	else if (type && !strcmp(type, "overlay"))
		fault_hint(f, "one of its lowerdir, upperdir and workdir is not there");
	else if (source && *source == '/' && stat(source, &st) < 0)
		fault_hint(f, "the source %s is not there", source);
}

/* Directories go on directories, all else on what is none. */
static int explain_kinds(int source_is_dir, const char *target, struct fault *f)
{
	struct stat st;

	if (stat(target, &st) < 0 || !!S_ISDIR(st.st_mode) == !!source_is_dir)
		return 0;
	fault_hint(f, source_is_dir ? "the target is not a directory"
				    : "the target is a directory, and what is mounted is none");
	return 1;
}

/* Whether a file has these words. */
static int has_words(const char *path, const char *words)
{
	cleanup_fd int fd = retry_eintr(open(path, O_RDONLY | O_CLOEXEC));
	size_t keep = strlen(words), have = 0;
	char text[4096];
	ssize_t n;

	/* what may be the beginning of the words stays for the next round */
	while (fd >= 0 && (n = retry_eintr(read(fd, text + have, sizeof text - 1 - have))) > 0) {
		have += (size_t)n;
		text[have] = '\0';
		if (strstr(text, words))
			return 1;
		if (have > keep) {
			memmove(text, text + have - keep, keep);
			have = keep;
		}
	}
	return 0;
}

static void explain_type(const char *type, struct fault *f)
{
	char path[128], words[64];
	struct utsname u;

	uname(&u);
	snprintf(path, sizeof path, "/lib/modules/%s/modules.dep", u.release);
	snprintf(words, sizeof words, "/%s.ko", type);
	if (has_words(path, words))
		fault_hint(f,
			   "its module is there, but the kernel could not load it: modprobe %s, as root of "
			   "the host",
			   type);
	else
		fault_hint(f, "this kernel has no file system \"%s\": see /proc/filesystems", type);
}

static void explain_busy(const char *target, struct fault *f)
{
	fault_hint(f,
		   "the same is mounted on %s already, or the file system is in use in a way that rules "
		   "this out",
		   target);
}

static void explain(const char *type, const char *source, const char *target, struct fault *f)
{
	if (f->error == EPERM)
		explain_privilege(type, f);
	else if (f->error == ENOSPC)
		explain_limit(f);
	else if (f->error == ENOENT)
		explain_missing(type, source, target, f);
	else if (f->error == ENOTDIR)
		explain_kinds(!source || look_is_dir(source), target, f);
	else if (f->error == EBUSY)
		explain_busy(target, f);
	else if (f->error == ENODEV && type)
		explain_type(type, f);
	else if (f->error == ENOTBLK)
		fault_hint(f, "%s is mounted from a block device, and %s is none", type ? type : "it",
			   source ? source : "the source");
	else if (f->error == ELOOP)
		fault_hint(f, "a mount on %s would be below itself, or the path has too many symbolic links",
			   target);
}

/* ---- remounting ---- */

/* The flags of a mount that came from a more privileged mount namespace stay. */
static void explain_locked_flags(const char *target, struct fault *f)
{
	char line[LOOK_LINE];
	struct mnt_info info;

	if (look_mount(mnt_id(target), &info, line))
		fault_hint(f,
			   "%s has the flags %.100s, and those that a more privileged mount namespace has "
			   "set cannot be taken away in a user namespace: name them too, or leave it to the "
			   "owner",
			   target, info.flags);
}

static void explain_remount(const struct mnt_mount *m, struct fault *f)
{
	char who[200];

	if (f->error == EINVAL && !look_is_mount_root(m->target))
		fault_hint(f, "%s is not a mount point; bind it onto itself first", m->target);
	else if (f->error == EPERM && look_capable(CAP_BIT(sys_admin)) && ns_in_user_namespace() > 0) {
		if (m->flags & MS_BIND)
			explain_locked_flags(m->target, f);
		else
			fault_hint(f,
				   "the file system was mounted by a more privileged user namespace, which "
				   "alone may remount it; of this mount alone, flags are set with "
				   "\"remount,bind\"");
	} else if (f->error == EBUSY && detect_holder(m->target, DETECT_WRITERS, who, sizeof who))
		fault_hint(f, "files on it are open for writing: %s; end it first", who);
	else if (f->error == EBUSY)
		fault_hint(f, "files on it are open for writing");
	else
		explain(m->type, m->source, m->target, f);
}

/* ---- binding ---- */

static void explain_bind(const char *source, int recursive, struct fault *f)
{
	char line[LOOK_LINE], real[PATH_MAX], below[128], type[32];
	int id = mnt_id(source);
	struct mnt_info info;

	if (id < 0 || look_real_path(source, real, sizeof real) < 0)
		return;
	if (!look_mount(id, &info, line))
		fault_hint(f, "%s is on a mount of another mount namespace, or on one that was detached",
			   source);
	else if (info.unbindable)
		fault_hint(f,
			   "%s is on an unbindable mount; make it bindable: mount.propagation(\"%s\", "
			   "\"private\")",
			   source, info.target);
	else if (!recursive && look_mounts_on(id, real, below, sizeof below, type))
		fault_hint(f,
			   "what is mounted below it (%s, %s) came from a more privileged mount namespace "
			   "and cannot be left out: add \"rec\"",
			   below, type);
}

/* ---- the calls ---- */

void detect_mount(const struct mnt_mount *m, struct fault *f)
{
	if (!f)
		return;
	if (m->flags & MS_REMOUNT)
		explain_remount(m, f);
	else if (f->error == EINVAL && m->flags & MS_BIND)
		explain_bind(m->source, m->flags & MS_REC, f);
	else if ((f->error == EINVAL || f->error == ELOOP) && m->type && !strcmp(m->type, "overlay"))
		detect_overlay_options(m->data, f);
	else if (f->error == EINVAL && m->type && !f->detail[0])
		fault_hint(f,
			   "the kernel gives no reason: an option that is wrong for %s, or what is in %s is "
			   "no such file system, or damaged; its log (dmesg) may say more",
			   m->type, m->source ? m->source : "the source");
	else
		explain(m->type, m->source, m->target, f);
}

void detect_open_tree(const char *path, unsigned flags, struct fault *f)
{
	if (!f)
		return;
	if (f->error == ENOSYS)
		lack_explain(f, "open_tree", "mount.bind does without it");
	else if (f->error == EPERM)
		explain_privilege(NULL, f);
	else if (f->error == ENOSPC)
		fault_hint(f,
			   "each detached tree is a mount namespace to the limit user.max_mnt_namespaces "
			   "(%ld), and its mounts count to fs.mount-max (%ld)",
			   look_number("/proc/sys/user/max_mnt_namespaces"),
			   look_number("/proc/sys/fs/mount-max"));
	else if (f->error == EINVAL && flags & OPEN_TREE_CLONE && *path == '\0')
		fault_hint(f, "a detached tree can be copied since Linux 6.15, and only in the mount "
			      "namespace that it came from");
	else if (f->error == EINVAL && flags & OPEN_TREE_CLONE)
		explain_bind(path, flags & AT_RECURSIVE, f);
}

void detect_change(const struct mount_attr *attr, struct fault *f)
{
	if (!f)
		return;
	if (f->error == EPERM && attr->attr_clr & ~(uint64_t)MOUNT_ATTR__ATIME)
		fault_hint(f, "a flag that a more privileged mount namespace has set cannot be cleared");
	else if (f->error == EPERM)
		explain_privilege(NULL, f);
	else if (f->error == EINVAL && attr->attr_set & MOUNT_ATTR_IDMAP)
		fault_hint(
			f,
			"the file system does not take id maps, or the mount is attached already or has one");
	else if (f->error == EBUSY)
		fault_hint(f, "files on it are open for writing");
	else if (f->error == ENOSYS)
		lack_explain(f, "mount_setattr", "what mount.bind takes as flags is set without it");
}

/* Whether the mount that 'path' is on is shared; its mount point is written to 'point'. */
static int on_shared_mount(const char *path, char *point, size_t size)
{
	char line[LOOK_LINE];
	struct mnt_info info;

	if (!look_mount(mnt_id(path), &info, line) || !info.shared)
		return 0;
	snprintf(point, size, "%s", info.target);
	return 1;
}

void detect_attach(int tree_fd, const char *target, struct fault *f)
{
	char point[128];
	struct stat st;

	if (!f)
		return;
	if (f->error == ENOSYS)
		lack_explain(f, "move_mount", "mount.mount and mount.bind do without it");
	else if (f->error != EINVAL)
		explain(NULL, NULL, target, f);
	else if (fstat(tree_fd, &st) == 0 && explain_kinds(S_ISDIR(st.st_mode), target, f))
		return;
	else if (!look_is_mount_root(target) && on_shared_mount(target, point, sizeof point))
		fault_hint(f, "%s is a shared mount, and what is attached here cannot propagate", point);
	else
		fault_hint(f,
			   "descriptor %d is no detached mount, or was attached once and is now in another "
			   "mount namespace",
			   tree_fd);
}

void detect_move(const char *from, const char *to, struct fault *f)
{
	char line[LOOK_LINE];
	struct mnt_info info;

	if (!f)
		return;
	if (f->error != EINVAL)
		explain(NULL, from, to, f);
	else if (!look_is_mount_root(from))
		fault_hint(f, "%s is not a mount point", from);
	else if (!look_mount(mnt_id(from), &info, line) || !look_mount(info.parent, &info, line))
		return;
	else if (info.shared)
		fault_hint(f,
			   "\"%s\" is a shared mount here, and a mount cannot be moved from one; make it "
			   "private first: mount.propagation(\"%s\", \"private\")",
			   info.target, info.target);
	else if (ns_in_user_namespace() > 0)
		fault_hint(f, "it came with others from a more privileged mount namespace and stays where it "
			      "is; bind it: mount.bind { …, flags = \"rec\" }");
}

void detect_propagation(const char *path, struct fault *f)
{
	if (!f)
		return;
	if (f->error == EINVAL && !look_is_mount_root(path))
		fault_hint(f, "%s is not a mount point; bind it onto itself first", path);
	else
		explain(NULL, NULL, path, f);
}

/* ---- umount ---- */

#define DETACH "\"detach\" takes it out of sight now and ends it with its last user"

static void explain_use(const char *target, struct fault *f)
{
	char real[PATH_MAX], who[300], below[128], type[32];
	int id = mnt_id(target), count;

	if (id < 0 || look_real_path(target, real, sizeof real) < 0)
		return;
	count = look_mounts_on(id, real, below, sizeof below, type);
	if (count == 1)
		fault_hint(f, "%s (%s) is mounted below: unmount it first; " DETACH, below, type);
	else if (count > 1)
		fault_hint(f, "%s (%s) and %d more are mounted below: unmount them first; " DETACH, below,
			   type, count - 1);
	else if (detect_holder(target, DETECT_ANY_USE, who, sizeof who))
		fault_hint(f, "%s; " DETACH, who);
	else
		fault_hint(f, "no process seen in /proc uses it: one of another PID namespace may, or the "
			      "kernel itself (a swap file, a loop device); " DETACH);
}

void detect_umount(const char *target, struct fault *f)
{
	if (!f)
		return;
	if (f->error == EBUSY)
		explain_use(target, f);
	else if (f->error == EINVAL && !look_is_mount_root(target))
		fault_hint(f, "it is not a mount point");
	else if (f->error == EINVAL)
		fault_hint(f,
			   "it came with others from a more privileged mount namespace and cannot be taken "
			   "away alone");
	else if (f->error == EAGAIN)
		fault_hint(f,
			   "it is marked as expired now; a second call without a use in between unmounts it");
	else if (f->error == EPERM)
		explain_privilege(NULL, f);
}
