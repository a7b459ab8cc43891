/* SPDX-License-Identifier: MIT
 * Rules, from Lua's option names to plain data. Whatever a rule points to stays on
 * the stack until it has been put into the batch.
 */
#include "binding/nft_rule.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "kernel/nft_hint.h"

#define LOG_PREFIX_MAX 127

struct options {
	int64_t family, position, handle, nfproto, set_mark;
	const char *table, *chain, *comment;
};

#define WHERE                                                                                                \
	{ "family", BOX_ENUM, offsetof(struct options, family), .names = nft_families },                     \
		{ "table", BOX_STRING, offsetof(struct options, table), 1, 1, NFT_NAME_MAX },                \
	{                                                                                                    \
		"chain", BOX_STRING, offsetof(struct options, chain), 1, 1, NFT_NAME_MAX                     \
	}

static const struct box_opt new_options[] = {
	WHERE,
	{ "position", BOX_INT, offsetof(struct options, position), .min = 1, .max = INT64_MAX },
	{ "comment", BOX_STRING, offsetof(struct options, comment), 0, 1, NFT_COMMENT_MAX },
	{ "iifname", BOX_ANY },
	{ "oifname", BOX_ANY },
	{ "saddr", BOX_ANY },
	{ "daddr", BOX_ANY },
	{ "saddr_type", BOX_ANY },
	{ "daddr_type", BOX_ANY },
	{ "nfproto", BOX_ENUM, offsetof(struct options, nfproto), .names = nft_nfprotos },
	{ "protocol", BOX_ANY },
	{ "sport", BOX_ANY },
	{ "dport", BOX_ANY },
	{ "ct_state", BOX_ANY },
	{ "ct_status", BOX_ANY },
	{ "mark", BOX_ANY },
	{ "counter", BOX_ANY },
	{ "log", BOX_ANY },
	{ "set_mark", BOX_INT, offsetof(struct options, set_mark), .max = UINT32_MAX },
	{ "masquerade", BOX_ANY },
	{ "snat", BOX_TABLE },
	{ "dnat", BOX_TABLE },
	{ "redirect", BOX_ANY },
	{ "reject", BOX_ANY },
	{ "verdict", BOX_ANY },
	{ 0 }
};

static const struct box_opt old_options[] = {
	WHERE, { "handle", BOX_INT, offsetof(struct options, handle), 1, 1, INT64_MAX }, { 0 }
};

#define nft_rule_fail(x, name, ...) box_option_error((x)->L, (x)->a->arg, (x)->a->where, name, __VA_ARGS__)

/* ---- the protocol of addresses ---- */

static const char *protocol_name(uint8_t nfproto)
{
	return nfproto == NFPROTO_IPV6 ? "IPv6" : "IPv4";
}

void nft_rule_nfproto(const struct nft_reading *x, const char *name, uint8_t nfproto)
{
	uint8_t family = x->r->family;

	if (family == NFPROTO_ARP || (family == NFPROTO_IPV4 && nfproto == NFPROTO_IPV6) ||
	    (family == NFPROTO_IPV6 && nfproto == NFPROTO_IPV4))
		nft_rule_fail(x, name, "%s in a table of family %s", protocol_name(nfproto),
			      nft_family_name(family));
	if (x->r->nfproto && x->r->nfproto != nfproto)
		nft_rule_fail(x, name, "%s in a rule that is about %s", protocol_name(nfproto),
			      protocol_name(x->r->nfproto));
	x->r->nfproto = nfproto;
}

/* ---- values ---- */

/* Whether the value at 'index' is a list that begins with "!=". */
static int is_negated(const struct nft_reading *x, int index)
{
	lua_State *L = x->L;
	int negated;

	if (lua_type(L, index) != LUA_TTABLE)
		return 0;
	negated = lua_rawgeti(L, index, 1) == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "!=");
	lua_pop(L, 1);
	return negated;
}

/* The values of a match: how many, and each pushed by push_value. Only a list counts. */
static uint32_t check_values(const struct nft_reading *x, const char *name, int index, int negated)
{
	lua_State *L = x->L;
	size_t n = 1;

	if (lua_type(L, index) != LUA_TTABLE)
		return 1;
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
		if (!lua_isinteger(L, -2))
			nft_rule_fail(x, name, "a list of values has no key '%s'",
				      luaL_tolstring(L, -2, NULL));
	n = lua_rawlen(L, index) - (size_t)negated;
	if (!n || n > UINT16_MAX)
		nft_rule_fail(x, name, n ? "more than 65535 values" : "no value in the list");
	return (uint32_t)n;
}

