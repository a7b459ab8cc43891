/* SPDX-License-Identifier: MIT */
/***
Namespaces as handles: open, make, enter, ask, pin to a path.

A type is one of the words `mnt`, `pid`, `net`, `uts`, `ipc`, `user`, `cgroup`, `time`. A namespace lives as
long as a process is in it, a handle holds it or a pin keeps it.
@module luabox.sys.namespace
*/
#include "binding/namespace.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "kernel/namespace.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const struct box_name box_namespace_types[] = {
	{ "mnt", CLONE_NEWNS },    { "pid", CLONE_NEWPID },       { "net", CLONE_NEWNET },
	{ "uts", CLONE_NEWUTS },   { "ipc", CLONE_NEWIPC },       { "user", CLONE_NEWUSER },
	{ "time", CLONE_NEWTIME }, { "cgroup", CLONE_NEWCGROUP }, { 0 },
};

static struct box_namespace *new_handle(lua_State *L, int type)
{
	struct box_namespace *ns = box_handle_new(L, BOX_NAMESPACE, sizeof *ns);

	ns->type = type;
	return ns;
}

/* Returns the handle at the top of the stack, or raises. */
static int finish(lua_State *L, struct box_namespace *ns, int fd, const struct fault *f)
{
	if (fd < 0)
		return box_raise(L, f);
	ns->h.fd = fd;
	return 1;
}

static int check_types(lua_State *L, int arg)
{
	int types = (int)box_flags(L, arg, NULL, NULL, luaL_checkstring(L, arg), box_namespace_types);

	luaL_argcheck(L, types, arg, "no namespace type is named");
	return types;
}

/***
Opens a namespace.
@function open
@string type
@tparam[opt] integer|string which that of the process with this pid, or what is at this path (a pin, a file of
`/proc/PID/ns`); without it the caller's own
@treturn luabox.namespace
@raise luabox.error: ENOENT without such a process or path, EACCES for a process that one may not look into,
EINVAL for a path that is no namespace or one of another type
@see namespaces(7)
@usage local net <close> = luabox.sys.namespace.open("net")
print(net:id())
*/
static int namespace_open(lua_State *L)
{
	int type = (int)box_checkenum(L, 1, NULL, box_namespace_types);
	struct box_namespace *ns;
	const char *path = NULL;
	lua_Integer pid = 0;
	struct fault f;

	if (lua_type(L, 2) == LUA_TSTRING) {
		path = box_checkpath(L, 2);
	} else if (!lua_isnoneornil(L, 2)) {
		pid = luaL_checkinteger(L, 2);
		luaL_argcheck(L, pid > 0 && pid <= INT_MAX, 2, "pid out of range");
	}
	ns = new_handle(L, type);
	return finish(L, ns, path ? ns_open_path(type, path, &f) : ns_open(type, (pid_t)pid, &f), &f);
}

/***
Makes a new namespace that nobody is in yet; the caller stays where it is.

A pid namespace cannot be made so, since it lives only with its first process: spawn one.
@function create
@string type
@treturn luabox.namespace
@raise luabox.error: EPERM without CAP_SYS_ADMIN (for `user`: where the system forbids it), ENOSPC at a limit
of `/proc/sys/user`, EINVAL for `pid`
@see unshare(2)
@usage local net <close> = luabox.sys.namespace.create("net")
local mine <close> = luabox.sys.namespace.open("net")
assert(net:id() ~= mine:id())
*/
static int namespace_create(lua_State *L)
{
	int type = (int)box_checkenum(L, 1, NULL, box_namespace_types);
	struct box_namespace *ns = new_handle(L, type);
	struct fault f;

	return finish(L, ns, ns_create(type, &f), &f);
}

