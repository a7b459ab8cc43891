/* SPDX-License-Identifier: MIT */
#include "kernel/namespace.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include "kernel/detective.h"
#include "kernel/util.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define TRIES 3

const struct ns_type ns_types[NS_TYPES] = {
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC }, { "mnt", CLONE_NEWNS },
	{ "net", CLONE_NEWNET },       { "pid", CLONE_NEWPID }, { "time", CLONE_NEWTIME },
	{ "user", CLONE_NEWUSER },     { "uts", CLONE_NEWUTS },
};

const char *ns_type_name(int flag)
{
	for (int i = 0; i < NS_TYPES; i++)
		if (ns_types[i].flag == flag)
			return ns_types[i].name;
	return "?";
}

/* "mnt,pid" */
static const char *join_names(int types, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < NS_TYPES; i++)
		if (types & ns_types[i].flag && used < size)
			used += (size_t)snprintf(buf + used, size - used, used ? ",%s" : "%s",
						 ns_types[i].name);
	return buf;
}

static int open_failed(int error, pid_t pid, const char *path, struct fault *f)
{
	fault_set(f, error, "open", "%s", path);
	if (error == ENOENT && access("/proc/self/ns", F_OK) < 0)
		fault_hint(f, "/proc is not mounted here; mount it first");
	else if (error == ENOENT && access("/proc/self/ns/mnt", F_OK) == 0 && !pid)
		fault_hint(f, "this kernel has no such namespaces");
	else if (error == ENOENT)
		fault_hint(f, "there is no process %d in this pid namespace", (int)pid);
	else if (error == EACCES || error == EPERM)
		fault_hint(f, "looking into process %d takes CAP_SYS_PTRACE in its user namespace", (int)pid);
	return -error;
}

int ns_open(int type, pid_t pid, struct fault *f)
{
	char path[64];
	int fd;

	if (pid)
		snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, ns_type_name(type));
	else
		snprintf(path, sizeof path, "/proc/thread-self/ns/%s", ns_type_name(type));
	fd = retry_eintr(open(path, O_RDONLY | O_CLOEXEC));
	return fd >= 0 ? fd : open_failed(errno, pid, path, f);
}

/* What NS_GET_NSTYPE says of other descriptors, other files of nsfs (pidfds) and what is not open. */
int ns_is_none(int error)
{
	return error == ENOTTY || error == EINVAL || error == EBADF;
}

int ns_type_of(int fd, struct fault *f)
{
	int type = ioctl(fd, NS_GET_NSTYPE);

	if (type >= 0)
		return type;
	fault_set(f, errno, "NS_GET_NSTYPE", "descriptor %d", fd);
	return ns_is_none(errno) ? fault_hint(f, "it is not a namespace's") : -errno;
}

int ns_open_path(int type, const char *path, struct fault *f)
{
	cleanup_fd int fd = retry_eintr(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
	int found;

	if (fd < 0)
		return fault_set(f, errno, "open", "%s", path);
	found = ioctl(fd, NS_GET_NSTYPE);
	if (found == type)
		return take_fd(&fd);
	if (found < 0 && !ns_is_none(errno))
		return fault_set(f, errno, "NS_GET_NSTYPE", "%s", path);
	fault_set(f, EINVAL, "open namespace", "%s", path);
	if (found < 0)
		return fault_hint(f, "it is no namespace: neither a pin nor a file of /proc/PID/ns");
	return fault_hint(f, "it is a %s namespace, not %s", ns_type_name(found), ns_type_name(type));
}

/* The initial one maps all 2^32 - 1 ids. */
int ns_in_user_namespace(void)
{
	char map[64];
	ssize_t n = util_read_file(AT_FDCWD, "/proc/self/uid_map", map, sizeof map);

	if (n < 0 && n != -EFBIG)
		return (int)n;
	return n == -EFBIG || !strstr(map, "4294967295");
}

int ns_enter(int fd, int types, struct fault *f)
{
	char names[64];
	int error;

	if (setns(fd, types) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "setns", "%s", join_names(types, names, sizeof names));
	detect_setns(fd, types, f);
	return -error;
}

int ns_unshare(int types, struct fault *f)
{
	char names[64];
	int error;

	if (unshare(types) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "unshare", "%s", join_names(types, names, sizeof names));
	detect_unshare(types, f);
	return -error;
}

void ns_come_back(int home, int type)
{
	for (int i = 0; i < TRIES; i++)
		if (setns(home, type) == 0)
			return;
	dprintf(STDERR_FILENO, "luabox: cannot return to the %s namespace: %s\n", ns_type_name(type),
		strerror(errno));
	abort();
}

int ns_do_in_new(int types, int (*child)(void *argument), void *argument)
{
	char stack[16384] __attribute__((aligned(16)));
	sigset_t all, before;
	int error;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | types, argument);
	error = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return -error;
	/* No exit signal was asked for: __WCLONE, and nobody else's wait() sees it. */
	(void)retry_eintr(waitpid(pid, NULL, __WCLONE));
	return 0;
}

struct birth {
	int type, fd;
	struct fault *fault;
};

/* Runs in a child that shares memory and descriptors: the namespace that it was born into
 * is left open for the parent. */
