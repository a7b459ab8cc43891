/* SPDX-License-Identifier: MIT
 * Calls with tracebacks, and how an error that nothing caught reads.
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

#include "program.h"

/* Pushes the traceback that an error object carries (where it was raised first), or the present one. */
static void push_traceback(lua_State *L)
{
	if (lua_istable(L, 1)) {
		lua_pushliteral(L, "traceback");
		if (lua_rawget(L, 1) == LUA_TSTRING)
			return;
		lua_pop(L, 1);
	}
	luaL_traceback(L, L, NULL, 1);
}

/* What a user reads of an error: a sentence, and where it happened. A signal's error stays
 * the object that it is. */
static int message_handler(lua_State *L)
{
	if (program_signals_raised(L, 1))
		return 1;
	if (lua_isstring(L, 1) || luaL_callmeta(L, 1, "__tostring"))
		lua_tolstring(L, -1, NULL);
	else
		lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	push_traceback(L);
	lua_pushfstring(L, "%s\n%s", lua_tostring(L, -2), lua_tostring(L, -1));
	return 1;
}

int program_call(lua_State *L, int nargs, int nresults)
{
	int base = lua_gettop(L) - nargs;
	int status;

	lua_pushcfunction(L, message_handler);
	lua_insert(L, base);
	status = lua_pcall(L, nargs, nresults, base);
	lua_remove(L, base);
	return status;
}

int program_report(lua_State *L, int status, const char *name)
{
	if (status == LUA_OK)
		return status;
	if (program_signals_uncaught(L, -1))
		lua_getfield(L, -1, "message");
	else
		luaL_tolstring(L, -1, NULL);
	fflush(stdout);
	fprintf(stderr, "%s%s%s\n", name ? name : "", name ? ": " : "", lua_tostring(L, -1));
	lua_pop(L, 2);
	return status;
}
