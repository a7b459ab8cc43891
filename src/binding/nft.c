/* SPDX-License-Identifier: MIT */
/***
NAT and packet filter: tables, chains, rules, sets and maps of nf_tables.

A handle is a netlink socket in one network namespace. All changes go through
`apply`, which is one transaction: all of its operations or none.
@module luabox.sys.nft
@see nft(8)
*/
#include "binding/nft.h"

#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_TYPE "luabox.nft.batch"
#define TEN_YEARS 315360000 /* seconds; as long as a timeout may be */

enum object { TABLE, CHAIN, SET, MAP, ELEMENT, RULE };

#define NAME_OPTION(field, type) #field, BOX_STRING, offsetof(type, field), 1, 1, NFT_NAME_MAX
#define FAMILY_OPTION(type) "family", BOX_ENUM, offsetof(type, family), 0, 0, 0, nft_families

/* ---- tables ---- */

struct table_options {
	int64_t family;
	const char *name;
	int owner, dormant;
};

static const struct box_opt new_table_options[] = {
	{ FAMILY_OPTION(struct table_options) },
	{ NAME_OPTION(name, struct table_options) },
	{ "owner", BOX_BOOL, offsetof(struct table_options, owner) },
	{ "dormant", BOX_BOOL, offsetof(struct table_options, dormant) },
	{ 0 }
};

static const struct box_opt old_table_options[] = { { FAMILY_OPTION(struct table_options) },
						    { NAME_OPTION(name, struct table_options) },
						    { 0 } };

static void apply_table(lua_State *L, struct nft_apply *a)
{
	int is_new = a->verb == NFT_ADD || a->verb == NFT_CREATE;
	struct table_options o = { .family = NFPROTO_INET };

	box_options_at(L, a->arg, a->index, a->where, 2, is_new ? new_table_options : old_table_options, &o);
	if (a->verb == NFT_FLUSH)
		nft_put_flush(a->batch, (uint8_t)o.family, o.name, NULL);
	else
		nft_put_table(a->batch, a->verb, (uint8_t)o.family, o.name,
			      (o.owner ? NFT_TABLE_F_OWNER : 0U) | (o.dormant ? NFT_TABLE_F_DORMANT : 0U));
}

/* ---- chains ---- */

struct chain_options {
	int64_t family, type, hook, policy;
	const char *table, *name;
};

enum { CHAIN_FILTER, CHAIN_NAT, CHAIN_ROUTE };
static const char *const chain_types[] = { "filter", "nat", "route" };

static const struct box_name chain_type_names[] = {
	{ "filter", CHAIN_FILTER }, { "nat", CHAIN_NAT }, { "route", CHAIN_ROUTE }, { NULL }
};

static const struct box_opt new_chain_options[] = {
	{ FAMILY_OPTION(struct chain_options) },
	{ NAME_OPTION(table, struct chain_options) },
	{ NAME_OPTION(name, struct chain_options) },
	{ "type", BOX_ENUM, offsetof(struct chain_options, type), .names = chain_type_names },
	{ "hook", BOX_ENUM, offsetof(struct chain_options, hook), .names = nft_hooks },
	{ "priority", BOX_ANY },
	{ "policy", BOX_ENUM, offsetof(struct chain_options, policy), .names = nft_policies },
	{ 0 }
};

static const struct box_opt old_chain_options[] = { { FAMILY_OPTION(struct chain_options) },
						    { NAME_OPTION(table, struct chain_options) },
						    { NAME_OPTION(name, struct chain_options) },
						    { 0 } };

struct priority {
	const char *name;
	int32_t inet, bridge;
};

static const struct priority priorities[] = {
	{ "raw", -300, -300 },  { "mangle", -150, -150 }, { "dstnat", -100, -300 }, { "filter", 0, -200 },
	{ "security", 50, 50 }, { "srcnat", 100, 300 },   { "out", 100, 100 },      { NULL },
};

