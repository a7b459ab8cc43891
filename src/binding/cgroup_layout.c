/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.cgroup
*/
#include "binding/cgroup.h"

#define LAYOUT_TYPE "luabox.cgroup.layout"

static int release(lua_State *L)
{
	cg_layout_release(lua_touserdata(L, 1));
	return 0;
}

/* Sets field 'name' of the table at the top. */
static void set_place(lua_State *L, const char *name, int version, const char *path)
{
	lua_createtable(L, 0, 2);
	lua_pushinteger(L, version);
	lua_setfield(L, -2, "version");
	lua_pushstring(L, path);
	lua_setfield(L, -2, "path");
	lua_setfield(L, -2, name);
}

/***
Where this process's control groups are, and with them those that `create` makes: each controller's directory.
@function layout
@treturn {[string]={version=integer,path=string}} `cpu`, `cpuset`, `io`, `memory`, `pids`, `freezer` (only
version 1 has it as a controller) and `cgroup2`, each where it is mounted and seen
@raise luabox.error: /proc is not mounted
@see cgroups(7)
@usage for name, at in pairs(luabox.sys.cgroup.layout()) do print(name, at.version, at.path) end
*/
int box_cgroup_layout(lua_State *L)
{
	struct cg_layout *l = box_memory_new(L, LAYOUT_TYPE, sizeof *l, release);
	struct fault f;

	if (cg_layout_read(l, NULL, &f) < 0)
		return box_raise(L, &f);
	lua_newtable(L);
	if (l->v2)
		set_place(L, "cgroup2", 2, l->v2);
	for (int c = 0; c < CG_CONTROLLERS; c++) {
		if (l->v1[c])
			set_place(L, cg_controller_name(c), 1, l->v1[c]);
		else if (l->v2 && l->v2_controllers & 1U << c)
			set_place(L, cg_controller_name(c), 2, l->v2);
	}
	return 1;
}
