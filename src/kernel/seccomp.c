/* SPDX-License-Identifier: MIT */
#include "kernel/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/util.h"

/* Calls that may be newer than libseccomp; these numbers are the same everywhere. */
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

#define NEWEST_CALL 469
#define X32_BIT 0x40000000

static void release_filter(scmp_filter_ctx *c)
{
	if (*c)
		seccomp_release(*c);
}

#define cleanup_filter __attribute__((cleanup(release_filter)))

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

static int refuse_rule(const struct sec_rule *r, int error, struct fault *f)
{
	fault_set(f, error, "seccomp_rule_add", "system call %d", r->number);
	if (error == EEXIST)
		return fault_hint(f, "another rule gives the same call another action");
	if (error == EACCES)
		return fault_hint(f, "the rule's action is what happens to every other call already");
	return -error;
}

static int add_rules(scmp_filter_ctx c, const struct sec_filter *s, struct fault *f)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct sec_rule *r = &s->rules[i];
		int rc = seccomp_rule_add_array(c, r->action, r->number, r->count, r->args);

		if (rc)
			return refuse_rule(r, -rc, f);
	}
	return 0;
}

/* libseccomp has no range of numbers, so the test for newer ones stands in front of its
 * program, for the native architecture only. */
static int write_newer(int fd, const struct sec_filter *s)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NEWEST_CALL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, s->newer),
	};
	ssize_t n;

	if (s->newer == s->otherwise)
		return 0;
	n = retry_eintr(write(fd, program, sizeof program));
	return n == sizeof program ? 0 : n < 0 ? -errno : -EIO;
}

static int export_filter(scmp_filter_ctx c, const struct sec_filter *s, struct fault *f)
{
	cleanup_fd int fd = memfd_create("luabox-seccomp", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return fault_set(f, errno, "memfd_create", "luabox-seccomp");
	rc = write_newer(fd, s);
	if (rc)
		return fault_set(f, -rc, "write", "luabox-seccomp");
	rc = seccomp_export_bpf(c, fd);
	if (rc)
		return fault_set(f, -rc, "seccomp_export_bpf", "");
	return take_fd(&fd);
}

int sec_build(const struct sec_filter *s, struct fault *f)
{
	cleanup_filter scmp_filter_ctx c = seccomp_init(s->otherwise);
	int rc;

	if (!c)
		return fault_set(f, ENOMEM, "seccomp_init", "");
	rc = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, s->foreign);
	if (!rc)
		rc = seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc)
		return fault_set(f, -rc, "seccomp_attr_set", "");
	rc = add_rules(c, s, f);
	return rc ? rc : export_filter(c, s, f);
}

int sec_map(int fd, struct sock_fprog *program, struct fault *f)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st))
		return fault_set(f, errno, "fstat", "luabox-seccomp");
	if (st.st_size / sizeof *program->filter > BPF_MAXINSNS) {
		fault_set(f, E2BIG, "seccomp", "%zu instructions",
			  (size_t)st.st_size / sizeof *program->filter);
		return fault_hint(f, "the kernel takes %d; leave rules out", BPF_MAXINSNS);
	}
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
