/* SPDX-License-Identifier: MIT
 * Rules, from Lua's option names to plain data. Whatever a rule points to stays on
 * the stack until it has been put into the batch.
 */
#include "binding/nft.h"

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

/* One rule being read: 'a' says where from, 'r' is what it becomes. */
struct reading {
	lua_State *L;
	struct nft_apply *a;
	struct nft_rule *r;
};

#define fail(x, name, ...) box_option_error((x)->L, (x)->a->arg, (x)->a->where, name, __VA_ARGS__)

/* ---- the protocol of addresses ---- */

static const char *protocol_name(uint8_t nfproto)
{
	return nfproto == NFPROTO_IPV6 ? "IPv6" : "IPv4";
}

/* A rule is about one of IPv4 and IPv6, and its table's family must have it. */
static void set_nfproto(const struct reading *x, const char *name, uint8_t nfproto)
{
	uint8_t family = x->r->family;

	if (family == NFPROTO_ARP || (family == NFPROTO_IPV4 && nfproto == NFPROTO_IPV6) ||
	    (family == NFPROTO_IPV6 && nfproto == NFPROTO_IPV4))
		fail(x, name, "%s in a table of family %s", protocol_name(nfproto), nft_family_name(family));
	if (x->r->nfproto && x->r->nfproto != nfproto)
		fail(x, name, "%s in a rule that is about %s", protocol_name(nfproto),
		     protocol_name(x->r->nfproto));
	x->r->nfproto = nfproto;
}

/* ---- values ---- */

/* Whether the value at 'index' is a list that begins with "!=". */
static int is_negated(const struct reading *x, int index)
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
static uint32_t check_values(const struct reading *x, const char *name, int index, int negated)
{
	lua_State *L = x->L;
	size_t n = 1;

	if (lua_type(L, index) != LUA_TTABLE)
		return 1;
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
		if (!lua_isinteger(L, -2))
			fail(x, name, "a list of values has no key '%s'", luaL_tolstring(L, -2, NULL));
	n = lua_rawlen(L, index) - (size_t)negated;
	if (!n || n > UINT16_MAX)
		fail(x, name, n ? "more than 65535 values" : "no value in the list");
	return (uint32_t)n;
}

static void push_value(const struct reading *x, int index, int negated, uint32_t i)
{
	if (lua_type(x->L, index) == LUA_TTABLE)
		lua_rawgeti(x->L, index, (lua_Integer)i + negated + 1);
	else
		lua_pushvalue(x->L, index);
}

/* The field of the value at the top; of an address, which kind it is. */
static enum nft_field field_of(const struct reading *x, enum nft_selector selector, const char *name)
{
	const char *text;

	if (selector != NFT_SEL_SADDR && selector != NFT_SEL_DADDR)
		return nft_selector_field(selector, 0);
	if (lua_type(x->L, -1) != LUA_TSTRING)
		fail(x, name, "address, prefix, range or a list of them expected, got %s",
		     luaL_typename(x->L, -1));
	text = nft_text(x->L, x->a->arg, x->a->where, name);
	return strchr(text, ':') ? NFT_FIELD_IPV6 : NFT_FIELD_IPV4;
}

static void check_list_value(const struct reading *x, const char *name, const struct nft_value *v)
{
	if (v->kind == NFT_MASKED || v->kind == NFT_STEM)
		fail(x, name, "a mask or '*' has no place in a list");
}

/* Reads 'count' values into memory of Lua's, which stays at the top of the stack. */
static void read_values(const struct reading *x, enum nft_selector selector, int index, uint32_t count)
{
	struct nft_match *m = &x->r->match[selector];
	const char *name = nft_selector_names[selector];
	struct nft_value *values = lua_newuserdatauv(x->L, count * sizeof *values, 0);

	for (uint32_t i = 0; i < count; i++) {
		push_value(x, index, m->negate, i);
		m->field = field_of(x, selector, name);
		nft_read_value(x->L, x->a->arg, x->a->where, name, m->field, &values[i]);
		if (m->field == NFT_FIELD_IPV4 || m->field == NFT_FIELD_IPV6)
			set_nfproto(x, name, m->field == NFT_FIELD_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
		if (count > 1)
			check_list_value(x, name, &values[i]);
		lua_pop(x->L, 1);
	}
	m->values = values;
	m->count = count;
}

/* Whether the only value is "@name": then the match is with that set. */
static int read_set_name(const struct reading *x, enum nft_selector selector, int index)
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
		fail(x, nft_selector_names[selector], "a set's name is 1 to %d bytes long", NFT_NAME_MAX);
	m->set = text + 1; /* the string stays on the stack */
	return 1;
}

