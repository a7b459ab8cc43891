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

/* A program in front of libseccomp's, which has neither a range of numbers nor a rule with
 * compares beside one without: it silently drops the former. */
struct front {
	struct sock_filter *code;
	size_t count;
};

#define FRONT_FIXED 7                 /* instructions besides the rules' */
#define FRONT_RULE (3 + 6 * SEC_ARGS) /* at most, of one rule */

static void emit(struct front *p, struct sock_filter s)
{
	p->code[p->count++] = s;
}

static void emit_load(struct front *p, size_t offset)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void emit_equal(struct front *p, uint32_t value)
{
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0));
}

/* Half of an argument; 'half' 0 is the lower one. */
static void emit_compare(struct front *p, const struct scmp_arg_cmp *c, int half)
{
	uint64_t mask = c->op == SCMP_CMP_EQ ? UINT64_MAX : c->datum_a;
	uint64_t value = c->op == SCMP_CMP_EQ ? c->datum_a : c->datum_b;
	size_t high = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? half : !half;

	if (!(uint32_t)(mask >> 32 * half))
		return;
	emit_load(p, offsetof(struct seccomp_data, args[c->arg]) + 4 * high);
	emit(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)(mask >> 32 * half)));
	emit_equal(p, (uint32_t)((value & mask) >> 32 * half));
}

/* Every comparison that does not hold jumps over the rule. */
static void emit_rule(struct front *p, const struct sec_rule *r)
{
	size_t start = p->count;

	emit_load(p, offsetof(struct seccomp_data, nr));
	emit_equal(p, (uint32_t)r->number);
	for (unsigned i = 0; i < r->count; i++) {
		emit_compare(p, &r->args[i], 0);
		emit_compare(p, &r->args[i], 1);
	}
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, r->action));
	for (size_t i = start; i < p->count; i++)
		if (p->code[i].code == (BPF_JMP | BPF_JEQ | BPF_K))
			p->code[i].jf = (uint8_t)(p->count - i - 1);
}

/* Whether the rule has compares and another for the same call has none. */
static int is_exception(const struct sec_filter *s, const struct sec_rule *r)
{
	for (size_t i = 0; r->count && i < s->count; i++)
		if (s->rules[i].number == r->number && !s->rules[i].count)
			return 1;
	return 0;
}

/* emit_compare has no order, only equality. */
static int is_comparable(const struct sec_rule *r)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->args[i].op != SCMP_CMP_EQ && r->args[i].op != SCMP_CMP_MASKED_EQ)
			return 0;
	return 1;
}

static size_t count_exceptions(const struct sec_filter *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += (size_t)is_exception(s, &s->rules[i]);
	return n;
}

/* Only for the native architecture; x32's numbers are left to libseccomp too. */
static void emit_front(struct front *p, const struct sec_filter *s)
{
	emit_load(p, offsetof(struct seccomp_data, arch));
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0));
	emit(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	if (s->newer != s->otherwise) {
		emit_load(p, offsetof(struct seccomp_data, nr));
		emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0));
		emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NEWEST_CALL, 0, 1));
		emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, s->newer));
	}
	for (size_t i = 0; i < s->count; i++)
		if (is_exception(s, &s->rules[i]))
			emit_rule(p, &s->rules[i]);
	p->code[2].k = (uint32_t)(p->count - 3);
}

static int write_program(int fd, const struct sock_filter *program, size_t count)
{
	ssize_t n = retry_eintr(write(fd, program, count * sizeof *program));

	return n < 0 ? -errno : (size_t)n == count * sizeof *program ? 0 : -EIO;
}

static int write_front(int fd, const struct sec_filter *s)
{
	size_t exceptions = count_exceptions(s);
	cleanup_free struct sock_filter *code = calloc(FRONT_FIXED + exceptions * FRONT_RULE, sizeof *code);
	struct front p = { code, 0 };

	if (!code)
		return -ENOMEM;
	if (!exceptions && s->newer == s->otherwise)
		return 0;
	emit_front(&p, s);
	return write_program(fd, p.code, p.count);
}

static int refuse_rule(const struct sec_rule *r, int error, struct fault *f)
{
	cleanup_free char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), r->number);

	fault_set(f, error, "seccomp_rule_add", "%s", name ? name : "");
	if (error == EACCES)
		return fault_hint(f, "the rule's action is what happens to every other call already");
	return -error;
}

/* libseccomp takes both and keeps one. */
static int is_contradicted(const struct sec_filter *s, const struct sec_rule *r)
{
	for (const struct sec_rule *o = s->rules; o < r && !r->count; o++)
		if (o->number == r->number && !o->count && o->action != r->action)
			return 1;
	return 0;
}

static int refuse_contradiction(const struct sec_rule *r, struct fault *f)
{
	refuse_rule(r, EINVAL, f);
	return fault_hint(f, "another rule gives the same call another action");
}

static int refuse_exception(const struct sec_rule *r, struct fault *f)
{
	refuse_rule(r, EINVAL, f);
	return fault_hint(
		f, "beside a rule without compares for the same call only eq and masked_eq can be compared");
}

static int add_rules(scmp_filter_ctx c, const struct sec_filter *s, struct fault *f)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct sec_rule *r = &s->rules[i];
		int rc;

		if (is_contradicted(s, r))
			return refuse_contradiction(r, f);
		if (is_exception(s, r)) {
			if (!is_comparable(r))
				return refuse_exception(r, f);
			continue;
		}
		rc = seccomp_rule_add_array(c, r->action, r->number, r->count, r->args);
		if (rc)
			return refuse_rule(r, -rc, f);
	}
	return 0;
}

static int memory_file(struct fault *f)
{
	int fd = memfd_create("luabox-seccomp", MFD_CLOEXEC);

	return fd < 0 ? fault_set(f, errno, "memfd_create", "luabox-seccomp") : fd;
}

static int export_filter(scmp_filter_ctx c, const struct sec_filter *s, struct fault *f)
{
	cleanup_fd int fd = memory_file(f);
	int rc;

	if (fd < 0)
		return fd;
	rc = write_front(fd, s);
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