static void push_value(const struct nft_reading *x, int index, int negated, uint32_t i)
{
	if (lua_type(x->L, index) == LUA_TTABLE)
		lua_rawgeti(x->L, index, (lua_Integer)i + negated + 1);
	else
		lua_pushvalue(x->L, index);
}

/* The field of the value at the top; of an address, which kind it is. */
static enum nft_field field_of(const struct nft_reading *x, enum nft_selector selector, const char *name)
{
	const char *text;

	if (selector != NFT_SEL_SADDR && selector != NFT_SEL_DADDR)
		return nft_selector_field(selector, 0);
	if (lua_type(x->L, -1) != LUA_TSTRING)
		nft_rule_fail(x, name, "address, prefix, range or a list of them expected, got %s",
			      luaL_typename(x->L, -1));
	text = nft_text(x->L, x->a->arg, x->a->where, name);
	return strchr(text, ':') ? NFT_FIELD_IPV6 : NFT_FIELD_IPV4;
}

static void check_list_value(const struct nft_reading *x, const char *name, const struct nft_value *v)
{
	if (v->kind == NFT_MASKED || v->kind == NFT_STEM)
		nft_rule_fail(x, name, "a mask or '*' has no place in a list");
}

/* Reads 'count' values into memory of Lua's, which stays at the top of the stack. */
static void read_values(const struct nft_reading *x, enum nft_selector selector, int index, uint32_t count)
{
	struct nft_match *m = &x->r->match[selector];
	const char *name = nft_selector_names[selector];
	struct nft_value *values = lua_newuserdatauv(x->L, count * sizeof *values, 0);

	for (uint32_t i = 0; i < count; i++) {
		push_value(x, index, m->negate, i);
		m->field = field_of(x, selector, name);
		nft_read_value(x->L, x->a->arg, x->a->where, name, m->field, &values[i]);
		if (m->field == NFT_FIELD_IPV4 || m->field == NFT_FIELD_IPV6)
			nft_rule_nfproto(x, name, m->field == NFT_FIELD_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
		if (count > 1)
			check_list_value(x, name, &values[i]);
		lua_pop(x->L, 1);
	}
	m->values = values;
	m->count = count;
}

/* Whether the only value is "@name": then the match is with that set. */
static int read_set_name(const struct nft_reading *x, enum nft_selector selector, int index)
{
	struct nft_match *m = &x->r->match[selector];
	const char *text;

	push_value(x, index, m->negate, 0);
	if (lua_type(x->L, -1) != LUA_TSTRING || *lua_tostring(x->L, -1) != '@') {
		lua_pop(x->L, 1);
		return 0;
	}
	text = nft_text(x->L, x->a->arg, x->a->where, nft_selector_names[selector]);
	if (!text[1] || strlen(text + 1) > NFT_NAME_MAX)
		nft_rule_fail(x, nft_selector_names[selector], "a set's name is 1 to %d bytes long",
			      NFT_NAME_MAX);
	m->set = text + 1; /* the string stays on the stack */
	return 1;
}

/* ct_state and ct_status: words; address types: one word. */
static void read_bits(const struct nft_reading *x, enum nft_selector selector, int index)
{
	static const struct box_name *const names[NFT_SEL_COUNT] = {
		[NFT_SEL_CT_STATE] = nft_ct_states,
		[NFT_SEL_CT_STATUS] = nft_ct_statuses,
		[NFT_SEL_SADDR_TYPE] = nft_address_types,
		[NFT_SEL_DADDR_TYPE] = nft_address_types,
	};
	struct nft_match *m = &x->r->match[selector];
	const char *name = nft_selector_names[selector], *text;

	push_value(x, index, m->negate, 0);
	if (lua_type(x->L, -1) != LUA_TSTRING)
		nft_rule_fail(x, name, "string expected, got %s", luaL_typename(x->L, -1));
	text = nft_text(x->L, x->a->arg, x->a->where, name);
	if (!*text || (names[selector] == nft_address_types && strchr(text, ',')))
		nft_rule_fail(x, name, "one word expected, got '%.80s'", text);
	m->bits = (uint32_t)box_flags(x->L, x->a->arg, x->a->where, name, text, names[selector]);
	lua_pop(x->L, 1);
}

static int is_bits(enum nft_selector selector)
{
	return selector == NFT_SEL_CT_STATE || selector == NFT_SEL_CT_STATUS ||
	       selector == NFT_SEL_SADDR_TYPE || selector == NFT_SEL_DADDR_TYPE;
}

static void read_match(const struct nft_reading *x, enum nft_selector selector)
{
	struct nft_match *m = &x->r->match[selector];
	const char *name = nft_selector_names[selector];
	uint32_t count;
	int index;

	if (lua_getfield(x->L, x->a->index, name) == LUA_TNIL) {
		lua_pop(x->L, 1);
		return;
	}
	index = lua_gettop(x->L);
	m->present = 1;
	m->negate = is_negated(x, index);
	count = check_values(x, name, index, m->negate);
	if (is_bits(selector) && count > 1)
		nft_rule_fail(x, name, "one string of words expected, got a list");
	if (is_bits(selector))
		read_bits(x, selector, index);
	else if (count > 1 || !read_set_name(x, selector, index))
		read_values(x, selector, index, count);
}

/* Ports stand at the same place in the headers of these only. */
static int has_ports(const struct nft_match *protocol)
{
	static const uint8_t with_ports[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_DCCP,
					      IPPROTO_UDPLITE };

	if (protocol->negate || !protocol->count)
		return protocol->set != NULL && !protocol->negate;
	for (uint32_t i = 0; i < protocol->count; i++)
		if (!memchr(with_ports, protocol->values[i].low[0], sizeof with_ports))
			return 0;
	return 1;
}

void nft_rule_need_ports(const struct nft_reading *x, const char *name)
{
	if (!has_ports(&x->r->match[NFT_SEL_PROTOCOL]))
		nft_rule_fail(x, name, "a port needs 'protocol' to be tcp, udp, sctp, dccp or udplite");
}

static void read_matches(const struct nft_reading *x)
{
	static const enum nft_selector addresses[] = { NFT_SEL_SADDR, NFT_SEL_DADDR };
	struct nft_match *m = x->r->match;

	for (int i = 0; i < NFT_SEL_COUNT; i++)
		read_match(x, (enum nft_selector)i);
	for (size_t i = 0; i < 2; i++)
		if (m[addresses[i]].set && !x->r->nfproto)
			nft_rule_fail(x, "nfproto", "is missing: a set of addresses is of ipv4 or of ipv6");
	for (int i = 0; i < NFT_SEL_COUNT; i++)
		if (m[i].set)
			m[i].field = nft_selector_field((enum nft_selector)i, x->r->nfproto);
	if (m[NFT_SEL_SPORT].present)
		nft_rule_need_ports(x, "sport");
	if (m[NFT_SEL_DPORT].present)
		nft_rule_need_ports(x, "dport");
}

/* ---- statements with options of their own ---- */

int nft_rule_statement(const struct nft_reading *x, const char *name)
{
	int type = lua_getfield(x->L, x->a->index, name), is_true = lua_toboolean(x->L, -1);

	if (type == LUA_TTABLE)
		return 1;
	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		nft_rule_fail(x, name, "true or table expected, got %s", luaL_typename(x->L, -1));
	lua_pop(x->L, 1);
	return is_true ? 2 : 0;
}

void nft_rule_options(const struct nft_reading *x, const char *name, const struct box_opt *opts, void *out)
{
	int index = lua_gettop(x->L);

	lua_pushfstring(x->L, "%s.%s", x->a->where, name);
	box_options_at(x->L, x->a->arg, index, lua_tostring(x->L, -1), 0, opts, out);
}

struct counter_options {
	int64_t packets, bytes;
};

static const struct box_opt counter_options[] = {
	{ "packets", BOX_INT, offsetof(struct counter_options, packets), .max = INT64_MAX },
	{ "bytes", BOX_INT, offsetof(struct counter_options, bytes), .max = INT64_MAX },
	{ 0 }
};

static void read_counter(const struct nft_reading *x)
{
	struct counter_options o = { 0 };
	int form = nft_rule_statement(x, "counter");

	x->r->counter = form != 0;
	if (form != 1)
		return;
	nft_rule_options(x, "counter", counter_options, &o);
	x->r->packets = (uint64_t)o.packets;
	x->r->bytes = (uint64_t)o.bytes;
}

struct log_options {
	const char *prefix;
	int64_t level, group;
};

static const struct box_opt log_options[] = {
	{ "prefix", BOX_STRING, offsetof(struct log_options, prefix), 0, 1, LOG_PREFIX_MAX },
	{ "level", BOX_ENUM, offsetof(struct log_options, level), .names = nft_log_levels },
	{ "group", BOX_INT, offsetof(struct log_options, group), .max = UINT16_MAX },
	{ 0 }
};

static void read_log(const struct nft_reading *x)
{
	struct log_options o = { .level = -1, .group = -1 };
	int form = nft_rule_statement(x, "log");

	x->r->log = form != 0;
	if (form == 1)
		nft_rule_options(x, "log", log_options, &o);
	if (o.level >= 0 && o.group >= 0)
		nft_rule_fail(x, "log.group",
			      "a message goes to the kernel's log with a level or to a group, not both");
	x->r->log_prefix = o.prefix;
	x->r->log_level = (int32_t)o.level;
	x->r->log_group = (int32_t)o.group;
}

struct reject_options {
	int64_t with;
};

static const struct box_opt reject_options[] = {
	{ "with", BOX_ENUM, offsetof(struct reject_options, with), 1, .names = nft_rejects }, { 0 }
};

/* What "port unreachable" is in the rule's family. */
static int64_t default_reject(const struct nft_rule *r)
{
	const char *name = r->family == NFPROTO_IPV4   ? "icmp port-unreachable"
			   : r->family == NFPROTO_IPV6 ? "icmpv6 port-unreachable"
						       : "icmpx port-unreachable";

	for (const struct box_name *n = nft_rejects; n->name; n++)
		if (!strcmp(n->name, name))
			return (int64_t)n->bits;
	return 0;
}

static void read_reject(const struct nft_reading *x)
{
	const struct nft_match *protocol = &x->r->match[NFT_SEL_PROTOCOL];
	struct reject_options o = { .with = default_reject(x->r) };
	int form = nft_rule_statement(x, "reject");

	if (!form)
		return;
	if (form == 1)
		nft_rule_options(x, "reject", reject_options, &o);
	x->r->reject = 1;
	x->r->reject_type = (uint32_t)o.with >> 16;
	x->r->reject_code = (uint32_t)o.with >> 8 & 0xff;
	if (o.with & 0xff)
		nft_rule_nfproto(x, "reject.with", (uint8_t)(o.with & 0xff));
	if (x->r->reject_type == NFT_REJECT_ICMPX_UNREACH &&
	    (x->r->family == NFPROTO_IPV4 || x->r->family == NFPROTO_IPV6))
		nft_rule_fail(x, "reject.with", "icmpx is for families that see both protocols");
	if (x->r->reject_type == NFT_REJECT_TCP_RST && protocol->present &&
	    (protocol->negate || protocol->count != 1 || protocol->values->low[0] != IPPROTO_TCP))
		nft_rule_fail(x, "reject.with", "a TCP reset answers protocol = 'tcp' only");
}

/* ---- the rule ---- */

/* Only one statement can end a rule. */
static void check_end(const struct nft_reading *x)
{
	static const char *const ends[] = { "masquerade", "snat", "dnat", "redirect", "reject", "verdict" };
	const char *first = NULL;

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		lua_getfield(x->L, x->a->index, ends[i]);
		if (lua_toboolean(x->L, -1) && first)
			nft_rule_fail(x, ends[i], "the rule ends with '%s' already", first);
		else if (lua_toboolean(x->L, -1))
			first = ends[i];
		lua_pop(x->L, 1);
	}
}

