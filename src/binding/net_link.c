/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.net
*/
#include "binding/net.h"

#include <string.h>

#include "binding/net_link.h"

#define AT(field) offsetof(struct net_link, field)
#define PEER(field) offsetof(struct net_peer, field)
#define INDEX(offset)                                                                                        \
	{                                                                                                    \
		"index", BOX_INT, offset, .min = 1, .max = INT32_MAX                                         \
	}
#define MTU(offset)                                                                                          \
	{                                                                                                    \
		"mtu", BOX_INT, offset, .min = 1, .max = INT32_MAX                                           \
	}
#define GROUP(offset)                                                                                        \
	{                                                                                                    \
		"group", BOX_INT, offset, .min = 0, .max = INT32_MAX                                         \
	}
#define QUEUES(name, offset)                                                                                 \
	{                                                                                                    \
		name, BOX_INT, offset, .min = 1, .max = 4096                                                 \
	}
#define NAME(name, offset, is_required)                                                                      \
	{                                                                                                    \
		name, BOX_CUSTOM, offset, .required = is_required, .read = net_read_name                     \
	}
#define MAC(offset)                                                                                          \
	{                                                                                                    \
		"address", BOX_CUSTOM, offset, .read = net_read_mac                                          \
	}
#define HOST(name, offset)                                                                                   \
	{                                                                                                    \
		name, BOX_CUSTOM, offset, .read = net_read_host                                              \
	}
#define LINK(offset, is_required)                                                                            \
	{                                                                                                    \
		"link", BOX_CUSTOM, offset, .required = is_required, .read = net_read_ref                    \
	}
#define SECONDS(name, offset)                                                                                \
	{                                                                                                    \
		name, BOX_NUMBER, offset, .min = 0, .max = 1000000                                           \
	}

/* ---- the tables inside ---- */

static void read_peer(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	static const struct box_opt options[] = { NAME("name", PEER(name), 1),
						  INDEX(PEER(index)),
						  MAC(PEER(address)),
						  { "netns", BOX_FD, PEER(netns) },
						  MTU(PEER(mtu)),
						  GROUP(PEER(group)),
						  QUEUES("tx_queues", PEER(tx_queues)),
						  QUEUES("rx_queues", PEER(rx_queues)),
						  { 0 } };

	(void)where;
	if (!lua_istable(L, -1))
		box_option_error(L, arg, NULL, o->name, "table expected, got %s", luaL_typename(L, -1));
	box_options_at(L, arg, -1, o->name, 0, options, out);
}

/* One setting of /proc/sys/net/ipv4/conf: a number, or a boolean for 1 and 0. */
static void read_ipv4_value(lua_State *L, int arg, const struct box_opt *o, const char *name, int64_t *out)
{
	lua_Integer value;
	int exact;

	if (lua_isboolean(L, -1)) {
		*out = lua_toboolean(L, -1);
		return;
	}
	value = lua_tointegerx(L, -1, &exact);
	if (lua_type(L, -1) != LUA_TNUMBER || !exact)
		box_option_error(L, arg, o->name, name, "integer or boolean expected, got %s",
				 luaL_typename(L, -1));
	if (value < 0 || value > INT32_MAX)
		box_option_error(L, arg, o->name, name, "%lld is out of range (0 to %d)", (long long)value,
				 INT32_MAX);
	*out = value;
}

/* The number of the setting that the key below the top names. */
static uint64_t ipv4_setting(lua_State *L, int arg, const struct box_opt *o)
{
	const char *key = lua_tostring(L, -2);

	for (const struct box_name *n = net_ipv4_names; n->name; n++)
		if (!strcmp(n->name, key))
			return n->bits;
	box_flags(L, arg, NULL, o->name, key, net_ipv4_names); /* raises, with a suggestion */
	return (uint64_t)box_option_error(L, arg, NULL, o->name, "unknown setting '%s'", key);
}

static void read_ipv4(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	int64_t *values = out;

	(void)where;
	if (!lua_istable(L, -1))
		box_option_error(L, arg, NULL, o->name, "table expected, got %s", luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			box_option_error(L, arg, NULL, o->name, "names of settings are strings, got a %s key",
					 luaL_typename(L, -2));
		read_ipv4_value(L, arg, o, lua_tostring(L, -2), &values[ipv4_setting(L, arg, o)]);
	}
}

