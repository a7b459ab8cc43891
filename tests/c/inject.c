/* SPDX-License-Identifier: MIT
 * Linked into a luabox of the tests, with every function of libc listed here wrapped (ld's --wrap; the
 * Makefile reads the names from the CALL lines): one of these calls fails with an errno, or is late, as the
 * file that LUABOX_INJECT names says. The file is shared memory, so that the calls of a run's processes are
 * counted together; tests/inject.lua is its other side. What cannot fail (getpid, sigprocmask) is not here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/clone.h"
#include "kernel/clone_stack.h"

#define MOST_CALLS 65536
#define IO_ERROR 0x20 /* glibc's: what ferror(3) tells */

/* The file. What is to be done is written before the run, the rest by it. */
struct plan {
	char kind[24];         /* the function, or "" for each */
	uint64_t site;         /* the address that it returns to, or 0 for each */
	uint64_t first, last;  /* of the calls that match: 1 is the first */
	uint64_t error, delay; /* what to fail with, or 0; microseconds to wait before it */
	uint64_t matched, injected, count;
	struct {
		char kind[24];
		uint64_t site;
	} calls[MOST_CALLS];
};

static struct plan *plan;

__attribute__((constructor)) static void open_plan(void)
{
	const char *path = getenv("LUABOX_INJECT");
	long fd;
	void *p;

	if (!path)
		return;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	p = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
	if (fd < 0 || p == MAP_FAILED) {
		fprintf(stderr, "LUABOX_INJECT=%s: %s\n", path, strerror(errno));
		exit(1);
	}
	syscall(SYS_close, fd);
	plan = p;
}

static void record(const char *kind, uint64_t site)
{
	uint64_t n = __atomic_fetch_add(&plan->count, 1, __ATOMIC_RELAXED);

	if (n >= MOST_CALLS)
		return;
	strncpy(plan->calls[n].kind, kind, sizeof plan->calls[n].kind - 1);
	plan->calls[n].site = site;
}

static void wait_a_while(void)
{
	struct timespec t = { (time_t)(plan->delay / 1000000), (long)(plan->delay % 1000000) * 1000 };
	int error = errno;

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
	errno = error;
}

/* Whether this call is to fail; errno is set then. Children in shared memory come here, too. */
static int meets(const char *kind, void *return_address)
{
	uint64_t site = (uint64_t)(uintptr_t)return_address, n;

	if (!plan)
		return 0;
	record(kind, site);
	if ((plan->kind[0] && strcmp(plan->kind, kind) != 0) || (plan->site && plan->site != site))
		return 0;
	n = 1 + __atomic_fetch_add(&plan->matched, 1, __ATOMIC_RELAXED);
	if (n < plan->first || n > plan->last)
		return 0;
	__atomic_fetch_add(&plan->injected, 1, __ATOMIC_RELAXED);
	if (plan->delay)
		wait_a_while();
	if (!plan->error)
		return 0;
	errno = (int)plan->error;
	return 1;
}

#define SITE __builtin_return_address(0)

