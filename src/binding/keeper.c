/* SPDX-License-Identifier: MIT */
/***
The process that undoes a run's work when the run is over, however that came.
This is the thin side; `luabox.keeper` has the one keeper of a run, `luabox.gc` what is done when it was
killed as well. A record is a line: `cgroup PATH`, `controllers PATH` (of a cgroup in which groups are made),
`process PID START`, `sysctl FILE`, `pin PATH`, `file PATH`, `directory PATH`, `contents DEVICE INODE PATH`
(all that is in a directory), `link INDEX NAME`, `table FAMILY NAME`.
@module luabox.sys.keeper
*/
#include "binding/keeper.h"

#include <string.h>
#include <unistd.h>

#include "kernel/keeper.h"
#include "kernel/util.h"

#define KEEPER_TYPE "luabox.keeper"

struct box_keeper {
	struct box_fd h;
	struct keeper k;
};

static int is_own(const struct box_fd *h)
{
	return h->owner == box_owner();
}

/* ---- the keeper ---- */

/* In a forked child the keeper goes on for the parent. */
static int keeper_release(lua_State *L)
{
	struct box_keeper *k = lua_touserdata(L, 1);

	if (k->h.fd < 0)
		return 0;
	if (is_own(&k->h)) {
		keep_stop(&k->k);
		k->h.fd = -1;
		return 0;
	}
	util_close(k->k.run_journal);
	k->k.run_journal = -1;
	return 0;
}

static struct box_keeper *check_keeper(lua_State *L)
{
	struct box_keeper *k = box_handle_check(L, 1, KEEPER_TYPE);

	luaL_argcheck(L, is_own(&k->h), 1, "this keeper belongs to the parent of this process");
	return k;
}

/***
Start a keeper for this process and its journal.
@function start
@treturn luabox.keeper
@raise luabox.error: EACCES, EROFS or EPERM if the state directory cannot be used; EAGAIN, ENOMEM. Nothing has
been made then.
@usage local k <close> = luabox.sys.keeper.start()
assert(k:stop() == "done")
*/
static int keeper_start(lua_State *L)
{
	struct box_keeper *k = box_handle_new(L, KEEPER_TYPE, sizeof *k);
	struct fault f;

	if (keep_start(&k->k, &f) < 0)
		return box_raise(L, &f);
	k->h.fd = k->k.socket;
	return 1;
}

/***
A running keeper. To `close` it is to `stop` it.
@type luabox.keeper
*/

/* Leaves the list's lines as one string on the stack, each with its end. */
static unsigned int push_lines(lua_State *L, int list)
{
	lua_Integer n;
	luaL_Buffer b;

	luaL_checktype(L, list, LUA_TTABLE);
	n = luaL_len(L, list);
	luaL_argcheck(L, n > 0, list, "a list of records expected");
	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; i <= n; i++) {
		const char *line;
		size_t length;

		if (lua_geti(L, list, i) != LUA_TSTRING)
			luaL_argerror(L, list, "records are strings");
		line = lua_tolstring(L, -1, &length);
		if (strlen(line) != length || strchr(line, '\n') || length >= KEEP_LINE)
			luaL_argerror(L, list, "a record is one line, of at most 4159 bytes");
		luaL_addvalue(&b);
		luaL_addchar(&b, '\n');
	}
	luaL_pushresult(&b);
	luaL_argcheck(L, lua_rawlen(L, -1) <= KEEP_LINES, list, "records of more than 16384 bytes at once");
	return (unsigned int)n;
}

/***
Tell what is going to be made; returns when it is in the journal. All of the records, or none.
@function tell
@tparam {string,...} records
@tparam[opt] handle fd of the process, or claim on the sysctl, that the first record is about
@treturn int the first record's number; those of the others follow
@raise luabox.error: EEXIST if the thing is there already, EINVAL for what is no record, ENOSPC; EPIPE if the
keeper was killed
@usage local k <close> = luabox.sys.keeper.start()
local id = k:tell { "file /tmp/luabox-doc-tell" }
k:forget(id)
*/
static int keeper_tell(lua_State *L)
{
	struct box_keeper *k = check_keeper(L);
	int fd = lua_isnoneornil(L, 3) ? -1 : box_checkfd(L, 3);
	unsigned int count = push_lines(L, 2);
	struct fault f;
	int64_t id = keep_tell(&k->k, lua_tostring(L, -1), count, fd, &f);

	if (id < 0)
		return box_raise(L, &f);
	lua_pushinteger(L, id);
	return 1;
}

/***
Strike records out: the things are gone.
@function forget
@int id the first record's number
@tparam[opt=1] int count
@raise luabox.error: EPIPE if the keeper was killed
@usage local k <close> = luabox.sys.keeper.start()
local id = k:tell { "file /tmp/luabox-doc-a", "file /tmp/luabox-doc-b" }
k:forget(id, 2)
*/
static int keeper_forget(lua_State *L)
{
	struct box_keeper *k = check_keeper(L);
	lua_Integer id = luaL_checkinteger(L, 2), count = luaL_optinteger(L, 3, 1);
	struct fault f;

	luaL_argcheck(L, id > 0 && id <= UINT32_MAX, 2, "not a record's number");
	luaL_argcheck(L, count > 0 && count <= KEEP_LINES, 3, "not a count of records");
	if (keep_forget(&k->k, (uint32_t)id, (unsigned int)count, &f) < 0)
		return box_raise(L, &f);
	return 0;
}

/***
End the keeper; returns when it has undone what is on its list.
@function stop
@treturn string `"done"`; `"left"` if something could not be undone and is still in the journal; `"killed"` if
the keeper had been killed, and all is still in the journal
@usage local k <close> = luabox.sys.keeper.start()
assert(k:stop() == "done")
*/
static int keeper_stop(lua_State *L)
{
	struct box_keeper *k = check_keeper(L);
	int rc = keep_stop(&k->k);

	k->h.fd = -1;
	lua_pushstring(L, rc == 0 ? "done" : rc == 1 ? "left" : "killed");
	return 1;
}

/***
The name of the journal in the state directory.
@function journal
@treturn string
@usage local k <close> = luabox.sys.keeper.start()
assert(k:journal():match("%.journal$"))
*/
static int keeper_journal(lua_State *L)
{
	lua_pushstring(L, check_keeper(L)->k.journal);
	return 1;
}

/***
The keeper's process.
@function pid
@treturn int
@usage local k <close> = luabox.sys.keeper.start()
assert(k:pid() > 0)
*/
static int keeper_pid(lua_State *L)
{
	lua_pushinteger(L, check_keeper(L)->k.pid);
	return 1;
}

/***
Whether the keeper is this process's, and not its parent's.
@function is_own
@treturn boolean
@usage local k <close> = luabox.sys.keeper.start()
assert(k:is_own())
*/
static int keeper_is_own(lua_State *L)
{
	const struct box_keeper *k = luaL_checkudata(L, 1, KEEPER_TYPE);

	lua_pushboolean(L, is_own(&k->h));
	return 1;
}

static const luaL_Reg keeper_methods[] = { { "is_own", keeper_is_own },
					   { "forget", keeper_forget },
					   { "journal", keeper_journal },
					   { "pid", keeper_pid },
					   { "stop", keeper_stop },
					   { "tell", keeper_tell },
					   { NULL, NULL } };

static const luaL_Reg functions[] = { { "start", keeper_start }, { NULL, NULL } };

BOX_MODULE(keeper)
{
	box_handle_type(L, KEEPER_TYPE, keeper_methods, keeper_release);
	luaL_newlib(L, functions);
	keeper_add_claims(L);
	keeper_add_journals(L);
	return 1;
}