/***
Enters a namespace, or several of a process at once.

A pid namespace is entered by the children that are started afterwards, not by the caller.
@function enter
@param target a handle of this module; or a pidfd (a `luabox.process`), a descriptor: then with types
@string[opt] types comma list of what to enter; by default the type of the handle
@raise luabox.error: EPERM without CAP_SYS_ADMIN in the target's user namespace, EINVAL for a descriptor of
another type or the user namespace one is in, ESRCH for a process that has ended
@see setns(2)
@usage local net <close> = luabox.sys.namespace.create("net")
luabox.sys.namespace.enter(net)
*/
static int namespace_enter(lua_State *L)
{
	struct box_namespace *ns = luaL_testudata(L, 1, BOX_NAMESPACE);
	int fd = box_checkfd(L, 1);
	int types = ns && lua_isnoneornil(L, 2) ? ns->type : check_types(L, 2);
	struct fault f;

	return ns_enter(fd, types, &f) < 0 ? box_raise(L, &f) : 0;
}

/***
Puts the calling process into new namespaces.

`pid` and `time` take effect for its children: after `pid` the first child is the new namespace's init, and
when it has ended no further child can be started (ENOMEM).
@function unshare
@string types comma list
@raise luabox.error: EPERM without CAP_SYS_ADMIN, ENOSPC at a limit of `/proc/sys/user`, EINVAL for `user` in
a process with several threads
@see unshare(2)
@usage luabox.sys.namespace.unshare("uts,ipc")
*/
static int namespace_unshare(lua_State *L)
{
	int types = check_types(L, 1);
	struct fault f;

	return ns_unshare(types, &f) < 0 ? box_raise(L, &f) : 0;
}

/***
Takes a pin away: the mount and the file that was made for it. Anything that is no pin is left alone.
@function unpin
@string path
@raise luabox.error: ENOENT; EINVAL for what is no pin
@see luabox.namespace:pin
@usage local net <close> = luabox.sys.namespace.create("net")
net:pin("/run/luabox-example")
luabox.sys.namespace.unpin("/run/luabox-example")
*/
static int namespace_unpin(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	struct fault f;

	return ns_unpin(path, &f) < 0 ? box_raise(L, &f) : 0;
}

/* ---- id maps ---- */

struct range_options {
	int64_t inside, outside, count;
};

#define ID(name, is_required, least)                                                                         \
	{                                                                                                    \
#name, BOX_INT, offsetof(struct range_options, name), .required = is_required, .min = least, \
								      .max = UINT32_MAX                      \
	}

static const struct box_opt range_options[] = { ID(inside, 1, 0), ID(outside, 1, 0), ID(count, 0, 1), { 0 } };

#undef ID

static void read_range(lua_State *L, int arg, const char *name, lua_Integer i, struct idmap_range *range)
{
	struct range_options o = { .count = 1 };
	char where[64];

	snprintf(where, sizeof where, "%s[%d]", name, (int)i);
	if (lua_type(L, -1) != LUA_TTABLE)
		box_option_error(L, arg, NULL, where, "table expected, got %s", luaL_typename(L, -1));
	box_options_at(L, arg, -1, where, 0, range_options, &o);
	*range = (struct idmap_range){ (uint32_t)o.inside, (uint32_t)o.outside, (uint32_t)o.count };
}

void box_check_idmap(lua_State *L, int arg, const char *name, struct idmap *map)
{
	struct idmap_range *ranges;
	lua_Integer n;
	struct fault f;

	if (lua_type(L, -1) != LUA_TTABLE)
		box_option_error(L, arg, NULL, name, "table expected, got %s", luaL_typename(L, -1));
	n = (lua_Integer)lua_rawlen(L, -1);
	if (n < 1 || n > IDMAP_RANGES)
		box_option_error(L, arg, NULL, name, "a list of 1 to %d ranges expected, got %d",
				 IDMAP_RANGES, (int)n);
	luaL_checkstack(L, 8, NULL);
	ranges = lua_newuserdatauv(L, (size_t)n * sizeof *ranges, 0);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, -2, i);
		read_range(L, arg, name, i, &ranges[i - 1]);
		lua_pop(L, 1);
	}
	lua_replace(L, -2);
	*map = (struct idmap){ ranges, (size_t)n };
	if (idmap_check(map, name, &f) < 0)
		box_option_error(L, arg, NULL, name, "%s", f.hint);
}

