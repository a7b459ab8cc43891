/* SPDX-License-Identifier: MIT
 * luabox.sys.process.guard.
 */
/***
@submodule luabox.sys.process
*/
#include "binding/process.h"

#define GUARD_TYPE "luabox.guard"

struct box_guard {
	struct box_fd fd;
	struct guard_slot slot;
};

static int guard_release(lua_State *L)
{
	struct box_guard *g = lua_touserdata(L, 1);

	if (g->fd.fd >= 0 && g->fd.owner == box_owner())
		guard_remove(&g->slot);
	return 0;
}

struct guard_slot *process_check_guard(lua_State *L, int index)
{
	struct box_guard *g = luaL_testudata(L, index, GUARD_TYPE);

	if (lua_isnil(L, index))
		return NULL;
	if (!g || g->fd.fd < 0 || g->fd.owner != box_owner())
		box_option_error(L, 1, NULL, "guard", "an open luabox.guard of this process is expected");
	if (g->slot.pid)
		box_option_error(L, 1, NULL, "guard", "it guards process %d", (int)g->slot.pid);
	return &g->slot;
}

/***
Keeps the program's own file from a process of an untrusted root. Such a process can get at the file that it
was started from (CVE-2019-5736); the kernel lets nobody write to what runs, and the guard runs it until the
process is over, even if this process is killed. All guards of a program are one process, which shares its
memory. While there is one, this process cannot enter a time namespace.
@function guard
@treturn luabox.guard a handle, for the option `guard` of `spawn`; for one process at a time
@raise luabox.error: EAGAIN, EMFILE, ENOMEM
@see clone(2)
@usage local process = luabox.sys.process
local guard <close> = process.guard()
local p <close> = process.spawn { program = { "true" }, guard = guard }
assert(p:wait().code == 0)
*/
int process_guard(lua_State *L)
{
	struct box_guard *g;
	struct fault f;

	box_handle_type(L, GUARD_TYPE, NULL, guard_release);
	g = box_handle_new(L, GUARD_TYPE, sizeof *g);
	g->fd.fd = guard_add(&g->slot, box_owner(), &f);
	return g->fd.fd < 0 ? box_raise(L, &f) : 1;
}
