/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.net
*/
#include "kernel/rule.h"

#include <linux/fib_rules.h>
#include <string.h>

#include "binding/net.h"

#define AT(field) offsetof(struct net_rule, field)

static const struct box_name action_names[] = { { "lookup", FR_ACT_TO_TBL },
						{ "blackhole", FR_ACT_BLACKHOLE },
						{ "unreachable", FR_ACT_UNREACHABLE },
						{ "prohibit", FR_ACT_PROHIBIT },
						{ 0 } };

struct options {
	struct net_rule rule;
	int64_t family;
};

static const struct box_opt options[] = { { "priority", BOX_INT, AT(priority), .min = 0, .max = UINT32_MAX },
					  { "from", BOX_CUSTOM, AT(from), .read = net_read_prefix },
					  { "to", BOX_CUSTOM, AT(to), .read = net_read_prefix },
					  { "iif", BOX_CUSTOM, AT(iif), .read = net_read_name },
					  { "oif", BOX_CUSTOM, AT(oif), .read = net_read_name },
					  { "fwmark", BOX_INT, AT(fwmark), .min = 0, .max = UINT32_MAX },
					  { "fwmask", BOX_INT, AT(fwmask), .min = 0, .max = UINT32_MAX },
					  { "table", BOX_CUSTOM, AT(table), .read = net_read_table },
					  { "action", BOX_ENUM, AT(action), .names = action_names },
					  { "invert", BOX_BOOL, AT(invert) },
					  { "family", BOX_ENUM, offsetof(struct options, family),
					    .names = net_families },
					  { 0 } };

static int family_of(const struct options *o)
{
	if (o->family >= 0)
		return (int)o->family;
	if (net_address_given(&o->rule.from))
		return o->rule.from.family;
	return net_address_given(&o->rule.to) ? o->rule.to.family : AF_INET;
}

static void check_family(lua_State *L, int arg, const struct net_rule *r, const struct net_address *a,
			 const char *name)
{
	if (net_address_given(a) && a->family != r->family)
		box_option_error(L, arg, NULL, name, "is not of the rule's family");
}

static void read_rule(lua_State *L, int arg, struct net_rule *r)
{
	struct options o = { .rule = { .priority = NET_ABSENT,
				       .fwmark = NET_ABSENT,
				       .fwmask = NET_ABSENT,
				       .table = NET_ABSENT,
				       .action = NET_ABSENT },
			     .family = NET_ABSENT };

	box_options(L, arg, options, &o);
	o.rule.family = family_of(&o);
	check_family(L, arg, &o.rule, &o.rule.from, "from");
	check_family(L, arg, &o.rule, &o.rule.to, "to");
	*r = o.rule;
}

/***
Adds a rule that chooses the routing table for some packets.
@function rule_add
@tparam table o
@int[opt] o.priority rules are tried from 0 up; default: just before those that are there
@string[opt] o.from source, "10.0.0.0/8"
@string[opt] o.to destination
@string[opt] o.iif the link's name that packets come in by ("lo": sent from here)
@string[opt] o.oif the link's name that sockets are bound to
@int[opt] o.fwmark the packets' mark
@int[opt] o.fwmask the bits of the mark that count; default all
@tparam[opt] string|integer o.table "main", "local", "default" or a number (needed with "lookup")
@string[opt="lookup"] o.action "lookup", "blackhole", "unreachable" or "prohibit"
@bool[opt=false] o.invert packets that do not match
@string[opt] o.family "inet" or "inet6"; default: that of the addresses, else "inet"
@treturn boolean true (of a batch: the batch)
@raise luabox.error: EEXIST
@see ip-rule(8)
@usage local net = luabox.sys.net
net.rule_add { priority = 100, from = "10.0.0.0/8", table = 100 }
net.rule_delete { priority = 100 }
*/
static int rule_add(lua_State *L)
{
	int arg = net_argument(L);
	struct net_call c;
	struct net_rule r;

	read_rule(L, arg, &r);
	if (r.table < 0 && (r.action < 0 || r.action == FR_ACT_TO_TBL))
		return luaL_argerror(L, arg, "option 'table' is missing");
	net_call_begin(L, &c);
	return net_call_change(L, &c, net_rule_add(c.queue, &r, &c.fault));
}