/* A link, or false: none. */
static void read_master(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	if (lua_isboolean(L, -1) && !lua_toboolean(L, -1))
		*(struct net_ref *)out = (struct net_ref){ .index = 0 };
	else
		net_read_ref(L, arg, where, o, out);
}

/* ---- the options, by kind ---- */

#define BOTH_OPTIONS                                                                                         \
	MTU(AT(mtu)), MAC(AT(address)), GROUP(AT(group)), { "up", BOX_BOOL, AT(up) },                        \
		{ "arp", BOX_BOOL, AT(arp) }, { "multicast", BOX_BOOL, AT(multicast) },                      \
		{ "allmulticast", BOX_BOOL, AT(allmulticast) },                                              \
		{ "promiscuous", BOX_BOOL, AT(promiscuous) }, { "netns", BOX_FD, AT(netns) },                \
		{ "alias", BOX_STRING, AT(alias), .max = 255 },                                              \
		{ "tx_queue_length", BOX_INT, AT(tx_queue_length), .min = 0, .max = INT32_MAX },             \
		{ "addrgenmode", BOX_ENUM, AT(addrgenmode), .names = net_addrgenmodes },                     \
		{ "ipv4", BOX_CUSTOM, AT(ipv4), .read = read_ipv4 },                                         \
		{ "hairpin", BOX_BOOL, AT(port.hairpin) }, { "isolated", BOX_BOOL, AT(port.isolated) },      \
		{ "port_learning", BOX_BOOL, AT(port.learning) }, { "flood", BOX_BOOL, AT(port.flood) },     \
		{ "multicast_flood", BOX_BOOL, AT(port.multicast_flood) },                                   \
		{ "broadcast_flood", BOX_BOOL, AT(port.broadcast_flood) },                                   \
		{ "bpdu_guard", BOX_BOOL, AT(port.guard) }, { "fast_leave", BOX_BOOL, AT(port.fast_leave) }, \
		{ "neigh_suppress", BOX_BOOL, AT(port.neigh_suppress) },                                     \
		{ "port_priority", BOX_INT, AT(port.priority), .min = 0, .max = 63 },                        \
		{ "port_cost", BOX_INT, AT(port.cost), .min = 1, .max = 65535 },                             \
	{                                                                                                    \
		"kind", BOX_ENUM, AT(kind), .names = net_kinds                                               \
	}

#define ADD_OPTIONS                                                                                          \
	NAME("name", AT(name), 1), INDEX(AT(index)),                                                         \
		{ "master", BOX_CUSTOM, AT(master), .read = net_read_ref },                                  \
		QUEUES("tx_queues", AT(tx_queues)), QUEUES("rx_queues", AT(rx_queues)), BOTH_OPTIONS

#define SET_OPTIONS                                                                                          \
	NAME("name", AT(name), 0), INDEX(AT(index)), NAME("rename", AT(rename), 0),                          \
		{ "master", BOX_CUSTOM, AT(master), .read = read_master }, { "force", BOX_BOOL, AT(force) }, \
		BOTH_OPTIONS

#define BRIDGE_OPTIONS                                                                                       \
	{ "stp", BOX_BOOL, AT(bridge.stp) }, { "vlan_filtering", BOX_BOOL, AT(bridge.vlan_filtering) },      \
		{ "multicast_snooping", BOX_BOOL, AT(bridge.multicast_snooping) },                           \
		SECONDS("forward_delay", AT(bridge.forward_delay)),                                          \
		SECONDS("hello_time", AT(bridge.hello_time)), SECONDS("max_age", AT(bridge.max_age)),        \
		SECONDS("ageing_time", AT(bridge.ageing_time)),                                              \
	{                                                                                                    \
		"priority", BOX_INT, AT(bridge.priority), .min = 0, .max = 65535                             \
	}
#define MACVLAN_OPTIONS                                                                                      \
	{                                                                                                    \
		"mode", BOX_ENUM, AT(mode), .names = net_macvlan_modes                                       \
	}
#define IPVLAN_OPTIONS                                                                                       \
	{                                                                                                    \
		"mode", BOX_ENUM, AT(mode), .names = net_ipvlan_modes                                        \
	}