/* ct_state and ct_status: words; address types: one word. */
static void read_bits(const struct reading *x, enum nft_selector selector, int index)
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
		fail(x, name, "string expected, got %s", luaL_typename(x->L, -1));
	text = nft_text(x->L, x->a->arg, x->a->where, name);
	if (!*text || (names[selector] == nft_address_types && strchr(text, ',')))
		fail(x, name, "one word expected, got '%.80s'", text);
	m->bits = (uint32_t)box_flags(x->L, x->a->arg, x->a->where, name, text, names[selector]);
	lua_pop(x->L, 1);
}

static int is_bits(enum nft_selector selector)
{
	return selector == NFT_SEL_CT_STATE || selector == NFT_SEL_CT_STATUS ||
	       selector == NFT_SEL_SADDR_TYPE || selector == NFT_SEL_DADDR_TYPE;
}

static void read_match(const struct reading *x, enum nft_selector selector)
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
		fail(x, name, "one string of words expected, got a list");
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

static void need_ports(const struct reading *x, const char *name)
{
	if (!has_ports(&x->r->match[NFT_SEL_PROTOCOL]))
		fail(x, name, "a port needs 'protocol' to be tcp, udp, sctp, dccp or udplite");
}

static void read_matches(const struct reading *x)
{
	static const enum nft_selector addresses[] = { NFT_SEL_SADDR, NFT_SEL_DADDR };
	struct nft_match *m = x->r->match;

	for (int i = 0; i < NFT_SEL_COUNT; i++)
		read_match(x, (enum nft_selector)i);
	for (size_t i = 0; i < 2; i++)
		if (m[addresses[i]].set && !x->r->nfproto)
			fail(x, "nfproto", "is missing: a set of addresses is of ipv4 or of ipv6");
	for (int i = 0; i < NFT_SEL_COUNT; i++)
		if (m[i].set)
			m[i].field = nft_selector_field((enum nft_selector)i, x->r->nfproto);
	if (m[NFT_SEL_SPORT].present)
		need_ports(x, "sport");
	if (m[NFT_SEL_DPORT].present)
		need_ports(x, "dport");
}

/* ---- statements with options of their own ---- */

/* Pushes the option if it is a table (1); true is 2; absent or false 0, and nothing pushed. */
static int push_statement(const struct reading *x, const char *name)
{
	int type = lua_getfield(x->L, x->a->index, name), is_true = lua_toboolean(x->L, -1);

	if (type == LUA_TTABLE)
		return 1;
	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		fail(x, name, "true or table expected, got %s", luaL_typename(x->L, -1));
	lua_pop(x->L, 1);
	return is_true ? 2 : 0;
}

/* Reads the table at the top, which stays, against 'opts'. */
static void read_options(const struct reading *x, const char *name, const struct box_opt *opts, void *out)
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

