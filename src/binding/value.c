/* SPDX-License-Identifier: MIT
 * The bytes are read on the machine that wrote them, so numbers are as in memory.
 * The reader trusts nothing: the child may be anybody's by then.
 */
#include "binding/value.h"

#include <lauxlib.h>
#include <string.h>

#include "binding/binding.h"

#define MAX_DEPTH 100

enum tag {
	TAG_NIL = 'n',
	TAG_FALSE = 'f',
	TAG_TRUE = 't',
	TAG_INTEGER = 'i',
	TAG_FLOAT = 'd',
	TAG_STRING = 's',
	TAG_TABLE = '{',
	TAG_ERROR = 'E', /* a table with luabox.error's metatable */
	TAG_END = '}',
};

/* The way from the whole value to the one at hand: for messages, and to find cycles. */
struct way {
	const struct way *up;
	const void *table;
	int key; /* stack index of the key that led here; 0 at the top */
};

struct writer {
	struct box_buffer *b;
	const char *what;
	int lenient;
};

static void add_tag(lua_State *L, struct writer *w, enum tag tag)
{
	char c = (char)tag;

	box_buffer_add(L, w->b, &c, 1);
}

static void add_string(lua_State *L, struct writer *w, int index)
{
	size_t length;
	const char *s = lua_tolstring(L, index, &length);

	add_tag(L, w, TAG_STRING);
	box_buffer_add(L, w->b, &length, sizeof length);
	box_buffer_add(L, w->b, s, length);
}

static void add_number(lua_State *L, struct writer *w, int index)
{
	if (lua_isinteger(L, index)) {
		lua_Integer n = lua_tointeger(L, index);

		add_tag(L, w, TAG_INTEGER);
		box_buffer_add(L, w->b, &n, sizeof n);
	} else {
		lua_Number n = lua_tonumber(L, index);

		add_tag(L, w, TAG_FLOAT);
		box_buffer_add(L, w->b, &n, sizeof n);
	}
}

/* Pushes "return value 1[2].name". */
static void push_way(lua_State *L, const struct way *way, const char *what)
{
	int base = lua_gettop(L);

	if (!way->key) {
		lua_pushstring(L, what);
		return;
	}
	push_way(L, way->up, what);
	luaL_tolstring(L, way->key, NULL);
	lua_pushfstring(L, lua_type(L, way->key) == LUA_TSTRING ? "%s.%s" : "%s[%s]", lua_tostring(L, -2),
			lua_tostring(L, -1));
	lua_copy(L, -1, base + 1);
	lua_settop(L, base + 1);
}

static void refuse(lua_State *L, struct writer *w, int index, const struct way *way, const char *kind)
{
	if (w->lenient) {
		luaL_tolstring(L, index, NULL);
		add_string(L, w, -1);
		lua_pop(L, 1);
		return;
	}
	luaL_checkstack(L, 4 * MAX_DEPTH, "value");
	push_way(L, way, w->what);
	luaL_error(L, "cannot send a %s from the child (%s)", kind, lua_tostring(L, -1));
}

static void write_value(lua_State *L, struct writer *w, int index, const struct way *way, int depth);

static void write_table(lua_State *L, struct writer *w, int index, const struct way *way, int depth)
{
	const void *table = lua_topointer(L, index);
	struct way below = { .up = way, .table = table };

	for (const struct way *u = way; u; u = u->up)
		if (u->table == table) {
			refuse(L, w, index, way, "table that contains itself");
			return;
		}
	if (depth == MAX_DEPTH) {
		refuse(L, w, index, way, "table nested deeper than 100 levels");
		return;
	}
	luaL_checkstack(L, 8, "value");
	add_tag(L, w, box_is_error(L, index) ? TAG_ERROR : TAG_TABLE);
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		below.key = lua_absindex(L, -2);
		write_value(L, w, below.key, &below, depth + 1);
		write_value(L, w, lua_absindex(L, -1), &below, depth + 1);
	}
	add_tag(L, w, TAG_END);
}

static void write_value(lua_State *L, struct writer *w, int index, const struct way *way, int depth)
{
	switch (lua_type(L, index)) {
	case LUA_TNIL:
		add_tag(L, w, TAG_NIL);
		break;
	case LUA_TBOOLEAN:
		add_tag(L, w, lua_toboolean(L, index) ? TAG_TRUE : TAG_FALSE);
		break;
	case LUA_TNUMBER:
		add_number(L, w, index);
		break;
	case LUA_TSTRING:
		add_string(L, w, index);
		break;
	case LUA_TTABLE:
		write_table(L, w, index, way, depth);
		break;
	default:
		refuse(L, w, index, way, luaL_typename(L, index));
	}
}

void value_encode(lua_State *L, struct box_buffer *b, int index, const char *what, int lenient)
{
	struct writer w = { b, what, lenient };
	const struct way top = { 0 };

	write_value(L, &w, lua_absindex(L, index), &top, 0);
}

/* Copies 'size' bytes and moves on; 0 if there are not so many. */
static int take(const char **at, const char *end, void *out, size_t size)
{
	if ((size_t)(end - *at) < size)
		return 0;
	memcpy(out, *at, size);
	*at += size;
	return 1;
}

static const char *read_value(lua_State *L, const char *at, const char *end, int depth);

static const char *read_number(lua_State *L, const char *at, const char *end, char tag)
{
	lua_Integer i;
	lua_Number n;

	if (tag == TAG_INTEGER && take(&at, end, &i, sizeof i))
		lua_pushinteger(L, i);
	else if (tag == TAG_FLOAT && take(&at, end, &n, sizeof n))
		lua_pushnumber(L, n);
	else
		return NULL;
	return at;
}

static const char *read_string(lua_State *L, const char *at, const char *end)
{
	size_t length;

	if (!take(&at, end, &length, sizeof length) || (size_t)(end - at) < length)
		return NULL;
	lua_pushlstring(L, at, length);
	return at + length;
}

/* nil and NaN are values but no keys. */
static int is_key(lua_State *L, int index)
{
	return !lua_isnil(L, index) && lua_rawequal(L, index, index);
}

static const char *read_table(lua_State *L, const char *at, const char *end, char tag, int depth)
{
	int top = lua_gettop(L);

	if (depth > MAX_DEPTH)
		return NULL;
	luaL_checkstack(L, 4, "value");
	lua_newtable(L);
	while (at && at < end && *at != TAG_END) {
		at = read_value(L, at, end, depth);
		at = at ? read_value(L, at, end, depth) : NULL;
		if (at && is_key(L, -2))
			lua_rawset(L, top + 1);
		else
			at = NULL;
	}
	if (!at || at == end) {
		lua_settop(L, top);
		return NULL;
	}
	if (tag == TAG_ERROR)
		box_set_error_type(L);
	return at + 1;
}

static const char *read_value(lua_State *L, const char *at, const char *end, int depth)
{
	char tag;

	if (!take(&at, end, &tag, 1))
		return NULL;
	switch (tag) {
	case TAG_NIL:
		lua_pushnil(L);
		return at;
	case TAG_FALSE:
	case TAG_TRUE:
		lua_pushboolean(L, tag == TAG_TRUE);
		return at;
	case TAG_STRING:
		return read_string(L, at, end);
	case TAG_TABLE:
	case TAG_ERROR:
		return read_table(L, at, end, tag, depth + 1);
	default:
		return read_number(L, at, end, tag);
	}
}

const char *value_decode(lua_State *L, const char *at, const char *end)
{
	return read_value(L, at, end, 0);
}
