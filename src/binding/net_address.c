/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.net
*/
#include "kernel/address.h"

#include <linux/if_addr.h>
#include <string.h>

#include "binding/net.h"

#define AT(field) offsetof(struct net_ifaddr, field)

/* An address, or "+" for the one that follows from address and prefix. */
static void read_broadcast(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	struct net_ifaddr *a = (struct net_ifaddr *)((char *)out - AT(broadcast));

	if (lua_type(L, -1) == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "+"))
		a->auto_broadcast = 1;
	else
		net_read_host(L, arg, where, o, out);
}

static const struct box_opt options[] = {
	{ "link", BOX_CUSTOM, AT(link), .required = 1, .read = net_read_ref },
	{ "address", BOX_CUSTOM, AT(address), .required = 1, .read = net_read_prefix },
	{ "peer", BOX_CUSTOM, AT(peer), .read = net_read_prefix },
	{ "broadcast", BOX_CUSTOM, AT(broadcast), .read = read_broadcast },
	{ "label", BOX_STRING, AT(label), .min = 1, .max = 15 },
	{ "scope", BOX_ENUM, AT(scope), .names = net_scopes },
	{ "noprefixroute", BOX_BOOL, AT(noprefixroute) },
	{ "nodad", BOX_BOOL, AT(nodad) },
	{ "replace", BOX_BOOL, AT(replace) },
	{ 0 }
};

static void check_family(lua_State *L, int arg, const struct net_ifaddr *a, const struct net_address *other,
			 const char *name)
{
	if (net_address_given(other) && other->family != a->address.family)
		box_option_error(L, arg, NULL, name, "is not of the family of 'address'");
}

static void check(lua_State *L, int arg, const struct net_ifaddr *a)
{
	int inet6 = a->address.family == AF_INET6;

	check_family(L, arg, a, &a->peer, "peer");
	check_family(L, arg, a, &a->broadcast, "broadcast");
	if (inet6 && (a->auto_broadcast > 0 || net_address_given(&a->broadcast)))
		box_option_error(L, arg, NULL, "broadcast", "IPv6 has no broadcast addresses");
	if (inet6 && a->label)
		box_option_error(L, arg, NULL, "label", "IPv6 addresses have no label");
	if (!inet6 && a->nodad > 0)
		box_option_error(L, arg, NULL, "nodad", "duplicate address detection is IPv6's");
	if (net_address_given(&a->peer) && a->address.prefix >= 0)
		box_option_error(L, arg, NULL, "address", "with 'peer', the prefix length is the peer's");
}

static int change(lua_State *L, int (*put)(struct net_socket *, struct net_queue *, const struct net_ifaddr *,
					   struct fault *))
{
	struct net_ifaddr a = { .link.index = NET_ABSENT, .scope = NET_ABSENT };
	int arg = net_argument(L);
	struct net_call c;

	box_options(L, arg, options, &a);
	check(L, arg, &a);
	net_call_begin(L, &c);
	return net_call_change(L, &c, put(&c.n->socket, c.queue, &a, &c.fault));
}

/***
Gives a link an address.
@function address_add
@tparam table o
@tparam string|integer o.link
@string o.address IPv4 or IPv6 with its prefix length, "10.0.0.2/24"; without one it is of one host
@string[opt] o.peer the other end's address of a point-to-point link, with the prefix length
@string[opt] o.broadcast an address, or "+" for the one that follows from the prefix; default none
@string[opt] o.label IPv4: the link's name with a suffix, "eth0:web"
@string[opt="global"] o.scope "global", "site", "link" or "host" (the default of 127.0.0.0/8)
@bool[opt=false] o.noprefixroute make no route to the network
@bool[opt=false] o.nodad IPv6: no duplicate address detection, usable at once
@bool[opt=false] o.replace change the address if it is there
@treturn boolean true (of a batch: the batch)
@raise luabox.error: EEXIST, ENODEV, EACCES if IPv6 is off on the link, …
@see ip-address(8)
@usage local net = luabox.sys.net
net.link_add { kind = "bridge", name = "br0" }
net.address_add { link = "br0", address = "10.0.0.1/24" }
net.address_add { link = "br0", address = "fd00::1/64", nodad = true }
net.link_delete("br0")
*/
static int address_add(lua_State *L)
{
	return change(L, net_address_add);
}

/***
Takes an address from a link.
@function address_delete
@tparam table o as for `address_add`; address and prefix length must match
@treturn boolean true (of a batch: the batch)
@raise luabox.error: EADDRNOTAVAIL, ENODEV
@usage local net = luabox.sys.net
net.address_add { link = "lo", address = "10.9.9.9/32" }
net.address_delete { link = "lo", address = "10.9.9.9/32" }
*/
static int address_delete(lua_State *L)
{
	return change(L, net_address_delete);
}

