/* SPDX-License-Identifier: MIT */
#include "kernel/nft_decode.h"

#include <errno.h>
#include <stdio.h> /* before libnftnl, which forgets it */

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "kernel/nft_xtables.h"

#define REGISTERS 20 /* NFT_REG32_00 is number 4 here, so that NFT_REG_1 to _4 are 4, 8, 12, 16 */

/* What a register holds while the rule is read. */
enum content { EMPTY, SELECTOR, NFPROTO, ETHER, VALUE };

struct cell {
	enum content content;
	enum nft_selector selector;
	enum nft_field field;
	uint8_t data[16], mask[16], length;
	int is_masked;
};

struct reader {
	struct nft_decoded *d;
	struct cell cells[REGISTERS + 4];
	struct nft_lookup lookup; /* a map's data that is in the registers */
};

typedef int (*decode_fn)(struct reader *x, const struct nftnl_expr *e);

/* The kernel numbers whole registers 1 to 4 and quarters from 8. */
static unsigned int cell_number(uint32_t reg)
{
	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		return 4 * reg;
	return reg >= NFT_REG32_00 && reg <= NFT_REG32_15 ? reg - NFT_REG32_00 + 4 : 0;
}

static struct cell *cell_at(struct reader *x, const struct nftnl_expr *e, uint16_t attribute)
{
	return &x->cells[cell_number(nftnl_expr_get_u32(e, attribute))];
}

static int load(struct cell *c, enum nft_selector selector, enum nft_field field)
{
	*c = (struct cell){ .content = SELECTOR, .selector = selector, .field = field };
	return 1;
}

/* ---- loads ---- */

static int decode_meta(struct reader *x, const struct nftnl_expr *e)
{
	struct cell *c = cell_at(x, e, NFTNL_EXPR_META_DREG);

	if (nftnl_expr_is_set(e, NFTNL_EXPR_META_SREG)) {
		c = cell_at(x, e, NFTNL_EXPR_META_SREG);
		if (nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY) != NFT_META_MARK || c->content != VALUE)
			return 0;
		x->d->rule.mark = 1;
		memcpy(&x->d->rule.new_mark, c->data, sizeof x->d->rule.new_mark);
		return 1;
	}
	switch (nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY)) {
	case NFT_META_IIFNAME:
		return load(c, NFT_SEL_IIFNAME, NFT_FIELD_IFNAME);
	case NFT_META_OIFNAME:
		return load(c, NFT_SEL_OIFNAME, NFT_FIELD_IFNAME);
	case NFT_META_L4PROTO:
		return load(c, NFT_SEL_PROTOCOL, NFT_FIELD_PROTO);
	case NFT_META_MARK:
		return load(c, NFT_SEL_MARK, NFT_FIELD_MARK);
	case NFT_META_NFPROTO:
		*c = (struct cell){ .content = NFPROTO };
		return 1;
	case NFT_META_PROTOCOL:
		*c = (struct cell){ .content = ETHER };
		return 1;
	default:
		return 0;
	}
}

/* The protocol that a packet must be of by now decides what its bytes are. Of an address
 * nft loads only as many bytes as a prefix has. */
static int load_network(struct cell *c, uint8_t nfproto, uint32_t offset, uint32_t length)
{
	if (nfproto == NFPROTO_IPV4 && offset == 9 && length == 1)
		return load(c, NFT_SEL_PROTOCOL, NFT_FIELD_PROTO);
	if (nfproto == NFPROTO_IPV4 && length <= 4 && (offset == 12 || offset == 16))
		return load(c, offset == 12 ? NFT_SEL_SADDR : NFT_SEL_DADDR, NFT_FIELD_IPV4);
	if (nfproto == NFPROTO_IPV6 && length <= 16 && (offset == 8 || offset == 24))
		return load(c, offset == 8 ? NFT_SEL_SADDR : NFT_SEL_DADDR, NFT_FIELD_IPV6);
	return 0;
}

static int decode_payload(struct reader *x, const struct nftnl_expr *e)
{
	struct cell *c = cell_at(x, e, NFTNL_EXPR_PAYLOAD_DREG);
	uint32_t base = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE);
	uint32_t offset = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t length = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN);

	if (nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_SREG))
		return 0;
	if (base == NFT_PAYLOAD_NETWORK_HEADER)
		return load_network(c, x->d->rule.nfproto, offset, length);
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER && length == 2 && (offset == 0 || offset == 2))
		return load(c, offset ? NFT_SEL_DPORT : NFT_SEL_SPORT, NFT_FIELD_SERVICE);
	return 0;
}

