/* SPDX-License-Identifier: MIT */
#include "kernel/nft_rule.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdio.h> /* before libnftnl, which forgets it */

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include <string.h>

/* All expressions of the longest rule, with its names and its comment, are below this. */
#define RULE_ROOM 16384

/* A rule in the making. An allocation that failed is remembered in the batch. */
struct builder {
	struct nft_batch *batch;
	struct nftnl_rule *rule;
	const struct nft_rule *r;
	uint32_t set_id[NFT_SEL_COUNT]; /* of sets written for a match's list of values */
};

static void free_rule(struct nftnl_rule **rule)
{
	if (*rule)
		nftnl_rule_free(*rule);
}

/* ---- expressions; each may be null after an allocation failed ---- */

static struct nftnl_expr *add(struct builder *w, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (e)
		nftnl_rule_add_expr(w->rule, e);
	else
		w->batch->error = -ENOMEM;
	return e;
}

static void set_u32(struct nftnl_expr *e, uint16_t type, uint32_t value)
{
	if (e)
		nftnl_expr_set_u32(e, type, value);
}

static void set_data(struct builder *w, struct nftnl_expr *e, uint16_t type, const void *data,
		     uint32_t length)
{
	if (e && nftnl_expr_set(e, type, data, length) < 0)
		w->batch->error = -ENOMEM;
}

static void set_text(struct builder *w, struct nftnl_expr *e, uint16_t type, const char *text)
{
	if (e && nftnl_expr_set_str(e, type, text) < 0)
		w->batch->error = -ENOMEM;
}

static void put_compare(struct builder *w, int negate, const void *data, uint32_t length)
{
	struct nftnl_expr *e = add(w, "cmp");

	set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	set_u32(e, NFTNL_EXPR_CMP_OP, negate ? NFT_CMP_NEQ : NFT_CMP_EQ);
	set_data(w, e, NFTNL_EXPR_CMP_DATA, data, length);
}

static void put_mask(struct builder *w, const void *mask, uint32_t length)
{
	static const uint8_t zero[16];
	struct nftnl_expr *e = add(w, "bitwise");

	set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	set_u32(e, NFTNL_EXPR_BITWISE_LEN, length);
	set_data(w, e, NFTNL_EXPR_BITWISE_MASK, mask, length);
	set_data(w, e, NFTNL_EXPR_BITWISE_XOR, zero, length);
}

static void put_range(struct builder *w, int negate, const struct nft_value *v)
{
	struct nftnl_expr *e = add(w, "range");

	set_u32(e, NFTNL_EXPR_RANGE_SREG, NFT_REG_1);
	set_u32(e, NFTNL_EXPR_RANGE_OP, negate ? NFT_RANGE_NEQ : NFT_RANGE_EQ);
	set_data(w, e, NFTNL_EXPR_RANGE_FROM_DATA, v->low, v->length);
	set_data(w, e, NFTNL_EXPR_RANGE_TO_DATA, v->high, v->length);
}

static void put_immediate(struct builder *w, uint32_t reg, const void *data, uint32_t length)
{
	struct nftnl_expr *e = add(w, "immediate");

	set_u32(e, NFTNL_EXPR_IMM_DREG, reg);
	set_data(w, e, NFTNL_EXPR_IMM_DATA, data, length);
}

/* ---- loading what a packet has ---- */

static void load_meta(struct builder *w, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = add(w, "meta");

	set_u32(e, NFTNL_EXPR_META_KEY, key);
	set_u32(e, NFTNL_EXPR_META_DREG, reg);
}

static void load_ct(struct builder *w, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = add(w, "ct");

	set_u32(e, NFTNL_EXPR_CT_KEY, key);
	set_u32(e, NFTNL_EXPR_CT_DREG, reg);
}

static void load_payload(struct builder *w, uint32_t base, uint32_t offset, uint32_t length, uint32_t reg)
{
	struct nftnl_expr *e = add(w, "payload");

	set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, length);
	set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

