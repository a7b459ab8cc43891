/* SPDX-License-Identifier: MIT
 * Fields of the table at the top of the stack, as results are built.
 */
#include <lauxlib.h>

#include "binding/binding.h"

void box_set_integer(lua_State *L, const char *field, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, field);
}

void box_set_text(lua_State *L, const char *field, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, field);
}

void box_set_bool(lua_State *L, const char *field, int value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, field);
}