static int decode_ct(struct reader *x, const struct nftnl_expr *e)
{
	struct cell *c = cell_at(x, e, NFTNL_EXPR_CT_DREG);
	uint32_t key = nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY);

	if (nftnl_expr_is_set(e, NFTNL_EXPR_CT_SREG) || nftnl_expr_is_set(e, NFTNL_EXPR_CT_DIR))
		return 0;
	if (key == NFT_CT_STATE)
		return load(c, NFT_SEL_CT_STATE, NFT_FIELD_NONE);
	return key == NFT_CT_STATUS ? load(c, NFT_SEL_CT_STATUS, NFT_FIELD_NONE) : 0;
}

static int decode_fib(struct reader *x, const struct nftnl_expr *e)
{
	struct cell *c = cell_at(x, e, NFTNL_EXPR_FIB_DREG);
	uint32_t flags = nftnl_expr_get_u32(e, NFTNL_EXPR_FIB_FLAGS);

	if (nftnl_expr_get_u32(e, NFTNL_EXPR_FIB_RESULT) != NFT_FIB_RESULT_ADDRTYPE)
		return 0;
	if (flags == NFTA_FIB_F_SADDR)
		return load(c, NFT_SEL_SADDR_TYPE, NFT_FIELD_NONE);
	return flags == NFTA_FIB_F_DADDR ? load(c, NFT_SEL_DADDR_TYPE, NFT_FIELD_NONE) : 0;
}

static int decode_bitwise(struct reader *x, const struct nftnl_expr *e)
{
	struct cell *c = cell_at(x, e, NFTNL_EXPR_BITWISE_SREG);
	const uint8_t *mask, *flip;
	uint32_t length, flips;

	mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &length);
	flip = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_XOR, &flips);
	if (!mask || !flip || length > sizeof c->mask || c->content != SELECTOR ||
	    c != cell_at(x, e, NFTNL_EXPR_BITWISE_DREG))
		return 0;
	for (uint32_t i = 0; i < flips; i++)
		if (flip[i])
			return 0;
	memcpy(c->mask, mask, length);
	c->is_masked = 1;
	return 1;
}

static int decode_immediate(struct reader *x, const struct nftnl_expr *e)
{
	struct nft_rule *r = &x->d->rule;
	struct cell *c = cell_at(x, e, NFTNL_EXPR_IMM_DREG);
	const void *data;
	uint32_t length;

	if (nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) == NFT_REG_VERDICT) {
		r->verdict = 1;
		r->to.code = (int32_t)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT);
		r->to.chain = nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN);
		return 1;
	}
	data = nftnl_expr_get(e, NFTNL_EXPR_IMM_DATA, &length);
	if (!data || length > sizeof c->data)
		return 0;
	*c = (struct cell){ .content = VALUE, .length = (uint8_t)length };
	memcpy(c->data, data, length);
	return 1;
}

/* ---- matches ---- */

static struct nft_match *begin_match(struct reader *x, const struct cell *c, int negate)
{
	struct nft_match *m = &x->d->rule.match[c->selector];

	if (c->content != SELECTOR || m->present)
		return NULL;
	m->present = 1;
	m->negate = negate;
	m->field = c->field;
	return m;
}

static int has_bits(enum nft_selector selector)
{
	return selector == NFT_SEL_CT_STATE || selector == NFT_SEL_CT_STATUS;
}

/* "Some of these bits": masked and not equal to zero. */
static int compare_bits(struct reader *x, const struct cell *c, int negate, const void *data, uint32_t length)
{
	struct nft_match *m;
	uint32_t value;

	if (length != sizeof value)
		return 0;
	memcpy(&value, data, sizeof value);
	if (has_bits(c->selector) && (!c->is_masked || value))
		return 0;
	m = begin_match(x, c, has_bits(c->selector) ? !negate : negate);
	if (!m)
		return 0;
	memcpy(&m->bits, has_bits(c->selector) ? (const void *)c->mask : data, sizeof m->bits);
	return 1;
}

static int set_nfproto(struct reader *x, const struct cell *c, const uint8_t *data, uint32_t length)
{
	static const uint8_t ipv4[] = { ETH_P_IP >> 8, ETH_P_IP & 0xff };
	static const uint8_t ipv6[] = { ETH_P_IPV6 >> 8, ETH_P_IPV6 & 0xff };

	if (c->content == NFPROTO && length == 1)
		x->d->rule.nfproto = data[0];
	else if (c->content == ETHER && length == 2 && !memcmp(data, ipv4, 2))
		x->d->rule.nfproto = NFPROTO_IPV4;
	else if (c->content == ETHER && length == 2 && !memcmp(data, ipv6, 2))
		x->d->rule.nfproto = NFPROTO_IPV6;
	else
		return 0;
	return 1;
}