/* "dstnat", "dstnat+5", "filter - 10": a name and an offset. */
static int parse_priority(const char *text, int is_bridge, int32_t *out)
{
	size_t length = strcspn(text, " +-");
	int offset = 0, used = 0;
	char sign = '+';

	if (text[length] && (sscanf(text + length, " %c %5d%n", &sign, &offset, &used) != 2 ||
			     text[length + (size_t)used] || (sign != '+' && sign != '-') || offset < 0))
		return -1;
	for (const struct priority *p = priorities; p->name; p++)
		if (strlen(p->name) == length && !memcmp(p->name, text, length)) {
			*out = (is_bridge ? p->bridge : p->inet) + (sign == '-' ? -offset : offset);
			return 0;
		}
	return -1;
}

static int32_t read_priority(lua_State *L, const struct nft_apply *a, int64_t family)
{
	int type = lua_getfield(L, a->index, "priority"), exact = 0;
	lua_Integer number = type == LUA_TNUMBER ? lua_tointegerx(L, -1, &exact) : 0;
	int32_t priority = (int32_t)number;

	if (type == LUA_TNIL)
		box_option_error(L, a->arg, a->where, "priority", "is missing: a chain with a hook has one");
	if (type == LUA_TSTRING)
		exact = parse_priority(nft_text(L, a->arg, a->where, "priority"), family == NFPROTO_BRIDGE,
				       &priority) == 0;
	else if (number != priority)
		exact = 0;
	if (!exact)
		box_option_error(
			L, a->arg, a->where, "priority",
			"'%.80s' is no priority; expected an integer or raw, mangle, dstnat, filter, "
			"security, srcnat, with an offset as in 'dstnat+10'",
			luaL_tolstring(L, -1, NULL));
	lua_settop(L, a->index);
	return priority;
}

/* ARP has two hooks, with numbers of their own. */
static uint32_t hook_number(lua_State *L, const struct nft_apply *a, const struct chain_options *o)
{
	if (o->family != NFPROTO_ARP)
		return (uint32_t)o->hook;
	if (o->hook != NF_INET_LOCAL_IN && o->hook != NF_INET_LOCAL_OUT)
		box_option_error(L, a->arg, a->where, "hook",
				 "the family arp has the hooks input and output");
	return o->hook == NF_INET_LOCAL_IN ? NF_ARP_IN : NF_ARP_OUT;
}

static void read_hook(lua_State *L, const struct nft_apply *a, const struct chain_options *o,
		      struct nft_chain *c)
{
	if (o->type < 0 && o->hook < 0) {
		if (lua_getfield(L, a->index, "priority") != LUA_TNIL || o->policy >= 0)
			box_option_error(L, a->arg, a->where, "hook",
					 "is missing: only a chain with a hook has a priority or a policy");
		lua_pop(L, 1);
		return;
	}
	if (o->type < 0 || o->hook < 0)
		box_option_error(L, a->arg, a->where, o->type < 0 ? "type" : "hook",
				 "is missing: type, hook and priority go together");
	c->type = chain_types[o->type];
	c->hook = hook_number(L, a, o);
	c->priority = read_priority(L, a, o->family);
}

static void apply_chain(lua_State *L, struct nft_apply *a)
{
	int is_new = a->verb == NFT_ADD || a->verb == NFT_CREATE;
	struct chain_options o = { .family = NFPROTO_INET, .type = -1, .hook = -1, .policy = -1 };
	struct nft_chain c = { 0 };

	box_options_at(L, a->arg, a->index, a->where, 2, is_new ? new_chain_options : old_chain_options, &o);
	if (a->verb == NFT_FLUSH) {
		nft_put_flush(a->batch, (uint8_t)o.family, o.table, o.name);
		return;
	}
	c.family = (uint8_t)o.family;
	c.table = o.table;
	c.name = o.name;
	c.policy = (int32_t)o.policy;
	if (is_new)
		read_hook(L, a, &o, &c);
	nft_put_chain(a->batch, a->verb, &c);
}

/* ---- sets and maps ---- */

struct set_options {
	int64_t family, size;
	const char *table, *name;
	uint64_t flags;
	double timeout;
};

