/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.net
*/
#include <errno.h>
#include <linux/if_bridge.h>
#include <string.h>

#include "binding/net.h"
#include "binding/net_link.h"

/* ---- the kinds' own data ---- */

static const struct net_field bridge_fields[] = {
	{ IFLA_BR_STP_STATE, FIELD_BOOL32, "stp" },
	{ IFLA_BR_FORWARD_DELAY, FIELD_CLOCK, "forward_delay" },
	{ IFLA_BR_HELLO_TIME, FIELD_CLOCK, "hello_time" },
	{ IFLA_BR_MAX_AGE, FIELD_CLOCK, "max_age" },
	{ IFLA_BR_AGEING_TIME, FIELD_CLOCK, "ageing_time" },
	{ IFLA_BR_PRIORITY, FIELD_U16, "priority" },
	{ IFLA_BR_VLAN_FILTERING, FIELD_BOOL, "vlan_filtering" },
	{ IFLA_BR_VLAN_PROTOCOL, FIELD_BE16, "vlan_protocol", net_vlan_protocols },
	{ IFLA_BR_VLAN_DEFAULT_PVID, FIELD_U16, "vlan_default_pvid" },
	{ IFLA_BR_MCAST_SNOOPING, FIELD_BOOL, "multicast_snooping" },
	{ IFLA_BR_MCAST_QUERIER, FIELD_BOOL, "multicast_querier" },
	{ IFLA_BR_GROUP_FWD_MASK, FIELD_U16, "group_fwd_mask" },
	{ 0 }
};
static const struct net_field macvlan_fields[] = {
	{ IFLA_MACVLAN_MODE, FIELD_U32, "mode", net_macvlan_modes }, { 0 }
};
static const struct net_field ipvlan_fields[] = { { IFLA_IPVLAN_MODE, FIELD_U16, "mode", net_ipvlan_modes },
						  { 0 } };
static const struct net_field vlan_fields[] = { { IFLA_VLAN_ID, FIELD_U16, "id" },
						{ IFLA_VLAN_PROTOCOL, FIELD_BE16, "protocol",
						  net_vlan_protocols },
						{ 0 } };
static const struct net_field vxlan_fields[] = { { IFLA_VXLAN_ID, FIELD_U32, "id" },
						 { IFLA_VXLAN_GROUP, FIELD_ADDRESS, "remote" },
						 { IFLA_VXLAN_GROUP6, FIELD_ADDRESS, "remote" },
						 { IFLA_VXLAN_LOCAL, FIELD_ADDRESS, "local" },
						 { IFLA_VXLAN_LOCAL6, FIELD_ADDRESS, "local" },
						 { IFLA_VXLAN_PORT, FIELD_BE16, "port" },
						 { IFLA_VXLAN_TTL, FIELD_U8, "ttl" },
						 { IFLA_VXLAN_TOS, FIELD_U8, "tos" },
						 { IFLA_VXLAN_LEARNING, FIELD_BOOL, "learning" },
						 { IFLA_VXLAN_AGEING, FIELD_U32, "ageing_time" },
						 { 0 } };
static const struct net_field port_fields[] = { { IFLA_BRPORT_STATE, FIELD_U8, "state", net_port_states },
						{ IFLA_BRPORT_PRIORITY, FIELD_U16, "port_priority" },
						{ IFLA_BRPORT_COST, FIELD_U32, "port_cost" },
						{ IFLA_BRPORT_MODE, FIELD_BOOL, "hairpin" },
						{ IFLA_BRPORT_ISOLATED, FIELD_BOOL, "isolated" },
						{ IFLA_BRPORT_LEARNING, FIELD_BOOL, "port_learning" },
						{ IFLA_BRPORT_UNICAST_FLOOD, FIELD_BOOL, "flood" },
						{ IFLA_BRPORT_MCAST_FLOOD, FIELD_BOOL, "multicast_flood" },
						{ IFLA_BRPORT_BCAST_FLOOD, FIELD_BOOL, "broadcast_flood" },
						{ IFLA_BRPORT_GUARD, FIELD_BOOL, "bpdu_guard" },
						{ IFLA_BRPORT_FAST_LEAVE, FIELD_BOOL, "fast_leave" },
						{ IFLA_BRPORT_NEIGH_SUPPRESS, FIELD_BOOL, "neigh_suppress" },
						{ IFLA_BRPORT_NO, FIELD_U16, "number" },
						{ 0 } };

