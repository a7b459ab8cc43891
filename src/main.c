/* SPDX-License-Identifier: MIT
 * The program: a Lua state with the library inside, a script, an exit status.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

#include "binding/binding.h"

struct embedded {
	const char *module, *chunk, *data;
	size_t size;
};

#include "embedded.h"

static int load_embedded(lua_State *L)
{
	const struct embedded *e = lua_touserdata(L, lua_upvalueindex(1));

	if (luaL_loadbufferx(L, e->data, e->size, e->chunk, "b") != LUA_OK)
		return lua_error(L);
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static const luaL_Reg sys_modules[] = {
#define ROW(name) { "luabox.sys." #name, luaopen_luabox_sys_##name },
	BOX_MODULES(ROW)
#undef ROW
		{ NULL, NULL }
};

static void preload(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	luaL_setfuncs(L, sys_modules, 0);
	for (const struct embedded *e = embedded; e->module; e++) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)e);
		lua_pushcclosure(L, load_embedded, 1);
		lua_setfield(L, -2, e->module);
	}
	lua_pop(L, 1);
}

static int message_handler(lua_State *L)
{
	luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

int main(int argc, char **argv)
{
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	preload(L);
	lua_pushcfunction(L, message_handler);
	if (argc < 2 || luaL_loadfile(L, argv[1]) || lua_pcall(L, 0, 0, 1)) {
		fprintf(stderr, "luabox: %s\n", lua_tostring(L, -1));
		lua_close(L);
		return 1;
	}
	lua_close(L);
	return 0;
}