#define SET_OPTIONS                                                                                          \
	{ FAMILY_OPTION(struct set_options) }, { NAME_OPTION(table, struct set_options) },                   \
		{ "name", BOX_STRING, offsetof(struct set_options, name), 1, 1, NFT_NAME_MAX },              \
		{ "key", BOX_ANY },                                                                          \
		{ "flags", BOX_FLAGS, offsetof(struct set_options, flags), .names = nft_set_flag_names },    \
		{ "timeout", BOX_NUMBER, offsetof(struct set_options, timeout), .max = TEN_YEARS },          \
	{                                                                                                    \
		"size", BOX_INT, offsetof(struct set_options, size), .min = 1, .max = INT32_MAX              \
	}

static const struct box_opt new_set_options[] = { SET_OPTIONS, { 0 } };
static const struct box_opt new_map_options[] = { SET_OPTIONS, { "data", BOX_ANY }, { 0 } };

static const struct box_opt old_set_options[] = { { FAMILY_OPTION(struct set_options) },
						  { NAME_OPTION(table, struct set_options) },
						  { NAME_OPTION(name, struct set_options) },
						  { 0 } };

static void add_field(lua_State *L, const struct nft_apply *a, const char *option, const char *word,
		      size_t length, struct nft_type *t)
{
	enum nft_field field = nft_field_by_name(word, length);

	if (field == NFT_FIELD_NONE)
		box_option_error(L, a->arg, a->where, option,
				 "unknown type '%.*s'; expected ipv4_addr, ipv6_addr, inet_proto, "
				 "inet_service, mark or ifname",
				 (int)length, word);
	if (t->count == NFT_TYPE_FIELDS)
		box_option_error(L, a->arg, a->where, option, "has more than %d types", NFT_TYPE_FIELDS);
	t->field[t->count++] = (uint8_t)field;
}

/* Reads { "ipv4_addr", "inet_service" } or "ipv4_addr,inet_service"; whether it is "verdict". */
static int read_type(lua_State *L, const struct nft_apply *a, int index, const char *option,
		     struct nft_type *t)
{
	const char *words;
	size_t length;

	if (lua_getfield(L, index, option) == LUA_TNIL)
		box_option_error(L, a->arg, a->where, option, "is missing");
	words = nft_push_words(L, a->arg, a->where, option);
	if (!strcmp(words, "verdict") && !strcmp(option, "data")) {
		lua_pop(L, 2);
		return 1;
	}
	do {
		length = strcspn(words, ",");
		add_field(L, a, option, words, length, t);
		words += length;
	} while (*words++);
	lua_pop(L, 2);
	return 0;
}

static void check_interval(lua_State *L, const struct nft_apply *a, const struct nft_type *key)
{
	for (unsigned int i = 0; i < key->count; i++)
		if (key->field[i] == NFT_FIELD_MARK || key->field[i] == NFT_FIELD_IFNAME)
			box_option_error(L, a->arg, a->where, "flags", "a key with %s has no intervals",
					 nft_field_name((enum nft_field)key->field[i]));
}

/* Reads the set that the operation at 'index' makes; strings stay with that table. */
static void read_set(lua_State *L, const struct nft_apply *a, int index, int is_map, struct nft_set *set)
{
	struct set_options o = { .family = NFPROTO_INET };

	box_options_at(L, a->arg, index, a->where, 2, is_map ? new_map_options : new_set_options, &o);
	*set = (struct nft_set){ .family = (uint8_t)o.family,
				 .table = o.table,
				 .name = o.name,
				 .flags = (uint32_t)o.flags,
				 .is_map = is_map,
				 .timeout = (uint64_t)(o.timeout * 1000),
				 .size = (uint32_t)o.size };
	if (*o.name == '@' || strchr(o.name, '%'))
		box_option_error(L, a->arg, a->where, "name", "'%.80s' has a '@' or '%%' in it", o.name);
	read_type(L, a, index, "key", &set->key);
	if (is_map)
		set->is_verdict_map = read_type(L, a, index, "data", &set->data);
	if (set->flags & NFT_SET_INTERVAL)
		check_interval(L, a, &set->key);
}

/* Pushes what a set is called across families and tables. */
static void push_set_key(lua_State *L, uint8_t family, const char *table, const char *name)
{
	lua_pushfstring(L, "%d %s\n%s", family, table, name);
}