static void set_prefix(struct nft_value *v, const uint8_t *mask)
{
	v->kind = NFT_PREFIX;
	memcpy(v->mask, mask, sizeof v->mask);
	for (unsigned int i = 0; i < v->length; i++)
		v->high[i] = (uint8_t)(v->low[i] | ~mask[i]);
}

/* A shorter comparison is one of a name's or an address's first bytes; iptables-nft ends a whole name with a
 * zero. */
static int compare_value(struct reader *x, const struct cell *c, int negate, const uint8_t *data,
			 uint32_t length)
{
	struct nft_match *m = begin_match(x, c, negate);
	struct nft_value *v = &x->d->values[c->selector];
	uint8_t mask[16] = { 0 };

	if (!m)
		return 0;
	*v = (struct nft_value){ .kind = NFT_SINGLE, .length = nft_field_length(c->field) };
	memcpy(v->low, data, length);
	memcpy(v->high, data, length);
	m->values = v;
	m->count = 1;
	if (c->field == NFT_FIELD_MARK && c->is_masked) {
		v->kind = NFT_MASKED;
		memcpy(v->mask, c->mask, sizeof v->mask);
	} else if (c->is_masked) {
		set_prefix(v, c->mask);
	} else if (length < v->length && c->field == NFT_FIELD_IFNAME && memchr(data, '\0', length)) {
		return 1; /* iptables compares a whole name up to its end */
	} else if (length < v->length && c->field == NFT_FIELD_IFNAME) {
		v->kind = NFT_STEM;
		v->length = (uint8_t)length;
	} else if (length < v->length) {
		memset(mask, 0xff, length);
		set_prefix(v, mask);
	}
	return 1;
}

/* nft of old writes a range as "not below" and "not above". */
static int compare_bound(struct reader *x, const struct cell *c, uint32_t op, const uint8_t *data,
			 uint32_t length)
{
	struct nft_value *v = &x->d->values[c->selector];
	struct nft_match *m = &x->d->rule.match[c->selector];

	if (op == NFT_CMP_GTE && compare_value(x, c, 0, data, length)) {
		v->kind = NFT_RANGE;
		memset(v->high, 0xff, v->length);
		return 1;
	}
	if (op != NFT_CMP_LTE || !m->present || v->kind != NFT_RANGE || m->negate || length != v->length)
		return 0;
	memcpy(v->high, data, length);
	return 1;
}

static int decode_cmp(struct reader *x, const struct nftnl_expr *e)
{
	const struct cell *c = cell_at(x, e, NFTNL_EXPR_CMP_SREG);
	uint32_t op = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP), length;
	const uint8_t *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &length);
	int negate = op == NFT_CMP_NEQ;

	if (!data || !length || length > 16)
		return 0;
	if (c->content == NFPROTO || c->content == ETHER)
		return negate ? 0 : set_nfproto(x, c, data, length);
	if (c->content != SELECTOR)
		return 0;
	if (op != NFT_CMP_EQ && op != NFT_CMP_NEQ)
		return c->field == NFT_FIELD_NONE ? 0 : compare_bound(x, c, op, data, length);
	if (c->field == NFT_FIELD_NONE)
		return compare_bits(x, c, negate, data, length);
	return length <= nft_field_length(c->field) ? compare_value(x, c, negate, data, length) : 0;
}

