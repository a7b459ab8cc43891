/* SPDX-License-Identifier: MIT
 * What other bindings take from luabox.sys.namespace.
 */
#ifndef LUABOX_BINDING_NAMESPACE_H
#define LUABOX_BINDING_NAMESPACE_H

#include "binding/binding.h"
#include "kernel/idmap.h"

#define BOX_NAMESPACE "luabox.namespace"

struct box_namespace {
	struct box_fd h;
	int type; /* CLONE_NEW* */
};

/* The type words and their CLONE_NEW* flags. */
extern const struct box_name box_namespace_types[];

/* Reads the list of ranges at the top of the stack, the value of option 'name', and checks it;
 * replaces it by the userdata that 'map' points into. */
void box_check_idmap(lua_State *L, int arg, const char *name, struct idmap *map);

/* namespace.processes (namespace_scan.c) */
int namespace_processes(lua_State *L);

#endif
