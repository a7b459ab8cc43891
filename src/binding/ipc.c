/* SPDX-License-Identifier: MIT */
/***
System V's message queues, shared memory and semaphores of this process's ipc namespace: what ipcmk, ipcs and
ipcrm do.

They belong to the namespace, not to a process: those that are not removed go with the namespace. A kind is
one of the words `queue`, `memory`, `semaphores`.
@module luabox.sys.ipc
@see sysvipc(7), ipc_namespaces(7)
*/
#include "kernel/ipc.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include "binding/binding.h"
#include "binding/file.h"

static const struct box_name kind_words[] = {
	{ "queue", IPC_QUEUE }, { "memory", IPC_MEMORY }, { "semaphores", IPC_SEMAPHORES }, { 0 }
};

static enum ipc_kind check_kind(lua_State *L)
{
	luaL_checkstring(L, 1);
	return (enum ipc_kind)box_checkenum(L, 1, NULL, kind_words);
}

struct create_options {
	int64_t size, count;
	const char *mode;
};

static const struct box_opt create_options[] = {
	{ "size", BOX_INT, offsetof(struct create_options, size), .min = 1, .max = INT64_MAX },
	{ "count", BOX_INT, offsetof(struct create_options, count), .min = 1, .max = INT_MAX },
	{ "mode", BOX_STRING, offsetof(struct create_options, mode) },
	{ 0 },
};

/***
Makes one that no key leads to, as ipcmk does.
@function create
@string kind
@tparam[opt] table options
@tparam[opt=4096] integer options.size bytes, of memory only
@tparam[opt=1] integer options.count how many, of semaphores only
@string[opt] options.mode who may use it, octal (default `"600"`: its owner)
@treturn integer its id
@raise luabox.error: ENOSPC, EINVAL at a limit of the namespace, which the hint names
@see msgget(2), shmget(2), semget(2)
@usage local ipc = luabox.sys.ipc
ipc.remove("queue", ipc.create "queue")
*/
static int ipc_create_lua(lua_State *L)
{
	struct create_options o = { .mode = "600" };
	enum ipc_kind kind = check_kind(L);
	struct fault f;
	mode_t mode;
	int id;

	if (!lua_isnoneornil(L, 2))
		box_options(L, 2, create_options, &o);
	if (o.size && kind != IPC_MEMORY)
		box_option_error(L, 2, NULL, "size", "is of memory only");
	if (o.count && kind != IPC_SEMAPHORES)
		box_option_error(L, 2, NULL, "count", "is of semaphores only");
	if (kind == IPC_MEMORY && !o.size)
		o.size = 4096;
	if (kind == IPC_SEMAPHORES && !o.count)
		o.count = 1;
	mode = box_file_mode(L, 2, "mode", o.mode);
	if (mode > 0777)
		box_option_error(L, 2, NULL, "mode", "'%s' has bits that only files have", o.mode);
	id = ipc_create(kind, (size_t)(o.size + o.count), mode, &f);
	if (id < 0)
		return box_raise(L, &f);
	lua_pushinteger(L, id);
	return 1;
}

/***
Removes one. Memory stays for those who have it until they end.
@function remove
@string kind
@int id
@raise luabox.error: EINVAL if there is none, EPERM if it is another user's
@see msgctl(2), shmctl(2), semctl(2)
@usage local id = luabox.sys.ipc.create("memory", { size = 65536 })
luabox.sys.ipc.remove("memory", id)
*/
static int ipc_remove_lua(lua_State *L)
{
	enum ipc_kind kind = check_kind(L);
	lua_Integer id = luaL_checkinteger(L, 2);
	struct fault f;

	luaL_argcheck(L, id >= 0 && id <= INT_MAX, 2, "id out of range");
	return ipc_remove(kind, (int)id, &f) < 0 ? box_raise(L, &f) : 0;
}

static void push_object(lua_State *L, enum ipc_kind kind, const struct ipc_object *o)
{
	char mode[8];

	lua_createtable(L, 0, 7);
	box_set_integer(L, "id", o->id);
	box_set_integer(L, "key", o->key);
	box_set_integer(L, "uid", o->uid);
	box_set_integer(L, "gid", o->gid);
	snprintf(mode, sizeof mode, "%04o", (unsigned)o->mode);
	box_set_text(L, "mode", mode);
	if (kind == IPC_SEMAPHORES)
		box_set_integer(L, "count", (lua_Integer)o->size);
	else
		box_set_integer(L, "size", (lua_Integer)o->size);
	if (kind == IPC_QUEUE)
		box_set_integer(L, "messages", (lua_Integer)o->count);
	if (kind == IPC_MEMORY)
		box_set_integer(L, "attached", (lua_Integer)o->count);
}

/***
Those that there are in this namespace, as ipcs shows them.
@function list
@string kind
@treturn {table,...} each with `id`, `key` (0 without one), `uid`, `gid`, `mode` (octal: `"0600"`);
a queue with `messages` and `size` (their bytes), memory with `size` and `attached` (how often it is in use),
semaphores with `count`
@raise luabox.error
@see ipcs(1)
@usage local id = luabox.sys.ipc.create("semaphores", { count = 3 })
assert(luabox.sys.ipc.list("semaphores")[1].count == 3)
luabox.sys.ipc.remove("semaphores", id)
*/
static int ipc_list_lua(lua_State *L)
{
	enum ipc_kind kind = check_kind(L);
	struct ipc_object o;
	struct fault f;
	int place = 0, rc;

	lua_newtable(L);
	for (lua_Integer i = 1; (rc = ipc_next(kind, &place, &o, &f)) > 0; i++) {
		push_object(L, kind, &o);
		lua_rawseti(L, -2, i);
	}
	return rc < 0 ? box_raise(L, &f) : 1;
}

static const luaL_Reg functions[] = {
	{ "create", ipc_create_lua },
	{ "list", ipc_list_lua },
	{ "remove", ipc_remove_lua },
	{ NULL, NULL },
};

BOX_MODULE(ipc)
{
	luaL_newlib(L, functions);
	return 1;
}
