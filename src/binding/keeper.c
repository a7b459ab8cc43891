/* SPDX-License-Identifier: MIT */
/***
The process that undoes a run's work when the run is over, however that came.
This is the thin side; `luabox.keeper` has the one keeper of a run, `luabox.gc` what is done when it was
killed as well. A record is a line: `cgroup PATH`, `process PID START`, `sysctl FILE`, `pin PATH`, `file
PATH`, `directory PATH`, `link INDEX NAME`, `table FAMILY NAME`.
@module luabox.sys.keeper
*/
#include "binding/binding.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel/keeper.h"
#include "kernel/util.h"

#define KEEPER_TYPE "luabox.keeper"
#define CLAIM_TYPE "luabox.sysctl_claim"
#define JOURNAL_TYPE "luabox.journal"

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

/* ---- sysctls ---- */

struct box_claim {
	struct box_fd h;
	int dir; /* locked until the value is set */
	int is_set;
	char name[KEEP_SYSCTL_NAME], value[KEEP_SYSCTL_VALUE], file[NAME_MAX + 1];
};

/* Without the value set nothing is to be put back, but the file must go. */
static int claim_release(lua_State *L)
{
	struct box_claim *c = lua_touserdata(L, 1);
	int abandoned = c->h.fd >= 0 && !c->is_set && is_own(&c->h);

	if (abandoned) {
		keep_unlock_dir(c->dir);
		keep_sysctl_drop(c->dir, c->file, c->h.fd);
	}
	util_close(c->dir);
	c->dir = -1;
	return 0;
}

/***
Claim a sysctl that other runs may need too, and note the value that is there if this is the first.
Other runs' claims wait until `set` or `close`; so tell the keeper and set it at once.
@function claim_sysctl
@string name as in sysctl(8)
@string value
@treturn ?luabox.sysctl_claim nil if it has that value already, and not from luabox
@raise luabox.error: ENOENT for no such sysctl, EINVAL, EBUSY if another run holds it at another value
@usage assert(luabox.sys.keeper.claim_sysctl("kernel.ostype", "Linux") == nil)
*/
static int keeper_claim_sysctl(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *value = luaL_checkstring(L, 2);
	struct box_claim *c = box_handle_new(L, CLAIM_TYPE, sizeof *c);
	struct fault f;

	c->dir = -1; /* the handle is whole before it acquires */
	c->dir = keep_dir(1, &f);
	if (c->dir < 0 || keep_sysctl_claim(c->dir, name, value, &c->h.fd, c->file, &f) < 0)
		return box_raise(L, &f);
	if (c->h.fd < 0)
		return 0;
	strcpy(c->name, name);
	strcpy(c->value, value);
	return 1;
}

/***
A claim on a sysctl. To close it before `set` is to give it up; after that the keeper's copy holds it.
@type luabox.sysctl_claim
*/

static struct box_claim *check_claim(lua_State *L)
{
	return box_handle_check(L, 1, CLAIM_TYPE);
}

/***
The name of the file that notes what to put back: the argument of the keeper's record.
@function file
@treturn string
@usage local sys = luabox.sys.keeper
local claim <close> = assert(sys.claim_sysctl("net.ipv4.ip_default_ttl", "77"))
assert(claim:file():match("ip_default_ttl$"))
*/
static int claim_file(lua_State *L)
{
	lua_pushstring(L, check_claim(L)->file);
	return 1;
}

/***
Set the sysctl to the value claimed.
@function set
@raise luabox.error: EACCES, EPERM, EROFS, EINVAL; the claim is given up then
@usage local sys = luabox.sys.keeper
local claim <close> = assert(sys.claim_sysctl("net.ipv4.ip_default_ttl", "77"))
claim:set()
claim:drop()
*/
static int claim_set(lua_State *L)
{
	struct box_claim *c = check_claim(L);
	struct fault f;

	luaL_argcheck(L, !c->is_set, 1, "the value is set already");
	c->is_set = 1;
	if (keep_sysctl_set(c->dir, c->name, c->value, &f) == 0)
		return 0;
	keep_sysctl_drop(c->dir, c->file, c->h.fd);
	return box_raise(L, &f);
}

/***
Give the claim up: the last run to do so puts back what was there, unless somebody has changed it since.
@function drop
@raise luabox.error: EXDEV if this process is in another network namespace now
@usage local sys = luabox.sys.keeper
local claim <close> = assert(sys.claim_sysctl("net.ipv4.ip_default_ttl", "77"))
claim:set()
claim:drop()
*/
static int claim_drop(lua_State *L)
{
	struct box_claim *c = check_claim(L);
	int rc;

	luaL_argcheck(L, c->is_set, 1, "the value is not set");
	rc = keep_sysctl_drop(c->dir, c->file, c->h.fd);
	return rc < 0 ? box_fail(L, rc, "put back sysctl", c->name) : 0;
}

static const luaL_Reg claim_methods[] = {
	{ "drop", claim_drop }, { "file", claim_file }, { "set", claim_set }, { NULL, NULL }
};

/* ---- journals ---- */

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