static int decode_range(struct reader *x, const struct nftnl_expr *e)
{
	const struct cell *c = cell_at(x, e, NFTNL_EXPR_RANGE_SREG);
	uint32_t low_length, high_length;
	const uint8_t *low = nftnl_expr_get(e, NFTNL_EXPR_RANGE_FROM_DATA, &low_length);
	const uint8_t *high = nftnl_expr_get(e, NFTNL_EXPR_RANGE_TO_DATA, &high_length);
	struct nft_value *v = &x->d->values[c->selector];

	if (!low || !high || c->content != SELECTOR || low_length != nft_field_length(c->field) ||
	    high_length != low_length || c->is_masked ||
	    !compare_value(x, c, nftnl_expr_get_u32(e, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ, low,
			   low_length))
		return 0;
	v->kind = NFT_RANGE;
	memcpy(v->high, high, high_length);
	return 1;
}

/* The selectors that lie side by side from register 'reg' on. */
static void read_key(const struct reader *x, unsigned int reg, struct nft_lookup *l)
{
	while (reg < REGISTERS && l->count < NFT_TYPE_FIELDS && x->cells[reg].content == SELECTOR &&
	       x->cells[reg].field != NFT_FIELD_NONE) {
		l->key[l->count++] = (uint8_t)x->cells[reg].selector;
		reg += (nft_field_length(x->cells[reg].field) + 3U) / 4;
	}
}

static int decode_lookup(struct reader *x, const struct nftnl_expr *e)
{
	unsigned int reg = cell_number(nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_SREG));
	const struct cell *c = &x->cells[reg];
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET);
	struct nft_lookup l = { .map = name };
	struct nft_match *m;

	read_key(x, reg, &l);
	if (!nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_DREG)) {
		m = l.count == 1
			    ? begin_match(x, c,
					  nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV
						  ? 1
						  : 0)
			    : NULL;
		if (m)
			m->set = name;
		return m != NULL;
	}
	if (!l.count)
		return 0;
	if (nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_DREG) == NFT_REG_VERDICT) {
		x->d->rule.verdict = 1;
		x->d->rule.verdict_lookup = l;
	} else {
		x->lookup = l;
	}
	return 1;
}

/* ---- statements ---- */

static int decode_counter(struct reader *x, const struct nftnl_expr *e)
{
	x->d->rule.counter = 1;
	x->d->rule.packets = nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
	x->d->rule.bytes = nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_BYTES);
	return 1;
}

static int decode_log(struct reader *x, const struct nftnl_expr *e)
{
	struct nft_rule *r = &x->d->rule;

	r->log = 1;
	r->log_prefix = nftnl_expr_get_str(e, NFTNL_EXPR_LOG_PREFIX);
	if (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_GROUP))
		r->log_group = nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_GROUP);
	else if (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_LEVEL))
		r->log_level = (int32_t)nftnl_expr_get_u32(e, NFTNL_EXPR_LOG_LEVEL);
	return 1;
}

static int decode_reject(struct reader *x, const struct nftnl_expr *e)
{
	x->d->rule.reject = 1;
	x->d->rule.reject_type = nftnl_expr_get_u32(e, NFTNL_EXPR_REJECT_TYPE);
	x->d->rule.reject_code = nftnl_expr_get_u8(e, NFTNL_EXPR_REJECT_CODE);
	return 1;
}

/* The value between two registers; 0 if what is there is none that luabox can write. */
static int read_bounds(struct reader *x, const struct nftnl_expr *e, uint16_t low, uint16_t high,
		       struct nft_value *v)
{
	const struct cell *from = cell_at(x, e, low), *to = from;

	if (!nftnl_expr_is_set(e, low))
		return 1;
	if (nftnl_expr_is_set(e, high))
		to = cell_at(x, e, high);
	if (from->content != VALUE || to->content != VALUE || from->length != to->length)
		return 0;
	*v = (struct nft_value){ .length = from->length };
	v->kind = memcmp(from->data, to->data, from->length) ? NFT_RANGE : NFT_SINGLE;
	memcpy(v->low, from->data, sizeof v->low);
	memcpy(v->high, to->data, sizeof v->high);
	return 1;
}

static int decode_nat(struct reader *x, const struct nftnl_expr *e)
{
	struct nft_nat *nat = &x->d->rule.nat;
	int is_source = nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_SNAT;

	if (x->lookup.map)
		nat->lookup = x->lookup;
	else if (!read_bounds(x, e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFTNL_EXPR_NAT_REG_ADDR_MAX,
			      &nat->address) ||
		 !read_bounds(x, e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFTNL_EXPR_NAT_REG_PROTO_MAX, &nat->port))
		return 0;
	if ((is_source && x->lookup.map) || (!x->lookup.map && !nat->address.length))
		return 0;
	nat->kind = is_source ? NFT_NAT_SOURCE : NFT_NAT_DESTINATION;
	nat->flags = nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_FLAGS) & NFT_NAT_FLAGS;
	return 1;
}

static int decode_masquerade(struct reader *x, const struct nftnl_expr *e)
{
	struct nft_nat *nat = &x->d->rule.nat;

	if (!read_bounds(x, e, NFTNL_EXPR_MASQ_REG_PROTO_MIN, NFTNL_EXPR_MASQ_REG_PROTO_MAX, &nat->port))
		return 0;
	nat->kind = NFT_NAT_MASQUERADE;
	nat->flags = nftnl_expr_get_u32(e, NFTNL_EXPR_MASQ_FLAGS) & NFT_NAT_FLAGS;
	return 1;
}

