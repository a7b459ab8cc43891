/* SPDX-License-Identifier: MIT
 * What a child's Lua function sends back; by then the child may be anybody's. What is read is written and
 * read again: the bytes must be the same.
 */
#include "fuzz.h"

#include <lauxlib.h>
#include <string.h>

#include "binding/binding.h"
#include "binding/value.h"

static int encode(lua_State *L)
{
	struct box_buffer *b = box_buffer_new(L);

	value_encode(L, b, 1, "value", 0);
	return 1;
}

/* A value that was read can be written again, in which the order of keys may be another. */
static void check_round_trip(lua_State *L)
{
	const struct box_buffer *b;

	lua_pushcfunction(L, encode);
	lua_pushvalue(L, -2);
	fuzz_require(lua_pcall(L, 1, 1, 0) == LUA_OK);
	b = lua_touserdata(L, -1);
	fuzz_require(value_decode(L, b->data, b->data + b->length) == b->data + b->length);
	if (box_is_error(L, -1))
		fuzz_require(luaL_tolstring(L, -1, NULL));
}

static int run(lua_State *L)
{
	const char *data = lua_touserdata(L, 1);
	size_t size = (size_t)lua_tointeger(L, 2);
	int top = lua_gettop(L);

	if (value_decode(L, data, data + size))
		check_round_trip(L);
	else
		fuzz_require(lua_gettop(L) == top);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;

	if (!L)
		L = fuzz_state("require 'luabox.sys.error'");
	lua_settop(L, 0);
	lua_pushcfunction(L, run);
	lua_pushlightuserdata(L, (void *)(uintptr_t)data);
	lua_pushinteger(L, (lua_Integer)size);
	fuzz_require(lua_pcall(L, 2, 0, 0) == LUA_OK);
	lua_gc(L, LUA_GCCOLLECT);
	return 0;
}
