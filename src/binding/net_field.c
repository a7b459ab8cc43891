/* SPDX-License-Identifier: MIT
 * Answers of the kernel as Lua tables, attribute by attribute.
 */
#include "binding/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

void net_push_word(lua_State *L, uint64_t value, const struct box_name *names)
{
	for (; names && names->name; names++)
		if (names->bits == value) {
			lua_pushstring(L, names->name);
			return;
		}
	lua_pushinteger(L, (lua_Integer)value);
}

void net_set_word(lua_State *L, const char *field, uint64_t value, const struct box_name *names)
{
	net_push_word(L, value, names);
	lua_setfield(L, -2, field);
}

void net_set_address(lua_State *L, const char *field, const struct nlattr *a, int prefix)
{
	char text[NET_ADDRESS_TEXT];
	int size = a ? nla_len(a) : 0;

	if (size != 4 && size != 16)
		return;
	net_address_format(size == 4 ? AF_INET : AF_INET6, nla_data(a), prefix, text);
	box_set_text(L, field, text);
}

int net_find_name(lua_State *L, struct net_call *c, int index, char *name)
{
	int rc = net_name_of(&c->n->socket, index, name);

	return rc == 0 || rc == -ENODEV ? rc == 0 : box_fail(L, rc, "find the name of a link", NULL);
}

void net_set_link(lua_State *L, struct net_call *c, const char *field, const char *index_field, int index)
{
	char name[IFNAMSIZ];

	box_set_integer(L, index_field, index);
	if (net_find_name(L, c, index, name))
		box_set_text(L, field, name);
}

/* A number of 'size' bytes; 0 if the attribute has fewer. */
static int get_number(const struct nlattr *a, size_t size, uint64_t *value)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;

	if ((size_t)nla_len(a) < size)
		return 0;
	if (size == 1) {
		memcpy(&u8, nla_data(a), size);
		*value = u8;
	} else if (size == 2) {
		memcpy(&u16, nla_data(a), size);
		*value = u16;
	} else {
		memcpy(&u32, nla_data(a), size);
		*value = u32;
	}
	return 1;
}

static size_t size_of(int type)
{
	if (type == FIELD_U8 || type == FIELD_BOOL)
		return 1;
	return type == FIELD_U16 || type == FIELD_BE16 ? 2 : 4;
}

static void push_number(lua_State *L, const struct net_field *field, uint64_t value)
{
	if (field->type == FIELD_BOOL || field->type == FIELD_BOOL32)
		lua_pushboolean(L, value != 0);
	else if (field->type == FIELD_CLOCK)
		lua_pushnumber(L, (lua_Number)value / 100);
	else if (field->type == FIELD_S32)
		lua_pushinteger(L, (int32_t)value);
	else
		net_push_word(L, field->type == FIELD_BE16 ? ntohs((uint16_t)value) : value, field->names);
}

static void set_mac(lua_State *L, const char *field, const struct nlattr *a)
{
	char text[NET_MAC_TEXT];

	net_mac_format(nla_data(a), (size_t)nla_len(a), text);
	box_set_text(L, field, text);
}

static void set_field(lua_State *L, const struct net_field *field, const struct nlattr *a)
{
	uint64_t value;

	switch (field->type) {
	case FIELD_TEXT:
		lua_pushlstring(L, nla_data(a), strnlen(nla_data(a), (size_t)nla_len(a)));
		lua_setfield(L, -2, field->name);
		break;
	case FIELD_MAC:
		set_mac(L, field->name, a);
		break;
	case FIELD_ADDRESS:
		net_set_address(L, field->name, a, -1);
		break;
	default:
		if (!get_number(a, size_of(field->type), &value))
			return;
		push_number(L, field, value);
		lua_setfield(L, -2, field->name);
	}
}

void net_push_fields(lua_State *L, const struct nlattr **attributes, const struct net_field *fields)
{
	for (; fields->name; fields++)
		if (attributes[fields->attribute])
			set_field(L, fields, attributes[fields->attribute]);
}