struct idmap_options {
	int64_t pid, setgroups;
};

static const struct box_name setgroups_words[] = { { "allow", IDMAP_SETGROUPS_ALLOW },
						   { "deny", IDMAP_SETGROUPS_DENY },
						   { 0 } };

static const struct box_opt idmap_options[] = {
	{ "pid", BOX_INT, offsetof(struct idmap_options, pid), .required = 1, .min = 1, .max = INT_MAX },
	{ "uid", BOX_TABLE },
	{ "gid", BOX_TABLE },
	{ "setgroups", BOX_ENUM, offsetof(struct idmap_options, setgroups), .names = setgroups_words },
	{ 0 },
};

/* Leaves the map's memory on the stack. */
static void get_idmap(lua_State *L, const char *name, struct idmap *map)
{
	if (lua_getfield(L, 1, name) != LUA_TNIL)
		box_check_idmap(L, 1, name, map);
}

/***
Writes the id maps of the user namespace that a process is in, once.

Directly where the kernel allows it to the caller: with CAP_SETUID and CAP_SETGID in the user namespace above,
or for the caller's own id alone. Otherwise by newuidmap(1) and newgidmap(1), within what `/etc/subuid` and
`/etc/subgid` give the user.
@function write_id_maps
@tparam table options
@int options.pid a process in the user namespace
@tparam[opt] {{inside=integer,outside=integer,count=integer},...} options.uid ranges of user ids: the first id
in the namespace, the first outside, how many (default 1)
@tparam[opt] {{inside=integer,outside=integer,count=integer},...} options.gid the same of group ids
@string[opt] options.setgroups `"deny"` forbids setgroups(2) in the namespace for good, `"allow"` leaves it
allowed; by default it is denied only where the kernel demands that, for an unprivileged caller's own group id
@raise luabox.error: EPERM for ids that are not the caller's to give, with the helper's own words; ESRCH
@see user_namespaces(7), newuidmap(1)
@usage local process = luabox.sys.process.spawn { namespaces = "user", program = { "/bin/sleep", "1" } }
luabox.sys.namespace.write_id_maps {
  pid = process:pid(),
  uid = { { inside = 0, outside = 0 }, { inside = 1, outside = 100000, count = 1000 } },
}
process:kill("KILL")
process:wait()
*/
static int namespace_write_id_maps(lua_State *L)
{
	struct idmap_options o = { .setgroups = IDMAP_SETGROUPS_AUTO };
	struct idmap_request request = { 0 };
	struct fault f;

	box_options(L, 1, idmap_options, &o);
	get_idmap(L, "uid", &request.uid);
	get_idmap(L, "gid", &request.gid);
	request.setgroups = (enum idmap_setgroups)o.setgroups;
	return idmap_write((pid_t)o.pid, &request, &f) < 0 ? box_raise(L, &f) : 0;
}

/* ---- methods ---- */

static struct box_namespace *check_self(lua_State *L)
{
	return box_handle_check(L, 1, BOX_NAMESPACE);
}

/***
A handle of a namespace, which it keeps alive. It has `close()`, `fileno()` and `<close>`.
@type luabox.namespace
*/

/***
What the namespace is known by: equal for two handles exactly if they are of the same one.
@function id
@treturn string as `/proc/PID/ns` shows it: "net:[4026531840]"
@usage assert(luabox.sys.namespace.open("uts"):id() == luabox.sys.namespace.open("uts"):id())
*/
static int method_id(lua_State *L)
{
	struct box_namespace *ns = check_self(L);
	struct stat st;

	if (fstat(ns->h.fd, &st) < 0)
		return box_fail(L, errno, "fstat", "namespace");
	lua_pushfstring(L, "%s:[%I]", ns_type_name(ns->type), (LUAI_UACINT)st.st_ino);
	return 1;
}

