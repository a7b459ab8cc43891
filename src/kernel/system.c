/* SPDX-License-Identifier: MIT */
#include "kernel/system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

#include "kernel/detective.h"
#include "kernel/namespace.h"
#include "kernel/path.h"
#include "kernel/util.h"

/* Whichever of '.' and '/' comes first separates, the other stands for a dot. */
int sys_sysctl_path(const char *name, char path[SYS_SYSCTL_SIZE])
{
	size_t length = strlen(name);
	int dots = name[strcspn(name, "./")] == '.';

	if (!length || length >= SYS_SYSCTL_SIZE)
		return -EINVAL;
	for (size_t i = 0; i <= length; i++)
		path[i] = dots && name[i] == '.' ? '/' : dots && name[i] == '/' ? '.' : name[i];
	if (path[0] == '/' || path[length - 1] == '/' || strstr(path, "//"))
		return -EINVAL;
	for (const char *s = path; s; s = strchr(s, '/') ? strchr(s, '/') + 1 : NULL)
		if (!strcmp(s, ".") || !strncmp(s, "./", 2) || !strcmp(s, "..") || !strncmp(s, "../", 3))
			return -EINVAL;
	return 0;
}

/* Not through a link, not through another mount, and only into a procfs: in a container's
 * root /proc/sys may be anything. */
static int open_beneath(const char *path, int flags)
{
	const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
	cleanup_fd int root = retry_eintr(open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC));
	cleanup_fd int fd = -1;
	struct statfs fs;

	if (root < 0)
		return -errno;
	fd = path_open(root, path, flags, 0, resolve);
	if (fd < 0)
		return fd;
	if (retry_eintr(fstatfs(fd, &fs)))
		return -errno;
	return fs.f_type == PROC_SUPER_MAGIC ? take_fd(&fd) : -EXDEV;
}

/* The part that is missing is the first that cannot be opened. */
static int explain_missing(const char *name, char path[SYS_SYSCTL_SIZE], struct fault *f)
{
	char *slash;
	int fd = -1;

	fault_set(f, ENOENT, "sysctl", "%s", name);
	while (fd < 0 && (slash = strrchr(path, '/'))) {
		*slash = '\0';
		fd = open_beneath(path, O_PATH);
	}
	if (fd < 0)
		return fault_hint(f, "this kernel has no '%s' in /proc/sys: is it misspelt?", path);
	util_close(fd);
	return fault_hint(
		f,
		"there is /proc/sys/%s, but no '%s' in it: misspelt, of a module that is not loaded, "
		"or not part of this namespace",
		path, slash + 1);
}

static int explain(const char *name, char path[SYS_SYSCTL_SIZE], int error, struct fault *f)
{
	if (error == ENOENT)
		return explain_missing(name, path, f);
	fault_set(f, error, "sysctl", "%s", name);
	detect_sysctl(path, f);
	return -error;
}

static int bad_name(const char *name, struct fault *f)
{
	fault_set(f, EINVAL, "sysctl", "%s", name);
	return fault_hint(f, "it is not a name such as net.ipv4.ip_forward");
}

static ssize_t read_all(int fd, char *value, size_t size)
{
	size_t got = 0;
	ssize_t n;

	while (got < size && (n = retry_eintr(read(fd, value + got, size - got)))) {
		if (n < 0)
			return -errno;
		got += (size_t)n;
	}
	return got < size ? (ssize_t)got : -EFBIG;
}

ssize_t sys_sysctl_get(const char *name, char *value, size_t size, struct fault *f)
{
	char path[SYS_SYSCTL_SIZE];
	cleanup_fd int fd = -1;
	ssize_t n;

	if (sys_sysctl_path(name, path))
		return bad_name(name, f);
	fd = open_beneath(path, O_RDONLY);
	if (fd < 0)
		return explain(name, path, -fd, f);
	n = read_all(fd, value, size);
	if (n < 0)
		return explain(name, path, (int)-n, f);
	n -= n && value[n - 1] == '\n';
	value[n] = '\0';
	return n;
}

int sys_sysctl_set(const char *name, const char *value, struct fault *f)
{
	char path[SYS_SYSCTL_SIZE];
	cleanup_fd int fd = -1;

	if (sys_sysctl_path(name, path))
		return bad_name(name, f);
	fd = open_beneath(path, O_WRONLY);
	if (fd < 0)
		return explain(name, path, -fd, f);
	if (retry_eintr(write(fd, value, strlen(value))) >= 0)
		return 0;
	if (errno != EINVAL && errno != ERANGE)
		return explain(name, path, errno, f);
	fault_set(f, errno, "sysctl", "%s=%s", name, value);
	if (ns_in_user_namespace() > 0)
		return fault_hint(f,
				  "the kernel does not take this value for it; of ids, only those that this "
				  "user namespace maps");
	return fault_hint(f, "the kernel does not take this value for it");
}

int sys_rlimit_set(pid_t pid, int resource, const char *name, const struct rlimit *limit, struct fault *f)
{
	struct rlimit now;
	int error;

	if (!prlimit(pid, (__rlimit_resource_t)resource, limit, NULL))
		return 0;
	error = errno;
	fault_set(f, error, "prlimit", "%s", name);
	if (error == EPERM && !prlimit(pid, (__rlimit_resource_t)resource, NULL, &now) &&
	    limit->rlim_max > now.rlim_max)
		return fault_hint(f, "raising the hard limit above %llu takes sys_resource",
				  (unsigned long long)now.rlim_max);
	return -error;
}

static int refuse_name(int error, const char *op, const char *name, struct fault *f)
{
	fault_set(f, error, op, "%s", name);
	if (error == EPERM && prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER)
		return fault_hint(
			f, "the system call filter (seccomp) that this process runs under refuses it, or "
			   "sys_admin over this UTS namespace is missing");
	if (error == EPERM)
		return fault_hint(f, "it takes sys_admin over this UTS namespace; make a new one first");
	return -error;
}

int sys_set_hostname(const char *name, struct fault *f)
{
	return sethostname(name, strlen(name)) ? refuse_name(errno, "sethostname", name, f) : 0;
}

int sys_set_domainname(const char *name, struct fault *f)
{
	return setdomainname(name, strlen(name)) ? refuse_name(errno, "setdomainname", name, f) : 0;
}
