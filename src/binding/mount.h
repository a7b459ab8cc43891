/* SPDX-License-Identifier: MIT
 * What other bindings take from luabox.sys.mount.
 */
#ifndef LUABOX_BINDING_MOUNT_H
#define LUABOX_BINDING_MOUNT_H

#include "binding/binding.h"

/* A detached or opened mount. */
#define BOX_MOUNT "luabox.mount"

/* MS_* of mount.mount; MOUNT_ATTR_* of binds and detached mounts, the latter beside BOX_MOUNT_RECURSIVE. */
extern const struct box_name box_mount_flags[];
extern const struct box_name box_mount_attributes[];
extern const struct box_name box_mount_bind_flags[];

/* MS_PRIVATE and so on, with MS_REC. */
extern const struct box_name box_mount_propagation[];

#define BOX_MOUNT_RECURSIVE (UINT64_C(1) << 63)

/* Reads the mount options at the top of the stack, the value of option 'where.name': a string, or
 * a table, which is replaced by the string made of it. Returns the string. */
const char *box_mount_data(lua_State *L, int arg, const char *where, const char *name);

/* Makes the metatable of BOX_MOUNT, at the first need. */
void box_mount_type(lua_State *L);

/* Pushes a new, closed handle of a mount. */
struct box_fd *box_mount_new(lua_State *L);

/* The functions and handles of detached mounts, into the module's table at the top of the stack. */
void box_mount_detached(lua_State *L);

#endif