static const struct box_name flag_names[] = {
	{ "noprefixroute", IFA_F_NOPREFIXROUTE }, { "nodad", IFA_F_NODAD },
	{ "tentative", IFA_F_TENTATIVE },         { "dadfailed", IFA_F_DADFAILED },
	{ "deprecated", IFA_F_DEPRECATED },       { "temporary", IFA_F_TEMPORARY },
	{ "permanent", IFA_F_PERMANENT },         { "mngtmpaddr", IFA_F_MANAGETEMPADDR },
	{ "optimistic", IFA_F_OPTIMISTIC },       { 0 }
};

static void push_address(lua_State *L, struct net_call *c, const struct nlmsghdr *m, int is_elsewhere)
{
	static const struct net_field fields[] = { { IFA_LABEL, FIELD_TEXT, "label" }, { 0 } };
	const struct ifaddrmsg *h = NLMSG_DATA(m);
	const struct nlattr *a[IFA_MAX + 1], *own;

	net_attributes(m, sizeof *h, a, IFA_MAX);
	own = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	lua_createtable(L, 0, 8);
	if (is_elsewhere)
		box_set_integer(L, "link_index", h->ifa_index);
	else
		net_set_link(L, c, "link", "link_index", (int)h->ifa_index);
	net_set_word(L, "family", h->ifa_family, net_families);
	if (a[IFA_LOCAL] && a[IFA_ADDRESS] && nla_len(a[IFA_LOCAL]) == nla_len(a[IFA_ADDRESS]) &&
	    memcmp(nla_data(a[IFA_LOCAL]), nla_data(a[IFA_ADDRESS]), (size_t)nla_len(a[IFA_LOCAL])) != 0) {
		net_set_address(L, "address", own, -1);
		net_set_address(L, "peer", a[IFA_ADDRESS], h->ifa_prefixlen);
	} else {
		net_set_address(L, "address", own, h->ifa_prefixlen);
	}
	net_set_address(L, "broadcast", a[IFA_BROADCAST], -1);
	net_push_fields(L, a, fields);
	net_set_word(L, "scope", h->ifa_scope, net_scopes);
	box_push_flags(L, net_get_u32(a[IFA_FLAGS], h->ifa_flags), flag_names);
	lua_setfield(L, -2, "flags");
}

/***
Lists addresses.
Each has `link` and `link_index`, `family` ("inet" or "inet6"), `address` with its prefix length, `peer`,
`broadcast`, `label`, `scope` and `flags` ("permanent,nodad").
@function addresses
@tparam[opt] table filter
@tparam[opt] string|integer filter.link
@string[opt] filter.family
@int[opt] filter.nsid those of another network namespace, by the number that this one knows it by; they have
no `link`
@treturn {table,...}
@usage for _, a in ipairs(luabox.sys.net.addresses { family = "inet" }) do print(a.link, a.address) end
*/
static int addresses(lua_State *L)
{
	static const struct box_opt filter_options[] = {
		{ "family", BOX_ENUM, offsetof(struct net_address_filter, family), .names = net_families },
		{ "link", BOX_CUSTOM, offsetof(struct net_address_filter, link), .read = net_read_ref },
		{ "nsid", BOX_INT, offsetof(struct net_address_filter, nsid), .min = 0, .max = INT32_MAX },
		{ 0 }
	};
	struct net_address_filter filter = { .family = AF_UNSPEC,
					     .link.index = NET_ABSENT,
					     .nsid = NET_ABSENT };
	int arg = net_argument(L), rc;
	const struct nlmsghdr *m;
	lua_Integer count = 0;
	struct net_call c;
	size_t offset = 0;

	if (!lua_isnoneornil(L, arg))
		box_options(L, arg, filter_options, &filter);
	if (filter.nsid >= 0 && filter.link.name)
		box_option_error(L, arg, NULL, "link", "with nsid it is an index in that network namespace");
	net_call_begin(L, &c);
	rc = net_address_query(&c.n->socket, &filter, &c.fault);
	lua_newtable(L);
	while (rc >= 0 && (m = net_next(&c.n->socket, &offset, RTM_NEWADDR, sizeof(struct ifaddrmsg)))) {
		push_address(L, &c, m, filter.nsid >= 0);
		lua_rawseti(L, -2, ++count);
	}
	net_call_finish(L, &c, rc);
	return 1;
}

const luaL_Reg net_address_changes[] = { { "address_add", address_add },
					 { "address_delete", address_delete },
					 { NULL, NULL } };
const luaL_Reg net_address_lists[] = { { "addresses", addresses }, { NULL, NULL } };