static void apply_new_set(lua_State *L, struct nft_apply *a, int is_map)
{
	struct nft_set set;

	read_set(L, a, a->index, is_map, &set);
	nft_put_set(a->batch, a->verb, &set);
	push_set_key(L, set.family, set.table, set.name);
	lua_pushvalue(L, a->index);
	lua_rawset(L, a->sets);
}

static void apply_old_set(lua_State *L, struct nft_apply *a)
{
	struct set_options o = { .family = NFPROTO_INET };
	struct nft_set set = { 0 };
	struct nft_element_list list;

	box_options_at(L, a->arg, a->index, a->where, 2, old_set_options, &o);
	set.family = (uint8_t)o.family;
	set.table = o.table;
	set.name = o.name;
	if (a->verb == NFT_DELETE) {
		nft_put_set(a->batch, a->verb, &set);
		return;
	}
	nft_elements_begin(&list, a->batch, NFT_FLUSH, &set);
	nft_elements_end(&list);
}

static void apply_set(lua_State *L, struct nft_apply *a)
{
	if (a->verb == NFT_ADD || a->verb == NFT_CREATE)
		apply_new_set(L, a, 0);
	else
		apply_old_set(L, a);
}

static void apply_map(lua_State *L, struct nft_apply *a)
{
	if (a->verb == NFT_ADD || a->verb == NFT_CREATE)
		apply_new_set(L, a, 1);
	else
		apply_old_set(L, a);
}

void nft_find_set(lua_State *L, struct nft_apply *a, uint8_t family, const char *table, const char *name,
		  struct nft_set *set)
{
	struct nft_set_info *info;
	struct fault f;
	int is_map;

	push_set_key(L, family, table, name);
	if (lua_rawget(L, a->sets) == LUA_TTABLE) {
		lua_rawgeti(L, -1, 2);
		is_map = !strcmp(lua_tostring(L, -1), "map");
		lua_pop(L, 1);
		read_set(L, a, lua_gettop(L), is_map, set);
		return;
	}
	info = lua_newuserdatauv(L, sizeof *info, 0);
	if (nft_get_set(a->fd, family, table, name, info, &f) < 0)
		box_raise(L, &f);
	*set = info->set;
}

/* ---- a list of operations ---- */

struct action {
	const char *object;
	void (*apply)(lua_State *L, struct nft_apply *a);
	unsigned int verbs; /* a bit for each enum nft_verb */
};

#define VERB(verb) (1U << (verb))
#define MADE (VERB(NFT_ADD) | VERB(NFT_CREATE) | VERB(NFT_DELETE))

static const struct action actions[] = {
	{ "table", apply_table, MADE | VERB(NFT_FLUSH) },
	{ "chain", apply_chain, MADE | VERB(NFT_FLUSH) },
	{ "set", apply_set, MADE | VERB(NFT_FLUSH) },
	{ "map", apply_map, MADE | VERB(NFT_FLUSH) },
	{ "element", nft_apply_element, MADE },
	{ "rule", nft_apply_rule, VERB(NFT_ADD) | VERB(NFT_INSERT) | VERB(NFT_DELETE) },
};

static const char *const verbs[] = { [NFT_ADD] = "add",
				     [NFT_CREATE] = "create",
				     [NFT_INSERT] = "insert",
				     [NFT_DELETE] = "delete",
				     [NFT_FLUSH] = "flush" };

static const struct action *find_action(const char *verb, const char *object, enum nft_verb *out)
{
	for (unsigned int v = 0; v < sizeof verbs / sizeof *verbs; v++)
		for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
			if (!strcmp(verbs[v], verb) && !strcmp(actions[i].object, object) &&
			    actions[i].verbs & VERB(v)) {
				*out = (enum nft_verb)v;
				return &actions[i];
			}
	return NULL;
}

/* Puts the operation at the top of the stack into the batch. */
static void apply_one(lua_State *L, struct nft_apply *a)
{
	const struct action *action = NULL;

	a->index = lua_gettop(L);
	if (lua_type(L, a->index) != LUA_TTABLE)
		box_option_error(L, a->arg, NULL, a->where, "table expected, got %s",
				 luaL_typename(L, a->index));
	if (lua_rawgeti(L, a->index, 1) == LUA_TSTRING && lua_rawgeti(L, a->index, 2) == LUA_TSTRING)
		action = find_action(lua_tostring(L, -2), lua_tostring(L, -1), &a->verb);
	if (!action)
		box_option_error(
			L, a->arg, NULL, a->where,
			"begins with no operation: expected add, create, insert, delete or flush, then "
			"table, chain, set, map, element or rule");
	lua_settop(L, a->index);
	action->apply(L, a);
	lua_settop(L, a->index);
}

