/* SPDX-License-Identifier: MIT
 * luabox.sys.keeper: the journals of runs.
 */
/***
@submodule luabox.sys.keeper
*/
#include "binding/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/keeper.h"
#include "kernel/util.h"

#define JOURNAL_TYPE "luabox.journal"

struct box_journal {
	struct box_fd h;
	int dir;
	char name[KEEP_NAME];
};

static int journal_release(lua_State *L)
{
	struct box_journal *j = lua_touserdata(L, 1);

	util_close(j->dir);
	j->dir = -1;
	return 0;
}

static struct box_journal *check_journal(lua_State *L)
{
	return box_handle_check(L, 1, JOURNAL_TYPE);
}

/* A directory stream that closes itself. */
#define DIR_TYPE "luabox.directory_stream"

static int dir_gc(lua_State *L)
{
	DIR **d = lua_touserdata(L, 1);

	if (*d)
		closedir(*d);
	*d = NULL;
	return 0;
}

static int is_journal(const char *name)
{
	size_t length = strlen(name), suffix = strlen(KEEP_SUFFIX);

	return length > suffix && length < KEEP_NAME && !strcmp(name + length - suffix, KEEP_SUFFIX);
}

/* Opens the state directory; null if there is none. */
static DIR *open_state(lua_State *L)
{
	struct fault f;
	int fd = keep_dir(0, &f), error;
	DIR *d;

	if (fd == -ENOENT)
		return NULL;
	if (fd < 0)
		box_raise(L, &f);
	d = fdopendir(fd);
	if (d)
		return d;
	error = errno;
	util_close(fd);
	box_fail(L, error, "open", "state directory");
	return NULL;
}

int keeper_push_names(lua_State *L, int (*wanted)(const char *name))
{
	const struct dirent *e;
	DIR **d = box_memory_new(L, DIR_TYPE, sizeof(DIR *), dir_gc);

	lua_newtable(L);
	*d = open_state(L);
	if (!*d)
		return 1;
	while ((errno = 0, e = readdir(*d))) {
		if (!wanted(e->d_name))
			continue;
		lua_pushstring(L, e->d_name);
		lua_seti(L, -2, luaL_len(L, -2) + 1);
	}
	if (errno)
		return box_fail(L, errno, "read", "state directory");
	closedir(*d);
	*d = NULL;
	return 1;
}

/***
The journals in the state directory, of runs that live and of dead ones.
@function journals
@treturn {string,...} names, in no order
@raise luabox.error: EPERM if the directory is open to others
@usage assert(type(luabox.sys.keeper.journals()) == "table")
*/
static int keeper_journals(lua_State *L)
{
	return keeper_push_names(L, is_journal);
}

int keeper_push_outcome(lua_State *L, int rc)
{
	if (rc == 0)
		return 0;
	lua_pushstring(L, strerrorname_np(-rc));
	return 1;
}

/***
Find a process in a namespace.
@function find_process
@string type as in /proc/PID/ns
@int inode
@treturn ?int its number; nil if none is in sight
@usage assert(luabox.sys.keeper.find_process("net", luabox.sys.keeper.here().net_ns))
*/
static int keeper_find_process(lua_State *L)
{
	static const struct box_name types[] = { { "mnt", 0 }, { "net", 1 }, { "pid", 2 }, { 0 } };
	const char *type = types[box_checkenum(L, 1, NULL, types)].name;
	pid_t pid = keep_find_process(type, (uint64_t)luaL_checkinteger(L, 2));

	if (!pid)
		return 0;
	lua_pushinteger(L, pid);
	return 1;
}

/***
Open the journal of a dead run, and keep other collectors from it.
@function open_journal
@string name
@treturn ?luabox.journal nil if its run or its keeper lives (or another collector has it), or if it is gone
@raise luabox.error: EBADMSG if it is no file of luabox's
@usage assert(luabox.sys.keeper.open_journal("1-1-0.journal") == nil)
*/
static int keeper_open_journal(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct box_journal *j;
	struct fault f;

	luaL_argcheck(L, is_journal(name) && !strchr(name, '/'), 1, "not the name of a journal");
	j = box_handle_new(L, JOURNAL_TYPE, sizeof *j);
	j->dir = -1;
	snprintf(j->name, sizeof j->name, "%s", name);
	j->dir = keep_dir(0, &f);
	if (j->dir >= 0)
		j->h.fd = keep_journal_open(j->dir, name, &f);
	if (j->h.fd >= 0)
		return 1;
	j->h.fd = -1;
	return f.error == ENOENT || f.error == EBUSY ? 0 : box_raise(L, &f);
}

static void push_header(lua_State *L, const struct keep_header *h)
{
	lua_createtable(L, 0, 8);
	lua_pushstring(L, h->boot);
	lua_setfield(L, -2, "boot");
	box_set_integer(L, "pid", h->pid);
	box_set_integer(L, "start", (lua_Integer)h->start);
	box_set_integer(L, "pid_ns", (lua_Integer)h->pid_ns);
	box_set_integer(L, "mnt_ns", (lua_Integer)h->mnt_ns);
	box_set_integer(L, "net_ns", (lua_Integer)h->net_ns);
	box_set_integer(L, "net_cookie", (lua_Integer)h->net_cookie);
}

/***
What the header of this process's journal would say.
@function here
@treturn table `boot` (id), `pid`, `start`, and the inodes `pid_ns`, `mnt_ns`, `net_ns`, and `net_cookie`
@usage assert(luabox.sys.keeper.here().pid > 0)
*/
static int keeper_here(lua_State *L)
{
	struct keep_header h;
	struct fault f;

	if (keep_header_here(&h, &f) < 0)
		return box_raise(L, &f);
	push_header(L, &h);
	return 1;
}