/* The source address stands 12 bytes into an IPv4 header, 8 into an IPv6 one. */
static void load_address(struct builder *w, enum nft_field field, int destination, uint32_t reg)
{
	uint32_t length = nft_field_length(field), source = field == NFT_FIELD_IPV4 ? 12 : 8;

	load_payload(w, NFT_PAYLOAD_NETWORK_HEADER, source + (destination ? length : 0), length, reg);
}

static void load_address_type(struct builder *w, uint32_t flags)
{
	struct nftnl_expr *e = add(w, "fib");

	set_u32(e, NFTNL_EXPR_FIB_FLAGS, flags);
	set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
}

static void load(struct builder *w, enum nft_selector selector, enum nft_field field, uint32_t reg)
{
	switch (selector) {
	case NFT_SEL_IIFNAME:
		load_meta(w, NFT_META_IIFNAME, reg);
		break;
	case NFT_SEL_OIFNAME:
		load_meta(w, NFT_META_OIFNAME, reg);
		break;
	case NFT_SEL_SADDR:
	case NFT_SEL_DADDR:
		load_address(w, field, selector == NFT_SEL_DADDR, reg);
		break;
	case NFT_SEL_SADDR_TYPE:
		load_address_type(w, NFTA_FIB_F_SADDR);
		break;
	case NFT_SEL_DADDR_TYPE:
		load_address_type(w, NFTA_FIB_F_DADDR);
		break;
	case NFT_SEL_PROTOCOL:
		load_meta(w, NFT_META_L4PROTO, reg);
		break;
	case NFT_SEL_SPORT:
	case NFT_SEL_DPORT:
		load_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, selector == NFT_SEL_DPORT ? 2 : 0, 2, reg);
		break;
	case NFT_SEL_CT_STATE:
		load_ct(w, NFT_CT_STATE, reg);
		break;
	case NFT_SEL_CT_STATUS:
		load_ct(w, NFT_CT_STATUS, reg);
		break;
	case NFT_SEL_MARK:
		load_meta(w, NFT_META_MARK, reg);
		break;
	case NFT_SEL_COUNT:
		break;
	}
}

enum nft_field nft_selector_field(enum nft_selector selector, uint8_t nfproto)
{
	switch (selector) {
	case NFT_SEL_IIFNAME:
	case NFT_SEL_OIFNAME:
		return NFT_FIELD_IFNAME;
	case NFT_SEL_SADDR:
	case NFT_SEL_DADDR:
		return nfproto == NFPROTO_IPV6 ? NFT_FIELD_IPV6 : NFT_FIELD_IPV4;
	case NFT_SEL_PROTOCOL:
		return NFT_FIELD_PROTO;
	case NFT_SEL_SPORT:
	case NFT_SEL_DPORT:
		return NFT_FIELD_SERVICE;
	case NFT_SEL_MARK:
		return NFT_FIELD_MARK;
	default:
		return NFT_FIELD_NONE;
	}
}

/* ---- matches ---- */

static int is_interval(const struct nft_value *v)
{
	return v->kind == NFT_PREFIX || v->kind == NFT_RANGE;
}

/* Several values in one match are a set of their own, which the kernel names. */
static void put_anonymous_set(struct builder *w, const struct nft_match *m, uint32_t *id)
{
	struct nft_set set = { .family = w->r->family,
			       .table = w->r->table,
			       .name = "__set%d",
			       .flags = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT,
			       .key = { 1, { (uint8_t)m->field } } };
	struct nft_element_list list;

	for (uint32_t i = 0; i < m->count; i++)
		set.flags |= is_interval(&m->values[i]) ? NFT_SET_INTERVAL : 0;
	set.id = *id = ++w->batch->sets;
	nft_put_set(w->batch, NFT_CREATE, &set);
	nft_elements_begin(&list, w->batch, NFT_ADD, &set);
	for (uint32_t i = 0; i < m->count; i++) {
		struct nft_element e = { 0 };

		memcpy(e.key, m->values[i].low, sizeof m->values[i].low);
		memcpy(e.key_end, m->values[i].high, sizeof m->values[i].high);
		nft_element_put(&list, &e);
	}
	nft_elements_end(&list);
}

