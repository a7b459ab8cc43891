/* SPDX-License-Identifier: MIT
 * The compiler of system call filters, against an interpreter of what it made: every
 * compare at the edges of 32 and 64 bits, and filters of pseudo-random rules.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/capability.h"
#include "kernel/seccomp_profile.h"
#include "tap.h"

#define DENIED SCMP_ACT_ERRNO(EPERM)
#define NEWER SCMP_ACT_ERRNO(ENOSYS)
#define FOREIGN SCMP_ACT_KILL_PROCESS

static const enum scmp_compare operators[] = { SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE,       SCMP_CMP_EQ,
					       SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ };
static const uint64_t edges[] = {
	0, 1, 0x7fffffff, 0xffffffff, 0x100000000, 0x100000001, 0xffffffff00000000, UINT64_MAX,
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint32_t word_at(const struct seccomp_data *d, uint32_t offset)
{
	uint32_t word;

	memcpy(&word, (const char *)d + offset, sizeof word);
	return word;
}

static int holds(const struct sock_filter *s, uint32_t a)
{
	switch (BPF_OP(s->code)) {
	case BPF_JEQ:
		return a == s->k;
	case BPF_JGT:
		return a > s->k;
	default:
		return a >= s->k;
	}
}

/* What the program answers; the few instructions that the compiler uses. */
static uint32_t interpret(const struct sock_fprog *p, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t i = 0; i < p->len; i++) {
		const struct sock_filter *s = &p->filter[i];

		switch (BPF_CLASS(s->code)) {
		case BPF_RET:
			return s->k;
		case BPF_LD:
			a = word_at(d, s->k);
			break;
		case BPF_ALU:
			a &= s->k;
			break;
		default:
			i += BPF_OP(s->code) == BPF_JA ? s->k : holds(s, a) ? s->jt : s->jf;
		}
	}
	return 0xdead;
}

static int compare_holds(const struct scmp_arg_cmp *c, uint64_t v)
{
	switch (c->op) {
	case SCMP_CMP_NE:
		return v != c->datum_a;
	case SCMP_CMP_LT:
		return v < c->datum_a;
	case SCMP_CMP_LE:
		return v <= c->datum_a;
	case SCMP_CMP_EQ:
		return v == c->datum_a;
	case SCMP_CMP_GE:
		return v >= c->datum_a;
	case SCMP_CMP_GT:
		return v > c->datum_a;
	default:
		return (v & c->datum_a) == (c->datum_b & c->datum_a);
	}
}

static int rule_holds(const struct sec_rule *r, const struct seccomp_data *d)
{
	if (r->number != d->nr)
		return 0;
	for (unsigned i = 0; i < r->count; i++)
		if (!compare_holds(&r->args[i], d->args[r->args[i].arg]))
			return 0;
	return 1;
}

/* The rules as they are meant: those with compares in their order, then the one without. */
static uint32_t expected(const struct sec_filter *s, const struct seccomp_data *d)
{
	for (int plain = 0; plain < 2; plain++)
		for (size_t i = 0; i < s->count; i++)
			if ((s->rules[i].count == 0) == plain && rule_holds(&s->rules[i], d))
				return s->rules[i].action;
	for (size_t i = 0; i < s->count; i++)
		if (s->rules[i].number == d->nr)
			return s->otherwise;
	return d->nr > SEC_NEWEST ? s->newer : s->otherwise;
}

static struct sock_fprog compiled(const struct sec_filter *s)
{
	struct sock_fprog p = { 0 };
	struct fault f;
	int fd = sec_build(s, &f);

	if (fd < 0 || sec_map(fd, &p, &f))
		ok(0, "%s %s: %d", f.op, f.subject, f.error);
	close(fd);
	return p;
}

static struct seccomp_data call(int number, uint64_t argument)
{
	return (struct seccomp_data){ number, seccomp_arch_native(), 0, { argument, argument, 5 } };
}

