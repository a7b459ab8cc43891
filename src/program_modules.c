/* SPDX-License-Identifier: MIT
 * The library inside the program: its C modules and its Lua modules as bytecode in
 * package.preload, and the global 'luabox'.
 *
 * The global is the module's own table, empty at first: the first look into it runs
 * luabox/init.lua, which fills it. So a script that never says luabox pays for one table,
 * `require "luabox"` gives the same table, and nothing is hidden in _G's metatable, which
 * belongs to scripts ("strict" modules).
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binding/binding.h"
#include "program.h"

struct embedded {
	const char *module, *chunk, *data;
	size_t size;
};

#include "embedded.h"

static const char root_key; /* registry: the table of the module luabox */

/* Calls the loaded chunk on top with require's two arguments and luabox's table. */
static int run_chunk(lua_State *L)
{
	lua_insert(L, 1);
	lua_settop(L, 3);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &root_key);
	lua_call(L, 3, 1);
	return 1;
}

static int load_embedded(lua_State *L)
{
	const struct embedded *e = lua_touserdata(L, lua_upvalueindex(1));

	if (luaL_loadbufferx(L, e->data, e->size, e->chunk, "b") != LUA_OK)
		return lua_error(L);
	return run_chunk(L);
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

/* __index of luabox's table until the module has put its own metatable there. */
static int load_root(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1)); /* require */
	lua_pushliteral(L, "luabox");
	lua_call(L, 1, 0);
	lua_gettable(L, 1);
	return 1;
}

static void open_root(lua_State *L)
{
	lua_createtable(L, 0, 4);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &root_key);
	lua_createtable(L, 0, 1);
	lua_getglobal(L, "require");
	lua_pushcclosure(L, load_root, 1);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_setglobal(L, "luabox");
}

/* ---- LUABOX_LUA: the library's sources instead of what is embedded ---- */

static int load_source(lua_State *L)
{
	if (luaL_loadfile(L, lua_tostring(L, lua_upvalueindex(1))) != LUA_OK)
		return lua_error(L);
	return run_chunk(L);
}

/* A searcher: returns load_source over the file, and the file's name, or nothing. */
static int search_source(lua_State *L)
{
	luaL_checkstring(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1)); /* package.searchpath */
	lua_pushvalue(L, 1);
	lua_pushvalue(L, lua_upvalueindex(2)); /* the templates */
	lua_call(L, 2, 1);
	if (lua_isnil(L, -1))
		return 0;
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, load_source, 1);
	lua_insert(L, -2);
	return 2;
}

static void add_source_searcher(lua_State *L, const char *directory)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "searchers");
	for (lua_Integer i = luaL_len(L, -1); i >= 1; i--) {
		lua_geti(L, -1, i);
		lua_seti(L, -2, i + 1);
	}
	lua_getfield(L, -2, "searchpath");
	lua_pushfstring(L, "%s/?.lua;%s/?/init.lua", directory, directory);
	lua_pushcclosure(L, search_source, 2);
	lua_seti(L, -2, 1);
	lua_pop(L, 2);
}

void program_modules_open(lua_State *L)
{
	const char *directory = secure_getenv("LUABOX_LUA");

	preload(L);
	open_root(L);
	if (directory)
		add_source_searcher(L, directory);
}
