/* SPDX-License-Identifier: MIT
 * From rules to BPF: the numbers fall into runs of one action each, and a binary tree
 * of comparisons finds a call's run. A call with compares is a run of its own.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/seccomp.h"
#include "kernel/util.h"

#define X32_BIT 0x40000000u
#define NO_CALL 0xffffffffu /* what a tracer leaves of a call that it cancels */

/* Where a jump goes until that place is known; no rule is as long as these numbers. */
enum { TO_MATCH = 254, TO_NEXT = 255 };

/* Calls from 'start' to the next run's start. */
struct run {
	uint32_t start, action;
	const struct sec_rule *const *rules; /* of the one call of this run; those with compares go first */
	size_t count;
};

struct runs {
	struct run *list;
	size_t count;
};

/* ---- rules to runs ---- */

static int by_number(const void *a, const void *b)
{
	const struct sec_rule *const *x = a, *const *y = b;

	if ((*x)->number != (*y)->number)
		return (*x)->number < (*y)->number ? -1 : 1;
	return *x < *y ? -1 : *x > *y; /* else in the order given */
}

static void add_run(struct runs *r, struct run run)
{
	const struct run *last = r->count ? &r->list[r->count - 1] : NULL;

	if (last && !last->count && !run.count && last->action == run.action)
		return;
	r->list[r->count++] = run;
}

static int refuse_contradiction(const struct sec_rule *r, struct fault *f)
{
	cleanup_free char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), r->number);

	fault_set(f, EINVAL, "seccomp", "%s", name ? name : "");
	return fault_hint(f, "two rules without compares give this call two actions");
}

/* Adds the run of the call whose 'count' rules these are. */
static int add_call(struct runs *runs, const struct sec_filter *s, const struct sec_rule *const *rules,
		    size_t count, struct fault *f)
{
	struct run run = { (uint32_t)rules[0]->number, s->otherwise, rules, 0 };
	const struct sec_rule *plain = NULL;

	for (size_t i = 0; i < count; i++) {
		if (rules[i]->count) {
			run.count = count;
			continue;
		}
		if (plain && plain->action != rules[i]->action)
			return refuse_contradiction(plain, f);
		plain = rules[i];
		run.action = plain->action;
	}
	add_run(runs, run);
	return 0;
}

static size_t same_call(const struct sec_rule *const *rules, size_t count)
{
	size_t n = 1;

	while (n < count && rules[n]->number == rules[0]->number)
		n++;
	return n;
}

/* The runs of the calls from 'start' to before 'end' that have no rule. */
static void add_gap(struct runs *runs, const struct sec_filter *s, uint32_t start, uint32_t end)
{
	if (start < end && start <= SEC_NEWEST)
		add_run(runs, (struct run){ start, s->otherwise });
	start = start > SEC_NEWEST ? start : SEC_NEWEST + 1;
	if (start < end)
		add_run(runs, (struct run){ start, s->newer });
}

static int find_runs(struct runs *runs, const struct sec_filter *s, const struct sec_rule *const *rules,
		     struct fault *f)
{
	uint32_t next = 0;

	for (size_t i = 0, n; i < s->count; i += n) {
		uint32_t number = (uint32_t)rules[i]->number;
		int rc;

		n = same_call(rules + i, s->count - i);
		add_gap(runs, s, next, number);
		rc = add_call(runs, s, rules + i, n, f);
		if (rc)
			return rc;
		next = number + 1;
	}
	add_gap(runs, s, next, X32_BIT);
	return 0;
}

/* ---- runs to instructions ---- */

/* Without 'code' only counts. */
struct program {
	struct sock_filter *code;
	size_t count;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->code)
		p->code[p->count] = (struct sock_filter){ code, jt, jf, k };
	p->count++;
}

static void emit_load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_jump(struct program *p, uint16_t test, uint32_t k, uint8_t jt, uint8_t jf)
{
	emit(p, BPF_JMP | test | BPF_K, k, jt, jf);
}

