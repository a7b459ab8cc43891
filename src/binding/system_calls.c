/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.system
*/
#include <string.h>

#include "binding/system.h"
#include "kernel/calls.h"

/***
Whether this process may make a system call that not every kernel has. It is made in a way that does nothing.
@function has_call
@string name one of `calls`
@treturn boolean
@treturn[2] string if false: `"ENOSYS"` where the kernel lacks it or a filter of system calls says so,
`"EPERM"` where one refuses it
@see syscalls(2)
@usage assert(luabox.sys.system.has_call "pidfd_open")
*/
int box_system_has_call(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *known;
	for (size_t i = 0; (known = calls_name(i)); i++) {
		int rc;

		if (strcmp(known, name) != 0)
			continue;
		rc = calls_try(i);
		lua_pushboolean(L, rc == 0);
		lua_pushstring(L, rc < 0 ? strerrorname_np(-rc) : NULL);
		return 2;
	}
	return luaL_argerror(L, 1, lua_pushfstring(L, "'%s' is none of calls()", name));
}

/***
The system calls that `has_call` knows.
@function calls
@treturn {string,...}
@usage assert(luabox.sys.system.calls()[1] == "clone3")
*/
int box_system_calls(lua_State *L)
{
	const char *name;

	lua_newtable(L);
	for (size_t i = 0; (name = calls_name(i)); i++) {
		lua_pushstring(L, name);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}