static int batch_free(lua_State *L)
{
	nft_batch_free(lua_touserdata(L, 1));
	return 0;
}

/* The error of the operation that failed says in its field 'operation' which one it was. */
static int raise_operation(lua_State *L, const struct fault *f, int64_t operation)
{
	char context[32];

	box_push_error(L, f);
	if (operation > 0) {
		lua_pushinteger(L, operation);
		lua_setfield(L, -2, "operation");
		snprintf(context, sizeof context, "operation %d", (int)operation);
		box_add_context(L, context);
	}
	return lua_error(L);
}

/***
Changes tables, chains, rules, sets and maps in one transaction: all of the operations
or none. Each is a list of a verb, an object and its options:

    { "add" | "create", "table", family =, name =, owner =, dormant = }
    { "add" | "create", "chain", family =, table =, name =, type =, hook =, priority =, policy = }
    { "add" | "create", "set" | "map", family =, table =, name =, key =, data =, flags =, timeout =, size = }
    { "add" | "create" | "delete", "element", family =, table =, set =, elements = { … } }
    { "add" | "insert", "rule", family =, table =, chain =, position =, comment =, … }
    { "delete", "rule", family =, table =, chain =, handle = }
    { "delete" | "flush", "table", family =, name = }
    { "delete" | "flush", "chain" | "set" | "map", family =, table =, name = }

`add` is content with what is there already, `create` is not (EEXIST). `family` is
`inet` (the default), `ip`, `ip6`, `bridge` or `arp`.

Tables: with `owner = true` the table belongs to this socket: no one else may change it,
and it is gone when the socket closes, whatever became of the process (Linux 5.12; on
older kernels the code is EOPNOTSUPP). A `dormant` table does nothing.

Chains: `type` (filter, nat, route), `hook` (prerouting, input, forward, output,
postrouting) and `priority` (an integer or raw, mangle, dstnat, filter, security,
srcnat, with an offset as in `"dstnat-5"`) go together; without them the chain is only
reached by jumps. `policy` is accept (the default) or drop.

Sets and maps: `key` and `data` are one or a list of `ipv4_addr`, `ipv6_addr`, `inet_proto`,
`inet_service`, `mark`, `ifname`; `data` may be `"verdict"`. `flags`: `constant`, `interval`
(elements may be prefixes and ranges), `timeout`; `timeout` in seconds is what elements live.

Elements are written flat, the fields of the key and then those of the data:
`"10.0.0.1"`, `{ "tcp", 80 }`, `{ "tcp", 8080, "10.0.0.2", 80 }`, and with a verdict
`{ "eth0", "jump lan" }`; the list form also takes `timeout` (seconds) and `comment`.

Rules: matches first, all of which must hold. A value is a single one, a list (any of
it), or a list that begins with `"!="` (none of it); `"@name"` is a set of the table:

- `iifname`, `oifname`: interface, `"br*"` for all that begin so
- `saddr`, `daddr`: address, prefix or range, IPv4 or IPv6
- `saddr_type`, `daddr_type`: what the routing table says of it: `"local"`, `"broadcast"` …
- `nfproto`: `"ipv4"` or `"ipv6"`; added where an address implies it
- `protocol`: tcp, udp, icmp, icmpv6 … or a number; `sport`, `dport`: port or `"80-90"`
- `ct_state`: any of `"new,established,related,invalid,untracked"`
- `ct_status`: any of `"dnat,snat,assured,confirmed,expected,seen-reply,dying"`
- `mark`: number, or `"0x1/0xff"`

then statements, carried out in this order:

- `counter = true` (or `{ packets =, bytes = }` to begin with)
- `log = true` or `{ prefix =, level =, group = }`
- `set_mark = number`
- one of the following ends the rule: `masquerade = true` or `{ ports =, flags = }`; `snat = { to =, flags =
}`; `dnat = { to =, flags = }` or `{ map =, key =, flags = }`; `redirect = true` or `{ to =, flags = }`;
  `reject = true` or `{ with = }`; `verdict = "accept" | "drop" | "return" | "jump CHAIN" | "goto
  CHAIN"` or `{ map =, key = }`

`to` is `"10.0.0.2"`, `"10.0.0.2:80"`, `"[fd00::2]:80"`, either part may be a range; of redirect it is
a port. `key` is a list of match names whose fields are looked up, `"protocol,daddr,dport"`. NAT's `flags`
are `random`, `fully-random`, `persistent`. `with` is `tcp reset`, `icmp port-unreachable`, `icmpv6
no-route`, `icmpx admin-prohibited` and so on; without it the port is unreachable.
@function apply
@tparam luabox.nft self
@tparam {table,...} operations
@raise luabox.error with the number of the operation in `operation`: ENOENT, EEXIST, EPERM, EBUSY, EOPNOTSUPP
…
@see nft(8)
@usage local nft <close> = luabox.sys.nft.socket()
nft:apply {
  { "add", "table", name = "web", owner = true },
  { "add", "chain", table = "web", name = "pre", type = "nat", hook = "prerouting", priority = "dstnat" },
  { "add", "map", table = "web", name = "ports", key = "inet_proto,inet_service", data =
"ipv4_addr,inet_service" }, { "add", "element", table = "web", set = "ports", elements = { { "tcp", 8080,
"10.0.0.2", 80 } } }, { "add", "rule", table = "web", chain = "pre", daddr_type = "local", counter = true,
    dnat = { map = "ports", key = "protocol,dport" } },
}
*/
static int nft_apply(lua_State *L)
{
	struct box_fd *h = box_handle_check(L, 1, NFT_HANDLE);
	struct nft_apply a = { .fd = h->fd, .arg = 2 };
	int64_t operation;
	struct fault f;
	lua_Integer n;
	int rc;

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	a.batch = box_memory_new(L, BATCH_TYPE, sizeof(struct nft_batch), batch_free);
	lua_newtable(L);
	a.sets = lua_gettop(L);
	n = (lua_Integer)lua_rawlen(L, 2);
	for (lua_Integer i = 1; i <= n; i++) {
		snprintf(a.where, sizeof a.where, "operations[%d]", (int)i);
		a.batch->operation = (uint32_t)i;
		lua_rawgeti(L, 2, i);
		apply_one(L, &a);
		lua_pop(L, 1);
	}
	rc = nft_batch_commit(h->fd, a.batch, &operation, &f);
	nft_batch_free(a.batch);
	return rc < 0 ? raise_operation(L, &f, operation) : 0;
}