#define VXLAN_OPTIONS                                                                                        \
	HOST("remote", AT(vxlan.remote)), HOST("local", AT(vxlan.local)),                                    \
		{ "learning", BOX_BOOL, AT(vxlan.learning) },                                                \
	{                                                                                                    \
		"ttl", BOX_INT, AT(vxlan.ttl), .min = 0, .max = 255                                          \
	}

static const struct box_opt add_bridge[] = { ADD_OPTIONS, BRIDGE_OPTIONS, { 0 } };
static const struct box_opt add_dummy[] = { ADD_OPTIONS, { 0 } };
static const struct box_opt add_ipvlan[] = { ADD_OPTIONS, IPVLAN_OPTIONS, LINK(AT(link), 1), { 0 } };
static const struct box_opt add_macvlan[] = { ADD_OPTIONS, MACVLAN_OPTIONS, LINK(AT(link), 1), { 0 } };
static const struct box_opt add_veth[] = { ADD_OPTIONS,
					   { "peer", BOX_CUSTOM, AT(peer), .required = 1, .read = read_peer },
					   { 0 } };
static const struct box_opt add_vlan[] = { ADD_OPTIONS,
					   LINK(AT(link), 1),
					   { "id", BOX_INT, AT(id), .required = 1, .min = 1, .max = 4094 },
					   { "protocol", BOX_ENUM, AT(vlan.protocol),
					     .names = net_vlan_protocols },
					   { 0 } };
static const struct box_opt add_vxlan[] = { ADD_OPTIONS,
					    VXLAN_OPTIONS,
					    LINK(AT(link), 0),
					    { "id", BOX_INT, AT(id), .required = 1, .min = 0,
					      .max = 0xffffff },
					    { "port", BOX_INT, AT(vxlan.port), .min = 1, .max = 65535 },
					    { 0 } };
static const struct box_opt *const add_options[NET_KINDS] = {
	[NET_BRIDGE] = add_bridge,   [NET_DUMMY] = add_dummy, [NET_IPVLAN] = add_ipvlan,
	[NET_MACVLAN] = add_macvlan, [NET_VETH] = add_veth,   [NET_VLAN] = add_vlan,
	[NET_VXLAN] = add_vxlan
};

static const struct box_opt set_any[] = { SET_OPTIONS, { 0 } };
static const struct box_opt set_bridge[] = { SET_OPTIONS, BRIDGE_OPTIONS, { 0 } };
static const struct box_opt set_ipvlan[] = { SET_OPTIONS, IPVLAN_OPTIONS, { 0 } };
static const struct box_opt set_macvlan[] = { SET_OPTIONS, MACVLAN_OPTIONS, { 0 } };
static const struct box_opt set_vxlan[] = { SET_OPTIONS, VXLAN_OPTIONS, { 0 } };
static const struct box_opt *const set_options[NET_KINDS] = {
	[NET_BRIDGE] = set_bridge,   [NET_DUMMY] = set_any, [NET_IPVLAN] = set_ipvlan,
	[NET_MACVLAN] = set_macvlan, [NET_VETH] = set_any,  [NET_VLAN] = set_any,
	[NET_VXLAN] = set_vxlan
};

/* The kind says which other options there are, so it is read first, from a table of its own. */
static int64_t read_kind(lua_State *L, int arg, int required)
{
	const struct box_opt options[] = { { "kind", BOX_ENUM, 0, .required = required, .names = net_kinds },
					   { 0 } };
	int64_t kind = NET_ABSENT;

	luaL_checktype(L, arg, LUA_TTABLE);
	if (lua_getfield(L, arg, "kind") != LUA_TNIL || required) {
		lua_createtable(L, 0, 1);
		lua_insert(L, -2);
		lua_setfield(L, -2, "kind");
		box_options_at(L, arg, -1, NULL, 0, options, &kind);
	}
	lua_pop(L, 1);
	return kind;
}

/* ---- making ---- */

static void check_new(lua_State *L, int arg, const struct net_link *l)
{
	int in_batch = luaL_testudata(L, 1, NET_BATCH_TYPE) != NULL;

	if (l->netns >= 0 && l->master.name)
		box_option_error(L, arg, NULL, "master",
				 "with netns it is an index in that network namespace");
	if (l->peer.index >= 0 && l->index < 0)
		box_option_error(L, arg, "peer", "index",
				 "needs 'index' too: the kernel ignores it otherwise");
	if (!net_link_needs_set(l))
		return;
	if (l->netns >= 0 || in_batch)
		box_option_error(
			L, arg, NULL, NULL,
			"alias, addrgenmode, ipv4 and a port's options are set on a link that is there: use "
			"link_set %s",
			in_batch ? "behind it in the batch" : "in its network namespace");
}

