/* SPDX-License-Identifier: MIT
 * Calls with tracebacks, and how an error that nothing caught reads.
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

#include "program.h"

/* A luabox.error that crossed a fork has "in the child" among its contexts. */
static int is_of_child(lua_State *L)
{
	int found = 0;

	lua_pushliteral(L, "context");
	if (lua_rawget(L, 1) == LUA_TTABLE)
		for (lua_Unsigned i = lua_rawlen(L, -1); i > 0 && !found; i--) {
			lua_rawgeti(L, -1, (lua_Integer)i);
			lua_pushliteral(L, "in the child");
			found = lua_rawequal(L, -1, -2);
			lua_pop(L, 2);
		}
	lua_pop(L, 1);
	return found;
}

/* Pushes the traceback that an error object carries (where it was raised first), or the present one;
 * for an error of a child both: where it was raised, and where it arrived. */
static void push_traceback(lua_State *L)
{
	int carried = 0;

	if (lua_istable(L, 1)) {
		lua_pushliteral(L, "traceback");
		carried = lua_rawget(L, 1) == LUA_TSTRING;
		if (carried && !is_of_child(L))
			return;
		if (!carried)
			lua_pop(L, 1);
	}
	luaL_traceback(L, L, carried ? "and in the parent:" : NULL, 1);
	if (carried) {
		lua_pushliteral(L, "\n");
		lua_insert(L, -2);
		lua_concat(L, 3);
	}
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