static int is_claim(const char *name)
{
	return !strncmp(name, KEEP_CLAIM, strlen(KEEP_CLAIM));
}

/* Opens the state directory; false if there is none. */
static int open_state(lua_State *L, DIR **d)
{
	struct fault f;
	int fd = keep_dir(0, &f);

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		box_raise(L, &f);
	*d = fdopendir(fd);
	if (!*d) {
		int error = errno;

		util_close(fd);
		box_fail(L, error, "open", "state directory");
	}
	return 1;
}

static int list_state(lua_State *L, int (*wanted)(const char *name))
{
	const struct dirent *e;
	DIR **d = box_memory_new(L, DIR_TYPE, sizeof(DIR *), dir_gc);

	lua_newtable(L);
	if (!open_state(L, d))
		return 1;
	while ((e = readdir(*d))) {
		if (!wanted(e->d_name))
			continue;
		lua_pushstring(L, e->d_name);
		lua_seti(L, -2, luaL_len(L, -2) + 1);
	}
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
	return list_state(L, is_journal);
}

/***
The files in the state directory that note what sysctls were before runs set them.
@function claims
@treturn {string,...} names, in no order
@raise luabox.error: EPERM if the directory is open to others
@usage assert(type(luabox.sys.keeper.claims()) == "table")
*/
static int keeper_claims(lua_State *L)
{
	return list_state(L, is_claim);
}

static int push_outcome(lua_State *L, int rc)
{
	if (rc == 0)
		return 0;
	lua_pushstring(L, strerrorname_np(-rc));
	return 1;
}

/***
Put a sysctl back that no live run holds, and remove its file.
@function release_claim
@string file
@tparam[opt=false] boolean discard only remove the file: its namespace is gone
@treturn ?string nil if that is done, or live runs hold it; else the errno's symbol, `"EXDEV"` if it is of
another network namespace
@usage assert(luabox.sys.keeper.release_claim("sysctl-0-doc!none") == nil)
*/
static int keeper_release_claim(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1);
	int discard = lua_toboolean(L, 2), dir, rc;
	struct fault f;

	luaL_argcheck(L, is_claim(file) && !strchr(file, '/'), 1, "not the name of a claim");
	dir = keep_dir(0, &f);
	if (dir < 0)
		return dir == -ENOENT ? 0 : box_raise(L, &f);
	rc = discard ? keep_sysctl_discard(dir, file) : keep_sysctl_drop(dir, file, -1);
	keep_dir_leave(dir);
	util_close(dir);
	return push_outcome(L, rc);
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
	strcpy(j->name, name);
	j->dir = keep_dir(0, &f);
	if (j->dir >= 0)
		j->h.fd = keep_journal_open(j->dir, name, &f);
	if (j->h.fd >= 0)
		return 1;
	j->h.fd = -1;
	return f.error == ENOENT || f.error == EBUSY ? 0 : box_raise(L, &f);
}

static void set_integer(lua_State *L, const char *field, uint64_t value)
{
	lua_pushinteger(L, (lua_Integer)value);
	lua_setfield(L, -2, field);
}

static void push_header(lua_State *L, const struct keep_header *h)
{
	lua_createtable(L, 0, 8);
	lua_pushstring(L, h->boot);
	lua_setfield(L, -2, "boot");
	set_integer(L, "pid", (uint64_t)h->pid);
	set_integer(L, "start", h->start);
	set_integer(L, "pid_ns", h->pid_ns);
	set_integer(L, "mnt_ns", h->mnt_ns);
	set_integer(L, "net_ns", h->net_ns);
	set_integer(L, "net_cookie", h->net_cookie);
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

	if (!keep_header_here(&h))
		return box_fail(L, ENOENT, "read", "/proc/self/stat");
	push_header(L, &h);
	return 1;
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

	luaL_argcheck(L, pid > 0 && pid <= INT_MAX, 1, "not the number of a process");
	start = keep_start_time((pid_t)pid);
	if (!start)
		return 0;
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
		set_integer(L, "id", id);
		set_integer(L, "offset", offset);
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

	return push_outcome(L, keep_undo(j->dir, luaL_checkstring(L, 2), -1));
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

static const luaL_Reg journal_methods[] = { { "header", journal_header }, { "records", journal_records },
					    { "remove", journal_remove }, { "strike", journal_strike },
					    { "undo", journal_undo },     { NULL, NULL } };

static const luaL_Reg functions[] = {
	{ "claim_sysctl", keeper_claim_sysctl },   { "claims", keeper_claims },
	{ "find_process", keeper_find_process },   { "here", keeper_here },
	{ "journals", keeper_journals },           { "open_journal", keeper_open_journal },
	{ "release_claim", keeper_release_claim }, { "start", keeper_start },
	{ "start_time", keeper_start_time },       { NULL, NULL }
};

BOX_MODULE(keeper)
{
	box_handle_type(L, KEEPER_TYPE, keeper_methods, keeper_release);
	box_handle_type(L, CLAIM_TYPE, claim_methods, claim_release);
	box_handle_type(L, JOURNAL_TYPE, journal_methods, journal_release);
	luaL_newlib(L, functions);
	return 1;
}
