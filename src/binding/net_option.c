/* SPDX-License-Identifier: MIT
 * Options that are names of links, addresses and routing tables.
 */
#include "binding/net.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

const struct box_name net_families[] = { { "inet", AF_INET }, { "inet6", AF_INET6 }, { 0 } };

const struct box_name net_scopes[] = { { "global", RT_SCOPE_UNIVERSE }, { "site", RT_SCOPE_SITE },
				       { "link", RT_SCOPE_LINK },       { "host", RT_SCOPE_HOST },
				       { "nowhere", RT_SCOPE_NOWHERE }, { 0 } };

const struct box_name net_tables[] = {
	{ "default", RT_TABLE_DEFAULT }, { "main", RT_TABLE_MAIN }, { "local", RT_TABLE_LOCAL }, { 0 }
};

const struct box_name net_protocols[] = { { "unspec", RTPROT_UNSPEC }, { "redirect", RTPROT_REDIRECT },
					  { "kernel", RTPROT_KERNEL }, { "boot", RTPROT_BOOT },
					  { "static", RTPROT_STATIC }, { "ra", RTPROT_RA },
					  { "dhcp", RTPROT_DHCP },     { 0 } };

/* The string at the top of the stack. */
static const char *text_at(lua_State *L, int arg, const char *where, const struct box_opt *o,
			   const char *what)
{
	size_t length;
	const char *text;

	if (lua_type(L, -1) != LUA_TSTRING)
		box_option_error(L, arg, where, o->name, "%s expected, got %s", what, luaL_typename(L, -1));
	text = lua_tolstring(L, -1, &length);
	if (strlen(text) != length)
		box_option_error(L, arg, where, o->name, "contains a zero byte");
	return text;
}

/* Pushes why 'name' cannot be a link's name and returns 1, or returns 0. */
static int push_name_fault(lua_State *L, const char *name)
{
	const char *fault = net_name_fault(name);
	size_t length = strlen(name);

	if (length >= IFNAMSIZ)
		lua_pushfstring(L, "link name '%s' is %d bytes long; at most 15 are allowed",
				luaL_gsub(L, name, "\n", "\\n"), (int)length);
	else if (fault)
		lua_pushfstring(L, "link name '%s' %s", name, fault);
	return length >= IFNAMSIZ || fault;
}

void net_read_name(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	const char *name = text_at(L, arg, where, o, "link name");

	if (push_name_fault(L, name))
		box_option_error(L, arg, where, o->name, "%s", lua_tostring(L, -1));
	*(const char **)out = name;
}

void net_read_ref(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	struct net_ref *ref = out;
	lua_Integer index;
	int exact;

	if (lua_type(L, -1) == LUA_TNUMBER) {
		index = lua_tointegerx(L, -1, &exact);
		if (!exact || index < 1 || index > INT32_MAX)
			box_option_error(L, arg, where, o->name, "a link's index is an integer from 1 to %d",
					 INT32_MAX);
		*ref = (struct net_ref){ .index = index };
		return;
	}
	if (lua_type(L, -1) != LUA_TSTRING)
		box_option_error(L, arg, where, o->name, "link name or index expected, got %s",
				 luaL_typename(L, -1));
	*ref = (struct net_ref){ .index = NET_ABSENT };
	net_read_name(L, arg, where, o, &ref->name);
}

struct net_ref net_check_ref(lua_State *L, int arg)
{
	lua_Integer index;

	if (lua_isinteger(L, arg)) {
		index = lua_tointeger(L, arg);
		luaL_argcheck(L, index >= 1 && index <= INT32_MAX, arg, "a link's index is at least 1");
		return (struct net_ref){ .index = index };
	}
	if (lua_type(L, arg) != LUA_TSTRING)
		luaL_typeerror(L, arg, "link name or index");
	if (strlen(lua_tostring(L, arg)) != lua_rawlen(L, arg))
		luaL_argerror(L, arg, "contains a zero byte");
	if (push_name_fault(L, lua_tostring(L, arg)))
		luaL_argerror(L, arg, lua_tostring(L, -1));
	return (struct net_ref){ .name = lua_tostring(L, arg), .index = NET_ABSENT };
}

void net_read_mac(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	const char *text = text_at(L, arg, where, o, "MAC address"), *fault = net_mac_parse(text, out);

	if (fault)
		box_option_error(L, arg, where, o->name, "'%.80s' %s", text, fault);
}

void net_read_prefix(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	const char *text = text_at(L, arg, where, o, "address"), *fault = net_address_parse(text, out);

	if (fault)
		box_option_error(L, arg, where, o->name, "'%.80s' %s", text, fault);
}

void net_read_host(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	net_read_prefix(L, arg, where, o, out);
	if (((struct net_address *)out)->prefix >= 0)
		box_option_error(L, arg, where, o->name,
				 "'%.80s': an address without prefix length is expected",
				 lua_tostring(L, -1));
}

void net_read_table(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	lua_Integer number;
	int exact;

	for (const struct box_name *n = net_tables; text && n->name; n++)
		if (!strcmp(n->name, text)) {
			*(int64_t *)out = (int64_t)n->bits;
			return;
		}
	number = lua_tointegerx(L, -1, &exact);
	if (text || !exact || number < 1 || number > UINT32_MAX)
		box_option_error(L, arg, where, o->name,
				 "a routing table is 'main', 'local', 'default' or a number from 1 to %u",
				 UINT32_MAX);
	*(int64_t *)out = number;
}