/***
Deletes the first rule that has all that is given.
@function rule_delete
@tparam table o as for `rule_add`; one option at least
@treturn boolean true (of a batch: the batch)
@raise luabox.error: ENOENT if there is none
@usage local net = luabox.sys.net
net.rule_add { priority = 100, fwmark = 7, table = 100 }
net.rule_delete { priority = 100 }
*/
static int rule_delete(lua_State *L)
{
	int arg = net_argument(L);
	struct net_call c;
	struct net_rule r;

	read_rule(L, arg, &r);
	lua_pushnil(L);
	if (!lua_next(L, arg))
		return luaL_argerror(L, arg, "one option at least says which rule");
	net_call_begin(L, &c);
	return net_call_change(L, &c, net_rule_delete(c.queue, &r, &c.fault));
}

static void push_rule(lua_State *L, const struct nlmsghdr *m)
{
	static const struct net_field fields[] = { { FRA_IIFNAME, FIELD_TEXT, "iif" },
						   { FRA_OIFNAME, FIELD_TEXT, "oif" },
						   { FRA_FWMARK, FIELD_U32, "fwmark" },
						   { FRA_FWMASK, FIELD_U32, "fwmask" },
						   { FRA_TABLE, FIELD_U32, "table", net_tables },
						   { 0 } };
	const struct fib_rule_hdr *h = NLMSG_DATA(m);
	const struct nlattr *a[FRA_MAX + 1];

	net_attributes(m, sizeof *h, a, FRA_MAX);
	lua_createtable(L, 0, 8);
	net_set_word(L, "family", h->family, net_families);
	net_set_word(L, "action", h->action, action_names);
	box_set_integer(L, "priority", net_get_u32(a[FRA_PRIORITY], 0));
	net_set_address(L, "from", a[FRA_SRC], h->src_len);
	net_set_address(L, "to", a[FRA_DST], h->dst_len);
	if (h->flags & FIB_RULE_INVERT)
		box_set_bool(L, "invert", 1);
	net_push_fields(L, a, fields);
	if (h->action != FR_ACT_TO_TBL) {
		lua_pushnil(L);
		lua_setfield(L, -2, "table");
	}
}

/***
Lists rules, as they are tried.
Each has `family`, `priority`, `action`, and where they apply `table`, `from`, `to`, `iif`, `oif`, `fwmark`,
`fwmask`, `invert`.
@function rules
@tparam[opt] table filter
@string[opt] filter.family
@treturn {table,...}
@usage for _, r in ipairs(luabox.sys.net.rules { family = "inet" }) do print(r.priority, r.from, r.table) end
*/
static int rules(lua_State *L)
{
	static const struct box_opt filter_options[] = { { "family", BOX_ENUM, 0, .names = net_families },
							 { 0 } };
	int64_t family = NET_ABSENT;
	int arg = net_argument(L), rc = 0;
	struct net_call c;

	if (!lua_isnoneornil(L, arg))
		box_options(L, arg, filter_options, &family);
	net_call_begin(L, &c);
	lua_newtable(L);
	for (const struct box_name *n = net_families; n->name && rc >= 0; n++) {
		const struct nlmsghdr *m;
		size_t offset = 0;

		if (family >= 0 && family != (int64_t)n->bits)
			continue;
		rc = net_rule_query(&c.n->socket, (int)n->bits, &c.fault);
		while (rc >= 0 &&
		       (m = net_next(&c.n->socket, &offset, RTM_NEWRULE, sizeof(struct fib_rule_hdr)))) {
			push_rule(L, m);
			lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
		}
	}
	net_call_finish(L, &c, rc);
	return 1;
}

const luaL_Reg net_rule_changes[] = { { "rule_add", rule_add },
				      { "rule_delete", rule_delete },
				      { NULL, NULL } };
const luaL_Reg net_rule_lists[] = { { "rules", rules }, { NULL, NULL } };
