/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.net
*/
#include "kernel/route.h"

#include <stdio.h>
#include <string.h>

#include "binding/net.h"

#define AT(field) offsetof(struct net_route, field)
#define HOP(field) offsetof(struct net_hop, field)

static const struct box_name type_names[] = { { "unicast", RTN_UNICAST },
					      { "local", RTN_LOCAL },
					      { "broadcast", RTN_BROADCAST },
					      { "anycast", RTN_ANYCAST },
					      { "multicast", RTN_MULTICAST },
					      { "blackhole", RTN_BLACKHOLE },
					      { "unreachable", RTN_UNREACHABLE },
					      { "prohibit", RTN_PROHIBIT },
					      { "throw", RTN_THROW },
					      { 0 } };

struct options {
	struct net_route route;
	int64_t family;
	struct net_hop hops[NET_HOPS];
};

/* ---- options ---- */

static void read_destination(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	if (lua_type(L, -1) == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "default"))
		return;
	net_read_prefix(L, arg, where, o, out);
}

static void read_nexthop(lua_State *L, int arg, lua_Integer i, struct net_hop *hop)
{
	static const struct box_opt options[] = { { "gateway", BOX_CUSTOM, HOP(gateway),
						    .read = net_read_host },
						  { "link", BOX_CUSTOM, HOP(link), .read = net_read_ref },
						  { "weight", BOX_INT, HOP(weight), .min = 1, .max = 256 },
						  { "onlink", BOX_BOOL, HOP(onlink) },
						  { 0 } };
	char where[32];

	snprintf(where, sizeof where, "nexthops[%d]", (int)i);
	if (!lua_istable(L, -1))
		box_option_error(L, arg, NULL, where, "table expected, got %s", luaL_typename(L, -1));
	*hop = (struct net_hop){ .link.index = NET_ABSENT, .weight = NET_ABSENT };
	box_options_at(L, arg, -1, where, 0, options, hop);
	if (!net_address_given(&hop->gateway) && !hop->link.name && hop->link.index < 0)
		box_option_error(L, arg, NULL, where, "needs a 'gateway' or a 'link'");
}

static void read_nexthops(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	struct options *all = (struct options *)((char *)out - offsetof(struct options, hops));
	lua_Integer count;

	(void)where;
	if (!lua_istable(L, -1))
		box_option_error(L, arg, NULL, o->name, "table expected, got %s", luaL_typename(L, -1));
	count = (lua_Integer)lua_rawlen(L, -1);
	if (count < 1 || count > NET_HOPS)
		box_option_error(L, arg, NULL, o->name, "is a list of 1 to %d hops", NET_HOPS);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, -1, i);
		read_nexthop(L, arg, i, &all->hops[i - 1]);
		lua_pop(L, 1);
	}
	all->route.hops = all->hops;
	all->route.count = (size_t)count;
}

static const struct box_opt options[] = {
	{ "destination", BOX_CUSTOM, AT(destination), .required = 1, .read = read_destination },
	{ "gateway", BOX_CUSTOM, AT(hop.gateway), .read = net_read_host },
	{ "link", BOX_CUSTOM, AT(hop.link), .read = net_read_ref },
	{ "onlink", BOX_BOOL, AT(hop.onlink) },
	{ "source", BOX_CUSTOM, AT(source), .read = net_read_host },
	{ "table", BOX_CUSTOM, AT(table), .read = net_read_table },
	{ "metric", BOX_INT, AT(metric), .min = 0, .max = UINT32_MAX },
	{ "mtu", BOX_INT, AT(mtu), .min = 68, .max = INT32_MAX },
	{ "scope", BOX_ENUM, AT(scope), .names = net_scopes },
	{ "type", BOX_ENUM, AT(type), .names = type_names },
	{ "protocol", BOX_ENUM, AT(protocol), .names = net_protocols },
	{ "replace", BOX_BOOL, AT(replace) },
	{ "family", BOX_ENUM, offsetof(struct options, family), .names = net_families },
	{ "nexthops", BOX_CUSTOM, offsetof(struct options, hops), .read = read_nexthops },
	{ 0 }
};

/* "default" says no family: the gateway does, or the source, or 'family', or it is IPv4's. */
static int family_of(const struct options *o)
{
	const struct net_route *r = &o->route;

	if (net_address_given(&r->destination))
		return r->destination.family;
	if (o->family >= 0)
		return (int)o->family;
	if (net_address_given(&r->hop.gateway))
		return r->hop.gateway.family;
	if (r->count && net_address_given(&o->hops[0].gateway))
		return o->hops[0].gateway.family;
	return net_address_given(&r->source) ? r->source.family : AF_INET;
}