/* More than one queue makes the kernel wait for its processors, twice a link. */
static void one_queue(int64_t *queues)
{
	if (*queues < 0)
		*queues = 1;
}

static void default_queues(struct net_link *l)
{
	if (l->kind != NET_VETH)
		return;
	one_queue(&l->tx_queues);
	one_queue(&l->rx_queues);
	one_queue(&l->peer.tx_queues);
	one_queue(&l->peer.rx_queues);
}

/***
Makes a link.

With `netns` it is born in that network namespace. A veth's `peer` may be born in another one; one message
makes both ends. The peer cannot be up from the start. `addrgenmode`, `ipv4` and the options of a bridge port
take a second message, behind which `up` comes; if it fails, there is no link.
@function link_add
@tparam table o
@string o.kind "bridge", "dummy", "ipvlan", "macvlan", "veth", "vlan" or "vxlan"
@string o.name at most 15 bytes
@int[opt] o.index the link's index; default: the kernel's choice
@tparam[opt] string|integer o.master the bridge it is a port of; with `netns` an index there
@bool[opt=false] o.up
@int[opt] o.mtu bytes
@string[opt] o.address the MAC address
@int[opt=0] o.group a number to delete several links by
@tparam[opt] luabox.namespace|integer o.netns where the link is born; default: the socket's namespace
@bool[opt=true] o.arp
@bool[opt] o.multicast
@bool[opt=false] o.allmulticast
@bool[opt=false] o.promiscuous
@string[opt] o.alias a text for people, at most 255 bytes
@int[opt] o.tx_queue_length packets
@int[opt] o.tx_queues default: 1 for veth (more make it twice as slow to make), else the kernel's
@int[opt] o.rx_queues likewise
@string[opt="eui64"] o.addrgenmode how IPv6 link-local addresses are made: "eui64", "none", "stable_secret" or
"random"
@tparam[opt] table o.ipv4 settings as in /proc/sys/net/ipv4/conf: { forwarding = true, rp_filter = 0 }
@bool[opt=false] o.hairpin bridge port: send frames back where they came from
@bool[opt=false] o.isolated bridge port: no traffic to other isolated ports
@bool[opt=true] o.port_learning bridge port: learn addresses
@bool[opt=true] o.flood bridge port: frames to unknown addresses go here
@bool[opt=true] o.multicast_flood bridge port
@bool[opt=true] o.broadcast_flood bridge port
@bool[opt=false] o.bpdu_guard bridge port
@bool[opt=false] o.fast_leave bridge port
@bool[opt=false] o.neigh_suppress bridge port: answer ARP for known neighbours
@int[opt=32] o.port_priority bridge port, 0 to 63
@int[opt] o.port_cost bridge port, 1 to 65535
@tparam[opt] table o.peer veth (needed): name, index, address, netns, mtu, group, tx_queues, rx_queues
@tparam[opt] string|integer o.link the lower link of macvlan, ipvlan, vlan (needed) and vxlan
@string[opt] o.mode macvlan: "private", "vepa", "bridge", "passthru", "source"; ipvlan: "l2", "l3", "l3s"
@int[opt] o.id vlan: 1 to 4094; vxlan: 0 to 16777215 (needed)
@string[opt="802.1Q"] o.protocol vlan: "802.1Q" or "802.1ad"
@string[opt] o.remote vxlan: the other end, or a multicast group
@string[opt] o.local vxlan: the address to send from
@int[opt=8472] o.port vxlan: UDP port; IANA's is 4789
@bool[opt=true] o.learning vxlan: learn where addresses are
@int[opt] o.ttl vxlan: 0 to 255, 0 copies the inner packet's
@bool[opt=false] o.stp bridge: spanning tree
@number[opt=15] o.forward_delay bridge: seconds
@number[opt=2] o.hello_time bridge: seconds
@number[opt=20] o.max_age bridge: seconds
@number[opt=300] o.ageing_time bridge: seconds
@int[opt=32768] o.priority bridge
@bool[opt=false] o.vlan_filtering bridge
@bool[opt=true] o.multicast_snooping bridge
@treturn boolean true (of a batch: the batch)
@raise luabox.error: EEXIST, EOPNOTSUPP if the kernel lacks the kind, EXFULL for the 1024th port, …
@see ip-link(8)
@usage local net = luabox.sys.net
net.link_add { kind = "bridge", name = "br0", up = true }
net.link_add { kind = "veth", name = "v1", master = "br0", up = true, peer = { name = "eth0" } }
assert(net.link("v1").peer.name == "eth0")
net.link_delete("v1")
net.link_delete("br0")
*/
static int link_add(lua_State *L)
{
	int arg = net_argument(L), rc;
	struct net_link l;
	struct net_call c;

	net_link_init(&l);
	l.kind = read_kind(L, arg, 1);
	box_options(L, arg, add_options[l.kind], &l);
	check_new(L, arg, &l);
	default_queues(&l);
	net_call_begin(L, &c);
	if (c.batch)
		rc = net_link_add(&c.n->socket, c.queue, &l, &c.fault);
	else
		rc = net_link_make(&c.n->socket, c.queue, &l, &c.fault);
	return net_call_change(L, &c, rc);
}