static const luaL_Reg methods[] = {
	{ "apply", nft_apply }, { "tables", nft_tables }, { "chains", nft_chains },
	{ "rules", nft_rules }, { "sets", nft_sets },     { "elements", nft_elements },
	{ NULL, NULL }
};

/***
Opens nf_tables of a network namespace. Tables made with `owner` live as long as the
handle is open.
@function socket
@tparam[opt] luabox.namespace|luabox.fd|integer namespace a descriptor of the network namespace; default: the
current one
@treturn luabox.nft
@raise luabox.error: EPERM, EINVAL if the descriptor is not of a network namespace
@see nft(8)
@see setns(2)
@usage local nft <close> = luabox.sys.nft.socket()
assert(#nft:tables() == 0)
*/
static int nft_socket(lua_State *L)
{
	int netns = lua_isnoneornil(L, 1) ? -1 : box_checkfd(L, 1);
	struct box_fd *h;
	struct fault f;

	box_handle_type(L, NFT_HANDLE, methods, NULL);
	h = box_handle_new(L, NFT_HANDLE, sizeof *h);
	h->fd = nft_open(netns, &f);
	return h->fd < 0 ? box_raise(L, &f) : 1;
}

static const luaL_Reg functions[] = { { "socket", nft_socket }, { NULL, NULL } };

BOX_MODULE(nft)
{
	luaL_newlib(L, functions);
	return 1;
}