/***
Remove the state directory if nothing is in it.
@function leave_directory
@raise luabox.error: EPERM if the directory is open to others
@usage luabox.sys.keeper.leave_directory()
*/
static int keeper_leave_directory(lua_State *L)
{
	struct fault f;
	int dir = keep_dir(0, &f);

	if (dir < 0)
		return dir == -ENOENT ? 0 : box_raise(L, &f);
	keep_dir_leave(dir);
	util_close(dir);
	return 0;
}

/***
When a process was started, as a record of it says: field 22 of /proc/PID/stat.
@function start_time
@int pid
@treturn ?int clock ticks since the machine was started; nil for no such process
@see proc_pid_stat(5)
@usage assert(luabox.sys.keeper.start_time(1) >= 0)
*/
static int keeper_start_time(lua_State *L)
{
	lua_Integer pid = luaL_checkinteger(L, 1);
	uint64_t start;
	int rc;

	luaL_argcheck(L, pid > 0 && pid <= INT_MAX, 1, "not the number of a process");
	rc = keep_start_time((pid_t)pid, &start);
	if (rc == -ENOENT || rc == -ESRCH)
		return 0;
	if (rc < 0)
		return box_fail(L, -rc, "read", "the start time of a process");
	lua_pushinteger(L, (lua_Integer)start);
	return 1;
}

/***
The journal of a dead run.
@type luabox.journal
*/

/* Leaves the journal's text on the stack. */
static char *load_journal(lua_State *L, const struct box_journal *j, size_t *length, struct keep_header *h)
{
	ssize_t n = keep_journal_size(j->h.fd);
	char *text;

	if (n < 0)
		box_fail(L, (int)n, "read journal", j->name);
	text = lua_newuserdatauv(L, (size_t)n + 1, 0);
	n = keep_journal_load(j->h.fd, text, (size_t)n, h);
	if (n < 0)
		box_fail(L, (int)n, "read journal", j->name);
	*length = (size_t)n;
	return text;
}

/***
What the run was.
@function header
@treturn table as `here` gives
@raise luabox.error: EBADMSG if it is no journal
*/
static int journal_header(lua_State *L)
{
	struct keep_header h;
	size_t length;

	load_journal(L, check_journal(L), &length, &h);
	push_header(L, &h);
	return 1;
}

/***
What the run did not undo.
@function records
@treturn {table,...} each with `id` (the higher the later), `line` and `offset`
@raise luabox.error: EBADMSG if it is no journal
*/
static int journal_records(lua_State *L)
{
	struct keep_header h;
	size_t length, at = 0, offset = 0;
	char *text = load_journal(L, check_journal(L), &length, &h);
	const char *line;
	uint32_t id;

	lua_newtable(L);
	for (lua_Integer i = 1; (line = keep_journal_next(text, length, &at, &id, &offset)); i++) {
		lua_createtable(L, 0, 3);
		box_set_integer(L, "id", (lua_Integer)id);
		box_set_integer(L, "offset", (lua_Integer)offset);
		lua_pushstring(L, line);
		lua_setfield(L, -2, "line");
		lua_seti(L, -2, i);
	}
	return 1;
}

/***
Undo what a record says, in this process.
@function undo
@string line
@treturn ?string nil if that is done; else the errno's symbol
*/
static int journal_undo(lua_State *L)
{
	const struct box_journal *j = check_journal(L);

	return keeper_push_outcome(L, keep_undo(j->dir, luaL_checkstring(L, 2), -1));
}

/***
Strike a record out.
@function strike
@int offset
*/
static int journal_strike(lua_State *L)
{
	const struct box_journal *j = check_journal(L);
	lua_Integer offset = luaL_checkinteger(L, 2);
	int rc;

	luaL_argcheck(L, offset > 0, 2, "not a record's offset");
	rc = keep_journal_strike(j->h.fd, (off_t)offset);
	return rc < 0 ? box_fail(L, rc, "write journal", j->name) : 0;
}

/***
Whether nothing is in it: its keeper was killed before it could write the header, and its run has made
nothing.
@function is_empty
@treturn boolean
*/
static int journal_is_empty(lua_State *L)
{
	const struct box_journal *j = check_journal(L);
	ssize_t n = keep_journal_size(j->h.fd);

	if (n < 0)
		return box_fail(L, (int)n, "read journal", j->name);
	lua_pushboolean(L, n == 0);
	return 1;
}

/***
Remove the journal, whatever it still holds.
@function remove
*/
static int journal_remove(lua_State *L)
{
	const struct box_journal *j = check_journal(L);

	if (unlinkat(j->dir, j->name, 0) < 0 && errno != ENOENT)
		return box_fail(L, errno, "unlink journal", j->name);
	keep_dir_leave(j->dir);
	return 0;
}

static const luaL_Reg journal_methods[] = {
	{ "header", journal_header },
	{ "is_empty", journal_is_empty },
	{ "records", journal_records },
	{ "remove", journal_remove },
	{ "strike", journal_strike },
	{ "undo", journal_undo },
	{ NULL, NULL },
};

static const luaL_Reg functions[] = { { "find_process", keeper_find_process },
				      { "here", keeper_here },
				      { "journals", keeper_journals },
				      { "leave_directory", keeper_leave_directory },
				      { "open_journal", keeper_open_journal },
				      { "start_time", keeper_start_time },
				      { NULL, NULL } };

void keeper_add_journals(lua_State *L)
{
	box_handle_type(L, JOURNAL_TYPE, journal_methods, journal_release);
	luaL_setfuncs(L, functions, 0);
}
