/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.net
*/
#include "kernel/neighbour.h"

#include <linux/neighbour.h>

#include "binding/net.h"

#define AT(field) offsetof(struct net_neighbour, field)

static const struct box_name state_names[] = {
	{ "permanent", NUD_PERMANENT }, { "reachable", NUD_REACHABLE },
	{ "stale", NUD_STALE },         { "noarp", NUD_NOARP },
	{ "delay", NUD_DELAY },         { "probe", NUD_PROBE },
	{ "failed", NUD_FAILED },       { "incomplete", NUD_INCOMPLETE },
	{ "none", NUD_NONE },           { 0 }
};

static const struct box_opt options[] = {
	{ "link", BOX_CUSTOM, AT(link), .required = 1, .read = net_read_ref },
	{ "address", BOX_CUSTOM, AT(address), .required = 1, .read = net_read_host },
	{ "lladdr", BOX_CUSTOM, AT(lladdr), .read = net_read_mac },
	{ "state", BOX_ENUM, AT(state), .names = state_names },
	{ "proxy", BOX_BOOL, AT(proxy) },
	{ "replace", BOX_BOOL, AT(replace) },
	{ 0 }
};

static int change(lua_State *L, int needs_lladdr,
		  int (*put)(struct net_socket *, struct net_queue *, const struct net_neighbour *,
			     struct fault *))
{
	struct net_neighbour n = { .link.index = NET_ABSENT, .state = NET_ABSENT };
	int arg = net_argument(L);
	struct net_call c;

	box_options(L, arg, options, &n);
	if (needs_lladdr && n.proxy <= 0 && n.lladdr.length <= 0)
		return luaL_argerror(L, arg, "option 'lladdr' is missing");
	net_call_begin(L, &c);
	return net_call_change(L, &c, put(&c.n->socket, c.queue, &n, &c.fault));
}

/***
Tells a link which MAC address a neighbour has, or that it answers for another's address.
@function neighbour_add
@tparam table o
@tparam string|integer o.link
@string o.address IPv4 or IPv6
@string[opt] o.lladdr the MAC address; needed unless `proxy`
@string[opt="permanent"] o.state "permanent", "reachable", "stale" or "noarp"
@bool[opt=false] o.proxy answer ARP (or NDP) requests for this address
@bool[opt=false] o.replace change what is there
@treturn boolean true (of a batch: the batch)
@raise luabox.error: EEXIST, ENODEV, …
@see ip-neighbour(8)
@usage local net = luabox.sys.net
net.link_add { kind = "bridge", name = "br0", up = true }
net.neighbour_add { link = "br0", address = "10.0.0.9", lladdr = "02:00:00:00:00:09" }
net.link_delete("br0")
*/
static int neighbour_add(lua_State *L)
{
	return change(L, 1, net_neighbour_add);
}

/***
Makes a link forget a neighbour.
@function neighbour_delete
@tparam table o `link`, `address`, `proxy` as for `neighbour_add`
@treturn boolean true (of a batch: the batch)
@raise luabox.error: ENOENT
@usage local net = luabox.sys.net
net.link_add { kind = "bridge", name = "br0", up = true }
net.neighbour_add { link = "br0", address = "10.0.0.9", lladdr = "02:00:00:00:00:09" }
net.neighbour_delete { link = "br0", address = "10.0.0.9" }
net.link_delete("br0")
*/
static int neighbour_delete(lua_State *L)
{
	return change(L, 0, net_neighbour_delete);
}

static void push_neighbour(lua_State *L, struct net_call *c, const struct nlmsghdr *m)
{
	static const struct net_field fields[] = { { NDA_DST, FIELD_ADDRESS, "address" },
						   { NDA_LLADDR, FIELD_MAC, "lladdr" },
						   { 0 } };
	const struct ndmsg *h = NLMSG_DATA(m);
	const struct nlattr *a[NDA_MAX + 1];

	net_attributes(m, sizeof *h, a, NDA_MAX);
	lua_createtable(L, 0, 7);
	net_set_word(L, "family", h->ndm_family, net_families);
	if (h->ndm_ifindex)
		net_set_link(L, c, "link", "link_index", h->ndm_ifindex);
	net_push_fields(L, a, fields);
	if (h->ndm_flags & NTF_PROXY)
		box_set_bool(L, "proxy", 1);
	else
		net_set_word(L, "state", h->ndm_state, state_names);
	if (h->ndm_flags & NTF_ROUTER)
		box_set_bool(L, "router", 1);
}

struct filter {
	int64_t family;
	struct net_ref link;
	int proxy;
};

/* The kernel does not filter proxies by link; index 0 is any link. */
static int wanted(const struct nlmsghdr *m, int index)
{
	const struct ndmsg *h = NLMSG_DATA(m);

	return !index || h->ndm_ifindex == index;
}

/***
Lists neighbours.
Each has `family`, `link` and `link_index`, `address`, `lladdr` if it is known, `state`, and `router` if it is
one.
@function neighbours
@tparam[opt] table filter
@tparam[opt] string|integer filter.link
@string[opt] filter.family
@bool[opt=false] filter.proxy list the addresses that links answer for instead (`proxy` is true, no `state`)
@treturn {table,...}
@usage for _, n in ipairs(luabox.sys.net.neighbours()) do print(n.link, n.address, n.lladdr, n.state) end
*/
static int neighbours(lua_State *L)
{
	static const struct box_opt filter_options[] = {
		{ "family", BOX_ENUM, offsetof(struct filter, family), .names = net_families },
		{ "link", BOX_CUSTOM, offsetof(struct filter, link), .read = net_read_ref },
		{ "proxy", BOX_BOOL, offsetof(struct filter, proxy) },
		{ 0 }
	};
	struct filter filter = { .family = NET_ABSENT, .link.index = NET_ABSENT };
	int arg = net_argument(L), rc = 0;
	struct net_call c;

	if (!lua_isnoneornil(L, arg))
		box_options(L, arg, filter_options, &filter);
	net_call_begin(L, &c);
	lua_newtable(L);
	for (const struct box_name *n = net_families; n->name && rc >= 0; n++) {
		const struct nlmsghdr *m;
		size_t offset = 0;

		if (filter.family >= 0 && filter.family != (int64_t)n->bits)
			continue;
		rc = net_neighbour_query(&c.n->socket, (int)n->bits, &filter.link, filter.proxy, &c.fault);
		while (rc >= 0 && (m = net_next(&c.n->socket, &offset, RTM_NEWNEIGH, sizeof(struct ndmsg)))) {
			if (!wanted(m, rc))
				continue;
			push_neighbour(L, &c, m);
			lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
		}
	}
	net_call_finish(L, &c, rc);
	return 1;
}

const luaL_Reg net_neighbour_changes[] = { { "neighbour_add", neighbour_add },
					   { "neighbour_delete", neighbour_delete },
					   { NULL, NULL } };
const luaL_Reg net_neighbour_lists[] = { { "neighbours", neighbours }, { NULL, NULL } };