static void put_sets(struct builder *w)
{
	for (int i = 0; i < NFT_SEL_COUNT; i++)
		if (w->r->match[i].count > 1)
			put_anonymous_set(w, &w->r->match[i], &w->set_id[i]);
}

static void put_in_set(struct builder *w, const char *name, uint32_t id, int negate)
{
	struct nftnl_expr *e = add(w, "lookup");

	set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	set_text(w, e, NFTNL_EXPR_LOOKUP_SET, name);
	if (id)
		set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, id);
	if (negate)
		set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static void put_value(struct builder *w, int negate, const struct nft_value *v)
{
	switch (v->kind) {
	case NFT_RANGE:
		put_range(w, negate, v);
		break;
	case NFT_PREFIX:
	case NFT_MASKED:
		put_mask(w, v->mask, v->length);
		put_compare(w, negate, v->low, v->length);
		break;
	case NFT_SINGLE:
	case NFT_STEM:
		put_compare(w, negate, v->low, v->length);
		break;
	}
}

/* Any of some bits: what is left of them is not zero. */
static void put_any_bit(struct builder *w, int negate, uint32_t bits)
{
	static const uint32_t zero;

	put_mask(w, &bits, sizeof bits);
	put_compare(w, !negate, &zero, sizeof zero);
}

static void put_match(struct builder *w, enum nft_selector selector)
{
	const struct nft_match *m = &w->r->match[selector];

	load(w, selector, m->field, NFT_REG_1);
	if (m->set || m->count > 1)
		put_in_set(w, m->set ? m->set : "__set%d", w->set_id[selector], m->negate);
	else if (m->count)
		put_value(w, m->negate, m->values);
	else if (selector == NFT_SEL_CT_STATE || selector == NFT_SEL_CT_STATUS)
		put_any_bit(w, m->negate, m->bits);
	else
		put_compare(w, m->negate, &m->bits, sizeof m->bits);
}

/* Families that see both protocols must say which one before its header is read. */
static void put_nfproto(struct builder *w)
{
	uint8_t nfproto = w->r->nfproto;
	uint16_t ether = htons(nfproto == NFPROTO_IPV4 ? ETH_P_IP : ETH_P_IPV6);

	if (!nfproto)
		return;
	if (w->r->family == NFPROTO_INET) {
		load_meta(w, NFT_META_NFPROTO, NFT_REG_1);
		put_compare(w, 0, &nfproto, sizeof nfproto);
	} else if (w->r->family == NFPROTO_BRIDGE) {
		load_meta(w, NFT_META_PROTOCOL, NFT_REG_1);
		put_compare(w, 0, &ether, sizeof ether);
	}
}

static void put_matches(struct builder *w)
{
	static const uint8_t tcp = IPPROTO_TCP;

	put_nfproto(w);
	for (int i = 0; i < NFT_SEL_COUNT; i++)
		if (w->r->match[i].present)
			put_match(w, (enum nft_selector)i);
	if (w->r->reject && w->r->reject_type == NFT_REJECT_TCP_RST &&
	    !w->r->match[NFT_SEL_PROTOCOL].present) {
		load_meta(w, NFT_META_L4PROTO, NFT_REG_1);
		put_compare(w, 0, &tcp, sizeof tcp);
	}
}

/* ---- statements ---- */

static void put_counter(struct builder *w)
{
	struct nftnl_expr *e = add(w, "counter");

	if (!e)
		return;
	nftnl_expr_set_u64(e, NFTNL_EXPR_CTR_PACKETS, w->r->packets);
	nftnl_expr_set_u64(e, NFTNL_EXPR_CTR_BYTES, w->r->bytes);
}

