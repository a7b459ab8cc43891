/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.nft
*/
#include "binding/nft.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "kernel/nft_decode.h"

#define REPLY_TYPE "luabox.nft.reply"
#define RULE_TYPE "luabox.nft.rule"

struct filter {
	int64_t family;
	const char *table, *chain, *set;
};

#define FAMILY                                                                                               \
	{                                                                                                    \
		"family", BOX_ENUM, offsetof(struct filter, family), .names = nft_families                   \
	}
#define NAME(name, field, is_required)                                                                       \
	{                                                                                                    \
		name, BOX_STRING, offsetof(struct filter, field), is_required, 1, NFT_NAME_MAX               \
	}

static const struct box_opt table_filter[] = { FAMILY, { 0 } };

static const struct box_opt object_filter[] = { FAMILY, NAME("table", table, 0), { 0 } };

static const struct box_opt rule_filter[] = {
	FAMILY, NAME("table", table, 0), NAME("chain", chain, 0), { 0 }
};

static const struct box_opt element_filter[] = {
	FAMILY, NAME("table", table, 1), NAME("set", set, 1), { 0 }
};

/* ---- replies ---- */

static int reply_free(lua_State *L)
{
	nft_reply_free(lua_touserdata(L, 1));
	return 0;
}

static int rule_free(lua_State *L)
{
	nft_decoded_free(lua_touserdata(L, 1));
	return 0;
}

/* Reads the filter at argument 2, if any, and pushes a reply to the dump that it asks for.
 * Only of rules does the kernel choose by name. */
static struct nft_reply *push_dump(lua_State *L, int type, const struct box_opt *opts, struct filter *o)
{
	struct box_fd *h = box_handle_check(L, 1, NFT_HANDLE);
	struct nft_reply *reply;
	struct fault f;
	int rc;

	lua_settop(L, 2);
	if (!lua_isnil(L, 2))
		box_options(L, 2, opts, o);
	reply = box_memory_new(L, REPLY_TYPE, sizeof *reply, reply_free);
	if (type != NFT_MSG_GETRULE)
		rc = nft_dump(h->fd, type, (uint8_t)o->family, NULL, NULL, reply, &f);
	else
		rc = nft_dump(h->fd, type, (uint8_t)o->family, o->table, o->chain, reply, &f);
	if (rc < 0)
		box_raise(L, &f);
	return reply;
}

static void check_read(lua_State *L, int rc, const char *op)
{
	if (rc < 0)
		box_fail(L, rc, op, NULL);
}

static void set_name(lua_State *L, const char *field, uint64_t bits, const struct box_name *names)
{
	nft_push_name(L, bits, names);
	lua_setfield(L, -2, field);
}

