/* SPDX-License-Identifier: MIT
 * The parts of luabox.sys.cgroup: groups (cgroup.c), limits as options (cgroup_limits.c) and where the
 * hierarchies are (cgroup_layout.c).
 */
#ifndef LUABOX_BINDING_CGROUP_H
#define LUABOX_BINDING_CGROUP_H

#include "binding/binding.h"
#include "kernel/cgroup.h"

/* The names of all limits, for a list of options; cgroup_get_limits reads them. */
#define LIMIT_OPTIONS                                                                                        \
	{ "memory.max", BOX_ANY }, { "memory.swap.max", BOX_ANY }, { "cpu.max", BOX_ANY },                   \
		{ "cpu.weight", BOX_ANY }, { "pids.max", BOX_ANY }, { "cpuset.cpus", BOX_ANY },              \
	{                                                                                                    \
		"io.max", BOX_TABLE                                                                          \
	}

/* Reads the limits in the options table at 'arg', or raises an argument error. Leaves
 * strings on the stack, which 'l' points to. */
void cgroup_get_limits(lua_State *L, int arg, struct cg_limits *l);

/* The function luabox.sys.cgroup.layout. */
int box_cgroup_layout(lua_State *L);

#endif