static void check(lua_State *L, int arg, const struct options *o)
{
	const struct net_route *r = &o->route;

	if (o->family >= 0 && o->family != r->family)
		box_option_error(L, arg, NULL, "family", "is not that of 'destination'");
	if (net_address_given(&r->source) && r->source.family != r->family)
		box_option_error(L, arg, NULL, "source", "is not of the family of the destination");
	if (r->family == AF_INET6 && net_address_given(&r->hop.gateway) && r->hop.gateway.family == AF_INET)
		box_option_error(L, arg, NULL, "gateway", "an IPv6 route cannot go over an IPv4 neighbour");
	if (r->count && (net_address_given(&r->hop.gateway) || r->hop.link.name || r->hop.link.index > 0))
		box_option_error(L, arg, NULL, "nexthops", "stands instead of 'gateway' and 'link'");
	if (r->hop.onlink > 0 && !r->hop.link.name && r->hop.link.index < 0)
		box_option_error(L, arg, NULL, "onlink", "needs 'link'");
}

static int change(lua_State *L, int (*put)(struct net_socket *, struct net_queue *, const struct net_route *,
					   struct fault *))
{
	struct options o = { .route = { .hop.link.index = NET_ABSENT,
					.table = NET_ABSENT,
					.metric = NET_ABSENT,
					.mtu = NET_ABSENT,
					.scope = NET_ABSENT,
					.type = NET_ABSENT,
					.protocol = NET_ABSENT },
			     .family = NET_ABSENT };
	int arg = net_argument(L);
	struct net_call c;

	box_options(L, arg, options, &o);
	o.route.family = family_of(&o);
	check(L, arg, &o);
	net_call_begin(L, &c);
	return net_call_change(L, &c, put(&c.n->socket, c.queue, &o.route, &c.fault));
}

/***
Adds a route.
@function route_add
@tparam table o
@string o.destination "10.1.0.0/16", "fd00:1::/64" or "default"
@string[opt] o.gateway the neighbour it goes over
@tparam[opt] string|integer o.link the link it goes out of
@bool[opt=false] o.onlink the gateway is on the link although no address there says so
@string[opt] o.source the address to send from
@tparam[opt="main"] string|integer o.table "main", "local", "default" or a number
@int[opt] o.metric the lower, the better
@int[opt] o.mtu bytes
@string[opt] o.scope "global", "link" or "host"; default: as it follows from type and gateway
@string[opt="unicast"] o.type "unicast", "local", "blackhole", "unreachable", "prohibit", "throw",
"broadcast", "anycast", "multicast"
@string[opt="boot"] o.protocol who made it: "boot", "static", "kernel", "ra", "dhcp", "redirect", "unspec"
@bool[opt=false] o.replace replace the route that is there
@string[opt] o.family "inet" or "inet6", for a default route without gateway; default "inet"
@tparam[opt] {table,...} o.nexthops several hops to share the traffic: { gateway =, link =, weight = 1 to 256,
onlink = }
@treturn boolean true (of a batch: the batch)
@raise luabox.error: ENETUNREACH if no link reaches the gateway, EEXIST, ENETDOWN, …
@see ip-route(8)
@usage local net = luabox.sys.net
net.link_set { name = "lo", up = true }
net.route_add { destination = "10.1.0.0/16", link = "lo" }
net.route_delete { destination = "10.1.0.0/16" }
*/
static int route_add(lua_State *L)
{
	return change(L, net_route_add);
}

/***
Deletes the first route that has all that is given.
@function route_delete
@tparam table o as for `route_add`
@treturn boolean true (of a batch: the batch)
@raise luabox.error: ESRCH if there is none
@usage local net = luabox.sys.net
net.route_add { destination = "fd00:1::/64", type = "blackhole" }
net.route_delete { destination = "fd00:1::/64" }
*/
static int route_delete(lua_State *L)
{
	return change(L, net_route_delete);
}

/* ---- listing ---- */

static void set_gateway(lua_State *L, const struct nlattr **a)
{
	struct rtvia via;
	char text[NET_ADDRESS_TEXT];

	net_set_address(L, "gateway", a[RTA_GATEWAY], -1);
	if (!a[RTA_VIA] || (size_t)nla_len(a[RTA_VIA]) < sizeof via + 16)
		return;
	memcpy(&via, nla_data(a[RTA_VIA]), sizeof via);
	net_address_format(via.rtvia_family, (const char *)nla_data(a[RTA_VIA]) + sizeof via, -1, text);
	box_set_text(L, "gateway", text);
}

static void push_nexthop(lua_State *L, struct net_call *c, const struct rtnexthop *h)
{
	const struct nlattr *a[RTA_MAX + 1];

	net_scan((const char *)h + sizeof *h, h->rtnh_len - (int)sizeof *h, a, RTA_MAX);
	lua_createtable(L, 0, 4);
	set_gateway(L, a);
	net_set_link(L, c, "link", "link_index", h->rtnh_ifindex);
	box_set_integer(L, "weight", h->rtnh_hops + 1);
	if (h->rtnh_flags & RTNH_F_ONLINK)
		box_set_bool(L, "onlink", 1);
}