/***
The type word.
@function type
@treturn string
@usage assert(luabox.sys.namespace.open("uts"):type() == "uts")
*/
static int method_type(lua_State *L)
{
	lua_pushstring(L, ns_type_name(check_self(L)->type));
	return 1;
}

/* A related namespace; nil where the kernel shows none (EPERM says both "there is none" and "it is above").
 */
static int related(lua_State *L, int type, int (*get)(int fd, struct fault *f))
{
	int from = check_self(L)->h.fd;
	struct box_namespace *ns = new_handle(L, type);
	struct fault f;
	int fd = get(from, &f);

	if (fd == -EPERM) {
		lua_pushnil(L);
		return 1;
	}
	return finish(L, ns, fd, &f);
}

/***
The user namespace that owns this one.
@function owner
@treturn ?luabox.namespace nil if it is not at or below the caller's own
@raise luabox.error
@see ioctl_ns(2)
@usage print(luabox.sys.namespace.open("net"):owner())
*/
static int method_owner(lua_State *L)
{
	return related(L, CLONE_NEWUSER, ns_owner);
}

/***
The parent of a pid or user namespace.
@function parent
@treturn ?luabox.namespace nil if it has none or it is not at or below the caller's own
@raise luabox.error: EINVAL for another type
@see ioctl_ns(2)
@usage assert(luabox.sys.namespace.open("pid"):parent() == nil)
*/
static int method_parent(lua_State *L)
{
	return related(L, check_self(L)->type, ns_parent);
}

/***
The user who made a user namespace.
@function owner_uid
@treturn integer uid, as the caller's user namespace shows it
@raise luabox.error: EINVAL for another type
@see ioctl_ns(2)
@usage local user <close> = luabox.sys.namespace.create("user")
assert(user:owner_uid() == 0)
*/
static int method_owner_uid(lua_State *L)
{
	uid_t uid;
	struct fault f;

	if (ns_owner_uid(check_self(L)->h.fd, &uid, &f) < 0)
		return box_raise(L, &f);
	lua_pushinteger(L, uid);
	return 1;
}

/***
Keeps the namespace under a path, until `unpin`. What is there already is not covered, but for an empty file.
@function pin
@string path
@raise luabox.error: EEXIST; EPERM without CAP_SYS_ADMIN; EINVAL for a mnt namespace where the mount it would
be on is shared or the namespace older than the caller's own
@see namespaces(7), luabox.sys.namespace.unpin
@usage local net <close> = luabox.sys.namespace.create("net")
net:pin("/run/luabox-example")
assert(luabox.sys.namespace.open("net", "/run/luabox-example"):id() == net:id())
luabox.sys.namespace.unpin("/run/luabox-example")
*/
static int method_pin(lua_State *L)
{
	int fd = check_self(L)->h.fd;
	const char *path = box_checkpath(L, 2);
	struct fault f;

	return ns_pin(fd, path, &f) < 0 ? box_raise(L, &f) : 0;
}

static const luaL_Reg methods[] = {
	{ "id", method_id },
	{ "type", method_type },
	{ "owner", method_owner },
	{ "owner_uid", method_owner_uid },
	{ "parent", method_parent },
	{ "pin", method_pin },
	{ NULL, NULL },
};

static const luaL_Reg functions[] = {
	{ "create", namespace_create },
	{ "enter", namespace_enter },
	{ "open", namespace_open },
	{ "processes", namespace_processes },
	{ "unpin", namespace_unpin },
	{ "unshare", namespace_unshare },
	{ "write_id_maps", namespace_write_id_maps },
	{ NULL, NULL },
};

BOX_MODULE(namespace)
{
	box_handle_type(L, BOX_NAMESPACE, methods, NULL);
	luaL_newlib(L, functions);
	return 1;
}
