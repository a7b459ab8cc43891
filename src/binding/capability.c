/* SPDX-License-Identifier: MIT */
/***
Capability sets of a process: what is left of root's power.

Sets are comma lists of names in lower case without `CAP_`: `"chown,net_admin"`. In a list `all` means every
capability, `default` those that a container gets, and a name with `-` before it takes one away again:
`"default,-kill"`.
@module luabox.sys.capability
*/
#include "binding/capability.h"

#include <limits.h>

#include "kernel/capability.h"

const struct box_name box_capability_names[] = {
#define ROW(name) { #name, CAP_BIT(name) }, { "-" #name, CAP_BIT(name), .clear = 1 },
	CAP_LIST(ROW)
#undef ROW
		{ "all", CAP_ALL },
	{ "default", CAP_DEFAULT },
	{ 0 },
};

static void set_list(lua_State *L, const char *field, uint64_t mask)
{
	box_push_flags(L, mask, box_capability_names);
	lua_setfield(L, -2, field);
}

/* The pid at 'arg'; 0, the caller, if there is none. */
static pid_t opt_pid(lua_State *L, int arg)
{
	lua_Integer pid = luaL_optinteger(L, arg, 0);

	luaL_argcheck(L, lua_isnoneornil(L, arg) || (pid > 0 && pid <= INT_MAX), arg, "pid out of range");
	return (pid_t)pid;
}

static void get_sets(lua_State *L, pid_t pid, struct cap_sets *s)
{
	struct fault f;

	if (cap_get(pid, s, &f))
		box_raise(L, &f);
}

/***
The five sets of a process.
@function get
@int[opt] pid another process than the caller, read from /proc
@treturn
{effective=string,permitted=string,inheritable=string,bounding=string,ambient=string,no_new_privs=boolean}
@raise luabox.error: ENOENT for a process that is not there
@see capget(2), capabilities(7)
@usage assert(luabox.sys.capability.get().effective:find("sys_admin"))
*/
static int capability_get(lua_State *L)
{
	struct cap_sets s;

	get_sets(L, opt_pid(L, 1), &s);
	lua_createtable(L, 0, 6);
	set_list(L, "effective", s.effective);
	set_list(L, "permitted", s.permitted);
	set_list(L, "inheritable", s.inheritable);
	set_list(L, "bounding", s.bounding);
	set_list(L, "ambient", s.ambient);
	lua_pushboolean(L, s.no_new_privs);
	lua_setfield(L, -2, "no_new_privs");
	return 1;
}

struct set_options {
	struct cap_sets sets;
	int no_new_privs;
};

#define SET(name)                                                                                            \
	{                                                                                                    \
#name, BOX_FLAGS, offsetof(struct set_options, sets.name), .names = box_capability_names     \
	}

static const struct box_opt set_options[] = {
	SET(effective),
	SET(permitted),
	SET(inheritable),
	SET(bounding),
	SET(ambient),
	{ "no_new_privs", BOX_BOOL, offsetof(struct set_options, no_new_privs) },
	{ 0 },
};

/***
Change the sets of this process; those that are left out stay. What is taken away cannot be had back.
@function set
@tparam table o
@tparam[opt] string o.effective what the kernel checks now; within permitted
@tparam[opt] string o.permitted what effective may have
@tparam[opt] string o.inheritable what a program with file capabilities may keep at exec; within bounding
@tparam[opt] string o.bounding what any later program may get; can only shrink, and needs setpcap for that
@tparam[opt] string o.ambient what an ordinary program keeps at exec; within permitted and inheritable
@tparam[opt=false] boolean o.no_new_privs no program gives privileges from here on; true cannot be taken back
@raise luabox.error: EPERM for a capability that this process does not have, EINVAL for no_new_privs=false
once it is set
@see capset(2), prctl(2)
@usage luabox.sys.capability.set { inheritable = "", ambient = "", bounding = "default" }
assert(luabox.sys.capability.get().bounding == luabox.sys.capability.default())
*/
static int capability_set(lua_State *L)
{
	struct set_options o;
	struct fault f;
	int set;

	luaL_checktype(L, 1, LUA_TTABLE);
	get_sets(L, 0, &o.sets);
	o.no_new_privs = set = o.sets.no_new_privs;
	box_options(L, 1, set_options, &o);
	if (set && !o.no_new_privs)
		return box_option_error(L, 1, NULL, "no_new_privs",
					"it is set already and cannot be taken back");
	if (o.no_new_privs && cap_no_new_privs(&f))
		return box_raise(L, &f);
	if (cap_apply(&o.sets, &f))
		return box_raise(L, &f);
	lua_pushboolean(L, 1);
	return 1;
}

/***
Whether this process has a capability in its effective set.
@function has
@string name
@treturn boolean
@see capget(2)
@usage assert(luabox.sys.capability.has("setuid"))
*/
static int capability_has(lua_State *L)
{
	uint64_t mask = box_flags(L, 1, NULL, NULL, luaL_checkstring(L, 1), box_capability_names);
	struct cap_sets s;

	luaL_argcheck(L, mask, 1, "no capability named");
	get_sets(L, 0, &s);
	lua_pushboolean(L, (s.effective & mask) == mask);
	return 1;
}

/***
The capabilities that a container gets unless it is told otherwise: podman's eleven.

Docker's mknod, net_raw and audit_write are not among them. `luabox.container` adds net_raw, since the ping of
the embedded busybox knows only raw sockets; for other pings without it `net.ipv4.ping_group_range` is open
there.
@function default
@treturn string comma list
@usage assert(not luabox.sys.capability.default():find("net_raw"))
*/
static int capability_default(lua_State *L)
{
	box_push_flags(L, CAP_DEFAULT, box_capability_names);
	return 1;
}

/***
Every capability's name, in the order of their numbers; also those that this kernel does not have yet.
@function names
@treturn {string,...}
@usage assert(luabox.sys.capability.names()[1] == "chown")
*/
static int capability_names(lua_State *L)
{
	lua_createtable(L, CAP_COUNT, 0);
	for (int cap = 0; cap < CAP_COUNT; cap++) {
		box_push_flags(L, UINT64_C(1) << cap, box_capability_names);
		lua_seti(L, -2, cap + 1);
	}
	return 1;
}

static const luaL_Reg functions[] = {
	{ "default", capability_default }, { "get", capability_get }, { "has", capability_has },
	{ "names", capability_names },     { "set", capability_set }, { NULL, NULL },
};

BOX_MODULE(capability)
{
	luaL_newlib(L, functions);
	return 1;
}