static void set_nexthops(lua_State *L, struct net_call *c, const struct nlattr *a)
{
	const char *at = nla_data(a), *end = at + nla_len(a);
	lua_Integer count = 0;

	lua_newtable(L);
	while (end - at >= (long)sizeof(struct rtnexthop)) {
		const struct rtnexthop *h = (const struct rtnexthop *)at;

		if (h->rtnh_len < sizeof *h || h->rtnh_len > end - at)
			break;
		push_nexthop(L, c, h);
		lua_rawseti(L, -2, ++count);
		at += RTNH_ALIGN(h->rtnh_len);
	}
	lua_setfield(L, -2, "nexthops");
}

static void set_metrics(lua_State *L, const struct nlattr *nest)
{
	static const struct net_field fields[] = { { RTAX_MTU, FIELD_U32, "mtu" }, { 0 } };
	const struct nlattr *a[RTAX_MAX + 1];

	net_nested(nest, a, RTAX_MAX);
	net_push_fields(L, a, fields);
}

static void push_route(lua_State *L, struct net_call *c, const struct nlmsghdr *m)
{
	static const struct net_field fields[] = { { RTA_PRIORITY, FIELD_U32, "metric" },
						   { RTA_PREFSRC, FIELD_ADDRESS, "source" },
						   { RTA_TABLE, FIELD_U32, "table", net_tables },
						   { 0 } };
	const struct rtmsg *h = NLMSG_DATA(m);
	const struct nlattr *a[RTA_MAX + 1];

	net_attributes(m, sizeof *h, a, RTA_MAX);
	lua_createtable(L, 0, 12);
	net_set_word(L, "family", h->rtm_family, net_families);
	box_set_text(L, "destination", "default");
	net_set_address(L, "destination", a[RTA_DST], h->rtm_dst_len);
	net_set_word(L, "type", h->rtm_type, type_names);
	net_set_word(L, "scope", h->rtm_scope, net_scopes);
	net_set_word(L, "protocol", h->rtm_protocol, net_protocols);
	set_gateway(L, a);
	if (a[RTA_OIF])
		net_set_link(L, c, "link", "link_index", (int)net_get_u32(a[RTA_OIF], 0));
	if (h->rtm_flags & RTNH_F_ONLINK)
		box_set_bool(L, "onlink", 1);
	net_push_fields(L, a, fields);
	set_metrics(L, a[RTA_METRICS]);
	if (a[RTA_MULTIPATH])
		set_nexthops(L, c, a[RTA_MULTIPATH]);
}

/* Appends the routes of the answer to the list at the top. */
static void append_routes(lua_State *L, struct net_call *c, int family)
{
	const struct nlmsghdr *m;
	size_t offset = 0;

	while ((m = net_next(&c->n->socket, &offset, RTM_NEWROUTE, sizeof(struct rtmsg)))) {
		if (((const struct rtmsg *)NLMSG_DATA(m))->rtm_family != family)
			continue;
		push_route(L, c, m);
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	}
}

/* A table, or "all". */
static void read_table_or_all(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	if (lua_type(L, -1) == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "all"))
		*(int64_t *)out = NET_ABSENT;
	else
		net_read_table(L, arg, where, o, out);
}

/***
Lists routes.
Each has `family`, `destination`, `type`, `scope`, `protocol`, `table`, and where they apply `gateway`, `link`
and `link_index`, `onlink`, `source`, `metric`, `mtu` and `nexthops`.
@function routes
@tparam[opt] table filter
@tparam[opt="main"] string|integer filter.table also "all"
@tparam[opt] string|integer filter.link
@string[opt] filter.family
@treturn {table,...}
@usage for _, r in ipairs(luabox.sys.net.routes()) do print(r.destination, r.gateway, r.link) end
*/
static int routes(lua_State *L)
{
	struct filter {
		struct net_route_filter kernel;
		int64_t family;
	} filter = { .kernel = { .link.index = NET_ABSENT, .table = RT_TABLE_MAIN }, .family = NET_ABSENT };
	static const struct box_opt filter_options[] = {
		{ "table", BOX_CUSTOM, offsetof(struct filter, kernel.table), .read = read_table_or_all },
		{ "link", BOX_CUSTOM, offsetof(struct filter, kernel.link), .read = net_read_ref },
		{ "family", BOX_ENUM, offsetof(struct filter, family), .names = net_families },
		{ 0 }
	};
	int arg = net_argument(L), rc = 0;
	struct net_call c;

	if (!lua_isnoneornil(L, arg))
		box_options(L, arg, filter_options, &filter);
	net_call_begin(L, &c);
	lua_newtable(L);
	for (const struct box_name *n = net_families; n->name && rc >= 0; n++) {
		if (filter.family >= 0 && filter.family != (int64_t)n->bits)
			continue;
		filter.kernel.family = (int)n->bits;
		rc = net_route_query(&c.n->socket, &filter.kernel, &c.fault);
		if (rc >= 0)
			append_routes(L, &c, filter.kernel.family);
	}
	net_call_finish(L, &c, rc);
	return 1;
}

const luaL_Reg net_route_changes[] = { { "route_add", route_add },
				       { "route_delete", route_delete },
				       { NULL, NULL } };
const luaL_Reg net_route_lists[] = { { "routes", routes }, { NULL, NULL } };
