/* SPDX-License-Identifier: MIT
 * The luabox.seccomp handle for the bindings that load one in a child.
 */
#ifndef LUABOX_BINDING_SECCOMP_H
#define LUABOX_BINDING_SECCOMP_H

#include "binding/binding.h"
#include "kernel/seccomp.h"

#define BOX_SECCOMP "luabox.seccomp"

struct box_seccomp {
	struct box_fd handle;      /* the memfd with the program */
	struct sock_fprog program; /* mapped from it; valid until the handle is closed */
};

/* The open luabox.seccomp at 'index', or null. Never raises. */
const struct sock_fprog *box_seccomp_program(lua_State *L, int index);

#endif
