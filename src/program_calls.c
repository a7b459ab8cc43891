/* SPDX-License-Identifier: MIT
 * error, pcall, xpcall and the coroutine functions that run code, as in Lua's manual, which tell
 * program_signals what runs (a hook belongs to one coroutine) and when a signal's error was caught.
 */
#include <lauxlib.h>
#include <lua.h>

#include "program.h"

/* ---- error, pcall, xpcall ---- */

static int base_error(lua_State *L)
{
	int level = (int)luaL_optinteger(L, 2, 1);

	lua_settop(L, 1);
	program_signals_again(L, 1);
	if (lua_type(L, 1) == LUA_TSTRING && level > 0) {
		luaL_where(L, level);
		lua_insert(L, 1);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

/* The end of pcall and xpcall, directly and after a yield: 'first' is the slot of the first result. */
static int finish_pcall(lua_State *L, int status, lua_KContext first)
{
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L) - (int)first;
	program_signals_caught(L, -1);
	lua_pushboolean(L, 0);
	lua_insert(L, -2);
	return 2;
}

static int base_pcall(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushboolean(L, 1); /* the first result if there is no error */
	lua_insert(L, 1);
	return finish_pcall(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_pcall), 0);
}

static int base_xpcall(lua_State *L)
{
	int n = lua_gettop(L);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 1);
	lua_rotate(L, 3, 2); /* f, handler, true, f, arguments */
	return finish_pcall(L, lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, finish_pcall), 2);
}

/* ---- coroutines ---- */

static lua_State *check_coroutine(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);

	if (!co)
		luaL_typeerror(L, 1, "thread");
	return co;
}

/* Moves 'nargs' arguments over and resumes. Returns the count of results, moved to L, or -1 with
 * the error on top of L. */
static int resume(lua_State *L, lua_State *co, int nargs)
{
	lua_State *before;
	int status, nresults;

	if (!lua_checkstack(co, nargs)) {
		lua_pushliteral(L, "too many arguments to resume");
		return -1;
	}
	lua_xmove(L, co, nargs);
	before = program_signals_enter(co);
	status = lua_resume(co, L, nargs, &nresults);
	program_signals_enter(before);
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_xmove(co, L, 1);
		return -1;
	}
	if (!lua_checkstack(L, nresults + 1)) {
		lua_pop(co, nresults);
		lua_pushliteral(L, "too many results to resume");
		return -1;
	}
	lua_xmove(co, L, nresults);
	return nresults;
}

static int coroutine_resume(lua_State *L)
{
	lua_State *co = check_coroutine(L);
	int n = resume(L, co, lua_gettop(L) - 1);

	if (n < 0)
		program_signals_caught(L, -1);
	lua_pushboolean(L, n >= 0);
	lua_insert(L, n < 0 ? -2 : -(n + 1));
	return n < 0 ? 2 : n + 1;
}

/* Closes a coroutine's pending variables; an error of theirs stays on its stack. */
static int reset(lua_State *co)
{
	lua_State *before = program_signals_enter(co);
	int status = lua_resetthread(co);

	program_signals_enter(before);
	return status;
}

/* Adds where the error happened, as a call of the function would. */
static void add_position(lua_State *L)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		return;
	luaL_where(L, 1);
	lua_insert(L, -2);
	lua_concat(L, 2);
}

static int call_wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	int n = resume(L, co, lua_gettop(L));
	int status = lua_status(co);

	if (n >= 0)
		return n;
	if (status != LUA_OK && status != LUA_YIELD) {
		status = reset(co);
		lua_xmove(co, L, 1);
	}
	if (status != LUA_ERRMEM)
		add_position(L);
	return lua_error(L);
}

static int coroutine_wrap(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_pushcclosure(L, call_wrapped, 1);
	return 1;
}

/* The status of a coroutine that may be closed, or null with the other's name in 'state'. */
static int is_closable(lua_State *L, lua_State *co, const char **state)
{
	lua_Debug ar;

	*state = "running";
	if (co == L)
		return 0;
	*state = "normal";
	return lua_status(co) != LUA_OK || !lua_getstack(co, 0, &ar);
}

static int coroutine_close(lua_State *L)
{
	lua_State *co = check_coroutine(L);
	const char *state;

	if (!is_closable(L, co, &state))
		return luaL_error(L, "cannot close a %s coroutine", state);
	if (reset(co) == LUA_OK) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushboolean(L, 0);
	lua_xmove(co, L, 1);
	return 2;
}

static const luaL_Reg base[] = {
	{ "error", base_error }, { "pcall", base_pcall }, { "xpcall", base_xpcall }, { NULL, NULL }
};

static const luaL_Reg coroutine[] = { { "close", coroutine_close },
				      { "resume", coroutine_resume },
				      { "wrap", coroutine_wrap },
				      { NULL, NULL } };

void program_calls_open(lua_State *L)
{
	lua_pushglobaltable(L);
	luaL_setfuncs(L, base, 0);
	lua_getfield(L, -1, "coroutine");
	luaL_setfuncs(L, coroutine, 0);
	lua_pop(L, 2);
}