static void put_log(struct builder *w)
{
	struct nftnl_expr *e = add(w, "log");

	if (w->r->log_prefix)
		set_text(w, e, NFTNL_EXPR_LOG_PREFIX, w->r->log_prefix);
	if (w->r->log_level >= 0)
		set_u32(e, NFTNL_EXPR_LOG_LEVEL, (uint32_t)w->r->log_level);
	if (w->r->log_group >= 0 && e)
		nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, (uint16_t)w->r->log_group);
}

static void put_mark(struct builder *w)
{
	struct nftnl_expr *e;

	put_immediate(w, NFT_REG_1, &w->r->new_mark, sizeof w->r->new_mark);
	e = add(w, "meta");
	set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	set_u32(e, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

static void put_reject(struct builder *w)
{
	struct nftnl_expr *e = add(w, "reject");

	set_u32(e, NFTNL_EXPR_REJECT_TYPE, w->r->reject_type);
	if (e && w->r->reject_type != NFT_REJECT_TCP_RST)
		nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, (uint8_t)w->r->reject_code);
}

/* Loads the key's fields side by side and looks them up; a map's data replaces them. */
static void put_lookup(struct builder *w, const struct nft_lookup *l, uint32_t to)
{
	uint32_t reg = NFT_REG32_00;
	struct nftnl_expr *e;

	for (unsigned int i = 0; i < l->count; i++) {
		enum nft_selector selector = (enum nft_selector)l->key[i];
		enum nft_field field = nft_selector_field(selector, w->r->nfproto);

		load(w, selector, field, reg);
		reg += (nft_field_length(field) + 3U) / 4;
	}
	e = add(w, "lookup");
	set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	set_u32(e, NFTNL_EXPR_LOOKUP_DREG, to);
	set_text(w, e, NFTNL_EXPR_LOOKUP_SET, l->map);
}

/* Registers that hold the address and the port for NAT; 0 where there is none. */
struct nat_registers {
	uint32_t address[2], port[2];
};

/* A range takes two registers, a single value one. */
static void put_bounds(struct builder *w, const struct nft_value *v, uint32_t first, uint32_t *regs)
{
	if (!v->length)
		return;
	put_immediate(w, regs[0] = first, v->low, v->length);
	if (v->kind != NFT_SINGLE)
		put_immediate(w, regs[1] = first + 1, v->high, v->length);
}

static void load_nat(struct builder *w, struct nat_registers *regs)
{
	const struct nft_nat *nat = &w->r->nat;
	const struct nft_type *data = &nat->lookup.data;

	if (!nat->lookup.map) {
		put_bounds(w, &nat->address, NFT_REG_1, regs->address);
		put_bounds(w, &nat->port, NFT_REG_3, regs->port);
		return;
	}
	put_lookup(w, &nat->lookup, NFT_REG_1);
	regs->address[0] = NFT_REG_1;
	if (data->count > 1)
		regs->port[0] = NFT_REG32_00 + nft_type_step(data, 0) / 4;
}

static void set_registers(struct nftnl_expr *e, uint16_t low, uint16_t high, const uint32_t *regs)
{
	if (regs[0])
		set_u32(e, low, regs[0]);
	if (regs[1])
		set_u32(e, high, regs[1]);
}

static void put_address_nat(struct builder *w, const struct nat_registers *regs)
{
	const struct nft_nat *nat = &w->r->nat;
	struct nftnl_expr *e = add(w, "nat");

	set_u32(e, NFTNL_EXPR_NAT_TYPE, nat->kind == NFT_NAT_SOURCE ? NFT_NAT_SNAT : NFT_NAT_DNAT);
	set_u32(e, NFTNL_EXPR_NAT_FAMILY, w->r->nfproto);
	set_registers(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFTNL_EXPR_NAT_REG_ADDR_MAX, regs->address);
	set_registers(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFTNL_EXPR_NAT_REG_PROTO_MAX, regs->port);
	if (nat->flags)
		set_u32(e, NFTNL_EXPR_NAT_FLAGS, nat->flags);
}

static void put_nat(struct builder *w)
{
	const struct nft_nat *nat = &w->r->nat;
	struct nat_registers regs = { 0 };
	uint32_t flags = nat->flags;
	struct nftnl_expr *e;

	load_nat(w, &regs);
	if (nat->kind == NFT_NAT_SOURCE || nat->kind == NFT_NAT_DESTINATION) {
		put_address_nat(w, &regs);
	} else if (nat->kind == NFT_NAT_MASQUERADE) {
		e = add(w, "masq");
		set_registers(e, NFTNL_EXPR_MASQ_REG_PROTO_MIN, NFTNL_EXPR_MASQ_REG_PROTO_MAX, regs.port);
		/* the others are told by the registers that there are ports */
		flags |= regs.port[0] ? NF_NAT_RANGE_PROTO_SPECIFIED : 0U;
		if (flags)
			set_u32(e, NFTNL_EXPR_MASQ_FLAGS, flags);
	} else {
		e = add(w, "redir");
		set_registers(e, NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFTNL_EXPR_REDIR_REG_PROTO_MAX, regs.port);
		if (nat->flags)
			set_u32(e, NFTNL_EXPR_REDIR_FLAGS, nat->flags);
	}
}

static void put_verdict(struct builder *w)
{
	struct nftnl_expr *e = add(w, "immediate");

	set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)w->r->to.code);
	if (w->r->to.chain)
		set_text(w, e, NFTNL_EXPR_IMM_CHAIN, w->r->to.chain);
}