static int open_and_end(void *arg)
{
	struct birth *b = arg;

	b->fd = ns_open(b->type, 0, b->fault);
	_exit(0);
}

static int create_by_child(int type, struct fault *f)
{
	struct birth b = { .type = type, .fd = -ECHILD, .fault = f };
	int rc = ns_do_in_new(type, open_and_end, &b);

	if (rc == 0)
		return b.fd;
	fault_set(f, -rc, "clone", "%s", ns_type_name(type));
	detect_create(type, f);
	return rc;
}

/* In a user namespace one may leave an older namespace, but not come back: then a child goes. */
static int create_by_visit(int type, struct fault *f)
{
	const char *path = type == CLONE_NEWTIME ? "/proc/thread-self/ns/time_for_children" : NULL;
	cleanup_fd int home = ns_open(type, 0, f);
	int fd, rc;

	if (home < 0)
		return home;
	if (setns(home, type) < 0)
		return type == CLONE_NEWTIME ? fault_set(f, errno, "setns", "time")
					     : create_by_child(type, f);
	rc = ns_unshare(type, f);
	if (rc < 0)
		return rc;
	fd = path ? ns_open_path(type, path, f) : ns_open(type, 0, f);
	ns_come_back(home, type);
	return fd;
}

int ns_create(int type, struct fault *f)
{
	if (type == CLONE_NEWPID) {
		fault_set(f, EINVAL, "create namespace", "pid");
		return fault_hint(f, "a pid namespace lives only with its first process; spawn one with "
				     "namespaces = \"pid\"");
	}
	if (type == CLONE_NEWNS || type == CLONE_NEWUSER)
		return create_by_child(type, f);
	return create_by_visit(type, f);
}

static int related(int fd, unsigned long request, const char *op, struct fault *f)
{
	int found = ioctl(fd, request), error = errno;

	if (found >= 0)
		return found;
	fault_set(f, error, op, "descriptor %d", fd);
	if (error == EPERM)
		fault_hint(f, "it is above the caller's own namespaces, or there is none");
	if (error == EINVAL)
		fault_hint(f, "only pid and user namespaces have parents");
	return -error;
}

int ns_owner(int fd, struct fault *f)
{
	return related(fd, NS_GET_USERNS, "NS_GET_USERNS", f);
}

int ns_parent(int fd, struct fault *f)
{
	return related(fd, NS_GET_PARENT, "NS_GET_PARENT", f);
}

int ns_owner_uid(int fd, uid_t *uid, struct fault *f)
{
	if (ioctl(fd, NS_GET_OWNER_UID, uid) == 0)
		return 0;
	fault_set(f, errno, "NS_GET_OWNER_UID", "descriptor %d", fd);
	return fault_hint(f, "only a user namespace has an owner's uid");
}

static int is_nsfs(int fd)
{
	struct statfs s;

	return retry_eintr(fstatfs(fd, &s)) == 0 && s.f_type == NSFS_MAGIC;
}

/* An empty file that was there is taken; anything else is not ours to cover. */
static int open_pin_target(const char *path, int *made, struct fault *f)
{
	cleanup_fd int fd = retry_eintr(open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0));
	struct stat st;

	*made = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = retry_eintr(open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_set(f, errno, "open", "%s", path);
	if (*made || (S_ISREG(st.st_mode) && st.st_size == 0 && !is_nsfs(fd)))
		return take_fd(&fd);
	fault_set(f, EEXIST, "pin", "%s", path);
	return is_nsfs(fd) ? fault_hint(f, "a namespace is pinned there already; unpin it first")
			   : fault_hint(f, "a pin takes a new name, or an empty file");
}

static int bind_fd(int fd, int target, const char *path, struct fault *f)
{
	char from[32], to[32];
	int error;

	snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
	snprintf(to, sizeof to, "/proc/self/fd/%d", target);
	if (mount(from, to, NULL, MS_BIND, NULL) == 0)
		return 0;
	error = errno;
	fault_set(f, error, "mount", "%s", path);
	if (error == EINVAL && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNS)
		fault_hint(
			f,
			"a mnt namespace can be pinned only from one that is older than it, on a mount that "
			"is private");
	return -error;
}

int ns_pin(int fd, const char *path, struct fault *f)
{
	cleanup_fd int target = -1;
	int made, rc = ns_type_of(fd, f);

	if (rc < 0)
		return rc;
	target = open_pin_target(path, &made, f);
	if (target < 0)
		return target;
	rc = bind_fd(fd, target, path, f);
	if (rc < 0 && made)
		unlink(path);
	return rc;
}

/* The file under a pin, if it looks like one made for it. */
static int remove_pin_file(const char *path, struct fault *f)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 && unlink(path) < 0 &&
	    errno != ENOENT)
		return fault_set(f, errno, "unlink", "%s", path);
	return 0;
}

int ns_unpin(const char *path, struct fault *f)
{
	cleanup_fd int fd = retry_eintr(open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));

	if (fd < 0)
		return fault_set(f, errno, "open", "%s", path);
	if (!is_nsfs(fd)) {
		fault_set(f, EINVAL, "unpin", "%s", path);
		return fault_hint(f, "no namespace is pinned there; nothing was removed");
	}
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return fault_set(f, errno, "umount", "%s", path);
	return remove_pin_file(path, f);
}
