/* SPDX-License-Identifier: MIT
 * luabox.sys.namespace.processes.
 */
/***
@submodule luabox.sys.namespace
*/
#include "binding/namespace.h"
#include "kernel/nsscan.h"

static int close_scan(lua_State *L)
{
	DIR **proc = lua_touserdata(L, 1);

	if (*proc)
		closedir(*proc);
	*proc = NULL;
	return 0;
}

static void push_process(lua_State *L, const struct ns_process *p)
{
	lua_createtable(L, 0, 5);
	lua_pushinteger(L, p->pid);
	lua_setfield(L, -2, "pid");
	lua_pushinteger(L, p->parent);
	lua_setfield(L, -2, "ppid");
	lua_pushinteger(L, p->uid);
	lua_setfield(L, -2, "uid");
	lua_pushstring(L, p->name);
	lua_setfield(L, -2, "name");
	lua_createtable(L, 0, NS_TYPES);
	for (int i = 0; i < NS_TYPES; i++)
		if (p->ids[i]) {
			lua_pushinteger(L, (lua_Integer)p->ids[i]);
			lua_setfield(L, -2, ns_types[i].name);
		}
	lua_setfield(L, -2, "namespaces");
}

/***
All processes that `/proc` shows, each with the ids of its namespaces.
@function processes
@treturn {table,...} in no order, each with `pid`, `ppid`, `uid`, `name`, and `namespaces`: type → id, without
those that this process may not see
@raise luabox.error: ENOENT if no proc is mounted
@see proc(5)
@usage for _, p in ipairs(luabox.sys.namespace.processes()) do assert(p.pid > 0 and p.namespaces) end
*/
int namespace_processes(lua_State *L)
{
	DIR **proc = box_memory_new(L, "luabox.namespace_scan", sizeof *proc, close_scan);
	struct ns_process p;
	lua_Integer n = 0;
	struct fault f;
	int rc;

	if (ns_scan_open(proc, &f) < 0)
		return box_raise(L, &f);
	lua_newtable(L);
	while ((rc = ns_scan_next(*proc, &p, &f)) > 0) {
		push_process(L, &p);
		lua_rawseti(L, -2, ++n);
	}
	if (rc < 0)
		return box_raise(L, &f);
	lua_pushcfunction(L, close_scan);
	lua_pushvalue(L, -3);
	lua_call(L, 1, 0);
	return 1;
}