static void put_statements(struct builder *w)
{
	const struct nft_rule *r = w->r;

	if (r->counter)
		put_counter(w);
	if (r->log)
		put_log(w);
	if (r->mark)
		put_mark(w);
	if (r->nat.kind != NFT_NAT_NONE)
		put_nat(w);
	if (r->reject)
		put_reject(w);
	if (r->verdict_lookup.map)
		put_lookup(w, &r->verdict_lookup, NFT_REG_VERDICT);
	else if (r->verdict)
		put_verdict(w);
}

/* ---- the rule ---- */

static void name_rule(struct builder *w)
{
	const struct nft_rule *r = w->r;
	uint8_t data[NFT_COMMENT_MAX + 3];
	int rc;

	nftnl_rule_set_u32(w->rule, NFTNL_RULE_FAMILY, r->family);
	rc = nftnl_rule_set_str(w->rule, NFTNL_RULE_TABLE, r->table);
	rc |= nftnl_rule_set_str(w->rule, NFTNL_RULE_CHAIN, r->chain);
	if (r->position)
		nftnl_rule_set_u64(w->rule, NFTNL_RULE_POSITION, r->position);
	if (r->comment)
		rc |= nftnl_rule_set_data(w->rule, NFTNL_RULE_USERDATA, data,
					  (uint32_t)nft_comment_encode(r->comment, data));
	if (rc < 0)
		w->batch->error = -ENOMEM;
}

void nft_put_rule(struct nft_batch *b, enum nft_verb verb, const struct nft_rule *r)
{
	__attribute__((cleanup(free_rule))) struct nftnl_rule *rule = nftnl_rule_alloc();
	struct builder w = { .batch = b, .rule = rule, .r = r };
	struct nlmsghdr *m;

	if (!rule) {
		b->error = -ENOMEM;
		return;
	}
	put_sets(&w);
	name_rule(&w);
	put_matches(&w);
	put_statements(&w);
	m = nft_batch_begin(b, NFT_MSG_NEWRULE, r->family,
			    NLM_F_CREATE | (verb == NFT_ADD ? NLM_F_APPEND : 0), RULE_ROOM);
	if (!m)
		return;
	nftnl_rule_nlmsg_build_payload(m, rule);
	nft_batch_end(b, m);
}
