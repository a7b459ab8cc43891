/* SPDX-License-Identifier: MIT
 * The parts of luabox.sys.cgroup: groups (cgroup.c), limits as options (cgroup_limits.c), what a group has
 * used (cgroup_stat.c) and where the hierarchies are (cgroup_layout.c).
 */
#ifndef LUABOX_BINDING_CGROUP_H
#define LUABOX_BINDING_CGROUP_H

#include "binding/binding.h"
#include "kernel/cgroup.h"

#define CGROUP_TYPE "luabox.cgroup"

struct box_cgroup {
	struct box_fd h; /* the tracker's directory */
	struct cgroup cg;
};

/* The names of all limits, for a list of options; cgroup_get_limits reads them. */
#define LIMIT_OPTIONS                                                                                        \
	{ "memory.max", BOX_ANY }, { "memory.high", BOX_ANY }, { "memory.swap.max", BOX_ANY },               \
		{ "cpu.max", BOX_ANY }, { "cpu.weight", BOX_ANY }, { "pids.max", BOX_ANY },                  \
		{ "cpuset.cpus", BOX_ANY },                                                                  \
	{                                                                                                    \
		"io.max", BOX_TABLE                                                                          \
	}

/* Reads the limits in the options table at 'arg', or raises an argument error. Leaves
 * strings on the stack, which 'l' points to. */
void cgroup_get_limits(lua_State *L, int arg, struct cg_limits *l);

/* The function luabox.sys.cgroup.layout. */
int box_cgroup_layout(lua_State *L);

/* What a reader of a file has returned: 1, 0, or it raises. */
int cgroup_is_there(lua_State *L, int rc, const char *name);

/* Pushes a limit as it is read back; 0 if the group does not know it. */
int cgroup_push_limit(lua_State *L, const struct cgroup *cg, enum cg_limit limit);

/* CG_MAX is "max". */
void cgroup_push_number(lua_State *L, uint64_t value);

/* Methods. */
int box_cgroup_stat(lua_State *L);
int box_cgroup_read(lua_State *L);
int box_cgroup_killed_by(lua_State *L);

#endif