/* ---- changing ---- */

static void check_change(lua_State *L, int arg, const struct net_link *l)
{
	if (!l->name == (l->index < 0))
		box_option_error(L, arg, NULL, NULL,
				 l->name ? "give the link's 'name' or its 'index', not both"
					 : "option 'name' or 'index' is missing");
	if (l->netns >= 0 && net_link_port_given(l))
		box_option_error(L, arg, NULL, "netns",
				 "a link that moves away is no port of a bridge any more");
}

/***
Changes a link: all that is given, in one message (two if a bridge port's options are among it).
@function link_set
@tparam table o as for `link_add`, all of it optional, and:
@string[opt] o.name the link; or
@int[opt] o.index the link
@string[opt] o.rename its new name
@tparam[opt] luabox.namespace|integer o.netns moves it to another network namespace
@tparam[opt] string|integer|boolean o.master enslaves it; false releases it
@bool[opt=false] o.force enslave even the link that carries the default route
@string[opt] o.kind needed with the kind's own options; of these vxlan's `remote`, `local`, `learning`, `ttl`
can change, macvlan's and ipvlan's `mode`, and all of a bridge
@treturn boolean true (of a batch: the batch)
@raise luabox.error: ENODEV, EBUSY if the link carries the default route, …
@see ip-link(8)
@usage local net = luabox.sys.net
net.link_set { name = "lo", up = true, ipv4 = { route_localnet = true } }
*/
static int link_set(lua_State *L)
{
	int arg = net_argument(L);
	struct net_link l;
	struct net_call c;
	int64_t kind;

	net_link_init(&l);
	kind = read_kind(L, arg, 0);
	box_options(L, arg, kind < 0 ? set_any : set_options[kind], &l);
	check_change(L, arg, &l);
	net_call_begin(L, &c);
	return net_call_change(L, &c, net_link_set(&c.n->socket, c.queue, &l, &c.fault));
}

/***
Deletes a link, or all links of a group at once, which is much faster than one by one.
@function link_delete
@tparam string|integer|table link a name, an index, or { group = number from 1 }
@treturn boolean true (of a batch: the batch)
@raise luabox.error: ENODEV
@usage local net = luabox.sys.net
net.link_add { kind = "bridge", name = "br0", group = 7 }
net.link_delete { group = 7 }
*/
static int link_delete(lua_State *L)
{
	static const struct box_opt options[] = {
		{ "group", BOX_INT, 0, .required = 1, .min = 1, .max = INT32_MAX }, { 0 }
	};
	int arg = net_argument(L);
	struct net_ref link = { .index = NET_ABSENT };
	int64_t group = NET_ABSENT;
	struct net_call c;

	if (lua_istable(L, arg))
		box_options(L, arg, options, &group);
	else
		link = net_check_ref(L, arg);
	net_call_begin(L, &c);
	return net_call_change(L, &c, net_link_delete(c.queue, &link, group, &c.fault));
}

const luaL_Reg net_link_changes[] = {
	{ "link_add", link_add }, { "link_set", link_set }, { "link_delete", link_delete }, { NULL, NULL }
};
