/* SPDX-License-Identifier: MIT
 * Handles: userdata that own one descriptor and close themselves.
 */
/***
What every handle can do, whatever it holds. A handle closes its descriptor when its `<close>` variable
goes out of scope or when it is collected; after a fork the copy in the child undoes nothing.
@classmod luabox.fd
*/
#include "binding/binding.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/util.h"

#define CLOSE_KEY "luabox.handle.close"

/* How many forks away from the first process. A pid has at most 22 bits. */
static pid_t generation;
#define PID_BITS 22
#define GENERATIONS (1 << (31 - PID_BITS))

pid_t box_owner(void)
{
	return getpid() | generation << PID_BITS;
}

void box_forked(void)
{
	generation = (generation + 1) % GENERATIONS;
}

/* The userdata at 'index' if its metatable is one of ours. */
static struct box_fd *to_handle(lua_State *L, int index)
{
	struct box_fd *h = lua_touserdata(L, index);

	if (!h || lua_islightuserdata(L, index) || luaL_getmetafield(L, index, CLOSE_KEY) == LUA_TNIL)
		return NULL;
	lua_pop(L, 1);
	return h;
}

/***
Closes the handle and undoes what it stands for; a second time does nothing.
@function close
@see close(2)
@usage local ns = luabox.sys.namespace.open("net")
ns:close()
assert(tostring(ns) == "luabox.namespace (closed)")
*/
/* Also __gc and __close: once, keeps errno, raises nothing. The type's
 * own close runs before, so that it can still use the descriptor. */
static int handle_close(lua_State *L)
{
	struct box_fd *h = to_handle(L, 1);
	int fd;

	if (!h)
		return luaL_typeerror(L, 1, "luabox handle");
	luaL_getmetafield(L, 1, CLOSE_KEY);
	if (lua_iscfunction(L, -1))
		lua_tocfunction(L, -1)(L);
	fd = h->fd;
	h->fd = -1;
	util_close(fd);
	return 0;
}

/***
The descriptor's number, which stays the handle's.
@function fileno
@treturn int
@raise an argument error if the handle is closed
@usage local ns <close> = luabox.sys.namespace.open("net")
assert(math.type(ns:fileno()) == "integer")
*/
static int handle_fileno(lua_State *L)
{
	lua_pushinteger(L, box_checkfd(L, 1));
	return 1;
}

static int handle_tostring(lua_State *L)
{
	struct box_fd *h = to_handle(L, 1);
	const char *type;

	if (!h)
		return luaL_typeerror(L, 1, "luabox handle");
	luaL_getmetafield(L, 1, "__name");
	type = lua_tostring(L, -1);
	if (h->fd < 0)
		lua_pushfstring(L, "%s (closed)", type);
	else
		lua_pushfstring(L, "%s (%d)", type, h->fd);
	return 1;
}

static const luaL_Reg metamethods[] = { { "__gc", handle_close },
					{ "__close", handle_close },
					{ "__tostring", handle_tostring },
					{ NULL, NULL } };

static const luaL_Reg common[] = { { "close", handle_close }, { "fileno", handle_fileno }, { NULL, NULL } };

/* Pushes a metatable that the registry does not have yet. */
static void new_metatable(lua_State *L, const char *type, const luaL_Reg *meta, const luaL_Reg *methods)
{
	lua_newtable(L);
	lua_pushstring(L, type);
	lua_setfield(L, -2, "__name");
	luaL_setfuncs(L, meta, 0);
	lua_newtable(L);
	if (methods)
		luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
}

void box_metatable(lua_State *L, const char *type, const luaL_Reg *meta, const luaL_Reg *methods)
{
	if (luaL_getmetatable(L, type) != LUA_TNIL)
		return;
	lua_pop(L, 1);
	new_metatable(L, type, meta, methods);
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, type);
}

void *box_memory_new(lua_State *L, const char *type, size_t size, lua_CFunction release)
{
	const luaL_Reg meta[] = { { "__gc", release }, { NULL, NULL } };
	void *p = lua_newuserdatauv(L, size, 0);

	memset(p, 0, size);
	box_metatable(L, type, meta, NULL);
	lua_setmetatable(L, -2);
	return p;
}

void box_handle_type(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction close)
{
	if (luaL_getmetatable(L, type) != LUA_TNIL) {
		lua_pop(L, 1);
		return;
	}
	lua_pop(L, 1);
	new_metatable(L, type, metamethods, common);
	lua_getfield(L, -1, "__index");
	if (methods)
		luaL_setfuncs(L, methods, 0);
	lua_pop(L, 1);
	if (close)
		lua_pushcfunction(L, close);
	else
		lua_pushboolean(L, 1);
	lua_setfield(L, -2, CLOSE_KEY);
	lua_setfield(L, LUA_REGISTRYINDEX, type);
}

void *box_handle_new(lua_State *L, const char *type, size_t size)
{
	struct box_fd *h = lua_newuserdatauv(L, size, 1);

	memset(h, 0, size);
	h->fd = -1;
	h->owner = box_owner();
	luaL_setmetatable(L, type);
	return h;
}

struct box_fd *box_fd_new(lua_State *L)
{
	box_handle_type(L, BOX_FD_TYPE, box_fd_methods, NULL);
	return box_handle_new(L, BOX_FD_TYPE, sizeof(struct box_fd));
}

void *box_handle_check(lua_State *L, int arg, const char *type)
{
	struct box_fd *h = luaL_checkudata(L, arg, type);

	if (h->fd < 0)
		luaL_argerror(L, arg, lua_pushfstring(L, "attempt to use a closed %s", type));
	return h;
}

static int file_fd(lua_State *L, int index)
{
	luaL_Stream *s = luaL_testudata(L, index, LUA_FILEHANDLE);

	return s && s->closef ? fileno(s->f) : -1;
}

int box_tofd(lua_State *L, int index)
{
	struct box_fd *h;
	int is_integer;
	lua_Integer n;

	if (lua_type(L, index) == LUA_TNUMBER) {
		n = lua_tointegerx(L, index, &is_integer);
		return is_integer && n >= 0 && n <= INT32_MAX ? (int)n : -1;
	}
	h = to_handle(L, index);
	return h ? h->fd : file_fd(L, index);
}

int box_checkfd(lua_State *L, int arg)
{
	int fd = box_tofd(L, arg);

	if (fd >= 0)
		return fd;
	if (lua_isuserdata(L, arg))
		return luaL_argerror(L, arg, lua_pushfstring(L, "attempt to use a closed handle"));
	return luaL_typeerror(L, arg, "handle, io file or descriptor number");
}