static void read_statements(const struct nft_reading *x)
{
	check_end(x);
	read_counter(x);
	read_log(x);
	nft_rule_nat(x);
	read_reject(x);
	nft_rule_verdict(x);
}

void nft_apply_rule(lua_State *L, struct nft_apply *a)
{
	struct options o = { .family = NFPROTO_INET, .set_mark = -1 };
	struct nft_rule r = { .log_level = -1 };
	struct nft_reading x = { L, a, &r };

	luaL_checkstack(L, 64, NULL);
	box_options_at(L, a->arg, a->index, a->where, 2, a->verb == NFT_DELETE ? old_options : new_options,
		       &o);
	r.family = (uint8_t)o.family;
	if (a->verb == NFT_DELETE) {
		nft_put_delete_rule(a->batch, r.family, o.table, o.chain, (uint64_t)o.handle);
		return;
	}
	r.table = o.table;
	r.chain = o.chain;
	r.comment = o.comment;
	r.position = (uint64_t)o.position;
	r.mark = o.set_mark >= 0;
	r.new_mark = (uint32_t)o.set_mark;
	if (o.family == NFPROTO_IPV4 || o.family == NFPROTO_IPV6)
		r.nfproto = (uint8_t)o.family;
	if (o.nfproto)
		nft_rule_nfproto(&x, "nfproto", (uint8_t)o.nfproto);
	read_matches(&x);
	read_statements(&x);
	nft_put_rule(a->batch, a->verb, &r);
}