/* Moves the value at the top to the end of the list under it. */
static void append(lua_State *L)
{
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* ---- tables, chains, sets ---- */

/***
Lists the tables.
@function tables
@tparam luabox.nft self
@tparam[opt] table filter
@tparam[opt] string filter.family default: all
@treturn {table,...} each with `family`, `name`, `handle`, `owner`, `dormant`
@see nft(8)
@usage local nft <close> = luabox.sys.nft.socket()
nft:apply { { "add", "table", name = "web", owner = true } }
assert(nft:tables()[1].owner)
*/
int nft_tables(lua_State *L)
{
	struct filter o = { 0 };
	struct nft_reply *reply = push_dump(L, NFT_MSG_GETTABLE, table_filter, &o);
	const struct nlmsghdr *m;
	struct nft_table_info t;
	size_t offset = 0;

	lua_newtable(L);
	while ((m = nft_reply_next(reply, &offset))) {
		check_read(L, nft_table_read(m, &t), "list tables");
		lua_createtable(L, 0, 5);
		set_name(L, "family", t.family, nft_families);
		box_set_text(L, "name", t.name);
		box_set_integer(L, "handle", (lua_Integer)t.handle);
		box_set_bool(L, "owner", !!(t.flags & NFT_TABLE_F_OWNER));
		box_set_bool(L, "dormant", !!(t.flags & NFT_TABLE_F_DORMANT));
		append(L);
	}
	return 1;
}

static int is_wanted(const struct filter *o, uint8_t family, const char *table)
{
	return (!o->family || o->family == family) && (!o->table || !strcmp(o->table, table));
}

static void push_chain(lua_State *L, const struct nft_chain_info *c)
{
	lua_createtable(L, 0, 8);
	set_name(L, "family", c->chain.family, nft_families);
	box_set_text(L, "table", c->table);
	box_set_text(L, "name", c->name);
	box_set_integer(L, "handle", (lua_Integer)c->handle);
	if (!c->chain.type)
		return;
	box_set_text(L, "type", c->type);
	set_name(L, "hook", c->chain.hook, c->chain.family == NFPROTO_ARP ? nft_arp_hooks : nft_hooks);
	lua_pushinteger(L, c->chain.priority);
	lua_setfield(L, -2, "priority");
	if (c->chain.policy >= 0)
		set_name(L, "policy", (uint64_t)c->chain.policy, nft_policies);
}

/***
Lists the chains.
@function chains
@tparam luabox.nft self
@tparam[opt] table filter
@tparam[opt] string filter.family default: all
@tparam[opt] string filter.table default: all
@treturn {table,...} each with `family`, `table`, `name`, `handle`, and of a chain with a hook
`type`, `hook`, `priority` (an integer), `policy`
@see nft(8)
@usage local nft <close> = luabox.sys.nft.socket()
assert(#nft:chains { family = "inet", table = "none" } == 0)
*/
int nft_chains(lua_State *L)
{
	struct filter o = { 0 };
	struct nft_reply *reply = push_dump(L, NFT_MSG_GETCHAIN, object_filter, &o);
	const struct nlmsghdr *m;
	struct nft_chain_info c;
	size_t offset = 0;

	lua_newtable(L);
	while ((m = nft_reply_next(reply, &offset))) {
		check_read(L, nft_chain_read(m, &c), "list chains");
		if (!is_wanted(&o, c.chain.family, c.table))
			continue;
		push_chain(L, &c);
		append(L);
	}
	return 1;
}

/* A type by its fields' names, or nft's number of a type that is not among ours. */
static void set_type(lua_State *L, const char *field, const struct nft_type *t, uint32_t number)
{
	lua_newtable(L);
	for (unsigned int i = 0; i < t->count; i++) {
		lua_pushstring(L, nft_field_name((enum nft_field)t->field[i]));
		lua_rawseti(L, -2, i + 1);
	}
	if (!t->count) {
		lua_pop(L, 1);
		lua_pushinteger(L, number);
	}
	lua_setfield(L, -2, field);
}

static void push_set(lua_State *L, const struct nft_set_info *s)
{
	lua_createtable(L, 0, 10);
	set_name(L, "family", s->set.family, nft_families);
	box_set_text(L, "table", s->table);
	box_set_text(L, "name", s->name);
	box_set_integer(L, "handle", (lua_Integer)s->handle);
	box_set_text(L, "kind", s->set.is_map ? "map" : "set");
	set_type(L, "key", &s->set.key, s->key_type);
	if (s->set.is_verdict_map)
		box_set_text(L, "data", "verdict");
	else if (s->set.is_map)
		set_type(L, "data", &s->set.data, s->data_type);
	box_push_flags(L, s->set.flags, nft_set_flag_names);
	lua_setfield(L, -2, "flags");
	if (s->set.timeout) {
		lua_pushnumber(L, (lua_Number)s->set.timeout / 1000);
		lua_setfield(L, -2, "timeout");
	}
	if (s->set.size)
		box_set_integer(L, "size", (lua_Integer)s->set.size);
}

/***
Lists the sets and maps, without those that rules keep for their own lists.
@function sets
@tparam luabox.nft self
@tparam[opt] table filter
@tparam[opt] string filter.family default: all
@tparam[opt] string filter.table default: all
@treturn {table,...} each with `family`, `table`, `name`, `handle`, `kind` ("set" or "map"), `key`, `data`
(lists of types; a number stands for a type that luabox does not know), `flags`, `timeout`, `size`
@see nft(8)
@usage local nft <close> = luabox.sys.nft.socket()
nft:apply {
  { "add", "table", name = "web", owner = true },
  { "add", "set", table = "web", name = "lan", key = "ipv4_addr", flags = "interval" },
}
assert(nft:sets { table = "web" }[1].key[1] == "ipv4_addr")
*/
int nft_sets(lua_State *L)
{
	struct filter o = { 0 };
	struct nft_reply *reply = push_dump(L, NFT_MSG_GETSET, object_filter, &o);
	const struct nlmsghdr *m;
	struct nft_set_info s;
	size_t offset = 0;

	lua_newtable(L);
	while ((m = nft_reply_next(reply, &offset))) {
		check_read(L, nft_set_read(m, &s), "list sets");
		if (s.set.flags & NFT_SET_ANONYMOUS || !is_wanted(&o, s.set.family, s.table))
			continue;
		push_set(L, &s);
		append(L);
	}
	return 1;
}

/* ---- elements ---- */

static void push_fields(lua_State *L, const struct nft_type *t, const uint8_t *low, const uint8_t *high)
{
	uint32_t at = 0;

	for (unsigned int i = 0; i < t->count; i++) {
		nft_push_field(L, (enum nft_field)t->field[i], low + at, high + at);
		append(L);
		at += nft_type_step(t, i);
	}
}

static void set_seconds(lua_State *L, const char *field, uint64_t milliseconds)
{
	if (!milliseconds)
		return;
	lua_pushnumber(L, (lua_Number)milliseconds / 1000);
	lua_setfield(L, -2, field);
}

/* A set of one field gives plain values, as they are written; all else lists. */
static void push_element(lua_State *L, const struct nft_set *set, const struct nft_found *e)
{
	struct nft_verdict v = { e->verdict, e->chain };
	int is_plain = set->key.count == 1 && !set->is_map && !e->timeout && !e->comment[0];

	if (is_plain) {
		nft_push_field(L, (enum nft_field)set->key.field[0], e->low, e->high);
		return;
	}
	lua_newtable(L);
	push_fields(L, &set->key, e->low, e->high);
	if (set->is_verdict_map) {
		nft_push_verdict(L, &v);
		append(L);
	} else if (set->is_map) {
		push_fields(L, &set->data, e->data, e->data);
	}
	set_seconds(L, "timeout", e->timeout);
	set_seconds(L, "expires", e->expires);
	if (e->comment[0])
		box_set_text(L, "comment", e->comment);
}

/* Pushes the list of the elements of a set. */
static void push_elements(lua_State *L, int fd, uint8_t family, const char *table, const char *name)
{
	int list = lua_gettop(L) + 1;
	struct nft_set_info *info = lua_newuserdatauv(L, sizeof *info, 0);
	struct nft_reply *reply = box_memory_new(L, REPLY_TYPE, sizeof *reply, reply_free);
	struct fault f;

	if (nft_get_set(fd, family, table, name, info, &f) < 0 ||
	    nft_dump(fd, NFT_MSG_GETSETELEM, family, table, name, reply, &f) < 0)
		box_raise(L, &f);
	check_read(L, nft_reply_elements(reply, &info->set), "list elements");
	lua_createtable(L, (int)reply->count, 0);
	for (size_t i = 0; i < reply->count; i++) {
		push_element(L, &info->set, &reply->elements[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	nft_reply_free(reply);
	lua_replace(L, list);
	lua_settop(L, list);
}

/***
Lists the elements of a set or map in the order of their keys, written as `apply` takes
them: plain values where the key is one field and there is nothing else to say, else lists.
@function elements
@tparam luabox.nft self
@tparam table filter
@tparam[opt="inet"] string filter.family
@tparam string filter.table
@tparam string filter.set
@treturn table lists also have `timeout` and `expires` (seconds) and `comment` where there are such
@raise luabox.error: ENOENT; EOPNOTSUPP if the set is of types that luabox does not know
@see nft(8)
@usage local nft <close> = luabox.sys.nft.socket()
nft:apply {
  { "add", "table", name = "web", owner = true },
  { "add", "set", table = "web", name = "lan", key = "ipv4_addr", flags = "interval" },
  { "add", "element", table = "web", set = "lan", elements = { "10.0.0.0/24" } },
}
assert(nft:elements { table = "web", set = "lan" }[1] == "10.0.0.0/24")
*/
int nft_elements(lua_State *L)
{
	struct box_fd *h = box_handle_check(L, 1, NFT_HANDLE);
	struct filter o = { .family = NFPROTO_INET };

	box_options(L, 2, element_filter, &o);
	push_elements(L, h->fd, (uint8_t)o.family, o.table, o.set);
	return 1;
}

/* ---- rules ---- */

static void push_value(lua_State *L, enum nft_field field, const struct nft_value *v)
{
	if (v->kind == NFT_STEM)
		lua_pushfstring(L, "%s*", (const char *)v->low);
	else if (v->kind == NFT_MASKED)
		lua_pushfstring(L, "%I/%I", (LUAI_UACINT)nft_value_to_number(field, v->low),
				(LUAI_UACINT)nft_value_to_number(field, v->mask));
	else
		nft_push_field(L, field, v->low, v->high);
}

/* Values written in the rule itself: a set that nf_tables named. */
static int is_anonymous(const char *name)
{
	return !strncmp(name, "__set", 5) || !strncmp(name, "__map", 5);
}

static void push_match(lua_State *L, int fd, const struct nft_rule *r, enum nft_selector selector)
{
	const struct nft_match *m = &r->match[selector];

	if (m->set && is_anonymous(m->set))
		push_elements(L, fd, r->family, r->table, m->set);
	else if (m->set)
		lua_pushfstring(L, "@%s", m->set);
	else if (m->count)
		push_value(L, m->field, m->values);
	else if (selector == NFT_SEL_CT_STATE)
		box_push_flags(L, m->bits, nft_ct_states);
	else if (selector == NFT_SEL_CT_STATUS)
		box_push_flags(L, m->bits, nft_ct_statuses);
	else
		nft_push_name(L, m->bits, nft_address_types);
}

/* Puts "!=" before the value or the list at the top. */
static void negate(lua_State *L)
{
	int was_list = lua_istable(L, -1);
	lua_Integer n = was_list ? (lua_Integer)lua_rawlen(L, -1) : 1;

	lua_createtable(L, (int)n + 1, 0);
	lua_pushliteral(L, "!=");
	lua_rawseti(L, -2, 1);
	for (lua_Integer i = 1; i <= n; i++) {
		if (was_list)
			lua_rawgeti(L, -2, i);
		else
			lua_pushvalue(L, -2);
		lua_rawseti(L, -2, i + 1);
	}
	lua_remove(L, -2);
}

static int tells_protocol(const struct nft_match *m)
{
	return m->count || (m->set && is_anonymous(m->set));
}

/* Where an address or an answer tells it, 'nfproto' need not be said. */
static int implies_nfproto(const struct nft_rule *r)
{
	return tells_protocol(&r->match[NFT_SEL_SADDR]) || tells_protocol(&r->match[NFT_SEL_DADDR]) ||
	       r->nat.address.length || r->nat.lookup.map || r->family == NFPROTO_IPV4 ||
	       r->family == NFPROTO_IPV6 || (r->reject && r->reject_type == NFT_REJECT_ICMP_UNREACH);
}

static void set_matches(lua_State *L, int fd, const struct nft_rule *r)
{
	for (int i = 0; i < NFT_SEL_COUNT; i++) {
		if (!r->match[i].present)
			continue;
		push_match(L, fd, r, (enum nft_selector)i);
		if (r->match[i].negate)
			negate(L);
		lua_setfield(L, -2, nft_selector_names[i]);
	}
	if (r->nfproto && !implies_nfproto(r))
		set_name(L, "nfproto", r->nfproto, nft_nfprotos);
}

/* ---- statements ---- */

static void set_counter(lua_State *L, const struct nft_rule *r)
{
	lua_createtable(L, 0, 2);
	box_set_integer(L, "packets", (lua_Integer)r->packets);
	box_set_integer(L, "bytes", (lua_Integer)r->bytes);
	lua_setfield(L, -2, "counter");
}

static void set_log(lua_State *L, const struct nft_rule *r)
{
	lua_createtable(L, 0, 3);
	if (r->log_prefix)
		box_set_text(L, "prefix", r->log_prefix);
	if (r->log_level >= 0)
		set_name(L, "level", (uint64_t)r->log_level, nft_log_levels);
	if (r->log_group >= 0)
		box_set_integer(L, "group", (lua_Integer)r->log_group);
	lua_setfield(L, -2, "log");
}

/* The last number is the protocol, which an answer of one family only asks for. */
static void set_reject(lua_State *L, const struct nft_rule *r)
{
	uint64_t bits = (uint64_t)r->reject_type << 16 | r->reject_code << 8;

	if (r->reject_type == NFT_REJECT_ICMP_UNREACH)
		bits |= r->nfproto;
	lua_createtable(L, 0, 1);
	set_name(L, "with", bits, nft_rejects);
	lua_setfield(L, -2, "reject");
}

static void set_lookup(lua_State *L, const struct nft_lookup *l)
{
	luaL_Buffer b;

	box_set_text(L, "map", l->map);
	luaL_buffinit(L, &b);
	for (unsigned int i = 0; i < l->count; i++) {
		if (i)
			luaL_addchar(&b, ',');
		luaL_addstring(&b, nft_selector_names[l->key[i]]);
	}
	luaL_pushresult(&b);
	lua_setfield(L, -2, "key");
}

/* "10.0.0.2:80", "[fd00::2]:80", or what there is of it. */
static void push_to(lua_State *L, const struct nft_nat *nat)
{
	enum nft_field field = nat->address.length == 16 ? NFT_FIELD_IPV6 : NFT_FIELD_IPV4;
	char address[NFT_VALUE_TEXT] = "", port[NFT_VALUE_TEXT] = "";
	int both = nat->address.length && nat->port.length, brackets = both && field == NFT_FIELD_IPV6;

	if (nat->address.length)
		nft_value_format(field, nat->address.low, nat->address.high, address);
	if (nat->port.length)
		nft_value_format(NFT_FIELD_SERVICE, nat->port.low, nat->port.high, port);
	lua_pushfstring(L, "%s%s%s%s%s", brackets ? "[" : "", address, brackets ? "]" : "", both ? ":" : "",
			port);
}

static void set_nat(lua_State *L, const struct nft_nat *nat)
{
	static const char *const names[] = { [NFT_NAT_SOURCE] = "snat",
					     [NFT_NAT_DESTINATION] = "dnat",
					     [NFT_NAT_MASQUERADE] = "masquerade",
					     [NFT_NAT_REDIRECT] = "redirect" };

	if (!nat->lookup.map && !nat->address.length && !nat->port.length && !nat->flags) {
		lua_pushboolean(L, 1);
		lua_setfield(L, -2, names[nat->kind]);
		return;
	}
	lua_createtable(L, 0, 3);
	if (nat->lookup.map) {
		set_lookup(L, &nat->lookup);
	} else if (nat->address.length || nat->port.length) {
		push_to(L, nat);
		lua_setfield(L, -2, nat->kind == NFT_NAT_MASQUERADE ? "ports" : "to");
	}
	if (nat->flags) {
		box_push_flags(L, nat->flags, nft_nat_flags);
		lua_setfield(L, -2, "flags");
	}
	lua_setfield(L, -2, names[nat->kind]);
}

static void set_verdict(lua_State *L, const struct nft_rule *r)
{
	if (r->verdict_lookup.map) {
		lua_createtable(L, 0, 2);
		set_lookup(L, &r->verdict_lookup);
	} else {
		nft_push_verdict(L, &r->to);
	}
	lua_setfield(L, -2, "verdict");
}

static void set_statements(lua_State *L, const struct nft_rule *r)
{
	if (r->counter)
		set_counter(L, r);
	if (r->log)
		set_log(L, r);
	if (r->mark)
		box_set_integer(L, "set_mark", r->new_mark);
	if (r->nat.kind != NFT_NAT_NONE)
		set_nat(L, &r->nat);
	if (r->reject)
		set_reject(L, r);
	if (r->verdict)
		set_verdict(L, r);
}

static void set_raw(lua_State *L, const struct nft_decoded *d)
{
	if (!d->raws)
		return;
	lua_createtable(L, (int)d->raws, 0);
	for (unsigned int i = 0; i < d->raws; i++) {
		lua_pushstring(L, d->raw[i]);
		append(L);
	}
	lua_setfield(L, -2, "raw");
}

static void push_rule(lua_State *L, int fd, const struct nft_decoded *d)
{
	const struct nft_rule *r = &d->rule;

	lua_createtable(L, 0, 12);
	set_name(L, "family", r->family, nft_families);
	box_set_text(L, "table", r->table);
	box_set_text(L, "chain", r->chain);
	box_set_integer(L, "handle", (lua_Integer)r->handle);
	if (r->position)
		box_set_integer(L, "position", (lua_Integer)r->position);
	if (r->comment)
		box_set_text(L, "comment", r->comment);
	set_matches(L, fd, r);
	set_statements(L, r);
	set_raw(L, d);
}

/***
Lists the rules, each with its matches and statements under the names that `apply` takes.
@function rules
@tparam luabox.nft self
@tparam[opt] table filter
@tparam[opt] string filter.family default: all
@tparam[opt] string filter.table default: all
@tparam[opt] string filter.chain default: all
@treturn {table,...} each with `family`, `table`, `chain`, `handle`, `position` (the handle of the rule
before it), `comment`, `counter = { packets =, bytes = }`, and in `raw` the names of nf_tables'
expressions that luabox cannot write, and of iptables' matches ("conntrack") and targets ("REJECT")
@see nft(8)
@usage local nft <close> = luabox.sys.nft.socket()
nft:apply {
  { "add", "table", name = "web", owner = true },
  { "add", "chain", table = "web", name = "in", type = "filter", hook = "input", priority = 0 },
  { "add", "rule", table = "web", chain = "in", protocol = "tcp", dport = { 22, 80 }, verdict = "accept" },
}
local rule = nft:rules { table = "web" }[1]
nft:apply { { "delete", "rule", table = "web", chain = "in", handle = rule.handle } }
*/
int nft_rules(lua_State *L)
{
	struct filter o = { 0 };
	struct nft_reply *reply = push_dump(L, NFT_MSG_GETRULE, rule_filter, &o);
	struct nft_decoded *d = box_memory_new(L, RULE_TYPE, sizeof *d, rule_free);
	struct box_fd *h = lua_touserdata(L, 1);
	const struct nlmsghdr *m;
	size_t offset = 0;

	lua_newtable(L);
	while ((m = nft_reply_next(reply, &offset))) {
		check_read(L, nft_decode(m, d), "list rules");
		if (!is_wanted(&o, d->rule.family, d->rule.table) ||
		    (o.chain && strcmp(o.chain, d->rule.chain) != 0))
			continue;
		push_rule(L, h->fd, d);
		append(L);
	}
	return 1;
}
