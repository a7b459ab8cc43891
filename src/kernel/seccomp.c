/* SPDX-License-Identifier: MIT */
#include "kernel/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/util.h"

/* Calls that may be newer than libseccomp; these numbers are the same everywhere. The last is SEC_NEWEST. */
static const struct {
	const char *name;
	int number;
} newer_calls[] = {
	{ "cachestat", 451 },         { "fchmodat2", 452 },        { "map_shadow_stack", 453 },
	{ "futex_wake", 454 },        { "futex_wait", 455 },       { "futex_requeue", 456 },
	{ "statmount", 457 },         { "listmount", 458 },        { "lsm_get_self_attr", 459 },
	{ "lsm_set_self_attr", 460 }, { "lsm_list_modules", 461 }, { "mseal", 462 },
	{ "setxattrat", 463 },        { "getxattrat", 464 },       { "listxattrat", 465 },
	{ "removexattrat", 466 },     { "open_tree_attr", 467 },   { "file_getattr", 468 },
	{ "file_setattr", 469 },
#ifdef __x86_64__
	{ "uretprobe", 335 },
#endif
};

int sec_number(const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number >= 0)
		return number;
	for (size_t i = 0; i < sizeof newer_calls / sizeof *newer_calls; i++)
		if (!strcmp(newer_calls[i].name, name))
			return newer_calls[i].number;
	return number == __NR_SCMP_ERROR ? -EINVAL : -ENOSYS;
}

static int write_program(int fd, const struct sock_filter *program, size_t count)
{
	ssize_t n = retry_eintr(write(fd, program, count * sizeof *program));

	return n < 0 ? -errno : (size_t)n == count * sizeof *program ? 0 : -EIO;
}

/* A file without a name; elsewhere than in memory where the kernel hides memfd_create. */
static int memory_file(struct fault *f)
{
	static const char *const directories[] = { "/dev/shm", "/tmp", "/run" };
	int fd = memfd_create("luabox-seccomp", MFD_CLOEXEC), error = errno;

	for (size_t i = 0; fd < 0 && error == ENOSYS && i < sizeof directories / sizeof *directories; i++)
		fd = open(directories[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? fault_set(f, error, "memfd_create", "luabox-seccomp") : fd;
}

int sec_keep(const struct sock_filter *program, size_t count, struct fault *f)
{
	cleanup_fd int fd = memory_file(f);
	int rc;

	if (fd < 0)
		return fd;
	rc = write_program(fd, program, count);
	return rc ? fault_set(f, -rc, "write", "luabox-seccomp") : take_fd(&fd);
}

int sec_map(int fd, struct sock_fprog *program, struct fault *f)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st))
		return fault_set(f, errno, "fstat", "luabox-seccomp");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return fault_set(f, errno, "mmap", "luabox-seccomp");
	program->filter = p;
	program->len = (unsigned short)((size_t)st.st_size / sizeof *program->filter);
	return 0;
}

void sec_unmap(struct sock_fprog *program)
{
	if (program->filter)
		munmap(program->filter, program->len * sizeof *program->filter);
	*program = (struct sock_fprog){ 0 };
}

int sec_load(const struct sock_fprog *program, struct fault *f)
{
	int error;

	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program))
		return 0;
	error = errno;
	fault_set(f, error, "seccomp", "SECCOMP_SET_MODE_FILTER");
	if (error == EACCES)
		return fault_hint(f, "set no_new_privs first, or keep sys_admin until the filter is loaded");
	if (error == EINVAL || error == ENOSYS)
		return fault_hint(f, "a kernel without CONFIG_SECCOMP_FILTER takes no filter");
	return -error;
}