#define CALL(name, type, failure, parameters, arguments)                                                     \
	type __real_##name parameters;                                                                       \
	type __wrap_##name parameters;                                                                       \
	type __wrap_##name parameters                                                                        \
	{                                                                                                    \
		return meets(#name, SITE) ? (failure) : __real_##name arguments;                             \
	}

CALL(access, int, -1, (const char *path, int mode), (path, mode))
CALL(bind, int, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
CALL(chdir, int, -1, (const char *path), (path))
CALL(chmod, int, -1, (const char *path, mode_t mode), (path, mode))
CALL(chroot, int, -1, (const char *path), (path))
CALL(clone3_on_stack, long, -errno, (struct clone_args * a, int (*f)(void *), void *argument),
     (a, f, argument))
CALL(close_range, int, -1, (unsigned first, unsigned last, int flags), (first, last, flags))
CALL(connect, int, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
CALL(dup2, int, -1, (int from, int to), (from, to))
CALL(execve, int, -1, (const char *path, char *const argv[], char *const env[]), (path, argv, env))
CALL(faccessat, int, -1, (int dir, const char *path, int mode, int flags), (dir, path, mode, flags))
CALL(fchdir, int, -1, (int fd), (fd))
CALL(fchmod, int, -1, (int fd, mode_t mode), (fd, mode))
CALL(fchmodat, int, -1, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags))
CALL(fchownat, int, -1, (int dir, const char *path, uid_t uid, gid_t gid, int flags),
     (dir, path, uid, gid, flags))
CALL(fdopen, FILE *, NULL, (int fd, const char *mode), (fd, mode))
CALL(fdopendir, DIR *, NULL, (int fd), (fd))
CALL(flock, int, -1, (int fd, int operation), (fd, operation))
CALL(fopen, FILE *, NULL, (const char *path, const char *mode), (path, mode))
CALL(fsconfig, int, -1, (int fd, unsigned cmd, const char *key, const void *value, int aux),
     (fd, cmd, key, value, aux))
CALL(fsmount, int, -1, (int fd, unsigned flags, unsigned attributes), (fd, flags, attributes))
CALL(fsopen, int, -1, (const char *name, unsigned flags), (name, flags))
CALL(fstat, int, -1, (int fd, struct stat *st), (fd, st))
CALL(fstatfs, int, -1, (int fd, struct statfs *st), (fd, st))
CALL(ftruncate, int, -1, (int fd, off_t length), (fd, length))
CALL(getdents64, ssize_t, -1, (int fd, void *buf, size_t size), (fd, buf, size))
CALL(getifaddrs, int, -1, (struct ifaddrs * *list), (list))
CALL(getrandom, ssize_t, -1, (void *buf, size_t size, unsigned flags), (buf, size, flags))
CALL(getrlimit, int, -1, (__rlimit_resource_t resource, struct rlimit *limit), (resource, limit))
CALL(getsockname, int, -1, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
CALL(getsockopt, int, -1, (int fd, int level, int name, void *value, socklen_t *n),
     (fd, level, name, value, n))
CALL(if_nametoindex, unsigned, 0, (const char *name), (name))
CALL(kill, int, -1, (pid_t pid, int sig), (pid, sig))
CALL(linkat, int, -1, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
CALL(lseek, off_t, -1, (int fd, off_t offset, int whence), (fd, offset, whence))
CALL(lstat, int, -1, (const char *path, struct stat *st), (path, st))
CALL(memfd_create, int, -1, (const char *name, unsigned flags), (name, flags))
CALL(mkdir, int, -1, (const char *path, mode_t mode), (path, mode))
CALL(mkdirat, int, -1, (int dir, const char *path, mode_t mode), (dir, path, mode))
CALL(mknodat, int, -1, (int dir, const char *path, mode_t mode, dev_t dev), (dir, path, mode, dev))
CALL(mmap, void *, MAP_FAILED, (void *p, size_t n, int prot, int flags, int fd, off_t at),
     (p, n, prot, flags, fd, at))
CALL(mount, int, -1,
     (const char *from, const char *to, const char *type, unsigned long flags, const void *data),
     (from, to, type, flags, data))
CALL(mount_setattr, int, -1, (int fd, const char *path, unsigned flags, struct mount_attr *a, size_t n),
     (fd, path, flags, a, n))
CALL(move_mount, int, -1, (int a, const char *from, int b, const char *to, unsigned flags),
     (a, from, b, to, flags))
CALL(mprotect, int, -1, (void *p, size_t n, int prot), (p, n, prot))
CALL(open_tree, int, -1, (int dir, const char *path, unsigned flags), (dir, path, flags))
CALL(opendir, DIR *, NULL, (const char *path), (path))
CALL(pidfd_open, int, -1, (pid_t pid, unsigned flags), (pid, flags))
CALL(pidfd_send_signal, int, -1, (int fd, int sig, siginfo_t *info, unsigned flags), (fd, sig, info, flags))
CALL(pipe2, int, -1, (int fds[2], int flags), (fds, flags))
CALL(poll, int, -1, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
CALL(posix_spawn, int, errno,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *a,
      char *const argv[], char *const env[]),
     (pid, path, actions, a, argv, env))
CALL(posix_spawnp, int, errno,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *a,
      char *const argv[], char *const env[]),
     (pid, path, actions, a, argv, env))
CALL(ppoll, int, -1, (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *set),
     (fds, n, timeout, set))
CALL(pread, ssize_t, -1, (int fd, void *buf, size_t size, off_t at), (fd, buf, size, at))
CALL(prlimit, int, -1, (pid_t pid, __rlimit_resource_t r, const struct rlimit *new, struct rlimit *old),
     (pid, r, new, old))
CALL(pwrite, ssize_t, -1, (int fd, const void *buf, size_t size, off_t at), (fd, buf, size, at))
CALL(read, ssize_t, -1, (int fd, void *buf, size_t size), (fd, buf, size))
CALL(readdir, struct dirent *, NULL, (DIR * dir), (dir))
CALL(readlink, ssize_t, -1, (const char *path, char *buf, size_t size), (path, buf, size))
CALL(readlinkat, ssize_t, -1, (int dir, const char *path, char *buf, size_t size), (dir, path, buf, size))
CALL(recv, ssize_t, -1, (int fd, void *buf, size_t size, int flags), (fd, buf, size, flags))
CALL(recvfrom, ssize_t, -1, (int fd, void *buf, size_t size, int flags, struct sockaddr *a, socklen_t *n),
     (fd, buf, size, flags, a, n))
CALL(recvmsg, ssize_t, -1, (int fd, struct msghdr *h, int flags), (fd, h, flags))
CALL(renameat, int, -1, (int a, const char *from, int b, const char *to), (a, from, b, to))
CALL(rmdir, int, -1, (const char *path), (path))
CALL(send, ssize_t, -1, (int fd, const void *buf, size_t size, int flags), (fd, buf, size, flags))
CALL(sendmsg, ssize_t, -1, (int fd, const struct msghdr *h, int flags), (fd, h, flags))
CALL(sendto, ssize_t, -1,
     (int fd, const void *buf, size_t size, int flags, const struct sockaddr *a, socklen_t n),
     (fd, buf, size, flags, a, n))
CALL(setdomainname, int, -1, (const char *name, size_t n), (name, n))
CALL(sethostname, int, -1, (const char *name, size_t n), (name, n))
CALL(setns, int, -1, (int fd, int types), (fd, types))
CALL(setrlimit, int, -1, (__rlimit_resource_t resource, const struct rlimit *limit), (resource, limit))
CALL(setsid, pid_t, -1, (void), ())
CALL(setsockopt, int, -1, (int fd, int level, int name, const void *value, socklen_t n),
     (fd, level, name, value, n))
CALL(sigtimedwait, int, -1, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
     (set, info, timeout))
CALL(sigwaitinfo, int, -1, (const sigset_t *set, siginfo_t *info), (set, info))
CALL(socket, int, -1, (int domain, int type, int protocol), (domain, type, protocol))
CALL(socketpair, int, -1, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
CALL(stat, int, -1, (const char *path, struct stat *st), (path, st))
CALL(statfs, int, -1, (const char *path, struct statfs *st), (path, st))
CALL(statvfs, int, -1, (const char *path, struct statvfs *st), (path, st))
CALL(statx, int, -1, (int dir, const char *path, int flags, unsigned mask, struct statx *st),
     (dir, path, flags, mask, st))
CALL(symlinkat, int, -1, (const char *target, int dir, const char *path), (target, dir, path))
CALL(sysconf, long, -1, (int name), (name))
CALL(sysinfo, int, -1, (struct sysinfo * info), (info))
CALL(umount2, int, -1, (const char *path, int flags), (path, flags))
CALL(uname, int, -1, (struct utsname * name), (name))
CALL(unlink, int, -1, (const char *path), (path))
CALL(unlinkat, int, -1, (int dir, const char *path, int flags), (dir, path, flags))
CALL(unshare, int, -1, (int types), (types))
CALL(waitid, int, -1, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
CALL(waitpid, pid_t, -1, (pid_t pid, int *status, int options), (pid, status, options))
CALL(write, ssize_t, -1, (int fd, const void *buf, size_t size), (fd, buf, size))
#undef CALL

/* Those that a macro cannot write: their names are read from here. */
#define CALL(name, type, parameters)                                                                         \
	type __real_##name parameters;                                                                       \
	type __wrap_##name parameters;                                                                       \
	type __wrap_##name parameters

/* The kernel closes the descriptor even if it tells of an error. */
CALL(close, int, (int fd))
{
	int failed = meets("close", SITE), error = errno, rc = __real_close(fd);

	errno = failed ? error : errno;
	return failed ? -1 : rc;
}

CALL(__getdelim, ssize_t, (char **line, size_t *size, int end, FILE *f))
{
	if (!meets("getdelim", SITE))
		return __real___getdelim(line, size, end, f);
	f->_flags |= IO_ERROR;
	return -1;
}

/* Of the functions with "…", all that may be there is handed on: what is not is not read by the kernel. */
CALL(open, int, (const char *path, int flags, ...))
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return meets("open", SITE) ? -1 : __real_open(path, flags, mode);
}

CALL(openat, int, (int dir, const char *path, int flags, ...))
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return meets("openat", SITE) ? -1 : __real_openat(dir, path, flags, mode);
}

CALL(fcntl, int, (int fd, int command, ...))
{
	va_list ap;
	long argument;

	va_start(ap, command);
	argument = va_arg(ap, long);
	va_end(ap);
	return meets("fcntl", SITE) ? -1 : __real_fcntl(fd, command, argument);
}

CALL(ioctl, int, (int fd, unsigned long request, ...))
{
	va_list ap;
	void *argument;

	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	return meets("ioctl", SITE) ? -1 : __real_ioctl(fd, request, argument);
}

CALL(prctl, int, (int option, ...))
{
	unsigned long a[4];
	va_list ap;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	return meets("prctl", SITE) ? -1 : __real_prctl(option, a[0], a[1], a[2], a[3]);
}

CALL(clone, int, (int (*f)(void *), void *stack, int flags, void *argument, ...))
{
	void *a[3];
	va_list ap;

	va_start(ap, argument);
	for (int i = 0; i < 3; i++)
		a[i] = va_arg(ap, void *);
	va_end(ap);
	return meets("clone", SITE) ? -1 : __real_clone(f, stack, flags, argument, a[0], a[1], a[2]);
}

/* NULL for those that cannot fail. */
static const char *kind_of(long number)
{
	switch (number) {
	case SYS_exit_group:
	case SYS_rt_sigaction:
		return NULL;
	case SYS_capget:
		return "capget";
	case SYS_capset:
		return "capset";
	case SYS_clone:
		return "clone";
	case SYS_clone3:
		return "clone3";
	case SYS_close_range:
		return "close_range";
	case SYS_getcwd:
		return "getcwd";
	case SYS_keyctl:
		return "keyctl";
	case SYS_openat2:
		return "openat2";
	case SYS_pidfd_open:
		return "pidfd_open";
	case SYS_pivot_root:
		return "pivot_root";
	case SYS_seccomp:
		return "seccomp";
	case SYS_setgroups:
		return "setgroups";
	case SYS_setresgid:
		return "setresgid";
	case SYS_setresuid:
		return "setresuid";
	default:
		return "syscall";
	}
}

/* Reads six arguments, however many there are. */
__attribute__((no_sanitize("address"))) long __wrap_syscall(long number, ...);

CALL(syscall, long, (long number, ...))
{
	const char *kind = kind_of(number);
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (kind && meets(kind, SITE))
		return -1;
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
