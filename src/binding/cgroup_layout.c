/* SPDX-License-Identifier: MIT */
/***
@submodule luabox.sys.cgroup
*/
#include "binding/cgroup.h"

#define LAYOUT_TYPE "luabox.cgroup.layout"
#define PARENT_TYPE "luabox.cgroup.parent"

static int release(lua_State *L)
{
	cg_layout_release(lua_touserdata(L, 1));
	return 0;
}

static int release_parent(lua_State *L)
{
	cg_parent_release(lua_touserdata(L, 1));
	return 0;
}

/* Sets field 'name' of the table at the top. */
static void set_place(lua_State *L, const char *name, int version, const char *path, const char *problem)
{
	lua_createtable(L, 0, 3);
	lua_pushinteger(L, version);
	lua_setfield(L, -2, "version");
	lua_pushstring(L, path);
	lua_setfield(L, -2, "path");
	lua_pushstring(L, problem);
	lua_setfield(L, -2, "problem");
	lua_setfield(L, -2, name);
}

static void set_v2_place(lua_State *L, const struct cg_layout *l, enum cg_controller c)
{
	struct cg_parent *p = box_memory_new(L, PARENT_TYPE, sizeof *p, release_parent);
	struct fault f;
	int rc = cg_parent_choose(p, l, 0, 1U << c, &f);

	lua_insert(L, -2);
	set_place(L, cg_controller_name(c), 2, rc < 0 ? l->v2 : p->path, rc < 0 ? f.hint : NULL);
	lua_remove(L, -2);
}

/***
Where `create` makes groups with each controller: in this process's control groups, with version 2 perhaps
above.
@function layout
@treturn {[string]={version=integer,path=string,problem=string}} `cpu`, `cpuset`, `io`, `memory`, `pids`,
`freezer` (only version 1 has it as a controller) and `cgroup2` (this process's), each where it is mounted and
seen; `problem` where version 2 cannot have groups with the controller: why, and what to do
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
		set_place(L, "cgroup2", 2, l->v2, NULL);
	for (int c = 0; c < CG_CONTROLLERS; c++) {
		if (l->v1[c])
			set_place(L, cg_controller_name(c), 1, l->v1[c], NULL);
		else if (l->v2 && l->v2_controllers & 1U << c)
			set_v2_place(L, l, c);
	}
	return 1;
}
