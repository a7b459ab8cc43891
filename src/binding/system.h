/* SPDX-License-Identifier: MIT
 * What other bindings read from options as luabox.sys.system does.
 */
#ifndef LUABOX_BINDING_SYSTEM_H
#define LUABOX_BINDING_SYSTEM_H

#include <sys/resource.h>

#include "binding/binding.h"

#define BOX_HOSTNAME_MAX 64

/* For BOX_ENUM: "NOFILE" into RLIMIT_NOFILE. */
extern const struct box_name box_rlimit_names[];
const char *box_rlimit_name(int resource);

/* The limit at stack 'index', a number or "unlimited", or an argument error at 'arg' about option
 * 'where.name'. */
rlim_t box_checklimit(lua_State *L, int arg, int index, const char *where, const char *name);

/* Argument errors about option 'where.name' (or the argument itself, if 'name' is null) for a text
 * that is no sysctl's name, and for a value that has a newline. */
void box_check_sysctl_name(lua_State *L, int arg, const char *where, const char *name, const char *text);
void box_check_sysctl_value(lua_State *L, int arg, const char *where, const char *name, const char *text);

/* The functions luabox.sys.system.calls and has_call (system_calls.c). */
int box_system_calls(lua_State *L);
int box_system_has_call(lua_State *L);

#endif