static const struct {
	const char *kind;
	const struct net_field *fields;
} data_of[] = { { "bridge", bridge_fields },
		{ "macvlan", macvlan_fields },
		{ "ipvlan", ipvlan_fields },
		{ "vlan", vlan_fields },
		{ "vxlan", vxlan_fields } };

/* The longest of the kinds' attribute lists is the bridge's and the vxlan's. */
#define DATA_MAX (IFLA_BR_MAX > IFLA_VXLAN_MAX ? (int)IFLA_BR_MAX : (int)IFLA_VXLAN_MAX)

static int is_text(const struct nlattr *a, const char *text)
{
	size_t length = strlen(text);

	return a && (size_t)nla_len(a) >= length + 1 && !memcmp(nla_data(a), text, length + 1);
}

static void set_nested(lua_State *L, const char *name, const struct nlattr *nest,
		       const struct net_field *fields)
{
	const struct nlattr *a[DATA_MAX + 1];

	net_nested(nest, a, DATA_MAX);
	lua_newtable(L);
	net_push_fields(L, a, fields);
	lua_setfield(L, -2, name);
}

/* Fields kind, data and port. */
static void set_info(lua_State *L, const struct nlattr *nest)
{
	static const struct net_field kind_field[] = { { IFLA_INFO_KIND, FIELD_TEXT, "kind" }, { 0 } };
	const struct nlattr *a[IFLA_INFO_MAX + 1];

	net_nested(nest, a, IFLA_INFO_MAX);
	net_push_fields(L, a, kind_field);
	for (size_t i = 0; a[IFLA_INFO_DATA] && i < sizeof data_of / sizeof *data_of; i++)
		if (is_text(a[IFLA_INFO_KIND], data_of[i].kind))
			set_nested(L, "data", a[IFLA_INFO_DATA], data_of[i].fields);
	if (a[IFLA_INFO_SLAVE_DATA] && is_text(a[IFLA_INFO_SLAVE_KIND], "bridge"))
		set_nested(L, "port", a[IFLA_INFO_SLAVE_DATA], port_fields);
}

/* ---- what all links have ---- */

static const struct net_field fields[] = { { IFLA_IFNAME, FIELD_TEXT, "name" },
					   { IFLA_IFALIAS, FIELD_TEXT, "alias" },
					   { IFLA_ADDRESS, FIELD_MAC, "address" },
					   { IFLA_BROADCAST, FIELD_MAC, "broadcast" },
					   { IFLA_PERM_ADDRESS, FIELD_MAC, "permanent_address" },
					   { IFLA_MTU, FIELD_U32, "mtu" },
					   { IFLA_GROUP, FIELD_U32, "group" },
					   { IFLA_OPERSTATE, FIELD_U8, "operstate", net_operstates },
					   { IFLA_CARRIER, FIELD_BOOL, "carrier" },
					   { IFLA_CARRIER_CHANGES, FIELD_U32, "carrier_changes" },
					   { IFLA_PROMISCUITY, FIELD_U32, "promiscuity" },
					   { IFLA_TXQLEN, FIELD_U32, "tx_queue_length" },
					   { IFLA_NUM_TX_QUEUES, FIELD_U32, "tx_queues" },
					   { IFLA_NUM_RX_QUEUES, FIELD_U32, "rx_queues" },
					   { IFLA_QDISC, FIELD_TEXT, "qdisc" },
					   { 0 } };

/* In the order of struct rtnl_link_stats64. */
static const char *const counters[] = { "rx_packets", "tx_packets", "rx_bytes",   "tx_bytes",  "rx_errors",
					"tx_errors",  "rx_dropped", "tx_dropped", "multicast", "collisions" };

static void set_statistics(lua_State *L, const struct nlattr *a)
{
	size_t there = a ? (size_t)nla_len(a) / sizeof(uint64_t) : 0;

	if (!there)
		return;
	lua_createtable(L, 0, sizeof counters / sizeof *counters);
	for (size_t i = 0; i < sizeof counters / sizeof *counters && i < there; i++) {
		uint64_t value;

		memcpy(&value, (const char *)nla_data(a) + i * sizeof value, sizeof value);
		box_set_integer(L, counters[i], (lua_Integer)value);
	}
	lua_setfield(L, -2, "statistics");
}