static int decode_redirect(struct reader *x, const struct nftnl_expr *e)
{
	struct nft_nat *nat = &x->d->rule.nat;

	if (!read_bounds(x, e, NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFTNL_EXPR_REDIR_REG_PROTO_MAX, &nat->port))
		return 0;
	nat->kind = NFT_NAT_REDIRECT;
	nat->flags = nftnl_expr_get_u32(e, NFTNL_EXPR_REDIR_FLAGS) & NFT_NAT_FLAGS;
	return 1;
}

/* ---- iptables' own ---- */

static int decode_target(struct reader *x, const struct nftnl_expr *e)
{
	return nft_xtables_target(e, &x->d->rule);
}

static int decode_match(struct reader *x, const struct nftnl_expr *e)
{
	return nft_xtables_match(e, &x->d->rule);
}

/* ---- the rule ---- */

static const struct {
	const char *name;
	decode_fn decode;
} decoders[] = {
	{ "meta", decode_meta },       { "payload", decode_payload }, { "ct", decode_ct },
	{ "fib", decode_fib },         { "bitwise", decode_bitwise }, { "immediate", decode_immediate },
	{ "cmp", decode_cmp },         { "range", decode_range },     { "lookup", decode_lookup },
	{ "counter", decode_counter }, { "log", decode_log },         { "reject", decode_reject },
	{ "nat", decode_nat },         { "masq", decode_masquerade }, { "redir", decode_redirect },
	{ "target", decode_target },   { "match", decode_match },
};

/* iptables' own matches and targets are all of two expressions. */
static const char *name_of(struct nftnl_expr *e, const char *name)
{
	if (!strcmp(name, "match") && nftnl_expr_is_set(e, NFTNL_EXPR_MT_NAME))
		return nftnl_expr_get_str(e, NFTNL_EXPR_MT_NAME);
	if (!strcmp(name, "target") && nftnl_expr_is_set(e, NFTNL_EXPR_TG_NAME))
		return nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME);
	return name;
}

static int decode_expression(struct nftnl_expr *e, void *data)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	struct reader *x = data;

	for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++)
		if (!strcmp(decoders[i].name, name) && decoders[i].decode(x, e))
			return 0;
	/* what the registers hold is not known any more */
	memset(x->cells, 0, sizeof x->cells);
	memset(&x->lookup, 0, sizeof x->lookup);
	if (x->d->raws < NFT_RAW_MAX)
		x->d->raw[x->d->raws++] = name_of(e, name);
	return 0;
}

static void read_comment(struct nft_decoded *d)
{
	uint32_t length;
	const uint8_t *u = nftnl_rule_get_data(d->owner, NFTNL_RULE_USERDATA, &length);

	if (!u)
		return;
	for (const uint8_t *end = u + length; end - u >= 2 && end - u >= 2 + u[1]; u += 2 + u[1])
		if (u[0] == 0 && u[1] > 0 && u[1] <= sizeof d->comment && !u[1 + u[1]]) {
			memcpy(d->comment, u + 2, u[1]);
			d->rule.comment = d->comment;
		}
}

static void read_names(struct nft_decoded *d)
{
	struct nft_rule *r = &d->rule;

	r->family = (uint8_t)nftnl_rule_get_u32(d->owner, NFTNL_RULE_FAMILY);
	r->table = nftnl_rule_get_str(d->owner, NFTNL_RULE_TABLE);
	r->chain = nftnl_rule_get_str(d->owner, NFTNL_RULE_CHAIN);
	r->handle = nftnl_rule_get_u64(d->owner, NFTNL_RULE_HANDLE);
	r->position = nftnl_rule_get_u64(d->owner, NFTNL_RULE_POSITION);
	r->log_level = r->log_group = -1;
	if (r->family == NFPROTO_IPV4 || r->family == NFPROTO_IPV6)
		r->nfproto = r->family;
}

void nft_decoded_free(struct nft_decoded *d)
{
	if (d->owner)
		nftnl_rule_free(d->owner);
	memset(d, 0, sizeof *d);
}

int nft_decode(const struct nlmsghdr *m, struct nft_decoded *d)
{
	struct reader x = { .d = d };

	nft_decoded_free(d);
	d->owner = nftnl_rule_alloc();
	if (!d->owner)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(m, d->owner) < 0)
		return -EPROTO;
	read_names(d);
	read_comment(d);
	nftnl_expr_foreach(d->owner, decode_expression, &x);
	return 0;
}