static void emit_return(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Gives the jumps from 'start' on that go to 'target' the distance to here. */
static void land(struct program *p, size_t start, uint8_t target)
{
	for (size_t i = start; p->code && i < p->count; i++) {
		struct sock_filter *s = &p->code[i];
		uint8_t distance = (uint8_t)(p->count - i - 1);

		if (BPF_CLASS(s->code) != BPF_JMP)
			continue;
		s->jt = s->jt == target ? distance : s->jt;
		s->jf = s->jf == target ? distance : s->jf;
	}
}

static void emit_load_half(struct program *p, const struct scmp_arg_cmp *c, int high)
{
	int second = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? high : !high;

	emit_load(p, offsetof(struct seccomp_data, args[c->arg]) + (second ? 4 : 0));
}

/* One half of what the mask leaves; a half that it leaves nothing of is always equal. */
static void emit_masked(struct program *p, const struct scmp_arg_cmp *c, int high)
{
	uint32_t mask = (uint32_t)(c->datum_a >> (high ? 32 : 0));
	uint32_t value = (uint32_t)(c->datum_b >> (high ? 32 : 0)) & mask;

	if (!mask)
		return;
	emit_load_half(p, c, high);
	if (mask != UINT32_MAX)
		emit(p, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	emit_jump(p, BPF_JEQ, value, 0, TO_NEXT);
}

/* Order and inequality of 64 bits: the upper half decides unless it is equal. */
static void emit_ordered(struct program *p, const struct scmp_arg_cmp *c)
{
	int greater = c->op == SCMP_CMP_GT || c->op == SCMP_CMP_GE;
	int with_equal = c->op == SCMP_CMP_GE || c->op == SCMP_CMP_LT; /* LT is not GE, LE not GT */
	uint8_t yes = greater ? TO_MATCH : TO_NEXT, no = greater ? TO_NEXT : TO_MATCH;

	emit_load_half(p, c, 1);
	emit_jump(p, BPF_JGT, (uint32_t)(c->datum_a >> 32), yes, 0);
	emit_jump(p, BPF_JEQ, (uint32_t)(c->datum_a >> 32), 0, no);
	emit_load_half(p, c, 0);
	emit_jump(p, with_equal ? BPF_JGE : BPF_JGT, (uint32_t)c->datum_a, yes, no);
}

static void emit_different(struct program *p, const struct scmp_arg_cmp *c)
{
	emit_load_half(p, c, 1);
	emit_jump(p, BPF_JEQ, (uint32_t)(c->datum_a >> 32), 0, TO_MATCH);
	emit_load_half(p, c, 0);
	emit_jump(p, BPF_JEQ, (uint32_t)c->datum_a, TO_NEXT, TO_MATCH);
}

/* Goes on behind itself if the compare holds, else to the next rule. */
static void emit_compare(struct program *p, const struct scmp_arg_cmp *c)
{
	struct scmp_arg_cmp masked = { c->arg, SCMP_CMP_MASKED_EQ, UINT64_MAX, c->datum_a };
	size_t start = p->count;

	if (c->op == SCMP_CMP_NE) {
		emit_different(p, c);
	} else if (c->op == SCMP_CMP_EQ || c->op == SCMP_CMP_MASKED_EQ) {
		c = c->op == SCMP_CMP_EQ ? &masked : c;
		emit_masked(p, c, 0);
		emit_masked(p, c, 1);
	} else {
		emit_ordered(p, c);
	}
	land(p, start, TO_MATCH);
}

static void emit_rule(struct program *p, const struct sec_rule *r)
{
	size_t start = p->count;

	for (unsigned i = 0; i < r->count; i++)
		emit_compare(p, &r->args[i]);
	emit_return(p, r->action);
	land(p, start, TO_NEXT);
}

static void emit_run(struct program *p, const struct run *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->rules[i]->count)
			emit_rule(p, r->rules[i]);
	emit_return(p, r->action);
}

static void emit_tree(struct program *p, const struct run *list, size_t count)
{
	struct program left = { NULL, 0 };
	size_t half = count / 2;

	if (count == 1) {
		emit_run(p, list);
		return;
	}
	emit_tree(&left, list, half);
	if (left.count <= UINT8_MAX) {
		emit_jump(p, BPF_JGE, list[half].start, (uint8_t)left.count, 0);
	} else {
		emit_jump(p, BPF_JGE, list[half].start, 0, 1);
		emit(p, BPF_JMP | BPF_JA, (uint32_t)left.count, 0, 0);
	}
	emit_tree(p, list, half);
	emit_tree(p, list + half, count - half);
}

/* Another architecture's call, by its own word or by x32's bit, is foreign. */
static void emit_all(struct program *p, const struct sec_filter *s, const struct runs *runs)
{
	emit_load(p, offsetof(struct seccomp_data, arch));
	emit_jump(p, BPF_JEQ, seccomp_arch_native(), 1, 0);
	emit_return(p, s->foreign);
	emit_load(p, offsetof(struct seccomp_data, nr));
	emit_jump(p, BPF_JGE, X32_BIT, 0, 3);
	emit_jump(p, BPF_JEQ, NO_CALL, 1, 0);
	emit_return(p, s->foreign);
	emit_return(p, s->otherwise);
	emit_tree(p, runs->list, runs->count);
}

static int write_out(const struct sec_filter *s, const struct runs *runs, struct fault *f)
{
	cleanup_free struct sock_filter *code = NULL;
	struct program p = { NULL, 0 };

	emit_all(&p, s, runs);
	if (p.count > BPF_MAXINSNS) {
		fault_set(f, E2BIG, "seccomp", "%zu instructions", p.count);
		return fault_hint(f, "the kernel takes %d; leave rules out", BPF_MAXINSNS);
	}
	code = calloc(p.count, sizeof *code);
	if (!code)
		return fault_set(f, ENOMEM, "seccomp", "");
	p = (struct program){ code, 0 };
	emit_all(&p, s, runs);
	return sec_keep(code, p.count, f);
}

int sec_build(const struct sec_filter *s, struct fault *f)
{
	/* before, between and behind the calls, and where the newer ones begin */
	cleanup_free struct run *list = calloc(2 * s->count + 2, sizeof *list);
	cleanup_free const struct sec_rule **rules = calloc(s->count + 1, sizeof *rules);
	struct runs runs = { list, 0 };
	int rc;

	if (!list || !rules)
		return fault_set(f, ENOMEM, "seccomp", "");
	for (size_t i = 0; i < s->count; i++)
		rules[i] = &s->rules[i];
	qsort(rules, s->count, sizeof *rules, by_number);
	rc = find_runs(&runs, s, rules, f);
	return rc ? rc : write_out(s, &runs, f);
}