/* The other end of a veth, or the lower link of the other kinds; in another
 * namespace its index means something only there. */
static void set_other(lua_State *L, struct net_call *c, const struct nlattr **a, int is_elsewhere)
{
	uint32_t index = net_get_u32(a[IFLA_LINK], 0);
	const struct nlattr *info[IFLA_INFO_MAX + 1];
	char name[IFNAMSIZ];

	if (!index)
		return;
	net_nested(a[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	lua_createtable(L, 0, 3);
	box_set_integer(L, "index", index);
	if (a[IFLA_LINK_NETNSID])
		box_set_integer(L, "nsid", (int32_t)net_get_u32(a[IFLA_LINK_NETNSID], 0));
	else if (!is_elsewhere && net_find_name(L, c, (int)index, name))
		box_set_text(L, "name", name);
	lua_setfield(L, -2, is_text(info[IFLA_INFO_KIND], "veth") ? "peer" : "link");
}

static void set_families(lua_State *L, const struct nlattr *nest)
{
	static const struct net_field inet6_fields[] = {
		{ IFLA_INET6_ADDR_GEN_MODE, FIELD_U8, "addrgenmode", net_addrgenmodes }, { 0 }
	};
	const struct nlattr *family[AF_INET6 + 1], *inet[IFLA_INET_MAX + 1], *inet6[IFLA_INET6_MAX + 1];
	const struct nlattr *conf;

	net_nested(nest, family, AF_INET6);
	net_nested(family[AF_INET6], inet6, IFLA_INET6_MAX);
	net_push_fields(L, inet6, inet6_fields);
	net_nested(family[AF_INET], inet, IFLA_INET_MAX);
	conf = inet[IFLA_INET_CONF];
	if (!conf)
		return;
	lua_newtable(L);
	for (const struct box_name *n = net_ipv4_names; n->name; n++) {
		int32_t value;

		if ((size_t)nla_len(conf) < n->bits * sizeof value)
			continue;
		memcpy(&value, (const char *)nla_data(conf) + (n->bits - 1) * sizeof value, sizeof value);
		box_set_integer(L, n->name, value);
	}
	lua_setfield(L, -2, "ipv4");
}

/* A port's bridge. */
static void set_master(lua_State *L, struct net_call *c, const struct nlattr *master, int is_elsewhere)
{
	int index = (int)net_get_u32(master, 0);

	if (master && is_elsewhere)
		box_set_integer(L, "master_index", index);
	else if (master)
		net_set_link(L, c, "master", "master_index", index);
}

/* Names of other links can only be asked for in the socket's own namespace. */
static void push_link(lua_State *L, struct net_call *c, const struct nlmsghdr *m, int is_elsewhere)
{
	const struct ifinfomsg *h = NLMSG_DATA(m);
	const struct nlattr *a[IFLA_MAX + 1];

	net_attributes(m, sizeof *h, a, IFLA_MAX);
	lua_createtable(L, 0, 28);
	box_set_integer(L, "index", h->ifi_index);
	net_set_word(L, "type", h->ifi_type, net_link_types);
	box_set_bool(L, "up", h->ifi_flags & IFF_UP);
	box_push_flags(L, h->ifi_flags, net_link_flags);
	lua_setfield(L, -2, "flags");
	net_push_fields(L, a, fields);
	set_master(L, c, a[IFLA_MASTER], is_elsewhere);
	set_info(L, a[IFLA_LINKINFO]);
	set_other(L, c, a, is_elsewhere);
	set_families(L, a[IFLA_AF_SPEC]);
	set_statistics(L, a[IFLA_STATS64]);
}

static int in_group(const struct nlmsghdr *m, int64_t group)
{
	const struct nlattr *a[IFLA_GROUP + 1];

	net_attributes(m, sizeof(struct ifinfomsg), a, IFLA_GROUP);
	return group < 0 || net_get_u32(a[IFLA_GROUP], 0) == group;
}

static void push_links(lua_State *L, struct net_call *c, const struct net_link_filter *filter)
{
	const struct nlmsghdr *m;
	lua_Integer count = 0;
	size_t offset = 0;

	lua_newtable(L);
	while ((m = net_next(&c->n->socket, &offset, RTM_NEWLINK, sizeof(struct ifinfomsg)))) {
		if (!in_group(m, filter->group))
			continue;
		push_link(L, c, m, filter->nsid >= 0);
		lua_rawseti(L, -2, ++count);
	}
}

/***
Lists links.

A link's table has `name`, `index`, `type` ("ether"), `kind` ("veth", absent for a plain interface), `up`,
`flags` ("up,broadcast"), `operstate`, `carrier`, `mtu`, `address`, `broadcast`, `group`, `alias`, `master`
and `master_index`, `peer` (of a veth; `link` of the other kinds) with `index`, and `name` if it is in this
namespace or `nsid` if not, `data` (the kind's options, named as for `link_add`), `port` (as the port of a
bridge), `ipv4`, `addrgenmode`, `tx_queues`, `rx_queues`, `tx_queue_length`, `promiscuity`, `qdisc`, and
`statistics` (rx_bytes, tx_bytes, rx_packets, tx_packets, rx_errors, tx_errors, rx_dropped, tx_dropped,
multicast, collisions).
@function links
@tparam[opt] table filter
@string[opt] filter.kind
@tparam[opt] string|integer filter.master only the ports of this one
@int[opt] filter.group
@int[opt] filter.nsid those of another network namespace, by the number that this one knows it by; what `nsid`
says of them is this one's number too, and they have no `master` and no names of `peer` and `link`
@treturn {table,...}
@see ip-link(8)
@usage for _, link in ipairs(luabox.sys.net.links()) do print(link.name, link.address,
link.statistics.rx_bytes) end
*/
static int link_list(lua_State *L)
{
	static const struct box_opt options[] = {
		{ "kind", BOX_ENUM, offsetof(struct net_link_filter, kind), .names = net_kinds },
		{ "master", BOX_CUSTOM, offsetof(struct net_link_filter, master), .read = net_read_ref },
		{ "group", BOX_INT, offsetof(struct net_link_filter, group), .min = 0, .max = INT32_MAX },
		{ "nsid", BOX_INT, offsetof(struct net_link_filter, nsid), .min = 0, .max = INT32_MAX },
		{ 0 }
	};
	struct net_link_filter filter = {
		{ NULL, NET_ABSENT }, { NULL, NET_ABSENT }, NET_ABSENT, NET_ABSENT, NET_ABSENT
	};
	int arg = net_argument(L), rc;
	struct net_call c;

	if (!lua_isnoneornil(L, arg))
		box_options(L, arg, options, &filter);
	if (filter.nsid >= 0 && filter.master.name)
		box_option_error(L, arg, NULL, "master",
				 "with nsid it is an index in that network namespace");
	net_call_begin(L, &c);
	rc = net_link_query(&c.n->socket, &filter, &c.fault);
	if (rc >= 0)
		push_links(L, &c, &filter);
	net_call_finish(L, &c, rc);
	return 1;
}

/***
One link, as in `links`.
@function link
@tparam string|integer link its name or index
@treturn ?table nil if there is no such link
@usage assert(luabox.sys.net.link("lo").type == "loopback")
assert(luabox.sys.net.link("nosuch0") == nil)
*/
static int link_get(lua_State *L)
{
	struct net_link_filter filter = { .link = net_check_ref(L, net_argument(L)) };
	const struct nlmsghdr *m = NULL;
	struct net_call c;
	int rc;

	net_call_begin(L, &c);
	rc = net_link_query(&c.n->socket, &filter, &c.fault);
	if (rc >= 0 && !(m = net_only(&c.n->socket, RTM_NEWLINK, sizeof(struct ifinfomsg), &c.fault)))
		rc = -EBADMSG;
	if (m)
		push_link(L, &c, m, 0);
	else
		lua_pushnil(L);
	net_call_finish(L, &c, rc == -ENODEV ? 0 : rc);
	return 1;
}

const luaL_Reg net_link_lists[] = { { "links", link_list }, { "link", link_get }, { NULL, NULL } };