static void test_compare(enum scmp_compare op, uint64_t a, uint64_t b)
{
	struct sec_rule rule = { SYS_read, SCMP_ACT_ALLOW, 1, { { 1, op, a, b } } };
	struct sec_filter s = { DENIED, NEWER, FOREIGN, &rule, 1 };
	struct sock_fprog p = compiled(&s);
	int wrong = 0;

	for (size_t i = 0; i < COUNT(edges); i++) {
		struct seccomp_data d = call(SYS_read, edges[i]);

		wrong += interpret(&p, &d) != expected(&s, &d);
	}
	ok(!wrong, "compare %d with %#llx, %#llx", (int)op, (unsigned long long)a, (unsigned long long)b);
	sec_unmap(&p);
}

static void test_compares(void)
{
	for (size_t o = 0; o < COUNT(operators); o++)
		for (size_t i = 0; i < COUNT(edges); i++)
			test_compare(operators[o], edges[i], edges[(i + 3) % COUNT(edges)]);
}

static struct sec_rule random_rule(void)
{
	static const uint32_t actions[] = { SCMP_ACT_ALLOW, SCMP_ACT_TRAP, DENIED };
	struct sec_rule r = { rand() % (SEC_NEWEST + 20), SCMP_ACT_LOG, (unsigned)rand() % 3, { { 0 } } };

	if (!r.count) /* one plain action for each call, so that they do not contradict each other */
		r.action = actions[r.number % 3];
	for (unsigned i = 0; i < r.count; i++)
		r.args[i] = (struct scmp_arg_cmp){ i, operators[(size_t)rand() % COUNT(operators)],
						   edges[(size_t)rand() % COUNT(edges)],
						   edges[(size_t)rand() % COUNT(edges)] };
	return r;
}

static void test_random(size_t count)
{
	struct sec_rule *rules = calloc(count + 1, sizeof *rules);
	struct sec_filter s = { DENIED, NEWER, FOREIGN, rules, count };
	struct sock_fprog p;
	int wrong = 0;

	for (size_t i = 0; i < count; i++)
		rules[i] = random_rule();
	p = compiled(&s);
	for (int number = 0; number < SEC_NEWEST + 30; number++)
		for (size_t i = 0; i < COUNT(edges); i++) {
			struct seccomp_data d = call(number, edges[i]);

			wrong += interpret(&p, &d) != expected(&s, &d);
		}
	ok(!wrong, "%zu rules: %d wrong answers of %d instructions", count, wrong, p.len);
	sec_unmap(&p);
	free(rules);
}

static void test_foreign(void)
{
	struct sec_rule rule = { SYS_read, SCMP_ACT_ALLOW, 0, { { 0 } } };
	struct sec_filter s = { DENIED, NEWER, FOREIGN, &rule, 1 };
	struct sock_fprog p = compiled(&s);
	struct seccomp_data d = call(SYS_read, 0);

	is_integer(interpret(&p, &d), SCMP_ACT_ALLOW, "a call of this architecture");
	d.arch ^= 1;
	is_integer(interpret(&p, &d), FOREIGN, "of another");
	d = call(SYS_read | 0x40000000, 0);
	is_integer(interpret(&p, &d), FOREIGN, "of x32");
	d = call(-1, 0);
	is_integer(interpret(&p, &d), DENIED, "one that a tracer cancelled");
	sec_unmap(&p);
}

static void test_contradiction(void)
{
	struct sec_rule rules[] = { { SYS_read, SCMP_ACT_ALLOW, 0, { { 0 } } },
				    { SYS_read, DENIED, 0, { { 0 } } } };
	struct sec_filter s = { DENIED, NEWER, FOREIGN, rules, 2 };
	struct fault f;

	is_integer(sec_build(&s, &f), -EINVAL, "two actions for one call");
	is_string(f.subject, "read", "names the call");
}

static void test_profile(void)
{
	struct fault f;
	int fd = sec_build_profile(CAP_ALL, &f);

	ok(fd >= 0, "the profile of every capability");
	close(fd);
}

int main(void)
{
	test_compares();
	test_random(0);
	for (size_t count = 1; count < 500; count *= 3)
		test_random(count);
	test_foreign();
	test_contradiction();
	test_profile();
	return done_testing();
}