static void read_counter(const struct reading *x)
{
	struct counter_options o = { 0 };
	int form = push_statement(x, "counter");

	x->r->counter = form != 0;
	if (form != 1)
		return;
	read_options(x, "counter", counter_options, &o);
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

static void read_log(const struct reading *x)
{
	struct log_options o = { .level = -1, .group = -1 };
	int form = push_statement(x, "log");

	x->r->log = form != 0;
	if (form == 1)
		read_options(x, "log", log_options, &o);
	if (o.level >= 0 && o.group >= 0)
		fail(x, "log.group",
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

static void read_reject(const struct reading *x)
{
	const struct nft_match *protocol = &x->r->match[NFT_SEL_PROTOCOL];
	struct reject_options o = { .with = default_reject(x->r) };
	int form = push_statement(x, "reject");

	if (!form)
		return;
	if (form == 1)
		read_options(x, "reject", reject_options, &o);
	x->r->reject = 1;
	x->r->reject_type = (uint32_t)o.with >> 16;
	x->r->reject_code = (uint32_t)o.with >> 8 & 0xff;
	if (o.with & 0xff)
		set_nfproto(x, "reject.with", (uint8_t)(o.with & 0xff));
	if (x->r->reject_type == NFT_REJECT_ICMPX_UNREACH &&
	    (x->r->family == NFPROTO_IPV4 || x->r->family == NFPROTO_IPV6))
		fail(x, "reject.with", "icmpx is for families that see both protocols");
	if (x->r->reject_type == NFT_REJECT_TCP_RST && protocol->present &&
	    (protocol->negate || protocol->count != 1 || protocol->values->low[0] != IPPROTO_TCP))
		fail(x, "reject.with", "a TCP reset answers protocol = 'tcp' only");
}

/* ---- lookups in maps ---- */

static enum nft_selector selector_by_name(const struct reading *x, const char *option, const char *word,
					  size_t length)
{
	for (int i = 0; i < NFT_SEL_COUNT; i++)
		if (!strncmp(nft_selector_names[i], word, length) && !nft_selector_names[i][length] &&
		    nft_selector_field((enum nft_selector)i, 0) != NFT_FIELD_NONE)
			return (enum nft_selector)i;
	fail(x, option,
	     "unknown key '%.*s'; expected iifname, oifname, saddr, daddr, protocol, sport, dport or mark",
	     (int)length, word);
	return NFT_SEL_COUNT;
}

static void read_key(const struct reading *x, const char *option, const char *words, struct nft_lookup *l)
{
	int ports = 0, protocol = 0;
	size_t length;

	do {
		length = strcspn(words, ",");
		if (l->count == NFT_TYPE_FIELDS)
			fail(x, option, "more than %d names", NFT_TYPE_FIELDS);
		l->key[l->count] = (uint8_t)selector_by_name(x, option, words, length);
		ports |= l->key[l->count] == NFT_SEL_SPORT || l->key[l->count] == NFT_SEL_DPORT;
		protocol |= l->key[l->count] == NFT_SEL_PROTOCOL;
		l->count++;
		words += length;
	} while (*words++);
	if (ports && !protocol)
		need_ports(x, option);
}

/* The map's key decides between IPv4 and IPv6, and must be what is looked up. */
static void check_key(const struct reading *x, const char *option, const struct nft_lookup *l,
		      const struct nft_set *map)
{
	int same = l->count == map->key.count;

	for (unsigned int i = 0; i < map->key.count; i++)
		if (map->key.field[i] == NFT_FIELD_IPV4 || map->key.field[i] == NFT_FIELD_IPV6)
			set_nfproto(x, option,
				    map->key.field[i] == NFT_FIELD_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	for (unsigned int i = 0; same && i < l->count; i++)
		same = nft_selector_field((enum nft_selector)l->key[i], x->r->nfproto) == map->key.field[i];
	if (!same)
		fail(x, option, "is not what the key of map '%.80s' is made of", l->map);
}

struct lookup_options {
	const char *to, *map;
	uint64_t flags;
};

/* Reads key = … of the table at 'index', for the map that 'l' names. */
static void read_lookup(const struct reading *x, const char *option, int index, struct nft_lookup *l,
			struct nft_set *map)
{
	if (lua_getfield(x->L, index, "key") == LUA_TNIL)
		fail(x, option, "is missing");
	read_key(x, option, nft_push_words(x->L, x->a->arg, x->a->where, option), l);
	nft_find_set(x->L, x->a, x->r->family, x->r->table, l->map, map);
	if (!map->is_map)
		fail(x, option, "'%.80s' is a set, not a map", l->map);
	check_key(x, option, l, map);
}

static const struct box_opt verdict_options[] = { { "map", BOX_STRING, offsetof(struct lookup_options, map),
						    1, 1, NFT_NAME_MAX },
						  { "key", BOX_ANY },
						  { 0 } };

static void read_verdict(const struct reading *x)
{
	int type = lua_getfield(x->L, x->a->index, "verdict"), index = lua_gettop(x->L);
	struct lookup_options o = { 0 };
	struct nft_set map;

	if (type == LUA_TNIL)
		return;
	x->r->verdict = 1;
	if (type == LUA_TSTRING) {
		nft_read_verdict(x->L, x->a->arg, x->a->where, "verdict", &x->r->to);
		return;
	}
	if (type != LUA_TTABLE)
		fail(x, "verdict", "string or table expected, got %s", luaL_typename(x->L, -1));
	read_options(x, "verdict", verdict_options, &o);
	x->r->verdict_lookup.map = o.map;
	read_lookup(x, "verdict.key", index, &x->r->verdict_lookup, &map);
	if (!map.is_verdict_map)
		fail(x, "verdict.map", "the data of map '%.80s' is no verdict", o.map);
}

/* ---- NAT ---- */

static const struct box_opt masquerade_options[] = {
	{ "ports", BOX_ANY },
	{ "flags", BOX_FLAGS, offsetof(struct lookup_options, flags), .names = nft_nat_flags },
	{ 0 }
};

static const struct box_opt redirect_options[] = {
	{ "to", BOX_ANY },
	{ "flags", BOX_FLAGS, offsetof(struct lookup_options, flags), .names = nft_nat_flags },
	{ 0 }
};

static const struct box_opt snat_options[] = {
	{ "to", BOX_STRING, offsetof(struct lookup_options, to), 1, 1, NFT_VALUE_TEXT },
	{ "flags", BOX_FLAGS, offsetof(struct lookup_options, flags), .names = nft_nat_flags },
	{ 0 }
};

static const struct box_opt dnat_options[] = {
	{ "to", BOX_STRING, offsetof(struct lookup_options, to), 0, 1, NFT_VALUE_TEXT },
	{ "map", BOX_STRING, offsetof(struct lookup_options, map), 0, 1, NFT_NAME_MAX },
	{ "key", BOX_ANY },
	{ "flags", BOX_FLAGS, offsetof(struct lookup_options, flags), .names = nft_nat_flags },
	{ 0 }
};

/* Reads the value at the top, which it pops, as an address (range) or port (range). */
static void read_bound(const struct reading *x, const char *name, enum nft_field field, struct nft_value *v)
{
	nft_read_value(x->L, x->a->arg, x->a->where, name, field, v);
	if (v->kind == NFT_PREFIX)
		fail(x, name, "a prefix is no address to rewrite to; write the range");
	lua_pop(x->L, 1);
}

static void read_port(const struct reading *x, const char *name, struct nft_value *v)
{
	read_bound(x, name, NFT_FIELD_SERVICE, v);
	need_ports(x, name);
}

/* Splits "10.0.0.2:80", "[fd00::2]:80" or a bare address; the port's text or null. */
static const char *split_address(const char *to, const char **begin, size_t *length)
{
	const char *end = strchr(to, ']'), *colon = strchr(to, ':');

	*begin = to;
	if (*to == '[' && end && (!end[1] || end[1] == ':')) {
		*begin = to + 1;
		*length = (size_t)(end - to) - 1;
		return end[1] ? end + 2 : NULL;
	}
	if (colon && strchr(colon + 1, ':'))
		colon = NULL; /* IPv6 without brackets */
	*length = colon ? (size_t)(colon - to) : strlen(to);
	return colon ? colon + 1 : NULL;
}

static void read_to(const struct reading *x, const char *name, const char *to)
{
	const char *address, *port;
	enum nft_field field;
	size_t length;

	port = split_address(to, &address, &length);
	field = memchr(address, ':', length) ? NFT_FIELD_IPV6 : NFT_FIELD_IPV4;
	lua_pushlstring(x->L, address, length);
	read_bound(x, name, field, &x->r->nat.address);
	set_nfproto(x, name, field == NFT_FIELD_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	if (!port)
		return;
	lua_pushstring(x->L, port);
	read_port(x, name, &x->r->nat.port);
}

/* The map's data must be an address, or an address and a port. */
static void read_nat_map(const struct reading *x, int index, const char *map_name)
{
	struct nft_lookup *l = &x->r->nat.lookup;
	struct nft_set map;
	uint8_t first;

	l->map = map_name;
	read_lookup(x, "dnat.key", index, l, &map);
	l->data = map.data;
	first = map.data.field[0];
	if (map.is_verdict_map || map.data.count > 2 ||
	    (first != NFT_FIELD_IPV4 && first != NFT_FIELD_IPV6) ||
	    (map.data.count == 2 && map.data.field[1] != NFT_FIELD_SERVICE))
		fail(x, "dnat.map", "the data of map '%.80s' is not an address, or an address and a port",
		     map_name);
	set_nfproto(x, "dnat.map", first == NFT_FIELD_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
}

static void read_dnat(const struct reading *x)
{
	struct lookup_options o = { 0 };
	int index;

	if (lua_getfield(x->L, x->a->index, "dnat") == LUA_TNIL)
		return;
	index = lua_gettop(x->L);
	read_options(x, "dnat", dnat_options, &o);
	x->r->nat.kind = NFT_NAT_DESTINATION;
	x->r->nat.flags = (uint32_t)o.flags;
	if (!o.to == !o.map)
		fail(x, "dnat", "takes either 'to' or 'map'");
	if (o.map) {
		read_nat_map(x, index, o.map);
		return;
	}
	if (lua_getfield(x->L, index, "key") != LUA_TNIL)
		fail(x, "dnat.key", "goes with 'map' only");
	read_to(x, "dnat.to", o.to);
}

static void read_snat(const struct reading *x)
{
	struct lookup_options o = { 0 };

	if (lua_getfield(x->L, x->a->index, "snat") == LUA_TNIL)
		return;
	read_options(x, "snat", snat_options, &o);
	x->r->nat.kind = NFT_NAT_SOURCE;
	x->r->nat.flags = (uint32_t)o.flags;
	read_to(x, "snat.to", o.to);
}

/* Masquerade and redirect have nothing but ports to choose. */
static void read_port_nat(const struct reading *x, const char *name, const char *option,
			  const struct box_opt *opts, enum nft_nat_kind kind)
{
	struct lookup_options o = { 0 };
	int form = push_statement(x, name), index = lua_gettop(x->L);

	if (!form)
		return;
	x->r->nat.kind = kind;
	if (form != 1)
		return;
	read_options(x, name, opts, &o);
	x->r->nat.flags = (uint32_t)o.flags;
	if (lua_getfield(x->L, index, option) == LUA_TNIL)
		return;
	lua_pushfstring(x->L, "%s.%s", name, option);
	lua_insert(x->L, -2);
	read_port(x, lua_tostring(x->L, -2), &x->r->nat.port);
}

/* ---- the rule ---- */

/* Only one statement can end a rule. */
static void check_end(const struct reading *x)
{
	static const char *const ends[] = { "masquerade", "snat", "dnat", "redirect", "reject", "verdict" };
	const char *first = NULL;

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		lua_getfield(x->L, x->a->index, ends[i]);
		if (lua_toboolean(x->L, -1) && first)
			fail(x, ends[i], "the rule ends with '%s' already", first);
		else if (lua_toboolean(x->L, -1))
			first = ends[i];
		lua_pop(x->L, 1);
	}
}

static void read_statements(const struct reading *x)
{
	check_end(x);
	read_counter(x);
	read_log(x);
	read_port_nat(x, "masquerade", "ports", masquerade_options, NFT_NAT_MASQUERADE);
	read_snat(x);
	read_dnat(x);
	read_port_nat(x, "redirect", "to", redirect_options, NFT_NAT_REDIRECT);
	read_reject(x);
	read_verdict(x);
}

void nft_apply_rule(lua_State *L, struct nft_apply *a)
{
	struct options o = { .family = NFPROTO_INET, .set_mark = -1 };
	struct nft_rule r = { .log_level = -1 };
	struct reading x = { L, a, &r };

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
		set_nfproto(&x, "nfproto", (uint8_t)o.nfproto);
	read_matches(&x);
	read_statements(&x);
	nft_put_rule(a->batch, a->verb, &r);
}
